"""A secret of its own in every secret field, every failure provoked, then a search everywhere."""

import base64
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from doors.cli import CliResult
from e2e.jobs import Job, mariadb_warehouse, postgres_job
from e2e.shop import LOOPBACK
from e2e.test_main_job_secrets import processes
from rowlift.testing.misbehaviour import garbage, status
from rowlift.testing.sink import Sink
from servers import MariaDbServer

__all__ = ["postgres_job"]

# What breaks careless quoting, around the token that is searched for.
ODD = (
    "plain-{}", "sp ace {}", "qu'o\"te {}", "back\\slash {}", "p@ss/w:rd%41?&=#{}", "ünï {}",
    "$HOME ${{X}} {}", "--dash {}", "%s%n {}", "<b>{}</b>", "; rm {}", "{}" + "x" * 300,
)  # fmt: skip
ASCII = "p@ss/w:rd%41?&=#{}"
RECEIVERS = (
    "write_key", "write_key_file", "endpoint", "signed", "path", "query", "bearer", "header",
    "api_key",
)  # fmt: skip
PEOPLE = (
    "CREATE TABLE people (id varchar(20), plan varchar(20))",
    "INSERT INTO people VALUES ('u1', 'pro'), ('u2', 'free'), ('u3', 'pro')",
)
CARELESS = """
from collections.abc import Sequence
from pydantic import Field, SecretStr
from rowlift.kit.config import ConnectorConfig


class CarelessConfig(ConnectorConfig):
    password: SecretStr = Field(description="Password")


class Careless:
    Config = CarelessConfig
    dialect = "sqlite"

    def __init__(self, config):
        self.password = config.password.get_secret_value()

    def check(self):
        raise TypeError(f"{self.password!r} is not a number")

    def describe(self, *given, **options):
        raise getattr(self, self.password) from KeyError(self.password)

    query = catalog = now = describe

    def cancel(self): ...

    def close(self): ...
"""


class Canaries:
    """Secrets by name, in the environment or in files of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tokens: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.env: dict[str, str] = {}
        folder.mkdir()

    def new(self, name: str, form: str = "") -> str:
        """A secret that stands nowhere yet; its form is the next odd one unless one is given."""
        token = secrets.token_hex(12)
        form = form or ODD[len(self.tokens) % len(ODD)]
        self.tokens[name], self.texts[name] = token, form.format(token)
        return self.texts[name]

    def variable(self, name: str, form: str = "") -> str:
        """A reference to a secret in the environment."""
        self.env[f"CANARY_{name.upper()}"] = self.new(name, form)
        return f"${{CANARY_{name.upper()}}}"

    def file(self, name: str, form: str = "", *, as_path: bool = False) -> str:
        """A reference to a secret in a file, or the file's path."""
        path = self.folder / name
        path.write_text(self.new(name, form) + "\n", encoding="utf-8")
        return str(path) if as_path else f"${{file:{path}}}"

    def found_in(self, content: bytes, names: Iterator[str] | None = None) -> list[str]:
        return [name for name in names or self.tokens if self._shows(name, content)]

    def _shows(self, name: str, content: bytes) -> bool:
        text = self.texts[name]
        logins = (text, f"{text}:", f"s1:{text}")
        encoded = {base64.b64encode(one.encode()).decode()[:-4] for one in logins}
        return any(form.encode() in content for form in (self.tokens[name], *encoded))


@pytest.fixture
def canaries(tmp_path_factory: pytest.TempPathFactory) -> Canaries:
    return Canaries(tmp_path_factory.mktemp("vault") / "secrets")


@pytest.fixture
def sinks() -> Iterator[Mapping[str, Sink]]:
    """A receiver for each destination, which can only tell what it was sent."""
    with ExitStack() as opened:
        yield {name: opened.enter_context(Sink()) for name in RECEIVERS}


def hook(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "webhook", "url": url, "allow_networks": LOOPBACK, **more}


