"""Lists that notebooks show as tables."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rowlift.kit.html import table
from rowlift.operations.reports import RunReport

if TYPE_CHECKING:
    from rowlift.operations.records import PersonRecord


class Runs(list[RunReport]):
    """Runs, the newest first."""

    def _repr_html_(self) -> str:
        columns = ("run", "sync", "status", "began", "rows", "reason")
        rows = (
            (one.id, one.sync, one.status.value, _moment(one.created_at), one.counts.get("read"),
             one.reason)
            for one in self
        )  # fmt: skip
        return table(f"Runs: {len(self)}", columns, rows)


class People(list["PersonRecord"]):
    """People by their numbers."""

    def _repr_html_(self) -> str:
        columns = ("number", "id", "email", "anonymous ids", "attributes")
        rows = (
            (one.number, one.id, one.email, ", ".join(one.anonymous_ids), _attributes(one))
            for one in self
        )
        return table(f"People: {len(self)}", columns, rows)


def _attributes(person: "PersonRecord") -> str:
    return ", ".join(f"{one.name}: {one.value}" for one in person.attributes)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
