"""Rows that are committed after a run, with moments from before it, and a replica that lags."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from e2e.jobs import PostgresWarehouse, postgres_warehouse
from rowlift.testing.fake import deliveries
from rowlift.testing.folder import Folder
from servers import PostgresServer
from servers.postgres import standby
from servers.room import Room

WRITERS = 8
SQL = (
    "SELECT id AS user_id, 'on' AS plan FROM people "
    "WHERE updated_at >= to_timestamp({{last_sync_time}})"
)


@pytest.fixture
def warehouse(postgres_server: PostgresServer) -> Iterator[PostgresWarehouse]:
    with postgres_warehouse(postgres_server) as made:
        made.execute("CREATE TABLE people (id int, updated_at timestamptz)")
        yield made


@pytest.mark.door("python")
@pytest.mark.parametrize(("overlap", "missed"), [("1m", 0), ("0s", WRITERS)])
def test_T3_F43_late_commits_are_found_by_the_overlap(
    tmp_path: Path, warehouse: PostgresWarehouse, overlap: str, missed: int
) -> None:
    """Each writer begins half a minute before the run and commits after it."""
    log = tmp_path / "sent.jsonl"
    sink = {"type": "sandbox", "path": str(log)}
    folder = Folder(tmp_path / "acme", warehouse.settings(), sink, sql=SQL, overlap=overlap)
    warehouse.execute("INSERT INTO people VALUES (0, now())")
    with ExitStack() as writers:
        for number in range(1, WRITERS + 1):
            writer = writers.enter_context(warehouse.database.connect())
            writers.enter_context(writer.transaction())
            writer.execute("INSERT INTO people VALUES (%s, now() - interval '30 s')", [number])
        assert folder.run().counts["read"] == 1
    with folder.project() as project:
        (second,), (third,) = project.run(), project.run()
    assert (second.counts["added"], third.counts["added"]) == (WRITERS - missed, 0)
    assert len(deliveries(log)) == 1 + WRITERS - missed


@pytest.mark.door("python")
def test_T5_a_replica_is_as_late_as_what_it_replayed(
    tmp_path: Path, server_room: Room, postgres_server: PostgresServer, warehouse: PostgresWarehouse
) -> None:
    with standby(server_room, postgres_server) as replica, replica.connect() as admin:
        warehouse.execute("INSERT INTO people VALUES (0, now())")
        wait_for(lambda: replayed(replica, warehouse) == 1)
        admin.execute("SELECT pg_wal_replay_pause()")
        wait_for(lambda: admin.execute(PAUSED).fetchone() == ("paused",))
        warehouse.execute("INSERT INTO people VALUES (1, now())")
        wait_for(lambda: admin.execute(LATE).fetchone() == (True,))
        (until,) = admin.execute(REPLAYED).fetchone() or (None,)
        settings = warehouse.settings(port=replica.port)
        folder = Folder(
            tmp_path / "acme", settings, {"type": "sandbox", "path": "sent.jsonl"}, sql=SQL
        )
        first = folder.run()
        assert (first.counts["read"], first.last_sync_time) == (1, until)
        with folder.project() as project:
            clock = {one.step: one for one in project.debug()["shop"]}["clock"]
        assert "replica" in clock.message
        admin.execute("SELECT pg_wal_replay_resume()")
        wait_for(lambda: replayed(replica, warehouse) == 2)
        assert folder.run().counts["added"] == 1


PAUSED = "SELECT pg_get_wal_replay_pause_state()"
LATE = "SELECT clock_timestamp() > pg_last_xact_replay_timestamp() + interval '2 s'"
REPLAYED = "SELECT floor(extract(epoch FROM pg_last_xact_replay_timestamp()))::int8"


def replayed(replica: PostgresServer, warehouse: PostgresWarehouse) -> int:
    with replica.connect(warehouse.database.name) as reader:
        return len(reader.execute("SELECT FROM people").fetchall())


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
