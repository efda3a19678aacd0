"""Advice before a sync is saved; what the source has to tell comes from real servers."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import rowlift
from days import START, Days
from e2e.jobs import PostgresWarehouse, mariadb_warehouse, postgres_warehouse
from rowlift.core.estimates import Duration, Estimate
from rowlift.core.nouns import QueryFacts
from rowlift.core.progress import Silent
from rowlift.engine.advice import Case, advise
from rowlift.engine.cadence import cadence, duration
from rowlift.state.carried import Carried
from rowlift.state.runs import Run
from rowlift.state.tables import runs
from rowlift.testing.folder import SYNC, Folder
from rowlift.testing.sink import Sink
from servers import BigQueryDataset, MariaDbServer, PostgresServer, TdsDatabase
from servers.bigquery import READER
from tds_shop import opened

LARGE = 120_000
PEOPLE = "CREATE TABLE people (user_id int PRIMARY KEY, plan varchar(9), updated_at int)"
FULL = "SELECT user_id, plan FROM people"
CHANGED = f"{FULL} WHERE updated_at >= {{{{last_sync_time}}}}"
CAST = f"{FULL} WHERE CAST(updated_at AS BIGINT) >= {{{{last_sync_time}}}}"
FILL = {
    "postgres": f"INSERT INTO people SELECT i, 'pro', i FROM generate_series(1, {LARGE}) i;"
    "ANALYZE people",
    "maria": f"INSERT INTO people SELECT seq, 'pro', seq FROM seq_1_to_{LARGE}",
}


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[PostgresWarehouse]:
    with postgres_warehouse(postgres_server) as warehouse:
        warehouse.execute(PEOPLE, FILL["postgres"])
        yield warehouse


def folder_of(
    path: Path, source: dict[str, Any], sql: str, *, use: dict[str, Any] | None = None, **sync: Any
) -> Folder:
    sink = {"type": "sandbox", "path": str(path / "sent.jsonl")}
    return Folder(path / "acme", source, sink, use=use, sql=sql, **sync)


def estimate(folder: Folder) -> Estimate:
    with folder.project() as project:
        found = project.preview(SYNC).estimate
    assert found
    return found


def codes(folder: Folder) -> list[str]:
    return [one.code for one in estimate(folder).advice]


@pytest.mark.door("python")
def test_B27_a_large_table_wants_last_sync_time_an_index_and_a_replica(
    postgres: PostgresWarehouse, tmp_path: Path
) -> None:
    project = folder_of(tmp_path, postgres.settings(), FULL, schedule={"every": "12h"})
    assert codes(project) == ["FULL_QUERY_LARGE", "LARGE_OFTEN", "PRIMARY_READ"]
    project.edit(schedule={"every": "1d"})
    assert codes(project) == ["FULL_QUERY_LARGE", "PRIMARY_READ"]
    project.edit(sql=CHANGED)
    other = "ALTER TABLE people ADD not_updated_at int; CREATE INDEX ON people (not_updated_at)"
    postgres.execute(other)
    found = {one.code: one for one in estimate(project).advice}
    assert found.keys() == {"CURSOR_NOT_INDEXED", "PRIMARY_READ"}
    postgres.execute(found["CURSOR_NOT_INDEXED"].mend)
    assert codes(project) == ["PRIMARY_READ"]


@pytest.mark.door("python")
def test_B27_a_few_rows_of_a_large_table_are_not_said_to_be_many(
    postgres: PostgresWarehouse, tmp_path: Path
) -> None:
    project = folder_of(tmp_path, postgres.settings(), f"{FULL} WHERE user_id < 9")
    found = {one.code: one.message for one in estimate(project).advice}
    assert found["FULL_QUERY_LARGE"].startswith("A large table without last_sync_time")


@pytest.mark.parametrize("month", [5, 11])
def test_a_daily_schedule_is_not_often_whichever_clocks_change(
    files: dict[str, Any], tmp_path: Path, month: int
) -> None:
    daily = {"at": "06:00", "timezone": "Europe/Berlin"}
    with folder_of(tmp_path, files, FULL, schedule=daily).project() as project:
        spec = project.serving().home.project.syncs[SYNC]
    now = int(datetime(2026, month, 23, tzinfo=UTC).timestamp())
    slots = cadence(spec, Duration(), (), (), "uid", now)
    case = Case(spec, "duckdb", LARGE, LARGE, Duration(), slots, QueryFacts())
    assert [one.code for one in advise(case)] == ["FULL_QUERY_LARGE"]


@pytest.mark.door("python")
def test_B27_an_index_on_an_expression_serves_a_query_that_compares_it(
    postgres: PostgresWarehouse, tmp_path: Path
) -> None:
    sql = f"{FULL} p WHERE abs(p.updated_at) > {{{{last_sync_time}}}} AND plan = 'pro'"
    project = folder_of(tmp_path, postgres.settings(), sql)
    assert "CURSOR_NOT_INDEXED" in codes(project)
    postgres.execute("CREATE INDEX ON people (abs(updated_at))")
    assert "CURSOR_NOT_INDEXED" not in codes(project)


@pytest.mark.door("python")
def test_B27_a_small_table_gets_no_advice(postgres: PostgresWarehouse, tmp_path: Path) -> None:
    postgres.execute("DELETE FROM people WHERE user_id > 9; ANALYZE people")
    project = folder_of(tmp_path, postgres.settings(), FULL, schedule={"every": "5m"})
    assert codes(project) == []


@pytest.mark.door("python")
def test_B27_mariadb_tells_its_indexes(mariadb_server: MariaDbServer, tmp_path: Path) -> None:
    with mariadb_warehouse(mariadb_server) as warehouse:
        warehouse.execute(PEOPLE, FILL["maria"])
        project = folder_of(tmp_path, warehouse.settings(), CHANGED)
        found = {one.code: one for one in estimate(project).advice}
        assert found.keys() == {"CURSOR_NOT_INDEXED", "PRIMARY_READ"}
        warehouse.execute(found["CURSOR_NOT_INDEXED"].mend)
        assert codes(project) == ["PRIMARY_READ"]


MOMENTS = "SELECT user_id, plan FROM people WHERE {column} >= {moment}"
SECONDS = "{{last_sync_time}}"


@pytest.mark.door("python")
def test_B27_mariadb_compares_a_date_with_seconds_and_advice_says_so(
    mariadb_server: MariaDbServer, tmp_path: Path
) -> None:
    with mariadb_warehouse(mariadb_server) as warehouse:
        warehouse.execute(
            "CREATE TABLE people (user_id int, plan varchar(9), at date, seen datetime, n int)",
            "INSERT INTO people VALUES (1, 'pro', '2026-01-01', '2026-01-01', 1)",
        )
        project = folder_of(tmp_path, warehouse.settings(), FULL)
        for column in ("at", "seen", "plan"):
            project.edit(sql=MOMENTS.format(column=column, moment=SECONDS))
            (advice,) = estimate(project).advice
            assert (advice.code, column in advice.message) == ("CURSOR_NOT_SECONDS", True)
            assert f"FROM_UNIXTIME({SECONDS})" in advice.mend
        for column, moment in (("n", SECONDS), ("seen", f"FROM_UNIXTIME({SECONDS})")):
            project.edit(sql=MOMENTS.format(column=column, moment=moment))
            assert codes(project) == []


class Noted(Silent):
    """Keeps what a run says on its way."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, task: str, text: str, detail: str = "") -> None:
        self.notes.append(text)


