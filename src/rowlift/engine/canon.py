"""The canonical form as SQL: each staged column becomes JSON text, each row one object text.

The form is law in docs/internals/state.md and pinned by golden files. A typed column and a column
of texts of the same value type give the same canonical text.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from rowlift.core.identifiers import IDENTIFIERS
from rowlift.core.specs import SyncSpec
from rowlift.core.values import EPOCH, META
from rowlift.engine.duck import Duck, parquet
from rowlift.engine.duck import text as literal
from rowlift.engine.jsontext import MOST_DIGITS
from rowlift.engine.read import ROW_NUMBER

CANON_VERSION = 1
ENDED = '{"deleted":true}'  # the attributes of a relationship that the source says is over

_DIGITS = "[0-9]"
_DAY = f"{_DIGITS}{{4}}-{_DIGITS}{{2}}-{_DIGITS}{{2}}"
_WHOLE_HOUR = f"{_DIGITS}{{2}}:{_DIGITS}{{2}}:{_DIGITS}{{2}}"
_HOUR = rf"{_WHOLE_HOUR}(?:\.{_DIGITS}+)?"
_OFFSET = "[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?"
_NUMBER = (
    rf"(?P<sign>[+-]?)(?P<whole>{_DIGITS}*)(?:\.(?P<part>{_DIGITS}*))?"
    rf"(?:[eE](?P<power>[+-]?{_DIGITS}{{1,3}}))?"
)

# Moments as PostgreSQL counts them. DuckDB's end 30 years before PostgreSQL's, in 294247: the same
# day 400 years earlier has the same text but for the year.
_FOREVER = 2**63 - 1
_LEAST_COUNT = -211_813_488_000_000_000
_YEAR_1, _YEAR_9999 = -63_082_281_600_000_000, 252_455_615_999_999_999
_400_YEARS = 146_097 * 86_400_000_000

# What stands in its usual form already passes by one pattern; the rest is taken apart.
_MACROS = (
    "canon_quoted(x) AS '\"' || x || '\"'",
    "canon_text(x) AS CAST(to_json(x) AS VARCHAR)",
    "canon_cut(x) AS CASE WHEN contains(x, '.') THEN rtrim(rtrim(x, '0'), '.') ELSE x END",
    """canon_shifted(digits, point) AS CASE
        WHEN point <= 0 THEN '0.' || repeat('0', -point) || digits
        WHEN point >= length(digits) THEN digits || repeat('0', point - length(digits))
        ELSE left(digits, point) || '.' || substring(digits, point + 1) END""",
    """canon_signed(sign, plain) AS CASE
        WHEN plain IN ('', '0') THEN '0'
        WHEN length(ltrim(replace(plain, '.', ''), '0')) <= 15
            THEN if(sign = '-', '-', '') || plain
        ELSE canon_quoted(if(sign = '-', '-', '') || plain) END""",
    f"""canon_digits(x) AS list_transform(list_transform(list_transform(
        [regexp_extract(x, '^{_NUMBER}$', ['sign', 'whole', 'part', 'power'])],
        lambda n: {{'sign': n.sign, 'plain': canon_shifted(n.whole || n.part,
            length(n.whole) + coalesce(TRY_CAST(n.power AS INTEGER), 0))}}),
        lambda n: {{'sign': n.sign, 'plain': ltrim(canon_cut(n.plain), '0')}}),
        lambda n: if(length(replace(n.plain, '.', '')) > {MOST_DIGITS}, canon_quoted(x),
            canon_signed(n.sign, if(starts_with(n.plain, '.'), '0' || n.plain, n.plain))))[1]""",
    f"""canon_number(x) AS CASE
        WHEN strlen(x) <= 15 AND regexp_full_match(x,
            '0|-?[1-9]{_DIGITS}*|-?(?:0|[1-9]{_DIGITS}*)\\.{_DIGITS}*[1-9]') THEN x
        WHEN strlen(x) <= 16 AND regexp_full_match(x, '[1-9]{_DIGITS}*\\.{_DIGITS}*')
            THEN canon_cut(x)
        WHEN regexp_full_match(x, '{_NUMBER}') AND regexp_matches(x, '^[+-]?\\.?{_DIGITS}')
            THEN canon_digits(x)
        WHEN regexp_full_match(lower(x), 'nan|-?inf(?:inity)?')
            THEN canon_float(TRY_CAST(x AS DOUBLE))
        ELSE canon_text(x) END""",
    """canon_int(x) AS CASE
        WHEN x BETWEEN -999999999999999 AND 999999999999999 THEN CAST(x AS VARCHAR)
        ELSE canon_quoted(CAST(x AS VARCHAR)) END""",
    """canon_float(x) AS CASE
        WHEN isnan(x) THEN '"NaN"'
        WHEN isinf(x) THEN if(x > 0, '"Infinity"', '"-Infinity"')
        WHEN x = trunc(x) AND abs(x) < 1e16 THEN CAST(CAST(x AS BIGINT) AS VARCHAR)
        ELSE CAST(x AS VARCHAR) END""",
    "canon_float_text(x) AS coalesce(canon_float(TRY_CAST(x AS DOUBLE)), canon_text(x))",
    "canon_bool_text(x) AS CASE WHEN x IN ('true', 'false') THEN x ELSE canon_text(x) END",
    r"canon_era(x) AS regexp_replace(x, '^(\S+) \(BC\)(.*)$', '\1\2 BC')",
    "canon_date(x) AS canon_quoted(canon_era(CAST(x AS VARCHAR)))",
    "canon_time(x) AS canon_quoted(CAST(x AS VARCHAR))",
    rf"""canon_time_text(x) AS CASE
        WHEN regexp_full_match(x, '-?{_DIGITS}+:{_DIGITS}{{2}}:{_DIGITS}{{2}}\.{_DIGITS}+')
            THEN canon_quoted(canon_cut(x)) ELSE canon_text(x) END""",
    """canon_moment(x, zone) AS concat('"', CAST(CAST(x AS DATE) AS VARCHAR), 'T',
        CAST(CAST(x AS TIME) AS VARCHAR), zone, '"')""",
    """canon_timestamp(x) AS CASE
        WHEN x BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'
            THEN canon_moment(x, '')
        ELSE canon_quoted(canon_era(CAST(x AS VARCHAR))) END""",
    f"""canon_timestamp_text(x) AS CASE
        WHEN regexp_full_match(x, '{_DAY} {_WHOLE_HOUR}') AND NOT starts_with(x, '0000')
            THEN concat('"', left(x, 10), 'T', substring(x, 12), '"')
        WHEN regexp_full_match(x, '{_DAY}[ T]{_HOUR}') AND NOT starts_with(x, '0000')
            THEN canon_quoted(replace(canon_cut(x), ' ', 'T'))
        ELSE canon_text(x) END""",
    """canon_instant(x) AS CASE
        WHEN x BETWEEN TIMESTAMPTZ '0001-01-01 00:00:00+00'
            AND TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'
            THEN canon_moment(make_timestamp(epoch_us(x)), 'Z')
        ELSE canon_quoted(canon_era(CAST(x AS VARCHAR))) END""",
    f"""canon_instant_text(x) AS CASE
        WHEN regexp_full_match(x, '{_DAY} {_WHOLE_HOUR}\\+00') AND NOT starts_with(x, '0000')
            THEN concat('"', left(x, 10), 'T', substring(x, 12, 8), 'Z"')
        WHEN starts_with(x, '0000') THEN canon_text(x)
        WHEN regexp_full_match(x, '{_DAY}[ T]{_HOUR}(?:Z|[+-]00(?::?00)?)') THEN canon_quoted(
            replace(canon_cut(regexp_replace(x, '(?:Z|[+-]00(?::?00)?)$', '')), ' ', 'T') || 'Z')
        WHEN regexp_full_match(x, '{_DAY}[ T]{_HOUR}{_OFFSET}')
            THEN coalesce(canon_instant(TRY_CAST(x AS TIMESTAMPTZ)), canon_text(x))
        ELSE canon_text(x) END""",
    """canon_late(x) AS concat(CAST(left(x, 6) AS INTEGER) + 400, substring(x, 7))""",
    f"""canon_odd_count(x, suffix) AS CASE
        WHEN x = {_FOREVER} THEN 'infinity'
        WHEN x < {_LEAST_COUNT} THEN '-infinity'
        WHEN x >= {_FOREVER - EPOCH}
            THEN canon_late(CAST(make_timestamp(x - {_400_YEARS - EPOCH}) AS VARCHAR)) || suffix
        ELSE canon_era(CAST(make_timestamp(x + {EPOCH}) AS VARCHAR) || suffix) END""",
    f"""canon_count(x, zone, suffix) AS CASE
        WHEN x BETWEEN {_YEAR_1} AND {_YEAR_9999}
            THEN canon_moment(make_timestamp(x + {EPOCH}), zone)
        ELSE canon_quoted(canon_odd_count(x, suffix)) END""",
    """canon_far(x, zone, suffix) AS CASE
        WHEN x BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'
            THEN canon_moment(x, zone)
        ELSE canon_quoted(canon_era(CAST(x AS VARCHAR) || suffix)) END""",
    """canon_fraction(second, ns, zone) AS concat('"',
        CAST(CAST(make_timestamp(second * 1000000) AS DATE) AS VARCHAR), 'T',
        CAST(CAST(make_timestamp(second * 1000000) AS TIME) AS VARCHAR), '.',
        rtrim(lpad(CAST(ns AS VARCHAR), 9, '0'), '0'), zone, '"')""",
    """canon_split(x, zone, suffix) AS CASE
        WHEN x.ns IS NULL THEN canon_far(make_timestamp(x.us), zone, suffix)
        WHEN x.ns % 1000 = 0 THEN canon_moment(make_timestamp(x.ns // 1000), zone)
        WHEN x.ns % 1000000000 > 0
            THEN canon_fraction(x.ns // 1000000000, x.ns % 1000000000, zone)
        ELSE canon_fraction(x.ns // 1000000000 - 1, 1000000000 + x.ns % 1000000000, zone) END""",
    "canon_binary(x) AS canon_quoted(lower(hex(x)))",
    "canon_binary_text(x) AS canon_text(lower(x))",
)

_TYPED = {
    "text": "canon_text({0})",
    "bool": "CAST({0} AS VARCHAR)",
    "int": "canon_int({0})",
    "decimal": "canon_number(CAST({0} AS VARCHAR))",
    "float": "canon_float({0})",
    "date": "canon_date({0})",
    "time": "canon_time({0})",
    "timestamp": "canon_timestamp({0})",
    "timestamptz": "canon_instant({0})",
    "binary": "canon_binary({0})",
}
_COUNTED = {
    "timestamp": "canon_count({0}, '', '')",
    "timestamptz": "canon_count({0}, 'Z', '+00')",
}
_SPLIT = {
    "timestamp": "canon_split({0}, '', '')",
    "timestamptz": "canon_split({0}, 'Z', '+00')",
}
_TEXT = {
    "text": "canon_text({0})",
    "bool": "canon_bool_text({0})",
    "int": "canon_number({0})",
    "decimal": "canon_number({0})",
    "float": "canon_float_text({0})",
    "date": "canon_text({0})",
    "time": "canon_time_text({0})",
    "timestamp": "canon_timestamp_text({0})",
    "timestamptz": "canon_instant_text({0})",
    "json": "{0}",
    "binary": "canon_binary_text({0})",
}


@dataclass(frozen=True, slots=True)
class Staged:
    """One column of a staged file; its alias comes from its position and is safe for any name."""

    name: str
    alias: str
    value_type: str
    is_text: bool
    is_counted: bool = False  # as PostgreSQL counts moments
    is_split: bool = False  # a moment's count in nanoseconds or in microseconds
    is_filled: bool = False  # every row has a value

    @property
    def sql(self) -> str:
        """Return the value; a text that came as bytes is NULL where it is not UTF-8."""
        if self.value_type == "text" and not self.is_text:
            return f"TRY(decode({self.alias}))"
        return self.alias


def install(duck: Duck) -> None:
    """Make the macros of the canonical form known."""
    duck.prepare(_MACROS)


def staged_columns(schema: pa.Schema, filled: Collection[int] = ()) -> list[Staged]:
    """Return the columns of a staged file in its order, the row number included.

    `filled` are the positions of those that have a value in every row.
    """
    return [_staged(field, at, is_filled=at in filled) for at, field in enumerate(schema)]


def canonical(column: Staged) -> str:
    """Return the expression of a column's canonical JSON text; NULL stays NULL.

    A json column must have gone through `jsontext.prepared` before.
    """
    return _forms(column)[column.value_type].format(column.sql)


def attributes_sql(columns: Sequence[Staged], left_out: Collection[str], spec: SyncSpec) -> str:
    """Return the expression of a row's attributes: one JSON object text, members in byte order."""
    kept = [one for one in columns if one.name != ROW_NUMBER and one.name not in left_out]
    kept.sort(key=lambda column: column.name.encode())
    if kept and _is_always_there(kept[0], spec):
        members = [_member(kept[0], spec, "{"), *(_member(column, spec) for column in kept[1:])]
        return f"concat({', '.join(members)}, '}}')"
    members = [_member(column, spec) for column in kept]
    return f"concat('{{', ltrim(concat({', '.join([*members, 'NULL'])}), ','), '}}')"


def fingerprint(attributes: str) -> str:
    """Return the expression of a fingerprint: DuckDB's hash, which a release of it may change."""
    return f"hash({attributes})"


def form(duck: Duck) -> str:
    """Return what attributes and fingerprints are made with: canonical form, hash function."""
    known = (fingerprint(one) for one in ("'{}'", "repeat('row', 99)"))
    (probe,) = duck.one(f"SELECT xor({', '.join(known)})")
    return f"{CANON_VERSION}-{probe:x}"


def key_sql(column: Staged) -> str:
    """Return the expression of an identifier's own text, before addresses are case-folded."""
    if column.value_type == "text":
        return column.sql
    value = canonical(column)
    if column.value_type != "json":
        return f"trim({value}, '\"')"
    return f"if(starts_with({value}, '\"'), json_extract_string({value}, '$'), {value})"


def staged_sql(path: Path, columns: Sequence[Staged]) -> str:
    """Return the relation of a staged file under the aliases of its columns."""
    return f"{parquet([path])} AS staged({', '.join(column.alias for column in columns)})"


def _forms(column: Staged) -> Mapping[str, str]:
    if column.is_text:
        return _TEXT
    if column.is_split:
        return _SPLIT
    return _COUNTED if column.is_counted else _TYPED


def _staged(field: pa.Field, position: int, *, is_filled: bool) -> Staged:
    value_type = _value_type(field)
    is_text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    may_become_null = value_type == "json" or (value_type == "text" and not is_text)
    return Staged(
        field.name,
        f"c{position}",
        value_type,
        is_text,
        is_counted=pa.types.is_int64(field.type) and value_type in _COUNTED,
        is_split=pa.types.is_struct(field.type),
        is_filled=is_filled and not may_become_null,
    )


def _value_type(field: pa.Field) -> str:
    default = b"int" if field.name == ROW_NUMBER else b"text"
    return str((field.metadata or {}).get(META, default).decode())


def _member(column: Staged, spec: SyncSpec, before: str = ",") -> str:
    """Return two expressions: the name with what stands before it, and the value, or nothing."""
    value, there = canonical(column), f"{column.sql} IS NOT NULL"
    if _is_empty_null(column, spec):
        value, there = f"nullif({value}, '\"\"')", f"{column.sql} <> ''"
    name = literal(f"{before}{json.dumps(column.name, ensure_ascii=False)}:")
    if _deletes(column, spec):
        return f"{name}, coalesce({value}, 'null')"
    if _is_always_there(column, spec):
        return f"{name}, {value}"
    return f"if({there}, {name}, ''), {value}"


def _is_always_there(column: Staged, spec: SyncSpec) -> bool:
    """Tell whether every row has the member, so that what follows it may begin with a comma."""
    return _deletes(column, spec) or (column.is_filled and not _is_empty_null(column, spec))


def _is_empty_null(column: Staged, spec: SyncSpec) -> bool:
    return spec.empty_strings == "as_null" and column.value_type == "text"


def _deletes(column: Staged, spec: SyncSpec) -> bool:
    policy = spec.attributes.get(column.name, spec.empty_values)
    return policy == "delete" and column.name not in IDENTIFIERS
