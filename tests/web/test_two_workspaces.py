"""Two workspaces in one state database: who may do everything in one has no hold on the other."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from inspect import signature
from itertools import product
from operator import attrgetter
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

import rowlift
from doors.api import Api, serving
from doors.python import operations
from rowlift.core.alerts import AlertRule, Notice
from rowlift.core.errors import RowliftError
from rowlift.core.rights import Right, Role
from rowlift.operations.audience_drafting import AudienceWriting
from rowlift.operations.callers import CONSOLE, Caller
from rowlift.operations.identifying import Identifiers
from rowlift.operations.querying import Wish
from rowlift.testing.sink import Sink
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
THEIR_NAMES = {
    "name": ("theirs", "their_shop", "Theirs", "their_key", "their_hook", "their_team", "club"),
    "other": ("Theirs", "club"),
    "form": ("csv",),
}
ASKING = {"POST /syncs/{name}/preview", "POST /syncs/{name}/plans", "POST /drafts/edits"}
_FREE = {"kind": ("source", "destination", "sync"), "who": tuple(ANYBODY), "code": ("BUSY",)}


def world(folder: Path, data: Path, name: str, *rows: tuple[str, ...]) -> World:
    made = World(folder, ("user_id", "email", "plan"))
    made.env = {"ROWLIFT_DATA_DIR": str(data)}
    made.workspace["name"] = name
    made.sync["workspace"] = "write"
    made.rows(*rows)
    return made


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as opened:
        yield opened


def named_as_theirs(made: World, sink: Sink) -> World:
    """Save a world whose sync, source, destination, channel and forward are called as theirs."""
    hook = {"type": "webhook", "url": sink.url, "allow_networks": ["127.0.0.1"]}
    made.others["their_hook"] = hook
    made.uses = [{"use": "their_hook", "match": "user_id"}]
    made.channels["their_team"] = {**hook, "secret": "whsec_" + "A" * 32}
    made.sync |= {"sync": "theirs", "source": "their_shop"}
    made.save()
    connections = made.folder / "connections.yml"
    connections.write_text(connections.read_text().replace('"shop"', '"their_shop"'))
    (made.folder / "audiences").mkdir()
    audience = {"audience": "club", "where": {"attribute": "plan", "present": True}}
    made.write("audiences/club.yml", audience)
    return made


@pytest.fixture
def theirs(
    tmp_path: Path, sink: Sink
) -> Iterator[tuple[Api, dict[str, tuple[str, ...]], list[str]]]:
    """Another team's server, the ids of what is theirs, and proofs that let one in there."""
    rows = ("ann-hidden", "ann.hidden@example.com", "hidden"), ("", "x.hidden@example.com", "free")
    made = world(tmp_path / "beta", tmp_path / "data", "beta", *rows)
    made.sync["description"] = "hidden"
    named_as_theirs(made, sink)
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
    del found["budgets"]  # a destination's account has one, whoever sends there
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
            if route in {"DELETE /session", "POST /oidc/logout"}:
                continue
            if asked(eve, method, url, route) < 400 and names_theirs:
                let_through.add((route, url))
    left = {
        name: rows - rows_of(tmp_path / "data" / "state.db")[name] for name, rows in before.items()
    }
    assert sorted(let_through) == []
    assert {name: rows for name, rows in left.items() if rows} == {}


def test_S15_what_has_the_same_name_elsewhere_is_not_seen(
    tmp_path: Path, sink: Sink, theirs: tuple[Api, dict[str, tuple[str, ...]], list[str]]
) -> None:
    _, known, _ = theirs
    ours = world(tmp_path / "acme", tmp_path / "data", "acme", ("eve", "eve@example.com", "pro"))
    named_as_theirs(ours, sink)
    before = rows_of(tmp_path / "data" / "state.db")
    with rowlift.Project(ours.folder, env=ours.env) as project:
        project.run()
        project.create_segment("Theirs")
        project.ingest.create_key("their_key")
    seen = 0
    with serving(ours.folder, **ours.env) as api, api.as_user(Role.ADMIN) as eve:
        for method, url, route, _names_theirs in attacks(known):
            if (method == "get" or route in ASKING) and not url.endswith("/requests/events"):
                seen += asked(eve, method, url, route) == 200
    left = {
        name: rows - rows_of(tmp_path / "data" / "state.db")[name] for name, rows in before.items()
    }
    assert seen > 50
    assert {name: rows for name, rows in left.items() if rows} == {}


def asked(eve: httpx.Client, method: str, url: str, route: str) -> int:
    """The status of an answer, which tells nothing of theirs; of events only the status."""
    asking: dict[str, Any] = {
        "headers": {"if-match": '"1"'},
        "params": {"version": "1", "q": "ann"},
    }
    if method != "get":
        asking["json"] = BODIES.get(route, {})
    with eve.stream(method, url, **asking) as answer:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer.status_code
        answer.read()
        text = answer.text.replace("ann-hidden", "").replace("ann.hidden@", "")  # as asked
        assert CANARY not in text, (route, url, text)
        assert answer.status_code < 500, (route, url, text)
        return answer.status_code


