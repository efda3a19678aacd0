"""Tables of vendors as loaders lay them out, with the rows that the templates' files hold."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rowlift.kit.sqlplacing import named
from rowlift.operations.templating import Layout, Naming, Shelf, entries

LONG_AGO = timedelta(days=1000)
TYPES: Mapping[str, Mapping[str, str]] = {
    "postgres": {
        "text": "text", "int": "bigint", "bool": "boolean", "decimal": "numeric(12, 2)",
        "timestamp": "timestamptz",
    },
    "duckdb": {
        "text": "varchar", "int": "bigint", "bool": "boolean", "decimal": "decimal(12, 2)",
        "timestamp": "timestamp",
    },
    "mysql": {
        "text": "varchar(200)", "int": "bigint", "bool": "boolean", "decimal": "decimal(12, 2)",
        "timestamp": "datetime",
    },
}  # fmt: skip


def shelves() -> dict[str, Shelf]:
    return {one.shelf.name: one.shelf for one in entries().values()}


def moment(value: Any, now: datetime) -> Any:
    """Return the time that a text as `3 days ago` means, and anything else as it is."""
    found = re.fullmatch(r"(\d+) days ago", value) if isinstance(value, str) else None
    return now - timedelta(days=int(found[1])) if found else value


class Loader:
    """Lays the tables of a shelf out in a schema as one layout has them."""

    def __init__(self, dialect: str, now: datetime) -> None:
        self.types = TYPES[dialect]
        self.mark = "`" if dialect == "mysql" else '"'
        self.now = now

    def statements(self, shelf: Shelf, layout: Layout, schema: str) -> Iterator[str]:
        """Yield what creates and fills the schema."""
        yield f"CREATE SCHEMA {schema}"
        for table, naming in layout.tables.items():
            kinds = shelf.tables[table]
            whole = f"{schema}.{self.name(naming.tables[0])}"
            columns = [
                (named(naming.columns[one][0])[0], "int" if _counts(naming, one) else kind)
                for one, kind in kinds.items()
            ]
            names = [name for name, _ in columns]
            if naming.latest and naming.latest not in names:
                columns.append((naming.latest, "timestamp"))
            listed = ", ".join(f"{self.name(name)} {self.types[kind]}" for name, kind in columns)
            yield f"CREATE TABLE {whole} ({listed})"
            rows = self.rows(naming, kinds, shelf.seed[table])
            values = (f"({', '.join(map(self.literal, row))})" for row in rows)
            yield f"INSERT INTO {whole} VALUES {', '.join(values)}"

    def rows(
        self, naming: Naming, kinds: Mapping[str, str], seed: Sequence[Sequence[Any]]
    ) -> Iterator[Sequence[Any]]:
        """Yield the rows; in a table of versions an old one of each, which tells something else."""
        for given in seed:
            row = [moment(value, self.now) for value in given]
            for at, one in enumerate(kinds):
                if _counts(naming, one) and row[at]:
                    row[at] = int(row[at].timestamp())
            if not naming.latest:
                yield row
                continue
            old = [row[0], *(moment(value, self.now) for value in seed[0][1:])]
            if naming.latest in kinds:
                old[[*kinds].index(naming.latest)] = self.now - LONG_AGO
                yield from (old, row)
            else:
                yield from ([*old, self.now - LONG_AGO], [*row, self.now])

    def name(self, name: str) -> str:
        return f"{self.mark}{name}{self.mark}"

    def literal(self, value: Any) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, bool | int | float):
            return str(value)
        if isinstance(value, datetime):
            zone = "+00" if self.types["timestamp"] == "timestamptz" else ""
            return f"'{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}{zone}'"
        return "'" + value.replace("'", "''") + "'"


def _counts(naming: Naming, column: str) -> bool:
    """Tell whether a layout keeps a time as seconds."""
    return naming.columns[column][0].startswith("to_timestamp(")
