"""Two ways through the whole program: an analyst's files and commands, and a program's requests."""

import json
from pathlib import Path

import httpx
import pytest

from doors.api import serving
from doors.cli import CliResult, run_cli
from e2e.jobs import PASSWORD, postgres_warehouse
from rowlift.core.rights import Right, Role
from served import served, until
from servers import PostgresServer
from world import World

YAML = ("rowlift.yml", "connections.yml", "syncs/open_tickets.yml")
SCHEMA = "# yaml-language-server: $schema="
TICKETS = (
    "CREATE TABLE tickets (customer_id text, status text)",
    "INSERT INTO tickets VALUES ('c1', 'open'), ('c1', 'open'), ('c2', 'open'), ('c3', 'closed')",
)


@pytest.mark.door("cli")
def test_A5_an_analyst_goes_from_an_empty_folder_to_a_reviewed_run(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    folder = tmp_path / "acme"
    with postgres_warehouse(postgres_server) as warehouse:
        env = {
            "PGHOST": postgres_server.host, "PGDATABASE": warehouse.database.name,
            "PGUSER": warehouse.reader, "PGPASSWORD": PASSWORD,
        }  # fmt: skip

        def cli(*words: str) -> CliResult:
            return run_cli(*words, cwd=folder, env=env)

        assert run_cli("init", "acme", cwd=tmp_path).code == 0
        for path in (folder / name for name in YAML):
            first, _, _ = path.read_text().partition("\n")
            assert json.loads((path.parent / first.removeprefix(SCHEMA)).read_text())
        connections = folder / "connections.yml"
        tls = {"port": postgres_server.port, "sslmode": "verify-full"}
        tls["sslrootcert"] = str(postgres_server.ca_file)
        lines = "".join(f"        {key}: {value}\n" for key, value in tls.items())
        kind = "        type: postgres\n"
        connections.write_text(connections.read_text().replace(kind, kind + lines, 1))
        warehouse.execute(*TICKETS, f"REVOKE SELECT ON tickets FROM {warehouse.reader}")
        assert cli("check").code == 0
        assert "GRANT SELECT" in cli("debug").stdout
        warehouse.execute(f"GRANT SELECT ON tickets TO {warehouse.reader}")
        assert "GRANT SELECT" not in cli("debug").stdout
        assert "2 rows" in cli("preview", "open_tickets").stdout
        planned = cli("plan", "open_tickets", "-o", "json").json["plan"]
        assert (planned["counts"]["added"], cli("runs", "-o", "json").json["runs"]) == (2, [])
        warehouse.execute("INSERT INTO tickets VALUES ('c9', 'open')")
        assert cli("run", "--plan", "open_tickets.plan").code == 0
        people = cli("people", "-o", "json").json["people"]
        assert {one["id"]: one["attributes"][0]["value"] for one in people} == {"c1": 2, "c2": 1}
        again = cli("run", "--plan", "open_tickets.plan")
        assert (again.code, "[PLAN_STALE]" in again.stderr) == (4, True)
        assert PASSWORD not in "".join(path.read_text() for path in folder.rglob("*.yml"))


@pytest.mark.door("api")
def test_C11_a_program_begins_a_run_once_and_reads_how_it_went(tmp_path: Path) -> None:
    world = World(tmp_path / "acme", ("user_id", "plan"))
    world.sync["workspace"] = "write"
    world.rows(("ann", "pro"), ("", "free"))
    world.save()
    rights = (Right.READ, Right.RUN)
    with serving(world.folder) as api, served(world.project()):
        until(api.project.service.status)
        with api.by_token(Role.EDITOR, rights) as program:
            key = {"idempotency-key": "nightly-2026-11-23"}
            first, second = (
                program.post("/syncs/people/runs", json={}, headers=key) for _ in range(2)
            )
            assert (first.status_code, second.json()["id"]) == (202, first.json()["id"])
            run = until(lambda: _over(program))
            assert (run["status"], run["counts"]["read"]) == ("Some rows failed", 2)
            assert run["deliveries"][0]["counts"]["delivered"] == 1
            _mistakes(program)
            program.post("/syncs/people/runs", json={}).raise_for_status()
            until(lambda: len(program.get("/runs").json()["items"]) == 2)
            page = program.get("/runs", params={"limit": 1}).json()
            other = program.get("/runs", params={"limit": 1, "cursor": page["next"]}).json()
            assert [one["id"] for one in page["items"] + other["items"]] == [2, 1]


def _over(program: httpx.Client) -> dict[str, object] | None:
    """Return the first run once it and its deliveries are over."""
    for run in program.get("/runs").json()["items"]:
        statuses = {run["status"], *(one["status"] for one in run["deliveries"])}
        if run["deliveries"] and not statuses & {"Queued", "Running"}:
            return dict(run)
    return None


def _mistakes(program: httpx.Client) -> None:
    """What is wrong is told as RFC 9457 has it, under codes that have a page."""
    unknown = program.post("/syncs/peeple/runs", json={})
    assert unknown.headers["content-type"] == "application/problem+json"
    told = unknown.json()
    assert (told["status"], told["code"]) == (404, "NAME_UNKNOWN")
    assert 'Did you mean "people"?' in told["detail"]
    assert program.get(str(program.base_url).removesuffix("/api/v1/") + told["type"]).is_success
    assert program.get("/people").json()["code"] == "RIGHT_MISSING"
