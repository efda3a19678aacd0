"""Ctrl-C while a query runs that never ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rowlift
from doors.cli import PROGRAM, clean_environment

ENDLESS = (
    "SELECT i::VARCHAR AS user_id, count(*) AS n "
    "FROM range(100000000) a(i), range(100000000) b(j) WHERE (i * j) % 7 = 3 GROUP BY 1"
)

IN_ONE_CALL = (
    "SELECT levenshtein(repeat('a', 2000000), repeat('b', 2000000))::VARCHAR AS user_id, 1 AS n"
)


def started(shop, *words):
    """Start a command and wait until it can only be at the query: it needs 1 s to get there."""
    running = subprocess.Popen(
        [PROGRAM, *words], cwd=shop.folder, env=clean_environment(shop.folder),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while processor_seconds(running.pid) < 3:
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    return running


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("words", [("run", "traits"), ("preview", "traits"), ("plan", "traits")])
def test_ctrl_c_stops_an_endless_query(cli, shop, words):
    shop.sync("traits", ENDLESS)
    running = started(shop, *words)
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "[INTERRUPTED]" in stderr
    shop.sync()
    done = cli("run", "traits")
    assert done.code == 0
    assert len(shop.people()) == 3


def test_ctrl_c_ends_a_query_that_no_driver_can_stop(cli, shop):
    shop.sync("traits", IN_ONE_CALL)
    running = started(shop, "run", "traits", "-o", "json")
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "[INTERRUPTED]" in stderr
    assert json.loads(stdout)["error"]["code"] == "INTERRUPTED"
    shop.sync()
    assert cli("run", "traits").code == 0
    assert len(shop.people()) == 3


STUCK = """
import ctypes
from rowlift.cli.interrupts import interruptible
lock = ctypes.create_string_buffer(64)
with interruptible():
    threads = ctypes.CDLL(None)
    threads.pthread_mutex_lock(lock)
    print("locked", flush=True)
    threads.pthread_mutex_lock(lock)
"""


def test_the_second_signal_ends_a_process_whose_main_thread_hangs_in_a_driver():
    words = [sys.executable, "-c", STUCK]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "locked\n"
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 130


HANGS = """
import ctypes
from rowlift.cli.interrupts import interruptible, stopping, unwind
lock = ctypes.create_string_buffer(64)
threads = ctypes.CDLL(None)
with interruptible(), stopping(lambda: threads.pthread_mutex_unlock(lock)):
    threads.pthread_mutex_lock(lock)
    try:
        unwind()
        print("locked", flush=True)
        threads.pthread_mutex_lock(lock)
    except KeyboardInterrupt:
        print("unwound", flush=True)
"""


def test_what_holds_the_main_thread_is_stopped_and_then_it_unwinds():
    words = [sys.executable, "-c", HANGS]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "locked\n"
        running.send_signal(signal.SIGTERM)
        assert running.communicate(timeout=30) == ("unwound\n", None)
        assert running.returncode == 0


EARLY = """
import os, signal, sys
sys.path.insert(0, sys.argv.pop())
import rowlift.cli
assert not {"re", "typing", "pathlib"} & sys.modules.keys(), "Ctrl-C would meet an import"
class Never:
    def find_spec(self, name, path=None, target=None):
        if name == "rowlift.cli.app":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Never())
rowlift.cli.main()
"""


def test_ctrl_c_while_the_program_is_loaded_ends_it_without_a_word():
    source = Path(rowlift.__file__).parents[1]
    words = [sys.executable, "-S", "-c", EARLY, source]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
