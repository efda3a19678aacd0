"""How SQL Server's types stand on the wire ([MS-TDS] 2.2.5.4 to 2.2.5.6)."""

import datetime as dt
import re
import struct
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, repeat
from typing import Any

import pyarrow as pa
from pysqlbridge.tds.result import DEFAULT_COLLATION, Column, ColumnType

ROW = b"\xd1"
NULL = b"\x00"
LONG_NULL = b"\xff\xff"
MAX_NULL = b"\xff" * 8
MAX_SIZE = 0xFFFF
LATIN, GREEK, UTF_8 = (
    "SQL_Latin1_General_CP1_CI_AS",
    "Greek_CI_AS",
    "Latin1_General_100_CI_AS_SC_UTF8",
)
COLLATIONS = {
    LATIN: DEFAULT_COLLATION,
    GREEK: bytes.fromhex("0804d00000"),
    UTF_8: bytes.fromhex("0904d02400"),
}
LONGEST = 4000  # characters of an nvarchar that is not max
EPOCH = dt.datetime(1900, 1, 1)  # noqa: DTZ001 - SQL Server's have no zone
TICKS = 10_000_000  # in a second


@dataclass(frozen=True)
class WireType(ColumnType):  # type: ignore[misc]  # no types there
    """A type by its T-SQL name, its TYPE_INFO and the bytes of a value."""

    sql: str
    info: bytes
    put: Callable[[Any], bytes]
    null: bytes = NULL
    collation: str | None = None

    def type_info(self) -> bytes:
        return self.info

    def encode(self, value: object) -> bytes:
        return self.null if value is None else self.put(value)


def rows(types: Sequence[WireType], values: Sequence[Iterable[Any]]) -> bytes:
    """ROW tokens of the columns' values."""
    encoded = [map(one.encode, column) for one, column in zip(types, values, strict=True)]
    return b"".join(chain.from_iterable(zip(repeat(ROW), *encoded, strict=False)))


def described(names: Sequence[str], types: Sequence[WireType]) -> list[Column]:
    return [Column(name, one) for name, one in zip(names, types, strict=True)]


def integer(sql: str, code: str) -> WireType:
    packed = struct.Struct(f"<B{code}")
    width = packed.size - 1
    return WireType(sql, bytes([0x26, width]), lambda value: packed.pack(width, value))


def floating(sql: str, code: str) -> WireType:
    packed = struct.Struct(f"<B{code}")
    width = packed.size - 1
    return WireType(sql, bytes([0x6D, width]), lambda value: packed.pack(width, value))


def decimal(precision: int, scale: int) -> WireType:
    size = next(n for n, digits in ((5, 9), (9, 19), (13, 28), (17, 38)) if precision <= digits)

    def put(value: Any) -> bytes:
        sign, digits, exponent = Decimal(value).as_tuple()
        whole = int("".join(map(str, digits))) * 10 ** (int(exponent) + scale)
        return bytes([size, 1 - sign, *whole.to_bytes(size - 1, "little")])

    return WireType(f"decimal({precision},{scale})", bytes([0x6C, size, precision, scale]), put)


def money(sql: str, size: int) -> WireType:
    def put(value: Decimal) -> bytes:
        whole = int(value.scaleb(4))
        if size == 4:
            return struct.pack("<Bi", 4, whole)
        return struct.pack("<BiI", 8, *divmod(whole, 1 << 32))

    return WireType(sql, bytes([0x6E, size]), put)


def varchar(page: str, collation: str) -> WireType:
    return WireType(
        "varchar(100)",
        characters(0xA7, 100, collation),
        lambda value: long(value.encode(page)),
        LONG_NULL,
        collation,
    )


def days(value: dt.date) -> bytes:
    return (value.toordinal() - 1).to_bytes(3, "little")


def ticks(value: dt.time | dt.datetime, extra: int = 0) -> bytes:
    seconds = value.hour * 3600 + value.minute * 60 + value.second
    return (seconds * TICKS + value.microsecond * 10 + extra).to_bytes(5, "little")


def with_offset(value: dt.datetime) -> bytes:
    minutes = int((value.utcoffset() or dt.timedelta()).total_seconds()) // 60
    utc = value.astimezone(dt.UTC)
    return b"\x0a" + ticks(utc) + days(utc) + struct.pack("<h", minutes)


def old_datetime(value: dt.datetime) -> bytes:
    since = value - EPOCH
    parts = since.seconds * 300 + round(since.microseconds * 3 / 10_000)
    return struct.pack("<BiI", 8, since.days, parts)


