"""The audit log: rows are added and read, never changed."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from rowlift.db import Database
from rowlift.state.accounts_tables import audit


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Who did what to what, and from which address; `at` is Unix seconds, secrets are masked."""

    at: float
    actor: str
    address: str
    action: str
    subject: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    id: int = 0


class AuditLog:
    """Keeps what people did in one workspace."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self._database = database
        self._workspace_id = workspace_id

    def add(self, record: AuditRecord) -> None:
        """Add a line."""
        values = asdict(record) | {
            "workspace_id": self._workspace_id,
            "before": json.dumps(record.before, sort_keys=True, default=str),
            "after": json.dumps(record.after, sort_keys=True, default=str),
        }
        del values["id"]
        with self._database.transaction("audit.add") as connection:
            connection.execute(audit.insert().values(values))

    def page(self, limit: int, before_id: int | None = None) -> list[AuditRecord]:
        """Return the newest lines first, from the one before an id."""
        query = sa.select(audit).where(audit.c.workspace_id == self._workspace_id)
        if before_id is not None:
            query = query.where(audit.c.id < before_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(audit.c.id.desc()).limit(limit)).all()
        return [_record(row) for row in rows]


def _record(row: sa.Row[Any]) -> AuditRecord:
    values = dict(row._mapping)  # noqa: SLF001
    del values["workspace_id"]
    texts = {"before": json.loads(row.before), "after": json.loads(row.after)}
    return AuditRecord(**values | texts)
