"""A table of types that DuckDB has not; every login may read it."""

import datetime as dt
from decimal import Decimal
from typing import Any

from servers.tds import columns
from servers.tds.columns import WireType

BERLIN = dt.timezone(dt.timedelta(hours=2))
MOMENT = dt.datetime.fromisoformat("2026-11-21T10:00:00.123456")
TABLE = "exhibit"
COLUMNS: dict[str, tuple[WireType, Any]] = {
    "tiny": (columns.TINYINT, 255),
    "small": (columns.SMALLINT, -32768),
    "whole": (columns.INT, -2147483648),
    "price": (columns.money("money", 8), Decimal("-922337203685477.5808")),
    "small_price": (columns.money("smallmoney", 4), Decimal("214748.3647")),
    "amount": (columns.decimal(38, 10), Decimal("-1234567890123456789012345678.0123456789")),
    "single": (columns.REAL, 0.1),
    "guid": (columns.GUID, "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    "at": (columns.DATETIME, MOMENT.replace(microsecond=997_000)),
    "old": (columns.DATETIME, dt.datetime.fromisoformat("1753-01-01")),
    "minute": (columns.SMALLDATETIME, MOMENT.replace(second=0, microsecond=0)),
    "fine": (columns.FINE_DATETIME2, MOMENT),
    "first": (columns.DATETIME2, dt.datetime.fromisoformat("0001-01-01")),
    "last": (columns.DATETIME2, MOMENT.replace(9999, 12, 31, 23, 59, 59, 999_999)),
    "clock": (columns.TIME, dt.time(23, 59, 59, 999_999)),
    "zoned": (columns.DATETIMEOFFSET, MOMENT.replace(tzinfo=BERLIN)),
    "legacy": (columns.VARCHAR, "Zoë € ñ"),
    "greek": (columns.GREEK_VARCHAR, "Αθήνα"),
    "utf_8": (columns.UTF_8_VARCHAR, "Zoë 用户"),
    "half": (columns.NVARCHAR, "a\ud83d"),  # what LEFT leaves of a character beyond the BMP
    "padded": (columns.CHAR, "ab"),
    "huge": (columns.NVARCHAR_MAX, "用户" * 5000),
    "note": (columns.XML, "<a>é</a>"),
    "version": (columns.ROWVERSION, bytes(range(8))),
    "nothing": (columns.NVARCHAR, None),
}