def small_datetime(value: dt.datetime) -> bytes:
    since = value - EPOCH
    return struct.pack("<BHH", 4, since.days, since.seconds // 60)


def long(data: bytes) -> bytes:
    return struct.pack("<H", len(data)) + data


def maximal(data: bytes) -> bytes:
    """A value of a max type: total size, one chunk, no more chunks."""
    chunk = struct.pack("<I", len(data)) + data if data else b""
    return struct.pack("<Q", len(data)) + chunk + b"\x00\x00\x00\x00"


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def characters(code: int, size: int, collation: str = LATIN) -> bytes:
    return bytes([code, *struct.pack("<H", size), *COLLATIONS[collation]])


BIT = WireType("bit", b"\x68\x01", lambda value: b"\x01\x01" if value else b"\x01\x00")
TINYINT, SMALLINT = integer("tinyint", "B"), integer("smallint", "h")
INT, BIGINT = integer("int", "i"), integer("bigint", "q")
REAL, FLOAT = floating("real", "f"), floating("float", "d")
DATE = WireType("date", b"\x28", lambda value: b"\x03" + days(value))
TIME = WireType("time(7)", b"\x29\x07", lambda value: b"\x05" + ticks(value))
DATETIME2 = WireType(
    "datetime2(7)", b"\x2a\x07", lambda value: b"\x08" + ticks(value) + days(value)
)
# The last of the seven digits, which no Python type holds.
FINE_DATETIME2 = WireType(
    "datetime2(7)", b"\x2a\x07", lambda value: b"\x08" + ticks(value, extra=7) + days(value)
)
DATETIMEOFFSET = WireType("datetimeoffset(7)", b"\x2b\x07", with_offset)
DATETIME = WireType("datetime", b"\x6f\x08", old_datetime)
SMALLDATETIME = WireType("smalldatetime", b"\x6f\x04", small_datetime)
GUID = WireType(
    "uniqueidentifier", b"\x24\x10", lambda value: b"\x10" + uuid.UUID(str(value)).bytes_le
)
NVARCHAR = WireType(
    f"nvarchar({LONGEST})",
    characters(0xE7, 2 * LONGEST),
    lambda value: long(utf16(value)),
    LONG_NULL,
    LATIN,
)
NVARCHAR_MAX = WireType(
    "nvarchar(max)", characters(0xE7, MAX_SIZE), lambda value: maximal(utf16(value)), MAX_NULL
)
CHAR = WireType(
    "char(5)",
    characters(0xAF, 5),
    lambda value: long(value.ljust(5).encode("cp1252")),
    LONG_NULL,
    LATIN,
)
VARBINARY = WireType("varbinary(8000)", b"\xa5" + struct.pack("<H", 8000), long, LONG_NULL)
VARCHAR, GREEK_VARCHAR = varchar("cp1252", LATIN), varchar("cp1253", GREEK)
UTF_8_VARCHAR = varchar("utf-8", UTF_8)
ROWVERSION = WireType("timestamp", b"\xad" + struct.pack("<H", 8), long, LONG_NULL)
XML = WireType("xml", b"\xf1\x00", lambda value: maximal(b"\xff\xfe" + utf16(value)), MAX_NULL)

PLAIN = {
    pa.bool_(): BIT,
    pa.uint8(): TINYINT,
    pa.int8(): SMALLINT,
    pa.int16(): SMALLINT,
    pa.uint16(): INT,
    pa.int32(): INT,
    pa.uint32(): BIGINT,
    pa.int64(): BIGINT,
    pa.float32(): REAL,
    pa.float64(): FLOAT,
    pa.date32(): DATE,
    pa.time64("us"): TIME,
    pa.timestamp("us"): DATETIME2,
    pa.timestamp("us", "UTC"): DATETIMEOFFSET,
    pa.binary(): VARBINARY,
    pa.null(): INT,  # SELECT NULL is an int
}


def wire_type(field: pa.Field, sql: str) -> WireType:
    """The type of a column of DuckDB's result; only a long query holds a long text."""
    if pa.types.is_decimal(field.type):
        return decimal(field.type.precision, field.type.scale)
    longest = max(map(len, re.findall(r"'(?:[^']|'')*'", sql)), default=0)
    return PLAIN.get(field.type) or (NVARCHAR_MAX if longest > LONGEST else NVARCHAR)
