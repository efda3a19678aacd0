"""Unique secrets in every secret field, every failure provoked, and then a search everywhere."""

import base64
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from doors.cli import CliResult
from e2e.jobs import Job, MariaDbWarehouse, PostgresWarehouse, ended, mariadb_warehouse
from e2e.shop import LOOPBACK
from rowlift.testing.misbehaviour import lost_reply, status
from rowlift.testing.sink import Sink
from servers import MariaDbServer

PEOPLE = (
    "CREATE TABLE people (id varchar(20), email varchar(60), plan varchar(20))",
    """
INSERT INTO people VALUES
    ('u1', 'ada@example.com', 'pro'), ('u2', 'broken', 'pro'), ('u3', NULL, 'free'),
    (NULL, NULL, 'x')
""",
)


class Canaries:
    """Secrets by variable, and how each might be written where it must not be."""

    def __init__(self) -> None:
        self.env = {
            name: f"canary {secrets.token_hex(8)} p@ss/w:rd %1?&=" for name in ("PG", "MY", "WRONG")
        }
        self.env |= {
            name: f"canary-{secrets.token_hex(12)}" for name in ("WRITE", "HEADER", "PATH_TOKEN")
        }
        signing = base64.b64encode(secrets.token_bytes(32)).decode()
        self.env["SIGN"] = f"whsec_{signing}"

    def forms(self) -> Iterator[tuple[str, bytes]]:
        for name, secret in self.env.items():
            plain = secret.removeprefix("whsec_")
            basic = base64.b64encode(f"{plain}:".encode()).decode().rstrip("=")
            for form in {plain, quote(plain), quote(plain, safe=""), quote_plus(plain), basic}:
                yield name, form.encode()

    def found_in(self, content: bytes) -> list[str]:
        return [name for name, form in self.forms() if form in content]


def processes() -> bytes:
    """The command lines of everything that runs, as ps shows them."""
    shown = b""
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            shown += one.read_bytes() + b"\n"
        except (FileNotFoundError, ProcessLookupError):
            continue
    return shown


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture
def other() -> Iterator[Sink]:
    """The webhook's receiver."""
    with Sink() as receiver:
        yield receiver


@pytest.fixture
def leaky(
    postgres_job: Job, mariadb_server: MariaDbServer, sink: Sink, other: Sink, canaries: Canaries
) -> Iterator[Job]:
    """A project on both databases with a canary in every secret field."""
    job, env = postgres_job, canaries.env
    job.env |= env
    assert isinstance(job.warehouse, PostgresWarehouse)
    job.sql(*PEOPLE, f"ALTER ROLE {job.warehouse.reader} PASSWORD '{env['PG']}'",
            "CREATE TABLE hidden (id int)", f"REVOKE SELECT ON hidden FROM {job.warehouse.reader}",
            )  # fmt: skip
    with mariadb_warehouse(mariadb_server) as maria:
        assert isinstance(maria, MariaDbWarehouse)
        maria.execute(*PEOPLE, f"ALTER USER '{maria.reader}'@'%' IDENTIFIED BY '{env['MY']}'")
        job.sources = {
            "warehouse": job.settings_of(password="${PG}"),
            "maria": maria.settings(password="${MY}"),
            "pg_wrong": job.settings_of(password="${WRONG}"),
            "my_wrong": maria.settings(password="${WRONG}"),
            "pg_gone": job.settings_of(password="${PG}", port=1, connect_timeout=2),
            "my_gone": maria.settings(password="${MY}", port=1, connect_timeout=2),
            "pg_tls": job.settings_of(password="${PG}", host="127.0.0.2"),
            "my_tls": maria.settings(password="${MY}", host="127.0.0.2"),
        }
        job.destinations = {
            "segment": {
                "type": "segment", "write_key": "${WRITE}", "endpoint": f"{sink.url}/v1",
                "allow_networks": LOOPBACK,
            },
            "hook": {
                "type": "webhook", "url": f"{other.url}/in/${{PATH_TOKEN}}?key=${{PATH_TOKEN}}",
                "secret": "${SIGN}", "headers": {"Authorization": "Bearer ${HEADER}"},
                "allow_networks": LOOPBACK,
            },
        }  # fmt: skip
        job.save()
        yield job


def told(canaries: Canaries, *names: str) -> bytes:
    """What a careless receiver answers: the secrets it was sent, as an error's text."""
    sent = [canaries.env[name] for name in names]
    sent += [
        base64.b64encode(f"{secret}:".encode()).decode() for secret in sent if "WRITE" in names
    ]
    return f'{{"code": "invalid", "message": "bad credentials: {" ".join(sent)}"}}'.encode()