# Not called in Python, and why.
LEFT_OUT = {
    **dict.fromkeys(("open", "close", "refresh", "serving"), "they are the process itself"),
    **dict.fromkeys(
        ("create_segment", "ingest.create_key", "definitions.create", "drafts.new", "look_around"),
        "what they make under those names is ours",
    ),
    **dict.fromkeys(
        (
            "definitions.by",
            "definitions.seen",
            "repeats.once",
            "access.audit.note",
            "queries.compose",
        ),
        "steps of others",
    ),
    **dict.fromkeys(
        ("definitions.apply", "definitions.export", "definitions.rotate_key"),
        "they are for files and keys of the machine",
    ),
    "definitions.outline": "it tells of the document that it is given",
    "alerts.shout": "it tells the notice that it is given, to channels of the workspace's own",
    **dict.fromkeys(
        ("ingest.accept", "ingest.waiting_bytes", "ingest.workspaces"),
        "one process takes in the messages of all keys",
    ),
}
NOTICE = Notice(AlertRule.FAILURE, "their_sync", "", None, "", "It failed.", recovered=False, at=0)
LETS_IN = re.compile(
    r"access\.(single_sign_on|sessions|accounts\.(set_up|accept|invite)|tokens\.c)"
)


def called(
    project: "rowlift.Project", known: Mapping[str, tuple[str, ...]], by: Caller, out: Path
) -> Iterator[tuple[str, Callable[[], object], bool]]:
    """Every operation with everything of theirs that it could be given; whether it names some."""
    theirs: dict[str, Sequence[Any]] = dict.fromkeys(
        ("name", "sync", "source", "destination", "channel", "first", "second"), known["name"]
    )
    theirs |= {"syncs": [[one] for one in known["name"]], "plan_id": known["plan_id"]}
    numbers = ("run_id", "user_id", "token_id", "number")
    theirs |= {name: [*map(int, known[name])] for name in numbers}
    theirs["draft_id"] = theirs["number"]
    theirs["writing"] = [AudienceWriting(one, {}, {}, one, 1) for one in known["name"]]
    free: dict[str, Sequence[Any]] = {
        "kind": ("sync", "source", "destination", "channel", "forward"), "who": sorted(ANYBODY),
        "named": [sorted(ANYBODY)], "people": [sorted(ANYBODY)], "text": ("ann",), "to": ("taken",),
        "object_type": ("1",), "object_id": ("1",), "schema": ("",), "table": ("people",),
        "version": (1,), "expected": (1,), "by": (by,), "document": ({"type": "sandbox"},),
        "role": (Role.VIEWER,), "email": ("ann.hidden@example.com",), "password": ("a long one",),
        "out": (out,), "wish": (Wish("", "people", (), "id"),),
        "wanted": (Identifiers("new", None),), "notice": (NOTICE,),
        "with_values": (True,),
        "channels": (known["name"],),  # nothing is told to whom nobody declared
    }  # fmt: skip
    for name in operations(rowlift.Project):
        if name in LEFT_OUT or LETS_IN.match(name):
            continue
        method = attrgetter(name)(project)
        wanted = [one for one in signature(method).parameters.values() if one.default is one.empty]
        for given in product(*((theirs | free)[one.name] for one in wanted)):
            arguments = {one.name: each for one, each in zip(wanted, given, strict=True)}
            yield name, partial(method, **arguments), bool(arguments.keys() & theirs.keys())


@pytest.mark.door("python")
def test_S15_the_python_door_of_a_workspace_has_no_hold_on_another(
    tmp_path: Path, theirs: tuple[Api, dict[str, tuple[str, ...]], list[str]]
) -> None:
    _, known, _ = theirs
    ours = world(tmp_path / "acme", tmp_path / "data", "acme", ("eve", "eve@example.com", "pro"))
    before = rows_of(tmp_path / "data" / "state.db")
    ours.run()
    let_through, refused = set(), 0
    with rowlift.Project(ours.folder, env=ours.env) as project:
        user = project.access.accounts.admit("eve@example.com", Role.ADMIN, by=CONSOLE)
        eve = replace(CONSOLE, name="eve@example.com", user_id=user.id)
        for name, call, names_theirs in called(project, known, eve, tmp_path / "x.plan"):
            try:
                found = call()
                told = repr(list(found) if isinstance(found, Iterator) else found)
            except RowliftError as error:
                refused += 1
                told = repr((error, error.mend, error.examples))
            else:
                if names_theirs:
                    let_through.add(name)
            told = told.replace("ann-hidden", "").replace("ann.hidden@", "")
            assert CANARY not in told, (name, told)
    left = {
        name: rows - rows_of(tmp_path / "data" / "state.db")[name] for name, rows in before.items()
    }
    assert let_through == set()
    assert refused > 100
    assert {name: rows for name, rows in left.items() if rows} == {}


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
