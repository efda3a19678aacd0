"""Rules on runs, and what guards stop."""

from rowlift.core.rules.scopes import Rule

RULES = (
    Rule(
        "TOO_MANY_ROWS",
        "guard",
        "The query returned more rows than the limit",
        "Narrow the query, or raise limits.rows.",
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
    Rule(
        "APPROVAL_NEEDED",
        "guard",
        "The workspace wants the word of another person",
        "Make a plan in the service, and let another person approve it there.",
    ),
    Rule(
        "UNDO_TOO_OLD",
        "run",
        "What was before the run is not kept any more",
        "Mend the source, and run the sync; retention.undo says how long it is kept.",
    ),
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
)
