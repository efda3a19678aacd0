"""The service as a user meets it: a process that is killed, started again, asked and ended."""

import signal
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from doors.cli import PROGRAM, clean_environment, run_cli
from served import until
from world import World


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


def started(world, **env):
    return subprocess.Popen(
        [PROGRAM, "serve", "--port", "0"], cwd=world.folder,
        env=clean_environment(world.folder, env),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def runs(cli):
    return cli("runs", "-o", "json").json["runs"]
