"""The command line as a user meets it: the installed program, in a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rowlift.cli
from doors.forks import forked

PROGRAM = Path(sys.executable).with_name("rowlift")
SECONDS = 110
STREAMS = (("in", "r"), ("out", "w"), ("err", "w"))
# What only a new interpreter takes notice of.
READ_AT_START = ("PYTHON", "LANG", "LC_", "ROWLIFT_FAULTS", "ROWLIFT_LEASE", "ROWLIFT_THREADS")


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
    given, plain = clean_environment(cwd, env), clean_environment(cwd)
    differs = {name for name, _ in given.items() ^ plain.items()}
    if before or any(name.startswith(READ_AT_START) for name in differs):
        return _started([*before, str(PROGRAM), *map(str, words)], cwd, given, stdin, timeout)
    return _forked([str(PROGRAM), *map(str, words)], cwd, given, stdin, timeout)


def _started(
    command: Sequence[str], cwd: Path, env: Mapping[str, str], stdin: str, seconds: float
) -> CliResult:
    done = subprocess.run(
        command, check=False, cwd=cwd, env=env, input=stdin, capture_output=True,
        encoding="utf-8", timeout=seconds,
    )  # fmt: skip
    return CliResult(done.returncode, done.stdout, done.stderr)


def _forked(
    command: Sequence[str], cwd: Path, env: Mapping[str, str], stdin: str, seconds: float
) -> CliResult:
    with tempfile.TemporaryDirectory(prefix="rowlift-cli-") as name:
        streams = Path(name)
        (streams / "in").write_text(stdin, encoding="utf-8")
        code = forked(_main, command, str(cwd), env, streams, seconds=seconds)
        said = [(streams / one).read_text(encoding="utf-8") for one, _ in STREAMS[1:]]
    return CliResult(code, *said)


def _main(words: Sequence[str], cwd: str, env: Mapping[str, str], streams: Path) -> None:
    """Be the program: its streams, folder, environment and words, then its main function."""
    sys.stdin, sys.stdout, sys.stderr = (
        _opened(streams / name, mode, number) for number, (name, mode) in enumerate(STREAMS)
    )
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    sys.argv = [*words]
    rowlift.cli.main()


def _opened(path: Path, mode: str, number: int) -> Any:
    with path.open(mode) as file:
        os.dup2(file.fileno(), number)
    return open(number, mode, encoding="utf-8", closefd=False)
