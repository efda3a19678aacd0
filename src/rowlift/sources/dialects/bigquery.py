"""BigQuery as data: how each type is read, what is asked, what its errors mean."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa

from rowlift.kit import dbapi

TEXT = pa.string()
DAY, MOMENT, INSTANT = pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC")
NUMERIC_TYPE = pa.decimal128(38, 9)
_INTERVAL = re.compile(r"(-?)(\d+)-(\d+) (-?\d+) (-?)(\d+):(\d+):(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Reading:
    """How columns of a type travel: value type, Arrow type, last step over REST.

    Not every type has the same meaning in the Storage Read API's Arrow: `streams` tells.
    """

    value_type: str
    arrow: pa.DataType
    finish: dbapi.Finish
    streams: bool = True

    @property
    def convert(self) -> dbapi.Convert:
        """Return what makes an Arrow column of REST's texts."""
        return dbapi.raw(TEXT, self.finish)


def _plain(value_type: str, arrow: pa.DataType = TEXT, *, streams: bool = True) -> Reading:
    return Reading(value_type, arrow, dbapi.to(arrow), streams)


def _bytes(texts: pa.StringArray) -> pa.BinaryArray:
    decoded = [None if one is None else base64.b64decode(one) for one in texts.to_pylist()]
    return pa.array(decoded, pa.binary())


def duration(text: str) -> str:
    """Return an interval in ISO 8601 as PostgreSQL writes it, a sign before each part: P-1Y2DT3H.

    BigQuery's text is `[-]Y-M [-]D [-]H:M:S[.F]`; what is not in that form stays as it is.
    """
    if not (found := _INTERVAL.fullmatch(text)):
        return text
    sign, years, months, days, sign_of_time, *time_of_day = found.groups()
    date = _parts(sign, (years, months), "YM") + _parts("", (days,), "D")
    time = _parts(sign_of_time, time_of_day, "HMS")
    return f"P{date}T{time}" if time else f"P{date or 'T0S'}"


def _parts(sign: str, numbers: Sequence[str], units: str) -> str:
    pairs = zip(map(Decimal, numbers), units, strict=True)
    return "".join(f"{sign}{number.normalize():f}{unit}" for number, unit in pairs if number)


def _durations(texts: pa.StringArray) -> pa.StringArray:
    return pa.array([None if one is None else duration(one) for one in texts.to_pylist()], TEXT)


def _instants(texts: pa.StringArray) -> pa.TimestampArray:
    return texts.cast(pa.int64()).cast(INSTANT)  # they come as microseconds


INT = _plain("int", pa.int64())
FLOAT = _plain("float", pa.float64())
BOOL = _plain("bool", pa.bool_())
NESTED = _plain("json", streams=False)
RECORDS = {"RECORD", "STRUCT"}

# By the API's names of types, the old ones among them.
READINGS: Mapping[str, tuple[str, Reading]] = {
    **dict.fromkeys(("INTEGER", "INT64"), ("INT64", INT)),
    **dict.fromkeys(("FLOAT", "FLOAT64"), ("FLOAT64", FLOAT)),
    **dict.fromkeys(("BOOLEAN", "BOOL"), ("BOOL", BOOL)),
    "BIGNUMERIC": ("BIGNUMERIC", _plain("decimal")),
    "BYTES": ("BYTES", Reading("binary", pa.binary(), _bytes)),
    "DATE": ("DATE", _plain("date", DAY)),
    "DATETIME": ("DATETIME", _plain("timestamp", MOMENT)),
    "GEOGRAPHY": ("GEOGRAPHY", _plain("text")),
    "INTERVAL": ("INTERVAL", Reading("text", TEXT, _durations, streams=False)),
    "JSON": ("JSON", _plain("json")),
    "NUMERIC": ("NUMERIC", _plain("decimal", NUMERIC_TYPE)),
    "RANGE": ("RANGE", _plain("text", streams=False)),
    "STRING": ("STRING", _plain("text")),
    "TIME": ("TIME", _plain("time")),
    "TIMESTAMP": ("TIMESTAMP", Reading("timestamptz", INSTANT, _instants)),
}
UNKNOWN = _plain("text", streams=False)

