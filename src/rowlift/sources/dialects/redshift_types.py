"""How each type of Redshift is named and read."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from rowlift.core.nouns import Column
from rowlift.kit.dbapi import Convert, raw, single, to

TEXT = pa.string()
AS_TEXT = raw(TEXT, to(TEXT))


@dataclass(frozen=True, slots=True)
class Type:
    """A type by its name in information_schema, and how its values become Arrow's."""

    name: str
    value_type: str = "text"
    arrow: pa.DataType = TEXT
    convert: Convert = AS_TEXT


def _unpadded(texts: pa.StringArray) -> pa.StringArray:
    return pc.utf8_rtrim(texts, " ")


def _hexadecimal(texts: pa.StringArray) -> pa.StringArray:
    return pc.utf8_lower(pc.replace_substring_regex(texts, r"^\\x", ""))


INT = pa.int64(), raw(pa.int64(), to(pa.int64()))
FLOAT = pa.float64()

TYPES: Mapping[int, Type] = {
    16: Type("boolean", "bool", pa.bool_(), raw(pa.bool_(), to(pa.bool_()))),
    18: Type('"char"'),
    19: Type("name"),
    20: Type("bigint", "int", *INT),
    21: Type("smallint", "int", *INT),
    23: Type("integer", "int", *INT),
    25: Type("text"),
    26: Type("oid", "int", *INT),
    700: Type("real", "float", FLOAT, raw(FLOAT, single)),
    701: Type("double precision", "float", FLOAT, raw(FLOAT, to(FLOAT))),
    705: Type("unknown"),
    1042: Type("character", convert=raw(TEXT, _unpadded)),
    1043: Type("character varying"),
    1082: Type("date", "date"),
    1083: Type("time without time zone", "time"),
    1114: Type("timestamp without time zone", "timestamp"),
    1184: Type("timestamp with time zone", "timestamptz"),
    1188: Type("interval year to month"),
    1190: Type("interval day to second"),
    1266: Type("time with time zone"),
    1700: Type("numeric", "decimal"),
    3000: Type("geometry"),
    3001: Type("geography"),
    4000: Type("super", "json"),
    6551: Type("binary varying", "binary", convert=raw(TEXT, _hexadecimal)),
}
UNKNOWN = Type("another type")
NUMERIC, TEXTS = 1700, (1042, 1043)
HEADER = 4  # what a type modifier counts beside the length, or the precision and scale

VALUE_TYPES = {one.name: one.value_type for one in TYPES.values()}


def type_of(oid: int) -> Type:
    """Return how a type is read; whatever is not known is read as its text."""
    return TYPES.get(oid, UNKNOWN)


def described(name: str, oid: int, modifier: int) -> Column:
    """Return a column of a result; the modifier holds its length, or its precision and scale."""
    known = type_of(oid)
    size = modifier - HEADER
    sizes = {NUMERIC: f"({size >> 16},{size & 0xFFFF})"} | dict.fromkeys(TEXTS, f"({size})")
    more = sizes.get(oid, "") if size > 0 else ""
    return Column(name, known.name + more, known.value_type)


def listed(
    name: str, type_name: str, length: int | None, precision: int | None, scale: int | None
) -> Column:
    """Return a column of the catalogue."""
    more = f"({length})" if length else f"({precision},{scale})" if type_name == "numeric" else ""
    return Column(name, type_name + more, VALUE_TYPES.get(type_name, "text"))