def sources(canaries: Canaries, kind: str, base: Mapping[str, Any], other: str) -> dict[str, Any]:
    """Connections of one database, each with a secret and a fault; `other` trusts nobody."""
    key, root = ("sslkey", "sslrootcert") if kind == "pg" else ("ssl_key", "ssl_ca")
    certificate = "sslcert" if kind == "pg" else "ssl_cert"
    faults: dict[str, dict[str, Any]] = {
        "wrong": {},
        "refused": {"port": 1, "connect_timeout": 2},
        "unknown_host": {"host": "no-such-host.invalid", "connect_timeout": 2},
        "unknown_database": {"database": "no_such_database"},
        "wrong_host_name": {"host": "127.0.0.2"},
        "untrusted": {root: other},
    }
    found = {}
    for number, (name, fault) in enumerate(faults.items()):
        make = canaries.variable if number % 2 else canaries.file
        found[f"{kind}_{name}"] = {**base, "password": make(f"{kind}_{name}"), **fault}
    files = {one: canaries.file(f"{kind}_{one}", as_path=True) for one in (key, certificate)}
    password = canaries.file(f"{kind}_beside_key")
    found[f"{kind}_key"] = {**base, "password": password, **files}
    large = canaries.file(f"{kind}_large", "{}" + "x" * 70_000)
    found[f"{kind}_large"] = {**base, "password": large}
    return found


def destinations(canaries: Canaries, sinks: Mapping[str, Sink]) -> dict[str, Any]:
    """A destination for each sink, by name, and three that lead nowhere."""
    for name in ("sign", "old_sign"):
        signing = base64.b64encode(secrets.token_bytes(24)).decode()
        canaries.tokens[name] = canaries.texts[name] = signing
    canaries.env["CANARY_SIGN"] = f"whsec_{canaries.texts['sign']}"
    old = canaries.folder / "old_sign"
    old.write_text(f"whsec_{canaries.texts['old_sign']}")
    segment = {"type": "segment", "allow_networks": LOOPBACK}
    url = {name: sink.url for name, sink in sinks.items()}
    return {
        "write_key": {
            **segment, "endpoint": f"{url['write_key']}/v1",
            "write_key": canaries.variable("write_key", "key-{}")},
        "write_key_file": {
            **segment, "endpoint": f"{url['write_key_file']}/v1",
            "write_key": canaries.file("write_key_file", ASCII)},
        "endpoint": {
            **segment, "endpoint": f"{url['endpoint']}/{canaries.variable('endpoint', 'e-{}')}/v1",
            "write_key": "${CANARY_WRITE_KEY}"},
        "signed": hook(url["signed"], secret="${CANARY_SIGN}", secrets=[f"${{file:{old}}}"]),
        "path": hook(f"{url['path']}/in/{canaries.variable('path', 't-{}')}"),
        "query": hook(f"{url['query']}/in?key={canaries.file('query', 't-{}')}"),
        "bearer": hook(url["bearer"], headers={
            "Authorization": f"Bearer {canaries.variable('bearer', 'b-{}')}"}),
        "header": hook(url["header"], headers={"X-Api-Key": canaries.file("header", ASCII)}),
        "api_key": {
            "type": "customerio", "allow_networks": LOOPBACK, "endpoint": url["api_key"],
            "site_id": "s1", "api_key": canaries.variable("api_key", 'qu"ote {}')},
        "gone": hook(f"http://127.0.0.1:1/{canaries.variable('gone', 't-{}')}"),
        "nowhere": hook(f"https://no-such-host.invalid/{canaries.variable('nowhere', 't-{}')}"),
        "inside": {
            "type": "webhook", "url": f"https://10.0.0.1/{canaries.variable('inside', 't-{}')}"},
    }  # fmt: skip


