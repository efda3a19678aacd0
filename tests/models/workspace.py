"""A workspace in a real state database, driven as a run drives it."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import sqlalchemy as sa

from rowlift.core.nouns import Kind, Preset
from rowlift.core.specs import LimitSpec, SyncSpec
from rowlift.db import Database, metadata
from rowlift.engine import apply
from rowlift.engine.duck import Duck
from rowlift.workspace.tables import anonymous_ids, numbers, objects, people, relationships
from rowlift.workspace.workspace import Workspace, Writer

DUE = pa.schema(
    [
        ("key", pa.string()),
        ("version", pa.int64()),
        ("op", pa.string()),
        ("attributes", pa.string()),
        ("row_number", pa.int64()),
        ("present", pa.bool_()),
        ("fp", pa.uint64()),
    ]
)


def canonical(value) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def row(key, op="upsert", **attributes) -> dict[str, object]:
    return {"key": key, "op": op, "attributes": canonical(attributes)}


def spec(identify_by="user_id", kind=Kind.PERSON, **settings) -> SyncSpec:
    return SyncSpec(
        name="sync",
        preset=Preset.IMPORT,
        kind=kind,
        source="source",
        sql="",
        identify_by=identify_by,
        limits=LimitSpec(300, 1_000_000, None),
        **settings,
    )


def anybody(connection):
    """The right to write, which nobody disputes here."""


class Desk:
    """Writes rows to the workspace the way a run does, and reads it back."""

    def __init__(self, url: str, scratch: Path) -> None:
        self.database = Database(url)
        self.scratch = scratch
        self.run_id = 0
        scratch.mkdir(exist_ok=True)
        self.duck = Duck(scratch / "spill", threads=1)
        metadata.create_all(self.database.engine)

    def close(self) -> None:
        self.duck.close()
        self.database.close()

    def clear(self) -> None:
        with self.database.transaction("test.clear") as connection:
            for table in (people, anonymous_ids, objects, relationships, numbers):
                connection.execute(table.delete())

    def workspace(self, allow_change=False) -> Workspace:
        return Workspace(self.database, 1, allow_change)

    def plan(self, sync, rows, *, sync_uid="s1", allow_change=False, slice_rows=20_000):
        """Returns the plan's path and its writer."""
        self.run_id += 1
        writer = Writer(sync_uid, self.run_id, 1_700_000_000 + self.run_id)
        path = self.scratch / f"plan-{self.run_id}.parquet"
        self.duck.register("rows", due(rows))
        workspace = self.workspace(allow_change)
        apply.decide(self.duck, workspace, sync, apply.Due("rows"), writer, slice_rows=slice_rows)
        apply.write_plan(self.duck, path)
        return path, writer

    def apply(self, path, writer, allow_change=False):
        """Goes on after the slices that are committed; returns the late rejects."""
        with self.database.read() as connection:
            done = apply.applied(connection, writer)
            late = self.late(connection, writer)
        for number, rows in apply.slices(path, done):
            with self.database.transaction("apply.slice") as connection:
                workspace = self.workspace(allow_change)
                done = apply.apply_slice(connection, workspace, writer, number, rows, hold=anybody)
                late += done.late
        return late

    def late(self, connection, writer):
        """What the checkpoints remember of rows that came too late."""
        found = apply.applied(connection, writer)
        return [reject for rejects in found.values() for reject in rejects]

    def run(self, sync, rows, **settings):
        """Plans and applies; returns the plan's rows by key."""
        path, writer = self.plan(sync, rows, **settings)
        assert self.apply(path, writer) == []
        return by_key(path)

    def people(self) -> list[dict[str, object]]:
        with self.database.read() as connection:
            found = connection.execute(sa.select(people).order_by(people.c.pid)).mappings().all()
            owned = connection.execute(sa.select(anonymous_ids)).all()
        return [
            {
                **person,
                "attributes": json.loads(person["attributes"]),
                "origins": json.loads(person["origins"]),
                "anonymous": {each.anonymous_id for each in owned if each.pid == person["pid"]},
            }
            for person in found
        ]

    def objects(self) -> list[dict[str, object]]:
        return self._all(objects)

    def relationships(self) -> list[dict[str, object]]:
        return self._all(relationships)

    def _all(self, table) -> list[dict[str, object]]:
        with self.database.read() as connection:
            found = connection.execute(sa.select(table).order_by(table.c.pid)).mappings().all()
        return [dict(each) for each in found]


def due(rows) -> pa.Table:
    whole = [
        {"version": 1, "row_number": number, "present": each["op"] == "upsert", "fp": number} | each
        for number, each in enumerate(rows, 1)
    ]
    return pa.Table.from_pylist(whole, DUE)


def by_key(path) -> dict[str, dict[str, object]]:
    with pa.OSFile(str(path)) as file:
        return {each["key"]: each for each in pa.parquet.read_table(file).to_pylist()}