def write_syncs(job: Job) -> None:
    """One sync for each way to fail, and one that delivers."""
    for name in ("pg_wrong", "my_wrong", "pg_gone", "my_gone", "pg_tls", "my_tls"):
        job.imported("SELECT id, plan FROM people", name=name, source=name)
    job.imported("SELECT id, nope FROM people", name="column")
    job.imported("SELECT id FROM hidden", name="denied")
    late = "SELECT id, 1 / (5000 - id) AS n FROM generate_series(1, 6000) AS t(id)"
    job.imported(late, name="late")
    job.sync("strict", "SELECT id AS user_id, email, plan FROM people")
    job.imported("SELECT id, plan FROM people", "segment", "hook", name="good", source="maria")


def test_S25_no_secret_is_said_written_or_shown_whatever_fails(
    leaky: Job, sink: Sink, other: Sink, canaries: Canaries
) -> None:
    said: list[CliResult] = []

    def told_by(*words: str, **env: str) -> CliResult:
        said.append(leaky.cli(*words, env=leaky.env | env))
        return said[-1]

    write_syncs(leaky)
    assert told_by("check").code == 0
    assert told_by("debug").code == 3
    assert told_by("debug", "-o", "json").code == 3
    for answer in (500, 400):
        sink.misbehave(status(answer, told(canaries, "WRITE")))
        other.misbehave(status(answer, told(canaries, "HEADER", "PATH_TOKEN")))
    other.misbehave(lost_reply())
    sink.misbehave(status(401, told(canaries, "WRITE")))
    everything = told_by("run", "-o", "json")
    assert everything.code == 1
    statuses = {one["sync"]: one["status"] for one in everything.json["runs"]}
    assert statuses.pop("good") == "Some rows failed"
    assert set(statuses.values()) == {"Failed", "Stopped by guard"}
    assert told_by("run", "pg_wrong").code == told_by("run", "my_wrong").code == 3
    assert told_by("plan", "good", "--out", "good.plan").code == 0
    sink.always(status(400, told(canaries, "WRITE")))
    other.always(status(400, told(canaries, "HEADER", "PATH_TOKEN")))
    leaky.imported("SELECT id, 'max' AS plan FROM people", "segment", "hook", name="good")
    refused = told_by("run", "good", "-o", "json")
    assert refused.code == 1
    ident = str(refused.json["runs"][0]["id"])
    assert told_by("runs", ident, "--errors").stdout.count("bad credentials") == 6
    assert told_by("runs", ident, "--errors", "--csv").code == 0
    assert told_by("runs", "-o", "json").code == 0
    unreachable = f"postgresql+psycopg://u:{quote(canaries.env['WRONG'], safe='')}@127.0.0.1:1/x"
    assert told_by("runs", ROWLIFT_STATE_URL=unreachable).code == 1
    assert told_by("check", ROWLIFT_STATE_URL="no url: " + canaries.env["WRONG"]).code == 0
    assert told_by("runs", ROWLIFT_STATE_URL="no url: " + canaries.env["WRONG"]).code != 0
    text = "\n".join(done.stdout + done.stderr for done in said)
    assert canaries.found_in(text.encode()) == []
    assert "bad credentials" in text
    assert "Traceback" not in text
    look_through(leaky.folder, canaries)


@pytest.mark.parametrize("source", ["warehouse", "maria"])
def test_S25_the_process_list_and_an_interrupted_run_show_no_secret(
    leaky: Job, canaries: Canaries, source: str
) -> None:
    leaky.imported("SELECT id, plan FROM people", "segment", "hook", source=source)
    running = leaky.start("run", "people")
    shown = b""
    while running.poll() is None:
        shown += processes()
        time.sleep(0.005)
    running.communicate()
    assert b"run\0people" in shown
    assert canaries.found_in(shown) == []
    leaky.imported("SELECT id, 'max' AS plan FROM people", "segment", "hook", source=source)
    with leaky.standing("http.after_send", "run", "people") as standing:
        assert canaries.found_in(processes()) == []
        stopped = ended(standing, signal.SIGTERM)
    assert canaries.found_in((stopped.stdout + stopped.stderr).encode()) == []
    look_through(leaky.folder, canaries)


def look_through(folder: Path, canaries: Canaries) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "state.db" for path in files)
    assert {str(path): canaries.found_in(path.read_bytes()) for path in files} == {
        str(path): [] for path in files
    }