@pytest.fixture
def leaky(
    postgres_job: Job, mariadb_server: MariaDbServer, sinks: Mapping[str, Sink], canaries: Canaries
) -> Iterator[Job]:
    """A project on both databases with a canary in every secret field."""
    job = postgres_job
    right = {"pg": canaries.file("pg_right"), "my": canaries.variable("my_right")}
    password = canaries.texts["pg_right"].replace("'", "''")
    job.sql(*PEOPLE, f"ALTER ROLE {job.warehouse.reader} PASSWORD '{password}'")
    with mariadb_warehouse(mariadb_server) as maria:
        password = canaries.texts["my_right"].replace("\\", "\\\\").replace("'", "''")
        maria.execute(*PEOPLE)
        with mariadb_server.connect() as admin, admin.cursor() as cursor:
            cursor.execute(f"ALTER USER '{maria.reader}'@'%' IDENTIFIED BY '{password}'")
        pg, my = job.settings_of(password=right["pg"]), maria.settings(password=right["my"])
        server = job.warehouse.database.server  # type: ignore[attr-defined]
        others = str(server.untrusted_ca_file)
        job.sources = {
            "warehouse": pg, "maria": my, "maria_plain": {**my, "reader": "pymysql"},
            **sources(canaries, "pg", pg, others), **sources(canaries, "my", my, others),
        }  # fmt: skip
        job.destinations = destinations(canaries, sinks)
        job.save()
        job.env |= canaries.env | {"ROWLIFT_DEBUG": "1"}
        yield job


def test_S25_thirty_canaries_and_none_is_found_whatever_fails(
    leaky: Job, sinks: Mapping[str, Sink], canaries: Canaries
) -> None:
    said: list[CliResult] = []

    def ran(*words: str, **env: str) -> CliResult:
        said.append(leaky.cli(*words, env=leaky.env | env, timeout=300))
        return said[-1]

    reached = [*RECEIVERS, "inside"]
    faulty = [name for name in leaky.sources if name not in ("warehouse", "maria", "maria_plain")]
    for name in faulty:
        leaky.imported("SELECT id, plan FROM people", name=name, source=name)
    leaky.imported("SELECT id, nope FROM people", name="column")
    leaky.imported("SELECT id, 1 / (2 - length(id)) AS n FROM people", name="divided")
    leaky.imported("SELECT id, plan FROM people", name="plain", source="maria_plain")
    leaky.imported("SELECT id, plan FROM people", *reached, name="good", source="maria")
    assert ran("check").code == 0
    assert ran("debug", "-o", "json").code == 3
    for answer, (name, sink) in zip((401, 403, 404, 302, 200), sinks.items(), strict=False):
        sink.misbehave(status(answer, echoed(canaries, name)))
    sinks["header"].misbehave(garbage())
    everything = ran("run", "-o", "json")
    assert everything.code == 1
    assert {one["sync"] for one in everything.json["runs"] if one["status"] == "Failed"} >= {
        *faulty, "column", "divided",
    }  # fmt: skip
    for command, name in (("run", "my_wrong"), ("preview", "pg_wrong")):
        assert ran(command, name).code == 3
    assert ran("plan", "good", "--out", "good.plan").code == 0
    for name, sink in sinks.items():
        sink.always(status(400, echoed(canaries, name)))
    leaky.imported("SELECT id, 'max' AS plan FROM people", *reached, name="good", source="maria")
    refused = ran("run", "good", "-o", "json")
    ident = str(refused.json["runs"][0]["id"])
    for words in (("runs", ident, "--errors"), ("runs", ident, "--errors", "--csv")):
        ran(*words)
    assert ran("runs", "-o", "json").code == 0
    states(leaky, canaries, ran)
    text = "\n".join(done.stdout + done.stderr for done in said)
    assert "Traceback" not in text
    assert "INTERNAL" not in text
    assert "bad credentials" in text
    assert len(canaries.tokens) >= 35
    assert canaries.found_in(text.encode()) == []
    look_through(leaky.folder, canaries)


def echoed(canaries: Canaries, name: str) -> bytes:
    """What a careless receiver answers: the secret it was sent, as it is and as it came."""
    secret = canaries.texts.get(name, "")
    login = f"s1:{secret}" if name == "api_key" else f"{secret}:"
    basic = base64.b64encode(login.encode()).decode() if "key" in name else ""
    return json.dumps({"code": "bad", "message": f"bad credentials {secret} {basic}"}).encode()


