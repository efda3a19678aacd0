"""Runs that are interrupted, killed or started twice, on real servers and both kinds of state."""

import signal

import pytest

from e2e.jobs import Job, ended, staged_rows
from rowlift.testing.sink import Sink
from servers import PostgresDatabase

ROWS = 3_000
SEED = {
    "postgres": "INSERT INTO people SELECT 'u' || i, 'pro' FROM generate_series(1, {rows}) AS t(i)",
    "mysql": "INSERT INTO people SELECT concat('u', seq), 'pro' FROM seq_1_to_{rows}",
}
ENDLESS = {
    "postgres": "SELECT a * 10000 + b AS id, repeat('x', 200) AS note "
    "FROM generate_series(1, 10000) AS a, generate_series(1, 10000) AS b",
    "mysql": "SELECT a.seq * 10000 + b.seq AS id, repeat('x', 200) AS note "
    "FROM seq_1_to_10000 AS a, seq_1_to_10000 AS b",
}
SENT = {"postgres": signal.SIGINT, "mysql": signal.SIGTERM}
PEOPLE = "SELECT id, plan FROM people"


@pytest.fixture
def shared(postgres_job: Job, postgres_database: PostgresDatabase) -> Job:
    """A project with 3,000 people and its state on PostgreSQL."""
    postgres_job.sql("CREATE TABLE people (id varchar(20), plan varchar(20))")
    postgres_job.sql(SEED["postgres"].format(rows=ROWS))
    postgres_job.env["ROWLIFT_STATE_URL"] = postgres_database.url
    return postgres_job


def arrived(sink: Sink) -> bool:
    return len(sink.taken.by_key) == len(sink.taken.records) == ROWS


def test_interrupted_in_mid_stream_and_then_mended(job: Job, sink: Sink) -> None:
    job.sql("CREATE TABLE people (id varchar(20), plan varchar(20))")
    job.sql(SEED[job.warehouse.kind].format(rows=ROWS))
    to = job.segment(sink.url)
    job.imported(ENDLESS[job.warehouse.kind], to)
    running = job.start("run", "people")
    staged_rows(job, running)
    stopped = ended(running, SENT[job.warehouse.kind])
    assert stopped.code == 130, stopped
    assert "INTERRUPTED" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert sink.seen == []
    assert job.people() == {}
    job.imported(PEOPLE, to)  # mended
    done = job.cli("run", "people")
    assert done.code == 0, done
    assert arrived(sink)
    statuses = [one["status"] for one in job.cli("runs", "-o", "json").json["runs"]]
    assert statuses == ["Completed", "Cancelled"]


@pytest.mark.parametrize(
    ("point", "sent"),
    [
        ("run.read.after_commit", signal.SIGTERM),
        ("run.merge.after_commit", signal.SIGINT),
        ("apply.slice.after_commit", signal.SIGTERM),
        ("delivery.plan.after_commit", signal.SIGINT),
        ("http.after_send", signal.SIGTERM),
    ],
)
def test_interrupted_at_a_point_goes_on_and_loses_nothing(
    shared: Job, sink: Sink, point: str, sent: signal.Signals
) -> None:
    shared.imported(PEOPLE, shared.segment(sink.url))
    with shared.standing(point, "run", "people") as running:
        stopped = ended(running, sent)
    assert stopped.code == 130, stopped
    assert "INTERRUPTED" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    done = shared.cli("run", "people")
    assert done.code == 0, done
    assert arrived(sink)
    assert len(shared.people()) == ROWS
    before = len(sink.seen)
    assert "nothing to send" in shared.cli("run", "people").stdout
    assert len(sink.seen) == before


def test_two_runs_at_once(shared: Job, sink: Sink) -> None:
    shared.imported(PEOPLE, shared.segment(sink.url))
    with shared.standing("run.read.after_commit", "run", "people") as first:
        second = shared.cli("run", "people")
        assert second.code == 5
        assert "BUSY" in second.stderr
        assert sink.seen == []
        assert ended(first).code == 0
    assert [one["status"] for one in shared.cli("runs", "-o", "json").json["runs"]] == [
        "Skipped", "Completed"
    ]  # fmt: skip
    assert arrived(sink)
