"""Who may see no values sees none, wherever they look; everything is asked for, new routes too."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import product
from pathlib import Path

import httpx
import pytest

import rowlift
from doors.api import serving
from rowlift.core.errors import RowliftError
from rowlift.core.rights import Right, Role
from rowlift.operations.discretion import discreet, may_quote
from rowlift.operations.reasons import Example
from rowlift.testing.misbehaviour import Misbehaviour, answer
from rowlift.testing.sink import Sink
from web.test_pages import ROUTES as PAGES
from web.test_routes import ROUTES
from world import World

CANARY = "sesame"  # in every value of a row, and in no name of what is declared
PERSON = "id:ann-sesame"
NAMES = ("people", "traits", "failing", "shop", "crm", "hook", "ops", "pros", "vips")
ENDLESS = "/destinations/{name}/requests/events"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as opened:
        yield opened


@pytest.fixture
def world(tmp_path: Path, sink: Sink) -> World:
    """Syncs of which one rejects rows, one is stopped and one fails, each quoting what it met."""
    made = World(tmp_path / "acme", ("user_id", "email", "plan"))
    made.sync["workspace"] = "write"
    made.rows(
        ("ann-sesame", "ann.sesame@example.com", "sesame"),
        ("bob-sesame", "ann.sesame@example.com", "sesame"),
        ("cid-sesame", "no address but sesame", "free"),
    )
    local = {"allow_networks": ["127.0.0.0/8"]}
    made.others["hook"] = {"type": "webhook", "url": sink.url, **local}
    made.uses = [{"use": "hook", "match": "user_id"}]
    made.save()
    trait = {**made.sync, "sync": "traits", "preset": "traits", "destinations": [made.use]}
    trait["sql"] = "SELECT max(user_id) OVER () AS user_id, plan FROM people"
    made.write("syncs/traits.yml", trait)
    bad = {**made.sync, "sync": "failing", "sql": "SELECT user_id, error(plan) AS plan FROM people"}
    made.write("syncs/failing.yml", {**bad, "destinations": []})
    (made.folder / "audiences").mkdir()
    plan = {"attribute": "plan", "present": True}
    made.write("audiences/pros.yml", {"audience": "pros", "where": plan})
    sink.always(Misbehaviour(answer(400, b'{"code": "no", "message": "plan sesame is unknown"}')))
    return made


def lived(world: World) -> Mapping[str, tuple[str, ...]]:
    """Let everything happen that keeps values; returns by what all of it is asked for."""
    with rowlift.Project(world.folder, env=world.env) as project:
        for name in ("people", "traits", "failing"):
            with suppress(RowliftError):
                project.run([name])
        project.create_segment("vips")
        project.add_to_segment("vips", [PERSON])
        project.audiences.compute()
        project.suppress(["id:gone-sesame"])
        plan = project.plans.make("people", by="ann")
        runs = tuple(str(one.id) for one in project.runs())
    return {
        "name": NAMES, "other": ("vips",), "run_id": runs, "plan_id": (plan.id,), "who": (PERSON,),
        "kind": ("source", "destination", "sync", "audience"), "code": ("ID_NULL",),
        "form": ("csv",), "object_type": ("1",), "object_id": ("1",), "number": ("1",),
        "user_id": ("1",), "token_id": ("1",),
    }  # fmt: skip


def asked(paths: Iterator[str], known: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for path in paths:
        given = re.findall(r"{(\w+)}", path)
        for filled in product(*(known[name] for name in given)):
            yield path.format(**dict(zip(given, filled, strict=True)))


def test_S16_who_may_see_no_values_finds_none_on_any_page_and_by_no_route(world: World) -> None:
    known = lived(world)
    found = set()
    with serving(world.folder, **world.env) as api, api.as_user(Role.VIEWER) as viewer:
        mine = {one.path for one in ROUTES if one.method == "GET" and ENDLESS not in one.path}
        for url in asked(iter(sorted(mine)), known):
            told = viewer.get(f"{api.url}{url}", params={"version": "1"})
            found |= {url} if CANARY in shown(told, url) else set()
        pages = {one.path for one in PAGES if one.method == "GET" and one.right != "none"}
        for url in asked(iter(sorted(pages)), known):
            told = viewer.get(f"{api.url}{url}", headers={"accept": "text/html"})
            found |= {url} if CANARY in shown(told, url) else set()
        assert sorted(found) == []
        stopped = viewer.get("/syncs/traits").json()["last_run"]
        assert stopped["reason"].startswith("The result holds rows that break the rules. Mend")
        with api.as_user(Role.EDITOR) as editor:
            for url in ("/syncs/traits", "/syncs/failing", "/overview", "/runs", "/requests"):
                assert (CANARY in editor.get(url).text) == (url != "/requests"), url


def shown(told: httpx.Response, url: str) -> str:
    """An answer without the person whom the address itself names."""
    assert told.status_code < 500, (url, told.text)
    return told.text.replace("ann-sesame", "")


def test_S16_a_token_without_values_is_refused_without_them(world: World) -> None:
    document = json.loads((world.folder / "syncs" / "traits.yml").read_text())
    del document["sync"]
    wanted = {"name": "more", "document": document}
    with serving(world.folder, **world.env) as api:
        for rights in ([Right.READ, Right.RUN, Right.EDIT], list(Right)):
            with api.by_token(Role.ADMIN, rights) as program:
                stopped = (
                    program.post("/syncs/traits/plans"),
                    program.post("/definitions/sync", json=wanted),
                )
                draft = program.post("/drafts", json=wanted).json()["id"]
                form = {key: text for key, text in document.items() if isinstance(text, str)}
                pages = [
                    program.post(
                        f"{api.url}/drafts/{draft}/start",
                        headers={"accept": accept},
                        data=form | {"name": "more", "kind": "person", "version": version},
                    )
                    for version, accept in (("1", "text/html"), ("2", "application/json"))
                ]
            codes = [one.json()["code"] for one in stopped]
            assert codes == ["BAD_ROWS", "PREVIEW_STOPS"]
            sees = Right.VALUES in rights
            assert ["PREVIEW_STOPS" in one.text for one in pages] == [True, True]
            assert [CANARY in one.text for one in (*stopped, *pages)] == [sees] * 4


def test_a_reason_that_quotes_nothing_stays_as_it_is() -> None:
    assert [may_quote(one) for one in ("", "CANCELLED", "MASS_REMOVAL", "SLOTS_MISSED")] == [
        False, False, False, False,
    ]  # fmt: skip
    assert [may_quote(one) for one in ("QUERY_FAILED", "BAD_ROWS", "their_own")] == [True] * 3
    kept = (Example(1, "x", "why"), [1, {"a": "b"}])
    assert discreet(kept) is kept
