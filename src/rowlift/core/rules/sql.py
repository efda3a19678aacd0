"""Rules on SQL."""

from rowlift.core.rules.scopes import Rule

RULES = (
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
)
