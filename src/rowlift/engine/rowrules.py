"""The rules for rows as SQL predicates over one staged file, in the order in which they count."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rowlift.core.nouns import Kind
from rowlift.core.specs import SyncSpec
from rowlift.engine import emails
from rowlift.engine.canon import Staged, canonical, key_sql
from rowlift.engine.columns import DELETED, OBJECT_TYPE
from rowlift.engine.duck import text as literal
from rowlift.engine.jsontext import BROKEN
from rowlift.engine.keys import Keyed
from rowlift.engine.read import MAX_ROW_BYTES

MAX_IDENTIFIER = 500
_YES = "('true', 't', 'yes', 'y', '1')"
_NO = "('false', 'f', 'no', 'n', '0', '')"

_MACROS = (
    "row_begins(x) AS x BETWEEN '!' AND '~'",  # with a character that can be seen
    r"row_printable(x) AS regexp_full_match(x, '[!-~]+')",
    r"row_blank(x) AS regexp_full_match(x, '[\s\p{Z}\p{Cf}]*')",
    r"row_control(x) AS regexp_matches(x, '\p{Cc}')",
    (
        r"row_nul(x) AS contains(x, '\u0000')"
        r" AND regexp_matches(x, '(?:^|[^\\])(?:\\\\)*\\u0000')"
    ),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One rule as a predicate that is true for the rows that break it."""

    code: str
    reason: str
    predicate: str


def macros() -> Sequence[str]:
    """Return what the predicates call."""
    return _MACROS


def key_checks(keyed: Keyed, *, odd_emails: bool) -> list[Check]:
    """Return the checks of the identifier; a row that breaks none of them has a usable one."""
    if not keyed.parts:
        key = keyed.key
        return [
            *_encoding_checks([key]),
            Check("ID_NULL", f"{key.name} is null.", "identifier IS NULL"),
            *_identifier_checks(key, "identifier", odd_emails=odd_emails),
        ]
    return [
        *_encoding_checks(keyed.parts),
        *(
            Check("ID_NULL", f"{part.name} is null.", f"({key_sql(part)}) IS NULL")
            for part in keyed.parts
            if part.name != OBJECT_TYPE
        ),
        *(
            check
            for part in keyed.parts
            for check in _identifier_checks(part, key_sql(part), odd_emails=odd_emails)
        ),
    ]


def row_checks(
    keyed: Keyed,
    others: Sequence[Staged],
    columns: Sequence[Staged],
    spec: SyncSpec,
    *,
    odd_emails: bool,
) -> list[Check]:
    """Return the checks of what stands beside a usable identifier.

    They read `identifier`, `attributes`, the staged columns and the tables `duplicate` and
    `odd_email`; of all checks the first that is true names the row's code.
    """
    of_key = (keyed.key, *keyed.parts)
    return [
        *_encoding_checks([column for column in columns if column not in of_key]),
        Check(
            "ID_DUPLICATE",
            f"More than one row of the result has this {keyed.label}.",
            "key IN (SELECT key FROM duplicate)",
        ),
        *(
            check
            for other in others
            for check in _identifier_checks(other, key_sql(other), odd_emails=odd_emails)
        ),
        *_json_checks(columns),
        Check(
            "VALUE_INVALID",
            "A text holds the character U+0000, which databases cannot store.",
            "row_nul(attributes)",
        ),
        *_deleted_checks(columns, spec),
        Check(
            "RECORD_TOO_LARGE",
            f"The row is over {MAX_ROW_BYTES:,} bytes.",
            f"attributes IS NULL OR strlen(attributes) > {MAX_ROW_BYTES}",
        ),
    ]


def is_deleted(column: Staged) -> str:
    """Return the predicate of rows that end a relationship."""
    return f"coalesce({_word(column)} IN {_YES}, false)"


def _deleted_checks(columns: Sequence[Staged], spec: SyncSpec) -> Iterator[Check]:
    for column in columns:
        if spec.kind is Kind.RELATIONSHIP and column.name == DELETED:
            neither = f"{_word(column)} NOT IN {_YES} AND {_word(column)} NOT IN {_NO}"
            yield Check("VALUE_INVALID", "deleted is neither true nor false.", neither)


def _word(column: Staged) -> str:
    return f"lower(trim({key_sql(column)}))"


def _identifier_checks(column: Staged, value: str, *, odd_emails: bool) -> Iterator[Check]:
    odd = f"NOT row_printable({value}) AND"
    name = column.name
    yield from _json_checks([column])  # what is broken has no text, and would seem blank
    blank = f"NOT row_begins({value}) AND row_blank({value})"
    yield Check("ID_BLANK", f"{name} is empty or only spaces.", blank)
    if column.value_type == "json":
        many = f"left({canonical(column)}, 1) IN ('{{', '[')"
        yield Check("ID_CHARACTERS", f"{name} is not a single value.", many)
    if name == "email":
        wrong = emails.wrong_sql(value, odd=odd_emails)
        yield Check("EMAIL_INVALID", f"{name} is not a valid address.", wrong)
        return
    yield Check("ID_CHARACTERS", f"{name} has control characters.", f"{odd} row_control({value})")
    long = f"length({value}) > {MAX_IDENTIFIER}"
    yield Check("ID_TOO_LONG", f"{name} is over {MAX_IDENTIFIER} characters long.", long)


def _encoding_checks(columns: Sequence[Staged]) -> Iterator[Check]:
    for column in columns:
        if column.sql != column.alias:
            broken = f"{column.alias} IS NOT NULL AND {column.sql} IS NULL"
            yield Check(
                "TEXT_ENCODING", f"{column.name} is not valid in its character set.", broken
            )


def _json_checks(columns: Sequence[Staged]) -> Iterator[Check]:
    for column in columns:
        if column.value_type == "json":
            broken = f"{canonical(column)} = {literal(BROKEN)}"
            reason = f"{column.name} is broken JSON, repeats a key or nests too deep."
            yield Check("JSON_INVALID", reason, broken)
