"""Bodies of requests that two programs could read differently."""

import re
from collections.abc import Iterator

import pytest

import rowlift
from doors.api import Api
from rowlift.core.rights import Role
from rowlift.web.app import api as api_of
from rowlift.web.app import described
from rowlift.web.office import Office

BODIES = {
    "not a number": b'{"name": NaN}',
    "infinite": b'{"name": [-Infinity]}',
    "beyond every float": b'{"name": 1e400}',
    "a member twice": b'{"name": "a", "name": "b"}',
    "a member twice, deep inside": b'{"name": [{"a": 1, "b": 2, "\\u0061": 1}]}',
    "too many digits": b'{"name": ' + b"1" * 5000 + b"}",
    "too deep": b"[" * 100_000,
    "no UTF-8": b'{"name": "\xff"}',
    "half a character": b'{"name": {"\\ud83d": 1}}',
    "half a text": b'{"name": ',
}


def with_body() -> Iterator[tuple[str, str]]:
    """Every route that takes a body."""
    paths = described(api_of(Office(rowlift.Project)))["paths"]
    for path, methods in paths.items():
        for method, told in methods.items():
            if "requestBody" in told:
                yield method, re.sub(r"{\w+}", "1", path.removeprefix("/api/v1"))


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_no_route_takes_a_body_that_readers_differ_about(api: Api, body: bytes) -> None:
    routes = list(with_body())
    assert len(routes) > 15
    with api.as_user(Role.ADMIN) as admin:
        json = {"content-type": "application/json"}
        answers = [admin.request(*route, content=body, headers=json) for route in routes]
    assert {(one.status_code, one.json()["code"]) for one in answers} == {(422, "BODY_INVALID")}
    assert all(one.json()["mend"] for one in answers)
    assert "recursion" not in answers[0].text


def test_who_is_refused_does_not_learn_what_is_wrong_with_a_body(api: Api) -> None:
    with api.as_user(Role.VIEWER) as viewer:
        answer = viewer.post(
            "/segments", content=BODIES["a member twice"],
            headers={"content-type": "application/json"},
        )  # fmt: skip
    assert answer.json()["code"] == "RIGHT_MISSING"


def test_a_member_that_is_unlike_only_in_its_spelling_is_another_one(api: Api) -> None:
    with api.as_user(Role.EDITOR) as editor:
        made = editor.post(
            "/segments", content=b'{"name": "A \\"name\\" name"}',
            headers={"content-type": "application/json"},
        )  # fmt: skip
    assert made.status_code == 201
