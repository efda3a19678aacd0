"""Rules on destinations."""

from rowlift.core.rules.scopes import Rule

RULES = (
    Rule(
        "CREDENTIALS_REFUSED",
        "destination",
        "The destination refused the credentials",
        "Replace the key, then run again.",
    ),
    Rule(
        "ENDPOINT_GONE",
        "destination",
        "The destination's address does not answer for this",
        "Check the address.",
    ),
    Rule(
        "REDIRECTED",
        "destination",
        "The destination answered with a redirect",
        "Put the new address into the connection; redirects are never followed.",
    ),
    Rule(
        "ADDRESS_REFUSED",
        "destination",
        "The address is not allowed for outgoing requests",
        "Use a public https address, or allow the network in the connection.",
    ),
    Rule(
        "UNREACHABLE",
        "destination",
        "The destination cannot be reached",
        "Nothing to do if it passes: the rows stay due.",
    ),
    Rule(
        "UNAVAILABLE",
        "destination",
        "The destination answered that it is unavailable",
        "Nothing to do if it passes: the rows stay due.",
    ),
    Rule(
        "RATE_LIMITED",
        "destination",
        "The destination asked to slow down",
        "Nothing to do: Rowlift waits as asked.",
    ),
    Rule(
        "REPLY_UNREADABLE",
        "destination",
        "The destination's reply could not be understood",
        "Check the address; the rows stay in doubt and are sent again.",
    ),
    Rule("REFUSED", "destination", "The destination refused the row", "Read its reason."),
    Rule(
        "CIRCUIT_OPEN",
        "destination",
        "Too many batches failed one after another",
        "Look at the destination; the rows stay due.",
    ),
    Rule(
        "ACCOUNT_CHANGED",
        "destination",
        "The connection now belongs to another account than what was sent before",
        "Add it under a new name, or start over: rowlift state reset NAME.",
    ),
    Rule(
        "CANNOT_DO",
        "destination",
        "The destination cannot do what the sync asks",
        "Change match, mode, kind or removed.",
    ),
    Rule(
        "TEST_NOT_HARMLESS",
        "destination",
        "A test message would not be harmless at this destination",
        "Test the connection instead, then try a sync with its first 10 rows.",
    ),
    Rule(
        "FOLDER_UNWRITABLE",
        "destination",
        "The folder of a destination cannot be written",
        "Free space or mend its rights, then run again: the rows stay due.",
    ),
    Rule(
        "VERIFYING",
        "destination",
        "Somebody verifies the destination already",
        "Wait for it, or cancel it: rowlift verify NAME --cancel.",
    ),
    Rule(
        "NOT_READABLE",
        "destination",
        "The destination takes changes and does not tell what it holds",
        "Ask the tool itself. Files, the sandbox and the workspace can be verified.",
    ),
    Rule(
        "HELD_UNREADABLE",
        "destination",
        "What a destination holds cannot be read",
        "Mend or remove the file that is named, or its rights, then verify again.",
    ),
)
