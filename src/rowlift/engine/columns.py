"""The rules for a result's columns, judged as soon as the query was described."""

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Column, Finding, Kind, Preset
from rowlift.core.rules import rule
from rowlift.core.specs import IdentifyBy, SyncSpec, UseSpec
from rowlift.engine.read import ROW_NUMBER

MAX_NAME = 128
RESERVED = frozenset({"cio_id", "pid", "rowlift_id", ROW_NUMBER})

_UNNAMED = frozenset({"", "?column?"})
DELETED = "deleted"
IDENTIFIER_NAMES: Mapping[IdentifyBy, tuple[str, ...]] = {
    "user_id": ("user_id", "id"),
    "email": ("email",),
    "anonymous_id": ("anonymous_id",),
    "group_id": ("group_id",),
    "object_id": ("object_id",),
}
OBJECT_ID = "object_id"
OBJECT_TYPE = "object_type"

_PERSON = ("user_id", "id", "email", "anonymous_id")
_COMPOSITE = frozenset({Kind.OBJECT, Kind.RELATIONSHIP})
_SETTING = {"user_id": "id"}
_IDENTIFYING = frozenset({"text", "int", "decimal", "json"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def identifier_names(spec: SyncSpec) -> tuple[str, ...]:
    """Return the column names that can be the key of a sync, the preferred one first."""
    return IDENTIFIER_NAMES[spec.identify_by]


def key_column(names: Sequence[str], spec: SyncSpec) -> str | None:
    """Return the name of the key column, or None if the result has none."""
    return next((name for name in identifier_names(spec) if name in names), None)


def key_parts(names: Sequence[str], spec: SyncSpec) -> tuple[str, ...]:
    """Return the columns that the key is made of; none where it is one column, or one is missing.

    An object is known by its type and its id, a relationship by its object and its person.
    """
    if spec.kind not in _COMPOSITE:
        return ()
    ends = [name for name in (OBJECT_TYPE, OBJECT_ID) if name in names]
    if spec.kind is Kind.RELATIONSHIP:
        ends += [key_column(names, spec) or ""]
    return tuple(ends) if OBJECT_ID in ends and "" not in ends else ()


def key_names(names: Sequence[str], spec: SyncSpec) -> tuple[str, ...]:
    """Return the columns that the key is, one or several."""
    key = key_column(names, spec)
    return key_parts(names, spec) or ((key,) if key else ())


def identifying(names: Sequence[str], spec: SyncSpec) -> tuple[str, ...]:
    """Return the columns beside the key, or within it, whose values identify somebody."""
    if spec.kind is Kind.PERSON:
        return other_identifiers(names, key_column(names, spec) or "")
    return key_parts(names, spec)


def other_identifiers(names: Sequence[str], key: str) -> tuple[str, ...]:
    """Return the identifier columns of a person beside the key."""
    return tuple(name for name in names if name in _PERSON and name != key)


def left_out(names: Sequence[str], spec: SyncSpec) -> frozenset[str]:
    """Return the columns that do not become attributes.

    An address that is the key does: the key lost its spelling.
    """
    if spec.kind is Kind.RELATIONSHIP:
        return frozenset({OBJECT_ID, OBJECT_TYPE, DELETED, *_PERSON})
    if spec.kind is Kind.OBJECT:
        return frozenset({OBJECT_ID, OBJECT_TYPE})
    key = key_column(names, spec)
    return frozenset({key} if key and spec.identify_by != "email" else ())


def judge_columns(
    columns: Sequence[Column], spec: SyncSpec, workspace_identifiers: Sequence[str]
) -> list[Finding]:
    """Return what is wrong with the columns, errors first, in a stable order."""
    names = [column.name for column in columns]
    findings = [
        *_name_findings(names),
        *_identifier_findings(columns, spec, workspace_identifiers),
        *_shape_findings(names, spec),
        *(finding for use in spec.destinations for finding in _use_findings(names, use)),
        *_upper_case(names),
    ]
    return sorted(findings, key=lambda finding: finding.level != "error")


def check_columns(
    columns: Sequence[Column], spec: SyncSpec, workspace_identifiers: Sequence[str]
) -> list[Finding]:
    """Return the warnings about the columns.

    Raises GuardStop with the code of the first error and the messages of all.
    """
    findings = judge_columns(columns, spec, workspace_identifiers)
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        raise GuardStop(
            errors[0].code,
            " ".join(finding.message for finding in errors),
            mend=" ".join(dict.fromkeys(finding.mend for finding in errors)),
        )
    return findings


def _found(code: str, message: str, mend: str = "") -> Finding:
    known = rule(code)
    level = "warning" if known.scope == "warning" else "error"
    return Finding("columns", level, message, mend or known.mend, code)


def _name_findings(names: Sequence[str]) -> Iterator[Finding]:
    unnamed = [at for at, name in enumerate(names, 1) if name.strip() in _UNNAMED]
    if unnamed:
        yield _found("COLUMN_UNNAMED", f"{_numbered(unnamed)} no name.")
    counted = Counter(name.casefold() for name in names if name.strip() not in _UNNAMED)
    twice = [name for name in names if counted[name.casefold()] > 1]
    if twice:
        yield _found(
            "COLUMN_DUPLICATE",
            f"Columns share a name, or differ in case only: {_list(twice)}.",
        )
    odd = [name for name in names if len(name) > MAX_NAME or _CONTROL.search(name)]
    if odd:
        shown = [ascii(name[:40])[1:-1] for name in odd]
        yield _found("COLUMN_NAME", f"Column names cannot become trait names: {_list(shown)}.")
    kept = [name for name in names if name.casefold() in RESERVED]
    if kept:
        yield _found(
            "RESERVED_COLUMN",
            f"Rowlift keeps these column names for itself: {_list(kept)}.",
            f'Rename it: SELECT {kept[0]} AS "source_{kept[0].lower()}", …',
        )


def _identifier_findings(
    columns: Sequence[Column], spec: SyncSpec, allowed: Sequence[str]
) -> Iterator[Finding]:
    names = [column.name for column in columns]
    for wanted in _wanted(spec):
        if not set(wanted) & set(names):
            yield _missing_identifier(names, wanted)
    if spec.kind in (Kind.PERSON, Kind.RELATIONSHIP):
        yield from _clash(names)
        yield from _not_allowed(spec, allowed)
    for column in columns:
        if column.name in (key_column(names, spec), *identifying(names, spec)):
            yield from _type(column)


def _wanted(spec: SyncSpec) -> list[tuple[str, ...]]:
    """Return for each identifier that a row needs the names it may have."""
    own = identifier_names(spec)
    return [(OBJECT_ID,), own] if spec.kind is Kind.RELATIONSHIP else [own]


def _missing_identifier(names: Sequence[str], wanted: Sequence[str]) -> Finding:
    for name in names:
        if name.lower() in wanted:
            return _found(
                "IDENTIFIER_CASE",
                f"The column {name} is not {name.lower()}: names are compared exactly.",
                f'Give it the exact name: SELECT "{name}" AS "{name.lower()}", …',
            )
    column = _closest(names, wanted[0])
    return _found(
        "NO_IDENTIFIER",
        f"The result has no column {' or '.join(wanted)}; its columns are: {_list(names)}.",
        f'Name it in the SQL: SELECT {_sql(column)} AS "{wanted[0]}", …',
    )


def _closest(names: Sequence[str], wanted: str) -> str:
    named = [name for name in names if name.strip() not in _UNNAMED] or ["…"]
    word = "mail" if wanted == "email" else "id"
    likely = [name for name in named if word in name.lower()]
    lowered = {name.lower(): name for name in reversed(likely or named)}
    close = difflib.get_close_matches(wanted, lowered, n=1, cutoff=0)
    return lowered[close[0]]


def _clash(names: Sequence[str]) -> Iterator[Finding]:
    for one, other in (("user_id", "id"), ("user_id", "anonymous_id"), ("id", "anonymous_id")):
        if one in names and other in names:
            yield _found(
                "IDENTIFIER_CLASH",
                f"The columns {one} and {other} exclude each other.",
                f"Keep one of {one} and {other}.",
            )
            return


def _not_allowed(spec: SyncSpec, allowed: Sequence[str]) -> Iterator[Finding]:
    setting = _SETTING.get(spec.identify_by, spec.identify_by)
    free = spec.preset is Preset.TRAITS and setting == "anonymous_id"
    if spec.workspace and setting not in allowed and not free:
        yield _found(
            "IDENTIFIER_NOT_ALLOWED",
            f"The sync identifies people by {spec.identify_by}, "
            f"but the workspace has identifiers: [{', '.join(allowed)}].",
            f"Add {setting} to workspace.identifiers in rowlift.yml, or set identify_by to another."
            if setting in ("id", "email")
            else "Set identify_by to user_id or email.",
        )


def _type(column: Column) -> Iterator[Finding]:
    email = column.name == "email"
    if column.value_type not in ({"text"} if email else _IDENTIFYING):
        yield _found(
            "IDENTIFIER_TYPE",
            f"The identifier column {column.name} is of type {column.type_name}.",
            f"Make it a text in the SQL: SELECT CAST({_sql(column.name)} AS CHAR(100)) …",
        )


def _shape_findings(names: Sequence[str], spec: SyncSpec) -> Iterator[Finding]:
    alone = names and set(names) == set(key_names(names, spec))
    if alone and spec.kind is not Kind.RELATIONSHIP:
        columns = "column" if len(names) == 1 else "columns"
        text = f"The result has only the identifier {columns} {' and '.join(names)}."
        yield _found("NO_TRAITS", text)
    if len(names) > spec.limits.columns:
        yield _found(
            "TOO_MANY_COLUMNS",
            f"The result has {len(names)} columns, identifier included; "
            f"at most {spec.limits.columns} are allowed.",
        )


def _use_findings(names: Sequence[str], use: UseSpec) -> Iterator[Finding]:
    going = [
        name for name in names if (not use.only or name in use.only) and name not in use.exclude
    ]
    traits = Counter(use.fields.get(name, name) for name in going)
    for name in going:
        trait = use.fields.get(name, name)
        if trait != name and traits[trait] > 1:
            yield _found(
                "COLUMN_DUPLICATE",
                f"For {use.use}, {name} and another column would both become the trait {trait}.",
                f"Change fields, or exclude one of them from {use.use}.",
            )
    for setting, chosen in (("fields", use.fields), ("only", use.only), ("exclude", use.exclude)):
        if missing := [name for name in chosen if name not in names]:
            message = f"{setting} of {use.use} names no column of the result: {_list(missing)}."
            mend = f"The columns are: {_list(names)}."
            yield Finding("columns", "warning", message, mend, "COLUMN_UNKNOWN")


def _upper_case(names: Sequence[str]) -> Iterator[Finding]:
    upper = [name for name in names if name != name.lower()]
    if upper:
        yield _found(
            "COLUMN_UPPER_CASE",
            f"Column names with upper-case letters become attributes as they are: {_list(upper)}.",
            f'Attributes are usually lower case: SELECT "{upper[0]}" AS "{upper[0].lower()}", …',
        )


def _sql(name: str) -> str:
    return name if _PLAIN.fullmatch(name) or name == "…" else f'"{name}"'


def _list(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(dict.fromkeys(names[:most])) + more


def _numbered(positions: Sequence[int]) -> str:
    if len(positions) == 1:
        return f"Column {positions[0]} has"
    return f"Columns {', '.join(map(str, positions[:10]))} have"