def states(leaky: Job, canaries: Canaries, ran: Any) -> None:
    """Addresses of a state database that are wrong in every part."""
    server = leaky.warehouse.database.server  # type: ignore[attr-defined]
    forms = {
        "state_wrong": f"postgresql+psycopg://postgres:{{}}@{server.host}:{server.port}/postgres",
        "state_port": "postgresql://u:{}@h:port/x",
        "state_option": f"postgresql://u:{{}}@{server.host}:{server.port}/x?nonsense=1",
        "state_sqlite": "sqlite:////proc/none/{}/x.db?mode=ro",
    }
    for name, form in forms.items():
        url = canaries.new(name, form)
        assert ran("runs", ROWLIFT_STATE_URL=url).code in (1, 2), name


def look_through(folder: Path, canaries: Canaries) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "state.db" for path in files)
    shown = {str(path): canaries.found_in(path.read_bytes()) for path in files}
    assert {path: names for path, names in shown.items() if names} == {}


@pytest.mark.parametrize("source", ["warehouse", "maria"])
def test_S25_no_process_shows_a_secret(leaky: Job, canaries: Canaries, source: str) -> None:
    leaky.imported("SELECT id, plan FROM people", "signed", "header", source=source)
    running = leaky.start("run", "people")
    in_files = [name for name in canaries.tokens if f"CANARY_{name.upper()}" not in canaries.env]
    shown, environments = b"", b""
    while running.poll() is None:
        shown += processes()
        environments += environs_below(running.pid)
        time.sleep(0.01)
    stdout, stderr = running.communicate()
    assert running.returncode == 0, stderr
    assert b"run\0people" in shown
    assert canaries.found_in(shown + (stdout + stderr).encode()) == []
    # What the user put into the environment is there; what stands in files must not get there.
    assert canaries.found_in(environments, iter(in_files)) == []


def environs_below(pid: int) -> bytes:
    """The environments of a process and its children, as root reads them."""
    found = b""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if folder.name == str(pid) or parent == str(pid):
                found += (folder / "environ").read_bytes()
        except (OSError, IndexError):
            continue
    return found


@pytest.mark.parametrize("command", [("run", "people"), ("preview", "people"), ("debug",)])
def test_S25_a_crash_inside_a_connector_tells_no_secret(
    cli: Any, tmp_path: Path, canaries: Canaries, command: tuple[str, ...]
) -> None:
    job = Job(tmp_path, Nowhere(), {})
    plugins = tmp_path / "plugins"
    (plugins / "careless-1.0.dist-info").mkdir(parents=True)
    (plugins / "careless.py").write_text(CARELESS)
    described = plugins / "careless-1.0.dist-info"
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: careless\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[rowlift.sources]\ncareless = careless:Careless\n")
    job.sources = {"warehouse": {"type": "careless", "password": canaries.variable("careless")}}
    job.save()
    job.imported("SELECT id, plan FROM people")
    env = canaries.env | {"PYTHONPATH": str(plugins), "ROWLIFT_DEBUG": "1"}
    done = cli(*command, "-o", "json", env=env)
    assert done.code == 70
    assert done.json["error"]["code"] == "INTERNAL"
    assert canaries.found_in((done.stdout + done.stderr).encode()) == []
    reports = list(tmp_path.rglob("fault-*.txt"))
    assert reports
    assert all("Error: (message left out)" in path.read_text() for path in reports)
    look_at = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [str(path) for path in look_at if canaries.found_in(path.read_bytes())] == []


class Nowhere:
    """A warehouse that only a plug-in could reach."""

    kind = "careless"
    reader = ""

    def execute(self, *statements: str) -> None:
        raise NotImplementedError

    def settings(self, **options: Any) -> dict[str, Any]:
        return {"type": self.kind, **options}

    def stop_backends(self) -> int:
        return 0
