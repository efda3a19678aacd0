"""Every rule and reject by its stable code: what is wrong and how to mend it.

The reference page is generated from this table; a code that is not here cannot be raised.
"""

from dataclasses import dataclass
from typing import Literal

Scope = Literal[
    "file",
    "source",
    "column",
    "row",
    "message",
    "run",
    "guard",
    "destination",
    "state",
    "access",
    "warning",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `mend` is one line for the person who wrote the query or the file."""

    code: str
    scope: Scope
    title: str
    mend: str


def _table(*rules: Rule) -> dict[str, Rule]:
    return {rule.code: rule for rule in rules}


RULES: dict[str, Rule] = _table(
    # columns: seen as soon as the query was described
    Rule(
        "NO_IDENTIFIER",
        "column",
        "The result has no identifier column",
        'Name it in the SQL, for example: SELECT customer_id AS "user_id", …',
    ),
    Rule(
        "IDENTIFIER_CASE",
        "column",
        "The identifier column differs only in case",
        'Give it the exact name: SELECT "ID" AS "id", …',
    ),
    Rule(
        "IDENTIFIER_CLASH",
        "column",
        "Two identifier columns that exclude each other",
        "Keep one of user_id and anonymous_id.",
    ),
    Rule(
        "IDENTIFIER_TYPE",
        "column",
        "The identifier column has a type that cannot identify",
        "Cast it to text or to an integer in the SQL.",
    ),
    Rule(
        "IDENTIFIER_NOT_ALLOWED",
        "column",
        "The workspace does not identify people by this column",
        "Change workspace.identifiers in rowlift.yml, or identify by another column.",
    ),
    Rule(
        "NO_TRAITS",
        "column",
        "The result has only the identifier column",
        "Select at least one more column; its name becomes the trait's name.",
    ),
    Rule(
        "TOO_MANY_COLUMNS",
        "column",
        "The result has too many columns",
        "Select only the columns you need, or raise limits.columns.",
    ),
    Rule(
        "COLUMN_DUPLICATE",
        "column",
        "Two columns have the same name",
        "Give each column its own name with AS.",
    ),
    Rule("COLUMN_UNNAMED", "column", "A column has no name", "Name it with AS."),
    Rule(
        "COLUMN_NAME",
        "column",
        "A column name cannot become a trait name",
        "Rename the column with AS (no control characters, at most 128 characters).",
    ),
    Rule(
        "RESERVED_COLUMN",
        "column",
        "A column has a name that Rowlift keeps for itself",
        "Rename the column with AS.",
    ),
    Rule(
        "COLUMN_UPPER_CASE",
        "warning",
        "A column name has upper-case letters",
        'Attributes are usually lower case: SELECT … AS "email".',
    ),
    # rows
    Rule(
        "ID_NULL",
        "row",
        "The identifier is null",
        "Leave these rows out: WHERE user_id IS NOT NULL.",
    ),
    Rule(
        "ID_BLANK",
        "row",
        "The identifier is empty or only spaces",
        "Leave these rows out: WHERE trim(user_id) <> ''.",
    ),
    Rule(
        "ID_DUPLICATE",
        "row",
        "The identifier appears more than once",
        "Return each identifier once: SELECT DISTINCT …, or GROUP BY the identifier.",
    ),
    Rule(
        "ID_TOO_LONG",
        "row",
        "The identifier is too long",
        "Use an identifier of at most 500 characters.",
    ),
    Rule(
        "ID_CHARACTERS",
        "row",
        "The identifier holds control characters or is not a single value",
        "Clean the identifier in the SQL.",
    ),
    Rule(
        "EMAIL_INVALID",
        "row",
        "The e-mail address is not valid",
        "Correct it at the source; RFC 5322 and 6531 decide.",
    ),
    Rule(
        "RECORD_TOO_LARGE",
        "row",
        "The encoded record is over the size limit",
        "Select fewer or shorter columns.",
    ),
    Rule(
        "VALUE_INVALID", "row", "A value cannot be carried", "Cast or clean the column in the SQL."
    ),
    Rule(
        "TEXT_ENCODING",
        "row",
        "A text is not valid in its character set",
        "Repair the text at the source, or cast it.",
    ),
    Rule(
        "JSON_INVALID",
        "row",
        "A JSON value is broken, repeats a key or nests too deep",
        "Repair the value at the source, or select the parts you need.",
    ),
    Rule(
        "ID_TAKEN",
        "row",
        "The id belongs to another person",
        "One of the two rows has the wrong id; mend it at the source.",
    ),
    Rule(
        "EMAIL_TAKEN",
        "row",
        "The e-mail address belongs to another person",
        "Merge the two people, or mend the address at the source.",
    ),
    Rule(
        "ANONYMOUS_ID_TAKEN",
        "row",
        "The anonymous id belongs to another person",
        "Mend the row at the source.",
    ),
    Rule(
        "ID_IMMUTABLE",
        "row",
        "The person already has another id",
        "An id cannot be changed by a sync; mend the source or edit the person.",
    ),
    Rule(
        "EMAIL_IMMUTABLE",
        "row",
        "The person already has another e-mail address",
        "Set workspace.allow_email_change_by_id: true to let syncs by id change addresses.",
    ),
    Rule(
        "MERGE_CONTESTED",
        "row",
        "Rows give one person known by anonymous ids only to different people",
        "Mend the rows at the source, so that one of them names the anonymous id.",
    ),
    Rule(
        "PERSON_AMBIGUOUS",
        "row",
        "The row's identifiers name two different people",
        "Mend the row, or merge the two people.",
    ),
    Rule(
        "PERSON_UNKNOWN",
        "row",
        "The workspace does not know the person of a relationship",
        "Nothing to do if the person comes later: the row is tried again in each run.",
    ),
    Rule(
        "OBJECT_UNKNOWN",
        "row",
        "The workspace does not know the object of a relationship",
        "Import the object first, or check its type; the row is tried again in each run.",
    ),
    Rule(
        "IDENTIFIER_MATCHES_OTHER",
        "row",
        "The second identifier belongs to a person without the first one",
        "Set second_identifier: attach to join them.",
    ),
    Rule(
        "RECORD_CHANGED",
        "row",
        "The person or object changed while the run was writing",
        "Nothing to mend: the next run takes the row again.",
    ),
    Rule(
        "PERSON_SUPPRESSED",
        "row",
        "The person is suppressed",
        "Nothing to mend: the person asked not to be processed.",
    ),
    # messages that were sent to the ingest API
    Rule(
        "MESSAGE_INVALID",
        "message",
        "The message lacks something or is of the wrong form",
        "Mend what sends it; the protocol is Segment's HTTP Tracking API.",
    ),
    Rule(
        "MESSAGE_NO_ID",
        "message",
        "The message names nobody",
        "Give it a userId or an anonymousId.",
    ),
    Rule(
        "BATCH_TOO_LONG",
        "message",
        "The batch has too many messages",
        "Send at most 2,500 messages at once.",
    ),
    Rule(
        "ALIAS_KNOWN",
        "message",
        "An alias names two people who are both known",
        "Only somebody known by anonymous ids alone is merged; merge others by hand.",
    ),
    # runs and guards
    Rule(
        "TOO_MANY_ROWS",
        "guard",
        "The query returned more rows than the limit",
        "Narrow the query, or raise limits.rows; nothing was truncated or sent.",
    ),
    Rule(
        "BAD_ROWS",
        "guard",
        "The result holds rows that break the rules",
        "Mend the SQL, or set on_bad_rows: reject to let the good rows pass.",
    ),
    Rule(
        "EMPTIED",
        "guard",
        "A full query came back empty although it had rows before",
        "Check the query; if it is right: rowlift run NAME --allow-removals.",
    ),
    Rule(
        "MASS_REMOVAL",
        "guard",
        "More rows would be removed than the guard allows",
        "Look at rowlift plan NAME; if it is right: rowlift run NAME --allow-removals.",
    ),
    Rule(
        "KEY_CHANGED",
        "guard",
        "The key column changed since the last run",
        "Put it back, or start over: rowlift state reset NAME.",
    ),
    Rule(
        "MASS_REJECT",
        "guard",
        "More than half of the rows were rejected",
        "Look at the reasons: rowlift runs ID --errors.",
    ),
    Rule(
        "MOSTLY_UNKNOWN",
        "guard",
        "Hardly anybody of a new query is known in the workspace",
        "Check the identifier column; if they are new: set guards.unknown: off.",
    ),
    Rule(
        "CONSTANT_TRAIT",
        "warning",
        "A trait has one value for every row and leavers are kept: it can never be unset",
        "Set removed: clear, or select false for the others too.",
    ),
    Rule(
        "ALL_UNKNOWN",
        "warning",
        "None of the rows is known in the workspace",
        "Check that the identifier column is the one your other data uses.",
    ),
    Rule(
        "SQL_UNREAD",
        "warning",
        "The query is written in words that only the source can read",
        "Run `rowlift preview`: the source describes the query, or says what is wrong with it.",
    ),
    Rule(
        "ATTRIBUTE_SHARED",
        "warning",
        "Two syncs write one attribute to the same destination",
        "Let only one of them write it: add exclude to the other.",
    ),
    Rule(
        "CLOCK_BACK",
        "warning",
        "The source's clock stands before last_sync_time",
        "Check its time server; rowlift state reset NAME reads everything again.",
    ),
    Rule("PLAN_STALE", "guard", "The plan no longer fits", "Make a new plan: rowlift plan NAME."),
    Rule("PAUSED", "guard", "The sync is paused", "Let it run again: rowlift resume NAME."),
    Rule("BUSY", "run", "Another run is active in this workspace", "Wait for it, or try again."),
    Rule("FENCED", "run", "Another process took this run over", "Nothing to do: it goes on there."),
    Rule(
        "INTERRUPTED", "run", "The run was interrupted", "Run again: it goes on where it stopped."
    ),
    Rule(
        "CANCELLED",
        "run",
        "Somebody cancelled the run or the delivery",
        "Run again: what it left is still due.",
    ),
    Rule("RUN_OVER", "run", "The run is over", "See rowlift runs: it shows how it ended."),
    # schedules and the service
    Rule(
        "SLOT_WAITS",
        "run",
        "An earlier slot of the sync still waits for its turn",
        "Let it run less often, or give it a start of its own.",
    ),
    Rule(
        "SLOTS_MISSED",
        "run",
        "Slots passed while no service ran, or the clock was put forward",
        "Keep rowlift serve running; the newest slot is caught up.",
    ),
    Rule(
        "SCHEDULE_GONE",
        "run",
        "The sync lost its schedule while a slot waited",
        "Nothing to do, or give it one again.",
    ),
    Rule(
        "SERVICE_RUNNING",
        "run",
        "Another process serves this workspace",
        "Stop that one first, or leave it the work.",
    ),
    Rule(
        "DRAIN_LATE",
        "run",
        "Work did not end in time when the service was asked to end",
        "Nothing is lost: the next start goes on with it.",
    ),
    Rule("SERVICE_DOWN", "run", "No service runs", "Start it: rowlift serve"),
    # SQL
    Rule("SQL_EMPTY", "source", "The query is empty", "Write one SELECT."),
    Rule(
        "SQL_TOO_LONG",
        "source",
        "The query is too long to be read",
        "Put long lists into a table and join it.",
    ),
    Rule(
        "SQL_MANY_STATEMENTS",
        "source",
        "There is more than one statement",
        "Keep one SELECT; remove what follows the semicolon.",
    ),
    Rule(
        "SQL_NOT_A_QUERY",
        "source",
        "The statement is not a query",
        "Write a SELECT; Rowlift never changes a warehouse.",
    ),
    Rule(
        "SQL_WRITES",
        "source",
        "The query would write or lock",
        "Remove the writing part; Rowlift only reads.",
    ),
    Rule(
        "SQL_UNREADABLE", "source", "The query cannot be read", "Mend the SQL at the marked place."
    ),
    Rule(
        "SQL_FUNCTION",
        "source",
        "The query calls a function with effects outside the query",
        "Remove the call.",
    ),
    Rule(
        "TEMPLATE_UNKNOWN",
        "source",
        "The query uses an unknown {{name}}",
        "Only {{last_sync_time}} is known.",
    ),
    # sources
    Rule(
        "CONNECT_FAILED", "source", "The source cannot be reached", "Check host, port and firewall."
    ),
    Rule(
        "SSH_HOST_UNKNOWN",
        "source",
        "The SSH server's key is not known",
        "Compare its fingerprint with its administrator, then add the key to known_hosts.",
    ),
    Rule(
        "SSH_LOGIN_FAILED",
        "source",
        "The SSH server refused the login",
        "Check ssh.user, and ssh.private_key or ssh.password.",
    ),
    Rule("LOGIN_FAILED", "source", "The source refused the login", "Check user and password."),
    Rule(
        "TLS_FAILED",
        "source",
        "The encrypted connection could not be made or verified",
        "Check the TLS mode, the CA file and the host name.",
    ),
    Rule("DATABASE_UNKNOWN", "source", "The database does not exist", "Check the database name."),
    Rule(
        "PERMISSION_DENIED",
        "source",
        "The user may not read this",
        "Run the GRANT statements shown.",
    ),
    Rule("TABLE_UNKNOWN", "source", "The table does not exist", "Check its name and schema."),
    Rule("COLUMN_UNKNOWN", "source", "The column does not exist", "Check its name."),
    Rule("QUERY_SYNTAX", "source", "The source does not understand the query", "Mend the SQL."),
    Rule("QUERY_FAILED", "source", "The query failed", "Mend the SQL or the data it reads."),
    Rule(
        "QUERY_TIMEOUT",
        "source",
        "The query took longer than allowed",
        "Make it faster, or raise statement_timeout.",
    ),
    Rule(
        "QUOTA_EXCEEDED",
        "source",
        "The warehouse's quota is used up",
        "Raise the quota, or wait until it starts anew.",
    ),
    Rule(
        "WAREHOUSE_UNAVAILABLE",
        "source",
        "There is no warehouse that runs the query",
        "Name a warehouse that the role may use and that resumes by itself.",
    ),
    Rule("QUERY_CANCELLED", "source", "The query was cancelled", "Run again."),
    Rule(
        "SOURCE_DROPPED",
        "source",
        "The source closed the connection while rows were read",
        "Run again; nothing was sent.",
    ),
    Rule(
        "UNSAFE_USER",
        "source",
        "The user has rights that no read-only session can contain",
        "Use a user with SELECT only, or set allow_unsafe_user: true.",
    ),
    Rule("WRITE_RIGHTS", "warning", "The user could write", "Use a user with SELECT only."),
    Rule("FILE_MISSING", "source", "The file does not exist", "Check its path."),
    Rule(
        "FILE_OUTSIDE_ROOT",
        "source",
        "The file lies outside the allowed folder",
        "Move it into the folder of the connection.",
    ),
    Rule(
        "DRIVER_MISSING",
        "source",
        "The driver for this source is not installed",
        "Install the extra that is named.",
    ),
    # destinations
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
        "FOLDER_UNWRITABLE",
        "destination",
        "The folder of a destination cannot be written",
        "Free space or mend its rights, then run again: the rows stay due.",
    ),
    # files
    Rule("FILE_UNREADABLE", "file", "A file cannot be read", "Check path and rights."),
    Rule("YAML_INVALID", "file", "The YAML cannot be read", "Mend it at the marked place."),
    Rule(
        "YAML_FORBIDDEN",
        "file",
        "YAML aliases, tags and duplicate keys are not allowed",
        "Write the value out.",
    ),
    Rule("KEY_UNKNOWN", "file", "An unknown key", "Remove it or spell it as suggested."),
    Rule("KEY_MISSING", "file", "A key is missing", "Add it."),
    Rule("VALUE_WRONG", "file", "A value is not allowed here", "Correct it as described."),
    Rule(
        "NAME_UNKNOWN", "file", "A name is used that is not defined", "Define it or spell it right."
    ),
    Rule("FILE_EXISTS", "file", "A file would be overwritten", "Choose a new folder."),
    Rule("NAME_TWICE", "file", "A name is defined twice", "Rename one of the two."),
    Rule(
        "MANAGED_IN_FILES",
        "file",
        "What files manage is read-only elsewhere",
        "Change it in its file and apply it: rowlift apply.",
    ),
    Rule(
        "IN_USE",
        "file",
        "A change would break a sync that uses what is changed",
        "Change the sync first.",
    ),
    Rule(
        "EDIT_CONFLICT",
        "file",
        "Somebody changed a definition meanwhile",
        "Load it again and repeat the change.",
    ),
    Rule(
        "PREVIEW_STOPS",
        "guard",
        "A new trait was not made, because its preview stops",
        "Mend the query as the preview says.",
    ),
    Rule(
        "SECRET_AGAIN",
        "file",
        "A changed connection would send its kept secrets elsewhere",
        "Give the secrets again.",
    ),
    Rule(
        "SECRET_MISSING",
        "file",
        "A secret is not in the state database",
        "Give it again; in a file write it as ${VARIABLE} and apply that.",
    ),
    Rule(
        "VARIABLE_UNSET",
        "file",
        "A variable is not set",
        "Set it in the environment, or give a default: ${NAME:-default}.",
    ),
    Rule(
        "SECRET_IN_FILE",
        "warning",
        "A secret stands in a file as plain text",
        "Use ${VARIABLE} or ${file:/path}.",
    ),
    Rule(
        "NO_PROJECT",
        "file",
        "There is no rowlift.yml here",
        "Go to the project's folder, use -C, or make one: rowlift init.",
    ),
    # state
    Rule("STATE_NEWER", "state", "The state was written by a newer Rowlift", "Upgrade Rowlift."),
    Rule(
        "STATE_DAMAGED",
        "state",
        "The state database is damaged",
        "Restore the last backup; see docs/operations.md.",
    ),
    Rule(
        "STATE_FULL",
        "state",
        "The disk is full or a file cannot be written",
        "Free space and run again: nothing was lost.",
    ),
    Rule(
        "STATE_BUSY",
        "state",
        "People changed faster than the run could write them",
        "Run again: nothing was lost.",
    ),
    Rule(
        "STATE_LOCKED",
        "state",
        "The state database is held by another process",
        "Wait for it to finish.",
    ),
    Rule(
        "SECRET_KEY_MISSING",
        "state",
        "The key of the secrets is not here",
        "Put back secret.key in the data directory, or set ROWLIFT_SECRET_KEY.",
    ),
    Rule(
        "SECRET_KEY_WRONG",
        "state",
        "The key of the secrets is not a key",
        "Put back the key that was there.",
    ),
    Rule(
        "SECRET_UNREADABLE",
        "state",
        "A sealed secret was changed from outside",
        "Give it again, or restore the last backup.",
    ),
    Rule("STATE_UNREACHABLE", "state", "The state database cannot be reached", "Check its URL."),
    Rule(
        "WHO_AMBIGUOUS",
        "state",
        "A value names one person by one identifier and another one by another",
        "Say which: id:…, email:… or anonymous_id:….",
    ),
    Rule("NOT_FOUND", "state", "There is no such thing", "See rowlift ls and rowlift runs."),
    # people who work here
    Rule(
        "LOGIN_WRONG",
        "access",
        "The address or the password is wrong",
        "Try again, or let an admin set a new password: rowlift users password.",
    ),
    Rule(
        "LOGIN_THROTTLED",
        "access",
        "Too many failed logins",
        "Wait as long as it says, then try again.",
    ),
    Rule("SIGNED_OUT", "access", "Nobody is signed in", "Sign in, or send a valid API token."),
    Rule(
        "RIGHT_MISSING",
        "access",
        "The role or the token does not allow this",
        "Ask an admin for the right, or use another token.",
    ),
    Rule(
        "SETUP_CLOSED",
        "access",
        "The first admin is there already",
        "Sign in; an admin adds the others.",
    ),
    Rule(
        "SETUP_CODE_WRONG",
        "access",
        "The one-time code is wrong or was replaced",
        "Use the code that rowlift serve printed last.",
    ),
    Rule(
        "PASSWORD_WEAK",
        "access",
        "The password is too easy to guess",
        "Use 12 to 128 characters that are not your address.",
    ),
    Rule("USER_EXISTS", "access", "There is a user of that address", "Change their role instead."),
    Rule(
        "LAST_ADMIN",
        "access",
        "The last admin cannot go",
        "Make somebody else an admin first.",
    ),
    Rule(
        "TOKEN_WRONG",
        "access",
        "The API token is unknown, expired or revoked",
        "Make a new one.",
    ),
    # over HTTP
    Rule(
        "CSRF_WRONG",
        "access",
        "The request may come from another site's page",
        "Send the header x-csrf-token as GET /api/v1/session tells it.",
    ),
    Rule(
        "HOST_REFUSED",
        "access",
        "The request names a host that this server is not known by",
        "Start it with --allow-host NAME for each name that leads to it.",
    ),
    Rule("BODY_TOO_LARGE", "access", "The request is too large", "Send less at once."),
    Rule("TOO_MANY_REQUESTS", "access", "Too many requests in a minute", "Wait, then go on."),
    Rule("METHOD_NOT_ALLOWED", "access", "The address takes another method", "See openapi.json."),
    Rule(
        "VERSION_MISSING",
        "access",
        "A change does not say which version it was made from",
        "Read it first, and send its ETag as If-Match.",
    ),
    Rule(
        "ADDRESS_TAKEN",
        "access",
        "Nothing can be served at the address",
        "Choose another port or host: rowlift serve --port 7071.",
    ),
    Rule("CURSOR_WRONG", "access", "A cursor was not given by us", "Send `next` as it was."),
    # the command line
    Rule("USAGE", "file", "The command line cannot be understood", "See rowlift --help."),
    Rule("OUTPUT_LOST", "run", "The result cannot be written", "Free space; see rowlift runs."),
    Rule("FILE_LIMIT", "run", "Too few files may be open at once", "Raise it: ulimit -n 1024."),
    Rule("OUT_OF_MEMORY", "run", "There is not enough memory", "Allow more, then run again."),
    Rule("INTERNAL", "run", "A fault of Rowlift itself", "Please report it with the log."),
)


def rule(code: str) -> Rule:
    """Return the rule of a code; KeyError means a code was raised that nobody documented."""
    return RULES[code]
