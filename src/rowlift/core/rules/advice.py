"""Advice on a sync before it is saved: it stops nothing."""

from rowlift.core.rules.scopes import Rule

RULES = (
    Rule(
        "FULL_QUERY_LARGE",
        "warning",
        "A large result is read whole in every run",
        "Read what changed: WHERE updated_at >= {{last_sync_time}}, as the source writes it.",
    ),
    Rule(
        "LARGE_OFTEN",
        "warning",
        "A large result is read more than once a day",
        "Run it daily, or read only what changed since {{last_sync_time}}.",
    ),
    Rule(
        "CURSOR_NOT_INDEXED",
        "warning",
        "No index begins with the column that is compared with {{last_sync_time}}",
        "Have an index made on it: without one every run reads the whole table.",
    ),
    Rule(
        "CURSOR_NOT_SECONDS",
        "warning",
        "A column that holds no numbers is compared with {{last_sync_time}}, which is Unix seconds",
        "Convert the seconds into what the column holds; else rows are missed, or all are read.",
    ),
    Rule(
        "LIMIT_LOSES_ROWS",
        "warning",
        "The query has a LIMIT: rows beyond it are never read",
        "Remove the LIMIT; results of any size are read in bounded memory.",
    ),
    Rule(
        "PRIMARY_READ",
        "warning",
        "A large result is read from a primary, on which other programs write",
        "Give the source the address of a read-only replica.",
    ),
    Rule(
        "BYTES_READ",
        "warning",
        "The query reads so much that it may be expensive",
        "Select fewer columns, read by partition or since {{last_sync_time}}, or run less often.",
    ),
    Rule(
        "COLUMNS_UNUSED",
        "warning",
        "Columns are read and used nowhere, or are always empty",
        "Leave them out of the SELECT.",
    ),
    Rule(
        "SCHEDULE_TOO_SHORT",
        "warning",
        "The schedule is shorter than a run takes",
        "Give it more time between runs, or let the query read less.",
    ),
    Rule(
        "TIMEOUT_NEAR",
        "warning",
        "The query may reach the source's timeout",
        "Raise statement_timeout of the source, or let the query read less.",
    ),
    Rule(
        "UNDONE_COMES_BACK",
        "warning",
        "With other columns no row is as it was undone, so what was undone comes back",
        "Mend at the source what was undone before the sync runs with other columns.",
    ),
)
