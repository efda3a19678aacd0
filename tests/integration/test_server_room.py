"""Servers end with the pytest run that started them, however it ends."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from servers.room import Room, alive, program, stop

TESTS = Path(__file__).parents[1]
OWNER = """
import signal, sys
from pathlib import Path
from servers.room import Room
room = Room.open()
(room.path / "one").mkdir()
print(room.keep(room.path / "one", ["sleep", "300"], signal.SIGTERM), room.path, flush=True)
sys.stdin.read()
"""


def started(room):
    (room.path / "one").mkdir()
    return room.keep(room.path / "one", ["sleep", "300"], signal.SIGTERM)


def wait_for(file):
    deadline = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_kept_server_ends_when_asked():
    room = Room.open()
    keeper_pid = started(room)
    wait_for(room.path / "one" / "server.log")
    assert alive(keeper_pid)
    stop(keeper_pid)
    assert not alive(keeper_pid)
    assert list(room.path.iterdir()) == []
    room.close()
    assert not room.path.exists()


def test_a_kept_server_ends_when_its_owner_is_killed():
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
    )
    with owner:
        keeper_pid, folder = owner.stdout.readline().split()
        keeper = os.pidfd_open(int(keeper_pid))
        owner.kill()
        assert select.select([keeper], [], [], 30)[0] == [keeper]
        os.close(keeper)
    assert not Path(folder).exists()


def test_a_missing_server_is_an_error_that_says_what_to_install(tmp_path):
    with pytest.raises(pytest.UsageError, match=r"apt-get install .* postgresql$"):
        program("initdb", [tmp_path], "postgresql")
