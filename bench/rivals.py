"""Other open-source programs on the same job, where they are installed; none is needed."""

import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import project

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = (
    '{"batch":[{% for row in rows %}{"type":"identify","userId":{{ row.user_id | tojson_safe }},'
    '"messageId":{{ row.user_id | tojson_safe }},"traits":{{ row | tojson_safe }}}'
    "{{ ',' if not loop.last }}{% endfor %}]}"
)


@dataclass(frozen=True, slots=True)
class Rival:
    """How to run a program in a folder that is made for it."""

    name: str
    words: Sequence[str]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be sent where, from PostgreSQL, by programs of one virtual environment."""

    venv: Path
    folder: Path
    port: int
    sql: str
    url: str


def dlt(job: Job) -> Rival | None:
    """Return dlt with a destination function, if it can be imported."""
    python = str(job.venv / "bin" / "python")
    words = [python, "-c", "from importlib.metadata import version as v; print(v('dlt'))"]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    if found.returncode:
        return None
    home = {"HOME": str(job.folder), "PYTHONPATH": str(ROOT)}
    env = {**project.ENV, **home, "RUNTIME__DLTHUB_TELEMETRY": "false"}
    words = [python, "-m", "bench.rival_dlt", str(job.port), job.sql, job.url]
    return Rival(f"dlt {found.stdout.strip()}, 100 rows a call", words, env)


def drt(job: Job) -> Rival | None:
    """Return drt-core with batches of 1,000 and its pacing off, if it is installed."""
    program = job.venv / "bin" / "drt"
    if not program.exists():
        return None
    found = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"\d+\.\d+\.\d+", found.stdout)
    source = {"type": "postgres", "host": "127.0.0.1", "port": job.port, "dbname": "bench"}
    login = {"user": "reader", "password_env": "READER_PASSWORD"}
    sync = {
        "name": "people",
        "model": job.sql,
        "destination": {
            "type": "rest_api",
            "url": f"{job.url}/batch",
            "headers": {"Content-Type": "application/json"},
            "auth": {"type": "basic", "username_env": "WRITE_KEY", "password_env": "NO_PASSWORD"},
            "body_mode": "batch",
            "batch_template": TEMPLATE,
        },
        "sync": {"mode": "full", "batch_size": 1000, "rate_limit": {"requests_per_second": 0}},
    }
    for name, document in (
        (".drt/profiles.yml", {"db": source | login}),
        ("drt_project.yml", {"name": "bench", "version": "1", "profile": "db"}),
        ("syncs/people.yml", sync),
    ):
        file = job.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(document, indent=1))
    home = {"HOME": str(job.folder), "NO_PASSWORD": "none", "DO_NOT_TRACK": "1"}
    name = f"drt {version[0] if version else ''}, 1,000 rows a request, unpaced"
    return Rival(name, [str(program), "run"], {**project.ENV, **home})


RIVALS: Sequence[Callable[[Job], Rival | None]] = (dlt, drt)