SELECT = "SELECT"
CLOCK = "SELECT UNIX_SECONDS(CURRENT_TIMESTAMP()) AS seconds"
COLUMNS = """
SELECT table_name, column_name, data_type
FROM `{project}.{dataset}`.INFORMATION_SCHEMA.COLUMNS
ORDER BY table_name, ordinal_position
"""
SIZES = "SELECT table_id, row_count FROM `{project}.{dataset}.__TABLES__`"

SCOPES = ("https://www.googleapis.com/auth/bigquery",)
READING_RIGHT = "bigquery.tables.getData"
WRITING_RIGHTS = (
    "bigquery.tables.delete",
    "bigquery.tables.setIamPolicy",
    "bigquery.tables.update",
    "bigquery.tables.updateData",
)

GRANT_TABLE = "GRANT `roles/bigquery.dataViewer` ON TABLE `{what}` TO '{member}';"
GRANT_DATASET = "GRANT `roles/bigquery.dataViewer` ON SCHEMA `{what}` TO '{member}';"
GRANT_PROJECT = (
    "gcloud projects add-iam-policy-binding {project} "
    "--member={member} --role=roles/bigquery.{role}"
)

# By the API's reason; of invalidQuery the text tells more.
REASONS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "billingNotEnabled",
            "bytesBilledLimitExceeded",
            "jobRateLimitExceeded",
            "quotaExceeded",
            "rateLimitExceeded",
            "RATE_LIMIT_EXCEEDED",
            "resourcesExceeded",
        ),
        "QUOTA_EXCEEDED",
    ),
    **dict.fromkeys(("backendError", "internalError", "jobBackendError"), "SOURCE_DROPPED"),
    "accessDenied": "PERMISSION_DENIED",
    "authError": "LOGIN_FAILED",
    "notFound": "TABLE_UNKNOWN",
    "required": "LOGIN_FAILED",
    "stopped": "QUERY_CANCELLED",
    "timeout": "QUERY_TIMEOUT",
}
TEXTS: Sequence[tuple[str, str]] = (
    (r"Job timed out|Operation timed out", "QUERY_TIMEOUT"),
    (r"(?i)Not found: Job", "SOURCE_DROPPED"),  # its result was deleted, or is older than a day
    (r"Not found: (Dataset|Project)", "DATABASE_UNKNOWN"),
    (r"must be qualified with a dataset", "TABLE_UNKNOWN"),
    (r"Unrecognized name|Name \S+ not found inside|Referenced column", "COLUMN_UNKNOWN"),
    (r"Duplicate column names", "COLUMN_DUPLICATE"),
    (r"Syntax error|Function not found|No matching signature", "QUERY_SYNTAX"),
    (r"bytes billed", "QUOTA_EXCEEDED"),
)
CHECK_PLACE = "Check project, dataset and location."
MENDS: Mapping[str, str] = {  # where the rule's own mend is too general
    "billingNotEnabled": "Enable billing for the project.",
    "bytesBilledLimitExceeded": "Read fewer columns or partitions, or raise maximum_bytes_billed.",
    "resourcesExceeded": "Make the query smaller: an ORDER BY over all rows is the usual reason.",
}
# What is missing a right, in the words of "Access Denied: …".
DENIED_TABLE = r"Table (?P<project>[\w.:-]+):(?P<dataset>\w+)\.(?P<table>[\w$-]+)"
DENIED_DATASET = r"Dataset (?P<project>[\w.:-]+):(?P<dataset>\w+)"
DENIED_JOBS = r"bigquery\.jobs\.create"
DENIED_STREAMS = r"bigquery\.readsessions\."
