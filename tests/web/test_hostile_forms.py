"""Forms of pages as nobody's browser sends them: refused in words, never a fault of ours."""

import re
from collections.abc import Iterator
from itertools import product

import pytest

from doors.api import Api
from rowlift.core.rights import Right, Role
from web.test_pages import ROUTES
from world import World

FIELDS = ("version", "expected", "days", "limit", "rows", "number", "again", "do", "look", "name",
          "document", "sql", "typed", "people", "email", "role", "limits.rows", "where.0.value",
          "batch_rows", "port", "connect_timeout", "form", "code", "url")  # fmt: skip
HOSTILE = ("9" * 5000, "9" * 30, "1e999", "nan", "\0", "\u0663", "[" * 3000, "{", "../../x", "-1")
NAMES = {
    "name": ("people", "shop", "nobody"), "who": ("id:ann",), "kind": ("source",), "number": ("1",),
    "run_id": ("1",), "user_id": ("2",), "token_id": ("1",), "plan_id": ("x",),
    "object_type": ("1",), "object_id": ("1",), "code": ("ID_NULL",),
}  # fmt: skip
DOCUMENTS: tuple[object, ...] = (
    "x",
    7,
    None,
    [],
    {},
    [[1]],
    {"a": {"b": 1}},
    True,
    1e308,
    "9" * 99,
)
KEYS = ("source", "sql", "identify_by", "preset", "kind", "object_type", "limits", "destinations",
        "schedule", "relationships", "segment", "workspace", "types", "attributes", "alerts",
        "audience", "removed", "cursor", "fresh_within", "description", "columns")  # fmt: skip


@pytest.fixture
def ran(shop: World) -> None:
    shop.run()


@pytest.mark.usefixtures("ran")
def test_no_form_makes_a_fault_of_ours(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    posts = [one for one in ROUTES if one.method == "POST" and one.right != "none"]
    assert len(posts) > 30
    with api.by_token(Role.ADMIN, list(Right)) as client:
        client.post("/drafts/edits", json={"sync": "people"})
        for turn, route in product(range(3), posts):
            values = {
                name: HOSTILE[(at + turn * 3) % len(HOSTILE)] for at, name in enumerate(FIELDS)
            }
            given = re.findall(r"{(\w+)}", route.path)
            named = {one: NAMES.get(one, ("people",)) for one in given}
            path = route.path.format(**{one: many[turn % len(many)] for one, many in named.items()})
            answer = client.post(f"{api.url}{path}", data=values)
            assert answer.status_code < 500 or "INTERNAL" not in answer.text, (path, values)
    assert "reference" not in caplog.text


def test_whatever_a_draft_holds_it_can_be_looked_at(api: Api) -> None:
    """Each key holds each of the values once."""
    whole = {"source": "shop", "sql": "SELECT 1 AS user_id", "identify_by": "user_id"}
    with api.as_user(Role.EDITOR) as editor:
        odd = editor.post("/drafts", json={"document": whole, "view": {"columns": [7]}})
        assert (odd.status_code, odd.json()["code"]) == (422, "VALUE_WRONG")
        at = editor.post("/drafts", json={"name": "a", "document": whole}).json()["id"]
        kinds = [whole | {"kind": one} for one in DOCUMENTS]
        for version, document in enumerate((*mixed(), *kinds), start=1):
            change = {"name": "a", "document": document}
            saved = editor.put(f"/drafts/{at}", json=change, headers={"if-match": f'"{version}"'})
            assert saved.status_code == 200, saved.text
            for path in (f"/drafts/{at}/outline", f"{api.url}/drafts/{at}"):
                assert editor.get(path).status_code < 500, (document, path)


def mixed() -> Iterator[dict[str, object]]:
    for turn in range(len(DOCUMENTS)):
        yield {key: DOCUMENTS[(at + turn) % len(DOCUMENTS)] for at, key in enumerate(KEYS)}
