"""Rules on rows."""

from rowlift.core.rules.scopes import Rule

RULES = (
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
)
