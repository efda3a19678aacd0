"""The service as a user meets it: a process that is killed, started again, asked and ended."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

import rowlift
from doors.cli import PROGRAM, clean_environment, ended, run_cli, standing_cli
from rowlift.core.nouns import Status
from served import until
from world import World

# Ends itself, as by a signal from outside, when a module is about to be imported.
AT_IMPORT = """
import os, signal, sys
import rowlift.cli
class Moment:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["MOMENT"]:
            os.kill(os.getpid(), signal.SIGTERM)
sys.meta_path.insert(0, Moment())
rowlift.cli.main()
"""
# Many rows that come slowly, in pieces, for as long as the table says so.
SLOW = """
CREATE TABLE pace (is_slow boolean);
INSERT INTO pace VALUES (true);
CREATE FUNCTION slowed(i int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF i > 8000 AND (SELECT is_slow FROM pace) THEN PERFORM pg_sleep(0.003); END IF;
    RETURN true;
END $$;
CREATE VIEW people AS
    SELECT 'u' || i AS user_id, repeat('x', 1000) || i AS plan
    FROM generate_series(1, 30000) i WHERE slowed(i);
CREATE ROLE {reader} LOGIN PASSWORD 'wrong-horse'; GRANT SELECT ON people, pace TO {reader}
"""


@pytest.mark.door("cli")
def test_B20_serve_runs_a_slot_survives_a_kill_and_ends_in_order(tmp_path):
    world = World(tmp_path / "acme")
    world.rows(("1", "free"), ("2", "team"))
    start = datetime.now(UTC) - timedelta(hours=1)
    world.sync["schedule"] = {"every": "366d", "start_at": start.isoformat(timespec="minutes")}
    world.save()

    def cli(*words):
        return run_cli(*words, cwd=world.folder)

    assert "No service runs these schedules" in cli("ls").stdout
    refused = cli("trigger", "people")
    assert (refused.code, "SERVICE_DOWN" in refused.stderr) == (1, True)
    with started(world, ROWLIFT_FAULTS="run.merge.after_commit:1:kill") as first:
        assert first.wait(100) == -signal.SIGKILL
    with started(world) as second:
        until(lambda: len(world.applied()) == 2)
        assert "Served by process" in cli("ls").stdout
        assert cli("serve").code == 5
        asked = cli("trigger", "people", "-o", "json")
        assert asked.json["requests"][0]["is_waiting"]
        until(lambda: [one["status"] for one in runs(cli)] == ["Completed"] * 2)
        assert cli("cancel", "1").code == 4, "it is over"
        second.send_signal(signal.SIGTERM)
        _, said = second.communicate(timeout=100)
    assert (second.returncode, said.endswith("service: Ended in order.\n")) == (0, True)
    assert "Traceback" not in said
    assert [one["scheduled_for"] is None for one in runs(cli)] == [True, False]
    assert len({one["message_id"] for one in world.sent()}) == 2


@pytest.mark.parametrize("moment", ["rowlift.cli.serve", "rowlift.web.ingest.app"])
def test_F15_a_service_that_is_ended_while_it_is_loaded_ends_in_order(tmp_path, moment):
    world = World(tmp_path / "acme")
    world.save()
    env = clean_environment(world.folder, {"MOMENT": moment})
    done = subprocess.run(
        [sys.executable, "-c", AT_IMPORT, "serve", "--port", "0"], cwd=world.folder, env=env,
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.endswith("service: Ended in order.\n")) == (0, True)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "point",
    [
        "definitions.apply.before_commit:1",
        "service.begin.before_commit:1",
        "service.begin.after_commit:1",
    ],
)
def test_F15_a_service_that_is_ended_while_it_begins_ends_in_order(tmp_path, point):
    world = World(tmp_path / "acme")
    world.save()
    words = ("serve", "--port", "0")
    with standing_cli(*words, point=point, cwd=world.folder, env={}) as standing:
        done = ended(standing, signal.SIGTERM, signal.SIGCONT)
    assert (done.code, done.stderr.endswith("service: Ended in order.\n")) == (0, True)
    assert "Traceback" not in done.stderr
    with rowlift.Project(world.folder, env={}) as project:
        service = project.service.status()
        assert service is None or not service.is_alive
        project.serving().start()


@pytest.fixture
def warehouse(tmp_path, postgres_database):
    """A sync of 30,000 people in PostgreSQL, of whom all but the first 8,000 come slowly."""
    server, reader = postgres_database.server, f"r_{postgres_database.name}"
    postgres_database.execute(SLOW.format(reader=reader))
    world = World(tmp_path / "acme")
    world.shop = {
        "type": "postgres", "host": server.host, "port": server.port, "user": reader,
        "database": postgres_database.name, "password": "${PASSWORD}",
        "sslmode": "verify-full", "sslrootcert": str(server.ca_file),
    }  # fmt: skip
    world.crm = {"batch_rows": 10_000}
    world.use["exclude"] = ["plan"]
    world.save()
    yield world
    postgres_database.execute(f"DROP OWNED BY {reader}; DROP ROLE {reader}")


def test_F15_a_service_that_is_ended_in_the_middle_of_a_large_result_reads_it_anew(
    warehouse, postgres_database
):
    queries = f"SELECT count(*) FROM pg_stat_activity WHERE usename = 'r_{postgres_database.name}'"

    def asked():
        with postgres_database.connect() as admin:
            return admin.execute(queries).fetchone()[0]

    with rowlift.Project(warehouse.folder, env={}) as project:
        with started(warehouse, PASSWORD="wrong-horse") as first:
            until(project.service.status)
            project.service.trigger(["people"])
            until(lambda: [one for one in project.runs() if one.progress and one.progress.rows])
            first.send_signal(signal.SIGTERM)
            _, said = first.communicate(timeout=100)
        assert (first.returncode, said.endswith("service: Ended in order.\n")) == (0, True)
        until(lambda: not asked())
        (left,) = project.runs()
        assert (left.phase, left.is_over) == ("read", False)
        postgres_database.execute("UPDATE pace SET is_slow = false")
        with started(warehouse, PASSWORD="wrong-horse") as second:
            until(lambda: project.runs()[0].is_over)
            second.send_signal(signal.SIGTERM)
            assert second.wait(100) == 0
            second.communicate()
        (run,) = project.runs()
    assert (run.status, run.counts["read"]) == (Status.COMPLETED, 30_000)
    assert len(warehouse.applied()) == len(warehouse.sent()) == 30_000


def started(world, **env):
    return subprocess.Popen(
        [PROGRAM, "serve", "--port", "0"], cwd=world.folder,
        env=clean_environment(world.folder, env),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def runs(cli):
    return cli("runs", "-o", "json").json["runs"]
