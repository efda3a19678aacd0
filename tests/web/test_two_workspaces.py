"""Two workspaces in one state database: who may do everything in one has no hold on the other."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

import rowlift
from doors.api import Api, serving
from rowlift.core.rights import Right, Role
from rowlift.operations.callers import CONSOLE
from rowlift.web.app import api as api_of
from rowlift.web.app import described
from rowlift.web.office import Office
from world import World

CANARY = "hidden"  # in every value of the other workspace, in no name of it
ANYBODY = {"id:ann-hidden", "email:ann.hidden@example.com"}
BODIES: Mapping[str, dict[str, Any]] = {
    "POST /setup": {"code": "x", "email": "eve@example.com", "password": "a sentence of eve's own"},
    "POST /users": {"email": "ann.hidden@example.com", "role": "viewer"},
    "PATCH /users/{user_id}": {"role": "viewer"},
    "POST /definitions/{kind}/{name}/rename": {"to": "taken"},
    "PUT /definitions/{kind}/{name}": {"document": {"type": "sandbox", "path": "x.jsonl"}},
    "PUT /syncs/{name}/paused": {"paused": True},
    "POST /segments/{name}/members": {"people": sorted(ANYBODY)},
    "POST /segments/{name}/members/remove": {"people": sorted(ANYBODY)},
    "POST /suppressions": {"people": sorted(ANYBODY)},
    "POST /suppressions/remove": {"people": sorted(ANYBODY)},
    "POST /drafts/edits": {"sync": "theirs"},
    "POST /drafts/copies": {"sync": "theirs"},
    "POST /definitions/sync/estimate": {"name": "theirs"},
}
THEIR_NAMES = {"name": ("theirs", "their_shop", "Theirs", "their_key"), "form": ("csv",)}
_FREE = {"kind": ("source", "destination", "sync"), "who": tuple(ANYBODY), "code": ("BUSY",)}


def world(folder: Path, data: Path, name: str, *rows: tuple[str, ...]) -> World:
    made = World(folder, ("user_id", "email", "plan"))
    made.env = {"ROWLIFT_DATA_DIR": str(data)}
    made.workspace["name"] = name
    made.sync["workspace"] = "write"
    made.rows(*rows)
    return made


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[tuple[Api, dict[str, tuple[str, ...]], list[str]]]:
    """Another team's server, the ids of what is theirs, and proofs that let one in there."""
    rows = ("ann-hidden", "ann.hidden@example.com", "hidden"), ("", "x.hidden@example.com", "free")
    made = world(tmp_path / "beta", tmp_path / "data", "beta", *rows)
    made.sync |= {"sync": "theirs", "source": "their_shop", "description": "hidden"}
    made.save()
    connections = made.folder / "connections.yml"
    connections.write_text(connections.read_text().replace('"shop"', '"their_shop"'))
    with rowlift.Project(made.folder, env=made.env) as project:
        (run,) = project.run()
        project.create_segment("Theirs")
        project.add_to_segment("Theirs", ["ann-hidden"])
        project.suppress(["id:gone-hidden"])
        project.ingest.create_key("their_key")
        plan = project.plans.make("theirs", by="bob")
        user = project.access.accounts.admit("bob.hidden@example.com", Role.ADMIN, by=CONSOLE)
    with serving(made.folder, **made.env) as api, api.as_user(Role.ADMIN) as admin:
        wanted = {"name": "hidden", "rights": [Right.READ, Right.ADMIN]}
        token = admin.post("/tokens", json=wanted).raise_for_status().json()
        draft = admin.post("/drafts/edits", json={"sync": "theirs"})
        numbers = ("1", "2", *re.findall(r'"number":(\d+)', draft.text))
        ids = {
            "run_id": (str(run.id),), "plan_id": (str(plan.id),), "user_id": (str(user.id),),
            "token_id": re.findall(r'"id":(\d+)', admin.get("/tokens").text), "number": numbers,
            "object_type": ("1",), "object_id": ("1",),
        }  # fmt: skip
        yield api, {**THEIR_NAMES, **_FREE, **ids}, [token["secret"], admin.cookies["rowlift"]]


def attacks(known: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str, str, bool]]:
    """Every route with everything of theirs that it could be asked for; whether it names some."""
    for path, methods in described(api_of(Office(rowlift.Project)))["paths"].items():
        given = re.findall(r"{(\w+)}", path)
        for method, filled in product(methods, product(*(known[name] for name in given))):
            url = path.removeprefix("/api/v1")
            route = f"{method.upper()} {url}"
            for name, value in zip(given, filled, strict=True):
                url = url.replace(f"{{{name}}}", value)
            yield method, url, route, bool({*given} - {"kind", "code", "form", "object_type"})


def rows_of(database: Path) -> dict[str, set[tuple[object, ...]]]:
    """Everything in the state database, by table."""
    engine = sa.create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        tables = sa.inspect(engine).get_table_names()
        found = {
            name: {tuple(row) for row in connection.execute(sa.text(f'SELECT * FROM "{name}"'))}
            for name in tables
        }
    engine.dispose()
    del found["numbers"]  # all workspaces take theirs from the same ones
    return found


def test_S15_who_may_do_everything_has_no_hold_on_another_workspace(
    tmp_path: Path, theirs: tuple[Api, dict[str, tuple[str, ...]], list[str]]
) -> None:
    _, known, _ = theirs
    ours = world(tmp_path / "acme", tmp_path / "data", "acme", ("eve", "eve@example.com", "pro"))
    before = rows_of(tmp_path / "data" / "state.db")
    ours.run()
    let_through = set()
    with serving(ours.folder, **ours.env) as api, api.as_user(Role.ADMIN) as eve:
        for method, url, route, names_theirs in attacks(known):
            if route in {"DELETE /session", "POST /oidc/logout"} or url.endswith("/events"):
                continue
            answer = asked(eve, method, url, route)
            assert answer.status_code < 500, (route, answer.text)
            told = answer.text.replace("ann-hidden", "").replace("ann.hidden@", "")  # as asked
            assert CANARY not in told, (route, url, answer.text)
            if names_theirs and answer.status_code < 400:
                let_through.add((route, url))
    left = {
        name: rows - rows_of(tmp_path / "data" / "state.db")[name] for name, rows in before.items()
    }
    assert sorted(let_through) == []
    assert {name: rows for name, rows in left.items() if rows} == {}


def asked(eve: httpx.Client, method: str, url: str, route: str) -> httpx.Response:
    asking: dict[str, Any] = {
        "headers": {"if-match": '"1"'},
        "params": {"version": "1", "q": "ann"},
    }
    if method != "get":
        asking["json"] = BODIES.get(route, {})
    return eve.request(method, url, **asking)


def test_S15_no_proof_of_one_workspace_counts_in_another(
    tmp_path: Path, theirs: tuple[Api, dict[str, tuple[str, ...]], list[str]]
) -> None:
    api, _, proofs = theirs
    ours = world(tmp_path / "acme", tmp_path / "data", "acme", ("eve", "eve@example.com", "pro"))
    ours.save()
    ways = [{"authorization": f"Bearer {one}"} for one in proofs]
    ways += [{"cookie": f"rowlift={one}"} for one in proofs]
    with serving(ours.folder, **ours.env) as other, ExitStack() as stack:
        at_home, abroad = (
            [
                stack.enter_context(one.anybody(headers=way)).get("/users").status_code
                for way in ways
            ]
            for one in (api, other)
        )
    assert (at_home, abroad) == ([200, 401, 401, 200], [401] * 4)
