"""The command line as a user meets it: the installed program, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.executable).with_name("rowlift")
SECONDS = 110


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
    stdin: str = "",
    timeout: float = SECONDS,
) -> CliResult:
    """Runs `rowlift WORDS...` in `cwd`, which is also its home, and waits `timeout` seconds."""
    done = subprocess.run(
        [PROGRAM, *words],
        check=False,
        cwd=cwd,
        env=clean_environment(cwd, env),
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
    )
    return CliResult(done.returncode, done.stdout, done.stderr)
