"""The types of sources and destinations by the names that people know them by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rowlift.operations.connecting import KindReport

# What it is called, the letters on its card, and other words that people look for it by.
_KNOWN: Mapping[tuple[str, str], tuple[str, str, str]] = {
    ("source", "bigquery"): ("Google BigQuery", "Bq", "gcp warehouse"),
    ("source", "duckdb"): ("DuckDB", "Du", "file"),
    ("source", "files"): ("CSV and Parquet files", "Cs", "folder spreadsheet"),
    ("source", "mysql"): ("MySQL and MariaDB", "My", "maria db"),
    ("source", "postgres"): ("PostgreSQL", "Pg", "postgres pg"),
    ("source", "redshift"): ("Amazon Redshift", "Rs", "aws warehouse"),
    ("source", "snowflake"): ("Snowflake", "Sn", "warehouse"),
    ("source", "sqlite"): ("SQLite", "Li", "file"),
    ("source", "sqlserver"): ("SQL Server and Azure SQL", "Ms", "mssql microsoft"),
    ("destination", "customerio"): ("Customer.io", "Cu", "messages people objects"),
    ("destination", "customerio_segment"): ("Customer.io segment", "Cs", "manual membership"),
    ("destination", "files"): ("Files", "Fi", "json lines csv parquet folder lake"),
    ("destination", "segment"): ("Segment", "Se", "twilio cdp identify group"),
    ("destination", "webhook"): ("Webhook", "Wh", "http api own endpoint"),
}


@dataclass(frozen=True, slots=True)
class Card:
    """One type as the catalogue shows it."""

    type: str
    title: str
    about: str
    report: KindReport

    @property
    def letters(self) -> str:
        """Return two letters that stand for it."""
        known = _KNOWN.get((self.report.kind, self.type))
        return known[1] if known else self.title[:2]


def title(kind: str, name: str) -> str:
    """Return what a type is called."""
    known = _KNOWN.get((kind, name))
    return known[0] if known else name.replace("_", " ").capitalize()


def cards(found: Sequence[KindReport], q: str = "") -> list[Card]:
    """Return the types that meet every word of a search, by title."""
    made = [Card(one.type, title(one.kind, one.type), one.about, one) for one in found]
    words = q.casefold().split()
    kept = [one for one in made if all(word in _words(one) for word in words)]
    return sorted(kept, key=lambda one: one.title.casefold())


def _words(one: Card) -> str:
    *_, others = _KNOWN.get((one.report.kind, one.type), ("",))
    return f"{one.type} {one.title} {others} {one.about}".casefold()
