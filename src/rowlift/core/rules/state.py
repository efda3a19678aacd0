"""Rules on the state."""

from rowlift.core.rules.scopes import Rule

RULES = (
    Rule("STATE_NEWER", "state", "The state was written by a newer Rowlift", "Upgrade Rowlift."),
    Rule(
        "STATE_DAMAGED",
        "state",
        "The state database is damaged",
        "Restore the last backup: rowlift restore FILE --replace.",
    ),
    Rule(
        "STATE_PRESENT",
        "state",
        "A backup would take the place of a state",
        "Say so: rowlift restore FILE --replace.",
    ),
    Rule("BACKUP_DAMAGED", "state", "A backup is not as it was written", "Take another backup."),
    Rule("BACKUP_NEWER", "state", "A newer Rowlift made the backup", "Restore it with that one."),
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
        "The state database is held by others, or has no connection free",
        "Wait for them to finish, then run again.",
    ),
    Rule(
        "STATE_SLOW",
        "state",
        "A question to the state database took too long, and was stopped",
        "Ask for less, or at another time.",
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
)
