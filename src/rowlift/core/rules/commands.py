"""Rules on the command line, and on the machine under it."""

from rowlift.core.rules.scopes import Rule

RULES = (
    Rule("USAGE", "file", "The command line cannot be understood", "See rowlift --help."),
    Rule("OUTPUT_LOST", "run", "The result cannot be written", "Free space; see rowlift runs."),
    Rule("FILE_LIMIT", "run", "Too few files may be open at once", "Raise it: ulimit -n 1024."),
    Rule("OUT_OF_MEMORY", "run", "There is not enough memory", "Allow more, then run again."),
    Rule("INTERNAL", "run", "A fault of Rowlift itself", "Please report it with the log."),
)
