"""Rules on columns, seen as soon as the query was described."""

from rowlift.core.rules.scopes import Rule

RULES = (
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
)
