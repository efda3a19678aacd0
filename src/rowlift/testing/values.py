"""Logical values that every source should carry, and how to read what a source handed over.

Texts are in the canonical form, save for JSON, which is compared by value.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from rowlift.core.values import EPOCH, META

_COUNTS = pa.struct([("ns", pa.int64()), ("us", pa.int64())])
_MOMENTS = {"timestamp": pa.timestamp("us"), "timestamptz": pa.timestamp("us", "UTC")}


@dataclass(frozen=True, slots=True)
class Value:
    """A value by its value type and canonical text; `sql` where the dialect's literal is not it."""

    value_type: str
    text: str
    sql: str = ""

    @property
    def scale(self) -> int:
        """Return the number of digits behind the point."""
        return len(self.text.partition(".")[2])


def _values(value_type: str, *texts: str) -> tuple[Value, ...]:
    return tuple(Value(value_type, text) for text in texts)


VALUES: tuple[Value, ...] = (
    *_values("int", "0", "-1", "9007199254740992", "9007199254740993", "-9007199254740993"),
    *_values("int", "9223372036854775807", "-9223372036854775808"),
    *_values("decimal", "0.1", "-0.01", "1234567890.12", "12345678901234567890123456789012345678"),
    *_values("decimal", "0.00000000000000000000000000000000000001"),
    *_values("float", "0.1", "-1.5", "1e+300", "5e-324", "16777217.0"),
    *_values("text", "", "null", " spaces ", 'O\'Neil "x" `y`', "back\\slash", "a\r\n\tb"),
    *_values("text", "Zoë 用户 \N{COMBINING ACUTE ACCENT}", "👩‍👩‍👧", "=1+1", "%s {0}", "x" * 5000),
    *_values("bool", "true", "false"),
    *_values("date", "2026-11-21", "1000-01-01", "9999-12-31"),
    *_values("time", "00:00:00", "10:00:00.5", "23:59:59.999999"),
    *_values("timestamp", "2026-11-21T10:00:00", "1969-12-31T23:59:59.999999"),
    *_values("timestamp", "9999-12-31T23:59:59.9"),
    *_values("timestamptz", "2026-11-21T10:00:00Z", "2026-03-29T01:30:00.25Z"),
    *_values("json", '{"b": [1, 2.5, null, "é"], "a": {"c": true}}', "[]", '"x"', "12"),
    *_values("binary", "00ff10", "e9"),
)


def without(*value_types: str) -> tuple[Value, ...]:
    """Return the values but those of types that a source does not have."""
    return tuple(value for value in VALUES if value.value_type not in value_types)


def value_type(field: pa.Field) -> str:
    """Return the value type a field's metadata names; KeyError if it names none."""
    return str(field.metadata[META].decode())


def is_counted(field: pa.Field) -> bool:
    """Tell whether a field carries moments as PostgreSQL counts them."""
    return pa.types.is_int64(field.type) and value_type(field) in _MOMENTS


def is_split(field: pa.Field) -> bool:
    """Tell whether a field carries moments as split counts."""
    return field.type == _COUNTS and value_type(field) in _MOMENTS


def canonical(field: pa.Field, scalar: pa.Scalar) -> str | None:
    """Return the canonical text of a value, whether it came in its Arrow type or as text."""
    if not scalar.is_valid:
        return None
    if is_counted(field):
        scalar = pa.scalar(scalar.as_py() + EPOCH, _MOMENTS[value_type(field)])
        return _time(str(scalar.cast(pa.string()).as_py()))
    if is_split(field):
        ((unit, count),) = ((unit, count) for unit, count in scalar.items() if count.is_valid)
        scalar = count.cast(pa.timestamp(unit, _MOMENTS[value_type(field)].tz))
        return _time(str(scalar.cast(pa.string()).as_py()))
    if pa.types.is_timestamp(field.type) or pa.types.is_date(field.type):
        return _time(str(scalar.cast(pa.string()).as_py()))
    return _TEXTS.get(value_type(field), str)(scalar.as_py())


def _number(value: Any) -> str:
    text = format(Decimal(value), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _time(text: str) -> str:
    text = re.sub(r"^(\d{4}-\d\d-\d\d) ", r"\1T", text)
    text = re.sub(r"(\+00(:?00)?|Z)$", "Z", text)
    return re.sub(r"(:\d\d)\.(\d*?)0*(Z?)$", lambda found: _fraction(*found.groups()), text)


def _fraction(seconds: str, digits: str, zone: str) -> str:
    return f"{seconds}.{digits}{zone}" if digits else f"{seconds}{zone}"


_TEXTS: dict[str, Callable[[Any], str]] = {
    "bool": lambda value: str(value).lower(),
    "int": _number,
    "decimal": _number,
    "float": lambda value: repr(float(value)),
    "date": _time,
    "time": _time,
    "timestamp": _time,
    "timestamptz": _time,
    "json": lambda value: json.dumps(json.loads(value), sort_keys=True),
    "binary": lambda value: value.hex() if isinstance(value, bytes) else str(value),
}
