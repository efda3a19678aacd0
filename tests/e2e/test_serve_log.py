"""What `rowlift serve --log json` writes while everything goes wrong."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from doors.cli import clean_environment
from rowlift.testing.misbehaviour import Misbehaviour, answer
from rowlift.testing.sink import Sink
from served import until
from world import World

CANARIES = ("canary-in-a-row", "canary-of-a-header", "canary-of-a-reply")


def test_json_lines_hold_ids_and_codes_and_neither_rows_nor_secrets(tmp_path: Path) -> None:
    with Sink() as sink:
        sink.always(Misbehaviour(answer(400, json.dumps({"code": CANARIES}).encode())))
        world = World(tmp_path / "acme")
        world.sync |= {"schedule": {"every": "1h"}, "workspace": "write"}
        world.others["hook"] = {
            "type": "webhook", "url": sink.url, "allow_networks": ["127.0.0.0/8"],
            "headers": {"X-Proof": CANARIES[1]},
        }  # fmt: skip
        world.use = {"use": "hook", "match": "user_id"}
        world.rows((CANARIES[0], "pro"), ("", "free"))
        world.save()
        lines = logged(world.folder, "Delivery 1 to hook: ", "Run 1: Some rows failed.")
    facts = [json.loads(line) for line in lines.splitlines()]
    assert not any(canary in lines for canary in CANARIES)
    assert all({"time", "level", "logger", "message"} <= one.keys() for one in facts)
    (run,) = [one for one in facts if one["message"] == "Run 1: Some rows failed."]
    assert (run["sync"], run["run"], run["workspace"]) == ("people", 1, 1)
    assert (run["code"], run["status"]) == ("ID_NULL", "Some rows failed")
    (sent,) = [one for one in facts if one["message"].startswith("Delivery 1 to hook: ")]
    assert (sent["destination"], sent["delivery"], sent["run"]) == ("hook", 1, 1)
    assert sent["code"] == "REFUSED"


def logged(folder: Path, *awaited: str) -> str:
    """What a service logs until messages come, in whatever order, and while it ends."""
    command = [sys.executable, "-m", "rowlift", "-C", str(folder), "serve", "--port", "0"]
    log = folder.parent / "log.jsonl"
    with log.open("w") as stream:
        env = clean_environment(folder, {"ROWLIFT_LOG": "json", "PATH": os.environ["PATH"]})
        service = subprocess.Popen(command, stdout=stream, stderr=stream, env=env)
        try:
            until(
                lambda: all(one in log.read_text() for one in awaited) or service.poll() is not None
            )
        finally:
            service.send_signal(signal.SIGTERM)
            assert service.wait(60) == 0, log.read_text()
    return log.read_text()
