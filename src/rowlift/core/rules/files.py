"""Rules on the files of a project."""

from rowlift.core.rules.scopes import Rule

RULES = (
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
    Rule(
        "AUDIENCE_CYCLE",
        "file",
        "An audience is made from itself, over others or not",
        "Leave one of these segments out of a condition.",
    ),
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
        "Somebody changed a definition or a user meanwhile",
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
)