@pytest.mark.door("python")
def test_B27_a_run_too_says_that_a_date_is_compared_with_seconds(
    mariadb_server: MariaDbServer, tmp_path: Path
) -> None:
    with mariadb_warehouse(mariadb_server) as warehouse:
        warehouse.execute(
            "CREATE TABLE people (user_id int, plan varchar(9), seen datetime)",
            "INSERT INTO people VALUES (1, 'pro', '2026-01-01')",
        )
        folder = folder_of(tmp_path, warehouse.settings(), FULL)
        for moment, said in ((SECONDS, 1), (f"FROM_UNIXTIME({SECONDS})", 0)):
            folder.edit(sql=MOMENTS.format(column="seen", moment=moment))
            told = Noted()
            with rowlift.Project(folder.path, clock=folder.clock, env={}, progress=told) as project:
                project.run([SYNC])
            found = [one for one in told.notes if one.startswith("seen: no numbers")]
            assert len(found) == said
            assert all(f"FROM_UNIXTIME({SECONDS})" in one for one in found)


@pytest.mark.door("python")
def test_B27_sqlite_compares_a_text_with_seconds_and_advice_says_so(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as shop, shop:
        shop.execute(
            "CREATE TABLE people (user_id int, plan text, seen datetime, n int, empty int)"
        )
        shop.execute("INSERT INTO people VALUES (1, 'pro', datetime(), 1, NULL)")
    seen = MOMENTS.format(column="seen", moment=SECONDS)
    project = folder_of(tmp_path, {"type": "sqlite", "path": str(path)}, seen)
    assert codes(project) == ["CURSOR_NOT_SECONDS"]
    for column in ("n", "empty"):
        project.edit(sql=MOMENTS.format(column=column, moment=SECONDS))
        assert codes(project) == []
    moved = "WITH w AS (SELECT user_id, n AS moved FROM people) SELECT user_id, moved AS n FROM w"
    project.edit(sql=f"{moved} WHERE moved >= {SECONDS}")
    assert codes(project) == []


@pytest.mark.door("python")
def test_B27_sqlite_tells_its_indexes(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as shop, shop:
        shop.execute(PEOPLE)
        rows = ((number, "pro", number) for number in range(LARGE))
        shop.executemany("INSERT INTO people VALUES (?, ?, ?)", rows)
    project = folder_of(tmp_path, {"type": "sqlite", "path": str(path)}, CHANGED)
    (advice,) = estimate(project).advice
    assert advice.code == "CURSOR_NOT_INDEXED"
    with closing(sqlite3.connect(path)) as shop, shop:
        shop.execute(advice.mend)
    assert codes(project) == []


@pytest.mark.door("python")
def test_B27_sql_server_tells_its_indexes(tds_database: TdsDatabase, tmp_path: Path) -> None:
    shop = opened(tds_database, "python-tds")
    shop.admit()
    tds_database.execute(
        f"CREATE TABLE members AS SELECT range AS user_id, range AS updated_at FROM range({LARGE})"
    )
    sql = "SELECT user_id, updated_at FROM members WHERE updated_at >= {{last_sync_time}}"
    project = folder_of(tmp_path, {"type": "sqlserver", **shop.settings()}, sql)
    found = {one.code: one for one in estimate(project).advice}
    assert found.keys() == {"CURSOR_NOT_INDEXED", "PRIMARY_READ"}
    tds_database.execute(found["CURSOR_NOT_INDEXED"].mend)
    assert codes(project) == ["PRIMARY_READ"]


@pytest.mark.door("python")
def test_B27_a_dry_run_tells_the_bytes(bigquery_dataset: BigQueryDataset, tmp_path: Path) -> None:
    bigquery_dataset.execute("CREATE TABLE {here}.huge (user_id INT64, plan STRING)")
    settings = {"type": "bigquery", **bigquery_dataset.settings(READER)}
    project = folder_of(tmp_path, settings, "SELECT user_id, plan FROM huge")
    found = estimate(project)
    assert found.bytes_read == 5_000_000_000_000
    assert [one.code for one in found.advice] == ["BYTES_READ"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    rows = "".join(f"u{number},pro,,0\n" for number in range(150))
    (tmp_path / "people.csv").write_text(f"user_id,plan,phone,updated_at\n{rows}")
    return {"type": "files", "root": str(tmp_path)}


@pytest.mark.door("python")
@pytest.mark.parametrize(("sql", "word"), [(FULL, "never read"), (CAST, "are lost")])
def test_B27_a_limit_loses_rows(files: dict[str, Any], tmp_path: Path, sql: str, word: str) -> None:
    folder = folder_of(tmp_path, files, f"{sql} LIMIT 50")
    (advice,) = estimate(folder).advice
    assert (advice.code, word in advice.message) == ("LIMIT_LOSES_ROWS", True)
    with folder.project() as project:
        (problem,) = project.check()
    assert (problem.code, problem.message) == (advice.code, advice.message)


@pytest.mark.door("python")
def test_B27_columns_that_nobody_uses_or_that_are_empty(
    files: dict[str, Any], tmp_path: Path
) -> None:
    sql = "SELECT user_id, plan, phone, updated_at FROM people"
    use = {"only": ["plan", "phone"]}
    project = folder_of(tmp_path, files, sql, use=use, workspace="none")
    (advice,) = estimate(project).advice
    assert advice.code == "COLUMNS_UNUSED"
    assert advice.message == "Used nowhere: updated_at. Empty in the first rows: phone."


def lasted(folder: Folder, seconds: float, **values: Any) -> None:
    """Let every run of the past have taken so long."""
    engine = sa.create_engine(f"sqlite:///{folder.path / '.rowlift' / 'state.db'}")
    with engine.begin() as connection:
        connection.execute(runs.update().values(finished_at=runs.c.created_at + seconds, **values))
    engine.dispose()


@pytest.mark.door("python")
def test_B27_a_schedule_shorter_than_a_run_warns_and_blocks_nothing(
    files: dict[str, Any], tmp_path: Path
) -> None:
    project = folder_of(tmp_path, files, FULL, schedule={"every": "1m"}, on_busy="queue")
    assert estimate(project).duration.basis == "unknown"
    project.run()
    lasted(project, 120)
    found = estimate(project)
    assert [one.code for one in found.advice] == ["SCHEDULE_TOO_SHORT"]
    assert "about 50% of them" in found.advice[0].message
    assert project.run().status == "Completed"


@pytest.mark.door("python")
def test_C7_the_first_run_with_a_cursor_does_not_tell_of_those_that_follow(
    files: dict[str, Any], tmp_path: Path
) -> None:
    project = folder_of(tmp_path, files, CAST, schedule={"every": "1m"})
    project.run()
    lasted(project, 3600)
    first = estimate(project)
    assert first.cadence
    assert (first.duration.basis, first.cadence.skipped) == ("other runs", None)
    project.run()
    lasted(project, 6)
    then = estimate(project)
    assert then.cadence
    assert (then.duration, then.cadence.skipped) == (Duration("runs", 1, 6, 6), 0)


@pytest.mark.door("python")
def test_B27_a_query_that_may_reach_the_timeout(
    postgres: PostgresWarehouse, tmp_path: Path
) -> None:
    postgres.execute("DELETE FROM people WHERE user_id > 9; ANALYZE people")
    project = folder_of(tmp_path, postgres.settings(statement_timeout=600), FULL)
    project.run()
    lasted(project, 280)
    assert codes(project) == []
    lasted(project, 400)
    assert codes(project) == ["TIMEOUT_NEAR"]
    lasted(project, 1, status="Failed", reason_code="QUERY_TIMEOUT")
    (advice,) = estimate(project).advice
    assert advice.message == "One of the last runs ended at the source's timeout."


@pytest.mark.door("python")
def test_C7_the_past_of_other_syncs_tells_of_a_new_one(
    files: dict[str, Any], tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, files, FULL)
    folder.run()
    lasted(folder, 30)
    document = {
        "source": "shop", "sql": "SELECT user_id, phone FROM people", "identify_by": "user_id",
        "schedule": {"every": "10m"}, "destinations": [{"use": "there", "match": "user_id"}],
    }  # fmt: skip
    with folder.project() as project:
        found = project.definitions.estimate("phones", document)
        assert [one.name for one in project.ls()] == [SYNC], "nothing was kept"
    assert (found.rows, found.duration.basis, found.duration.p95) == (150, "other runs", 30)
    assert found.cadence
    assert (round(found.cadence.runs_a_day), found.cadence.skipped) == (144, 0)
    (there,) = found.traffic
    assert (there.messages, there.calls, there.calls_a_day) == (150, 2, 288)


@pytest.mark.door("python")
def test_C7_the_erasure_of_a_person_tells_nothing_of_what_a_sync_takes(
    files: dict[str, Any], tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, files, FULL)
    folder.run()
    with folder.project() as project:
        project.erase("u1")
    folder.edit(sql=f"{FULL} WHERE plan = 'pro'")
    found = estimate(folder)
    assert (found.duration.basis, found.duration.runs) == ("other runs", 1)


@pytest.mark.door("python")
def test_C7_a_destination_that_cannot_be_opened_costs_no_preview(
    files: dict[str, Any], tmp_path: Path
) -> None:
    hook = {"type": "webhook", "url": "https://hooks.example.com/in", "secret": "${NOT_SET}"}
    project = Folder(tmp_path / "acme", files, hook, sql=FULL)
    (there,) = estimate(project).traffic
    assert (there.messages, there.calls, there.bytes) == (150, None, None)


@pytest.mark.door("python")
def test_A17_a_plan_tells_exactly_what_each_destination_would_get(
    files: dict[str, Any], tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, files, FULL)
    with folder.project() as project:
        plan = project.plan(SYNC, tmp_path / "people.plan")
        assert plan.estimate
        (there,) = plan.estimate.traffic
        project.run(plan=tmp_path / "people.plan")
    sent = [len(line) for line in (tmp_path / "sent.jsonl").read_text().splitlines()]
    assert there.calls == len(sent)
    assert (there.messages, there.bytes) == (150, plan.targets["there"]["bytes"])


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as receiver:
        yield receiver


class Heard(Silent):
    """Keeps what somebody who waits is told, and how many requests had arrived by then."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.notes: list[tuple[str, int]] = []

    def note(self, task: str, text: str, detail: str = "") -> None:
        self.notes.append((f"{task}: {text}", len(self._sink.requests)))


@pytest.mark.door("python")
def test_A17_a_run_that_sends_for_long_says_so_before_it_does(
    files: dict[str, Any], tmp_path: Path, sink: Sink
) -> None:
    hook = {
        "type": "webhook", "url": sink.url, "allow_networks": ["127.0.0.0/8"],
        "batch_rows": 10, "requests_per_second": 0.02,
    }  # fmt: skip
    folder = Folder(tmp_path / "acme", files, hook, sql=FULL)
    (there,) = estimate(folder).traffic
    assert (there.is_large, there.calls, there.seconds) == (True, 15, 750)
    heard = Heard(sink)
    with rowlift.Project(folder.path, clock=folder.clock, env={}, progress=heard) as project:
        project.run([SYNC])
    told = "people → there: 150 messages in 15 calls, 0 MB; at least 12 min at its rate limit."
    assert (told, 0) in heard.notes
    assert len(sink.requests) == 15


@pytest.mark.parametrize(
    ("seconds", "on_busy"), [(45, "skip"), (130, "skip"), (400, "skip"), (200, "queue")]
)
def test_the_share_that_is_predicted_is_the_one_that_comes(
    tmp_path: Path, seconds: int, on_busy: str
) -> None:
    days = Constant(tmp_path, syncs=1, seed=1)
    days.seconds, days.on_busy = seconds, on_busy
    days.every(1)
    end = START + timedelta(hours=6)
    days.serve(end)
    became = days.check(end, fair_minutes=60)
    with days.project() as project:
        spec = project.serving().home.project.syncs["s00"]
    ran = [Carried("uid", spec.sql, 1, 0.0, float(seconds))]
    told = cadence(spec, duration(ran, (), 1), ran, (), "uid", int(START.timestamp()))
    assert told
    assert told.skipped == pytest.approx(1 - became["run"] / became.total(), abs=0.02)


class Constant(Days):
    """Days whose runs all take the same time."""

    seconds = 1
    on_busy = "skip"

    def _sync(self, number: int) -> dict[str, object]:
        return super()._sync(number) | {"on_busy": self.on_busy}

    def _lasts(self, run: Run) -> float:
        super()._lasts(run)
        begin = self.clock.now().timestamp()
        self.spans[run.id] = [begin, begin + self.seconds]
        return self.seconds
