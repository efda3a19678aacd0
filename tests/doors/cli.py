"""The command line as a user meets it: the installed program, in a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rowlift.cli
from doors.forks import started
from rowlift.core import faults

PROGRAM = Path(sys.executable).with_name("rowlift")
SECONDS = 110
STREAMS = (("in", "r"), ("out", "w"), ("err", "w"))
# What only a new interpreter takes notice of.
READ_AT_START = ("PYTHON", "LANG", "LC_", "ROWLIFT_LEASE", "ROWLIFT_THREADS")


@dataclass(frozen=True, slots=True)
class CliResult:
    """What a finished process left."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one document of `-o json`."""
        return json.loads(self.stdout)


class Forked:
    """The program in a process forked from a warmed one; it is used as a subprocess.Popen is."""

    def __init__(
        self, words: Sequence[str | Path], cwd: Path, env: Mapping[str, str], stdin: str = ""
    ) -> None:
        self._streams = Path(tempfile.mkdtemp(prefix="rowlift-cli-"))
        (self._streams / "in").write_text(stdin, encoding="utf-8")
        command = [str(PROGRAM), *map(str, words)]
        self._process = started(_main, command, str(cwd), env, self._streams)
        self.pid = self._process.pid or 0
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code of a process that has ended."""
        self.returncode = self._process.exitcode
        return self.returncode

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float = SECONDS) -> tuple[str, str]:
        """Wait for the end and return what it said; a process that is late is killed."""
        self._process.join(timeout)
        if self.poll() is None:
            self.kill()
            self._process.join()
            message = f"{self.pid} did not end in {timeout} s"
            raise TimeoutError(message)
        out, err = ((self._streams / one).read_text(encoding="utf-8") for one, _ in STREAMS[1:])
        self._process.close()
        shutil.rmtree(self._streams)
        return out, err


Running = Forked | subprocess.Popen[str]


def clean_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which nothing of this machine's user shows."""
    clean = {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8", "TZ": "UTC"}
    return clean | dict(extra or {})


def run_cli(
    *words: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    stdin: str = "",
    timeout: float = SECONDS,
) -> CliResult:
    """Runs `rowlift WORDS...` in `cwd`, which is also its home, and waits `timeout` seconds.

    Its process is forked from one that has imported the program, unless it stands behind a
    command or the environment says what only a new interpreter reads.
    """
    given = clean_environment(cwd, env)
    if before or _needs_interpreter(cwd, given):
        return _started([*before, str(PROGRAM), *map(str, words)], cwd, given, stdin, timeout)
    return ended(Forked(words, cwd, given, stdin), seconds=timeout)


def begin_cli(*words: str, cwd: Path, env: Mapping[str, str]) -> Running:
    """Starts `rowlift WORDS...` as `run_cli` does, and does not wait for its end."""
    given = clean_environment(cwd, env)
    if not _needs_interpreter(cwd, given):
        return Forked(words, cwd, given)
    return subprocess.Popen(
        [PROGRAM, *words], cwd=cwd, env=given, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@contextmanager
def standing_cli(*words: str, point: str, cwd: Path, env: Mapping[str, str]) -> Iterator[Running]:
    """Hands out a program that stopped itself, alive, at a named point (name:occurrence)."""
    running = begin_cli(*words, cwd=cwd, env={**env, "ROWLIFT_FAULTS": f"{point}:stop"})
    deadline = time.monotonic() + SECONDS
    try:
        while not _stands(running.pid):
            assert running.poll() is None, (point, running.communicate())
            assert time.monotonic() < deadline, point
            time.sleep(0.01)
        yield running
    finally:
        if running.returncode is None:
            running.kill()
            running.communicate()


def _stands(pid: int) -> bool:
    with suppress(OSError):  # it has ended
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    return False


def ended(running: Running, *sent: signal.Signals, seconds: float = SECONDS) -> CliResult:
    """Sends signals and waits for the end."""
    for one in sent:
        os.kill(running.pid, one)
    stdout, stderr = running.communicate(timeout=seconds)
    assert running.returncode is not None
    return CliResult(running.returncode, stdout, stderr)


def _needs_interpreter(cwd: Path, env: Mapping[str, str]) -> bool:
    differs = {name for name, _ in env.items() ^ clean_environment(cwd).items()}
    return any(name.startswith(READ_AT_START) for name in differs)


def _started(
    command: Sequence[str], cwd: Path, env: Mapping[str, str], stdin: str, seconds: float
) -> CliResult:
    done = subprocess.run(
        command, check=False, cwd=cwd, env=env, input=stdin, capture_output=True,
        encoding="utf-8", timeout=seconds,
    )  # fmt: skip
    return CliResult(done.returncode, done.stdout, done.stderr)


def _main(words: Sequence[str], cwd: str, env: Mapping[str, str], streams: Path) -> None:
    """Be the program: its streams, folder, environment and words, then its main function."""
    sys.stdin, sys.stdout, sys.stderr = (
        _opened(streams / name, mode, number) for number, (name, mode) in enumerate(STREAMS)
    )
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    faults.arm(env.get("ROWLIFT_FAULTS", ""), env.get("ROWLIFT_FAULTS_RECORD", ""))
    sys.argv = [*words]
    rowlift.cli.main()


def _opened(path: Path, mode: str, number: int) -> Any:
    with path.open(mode) as file:
        os.dup2(file.fileno(), number)
    return open(number, mode, encoding="utf-8", closefd=False)
