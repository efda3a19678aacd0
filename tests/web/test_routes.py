"""What holds for every route: rights, one operation each, headers, hosts, sizes, strangers."""

import csv
import errno
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import httpx
import pytest

import rowlift
from doors.api import Api, served_by, serving
from doors.python import operations
from faults.disks import disk, filled, needs_root
from rowlift.core.errors import StateError
from rowlift.core.rights import RIGHTS, Right, Role
from rowlift.core.rules import RULES
from rowlift.web import pace
from rowlift.web.app import api as api_of
from rowlift.web.app import described
from rowlift.web.office import Office
from rowlift.web.pace import Pace
from rowlift.web.shell import LARGEST_BODY, SAFE_HEADERS
from world import World

# What no route may have without a word about it here.
OPEN = {
    ("POST", "/api/v1/setup"),
    ("POST", "/api/v1/session"),
    ("POST", "/api/v1/users/invitations/accept"),
    ("GET", "/api/v1/session/ways"),
    ("GET", "/api/v1/oidc/login"),
    ("GET", "/api/v1/oidc/callback"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/api/v1/problems/{code}"),
}

# What can be done at the machine or in Python only, and why.
WITHOUT_ROUTE = {
    **dict.fromkeys(("open", "close", "refresh"), "the server keeps its project open and current"),
    **dict.fromkeys(("definitions.by", "definitions.seen"), "a step of those that have a route"),
    **dict.fromkeys(("resume", "paused"), "PUT and GET of what `pause` has as a route"),
    **dict.fromkeys(
        ("run", "retry", "undo", "ingest.forwards.run"), "the service carries what is asked for"
    ),
    **dict.fromkeys(
        ("ingest.accept", "ingest.waiting_bytes", "ingest.workspaces", "ingest.write_some"),
        "messages have an API of their own, for write keys",
    ),
    **dict.fromkeys(
        (
            "access.accounts.admit",
            "access.audit.note",
            "access.sessions.sign_in",
            "access.tokens.caller",
        ),
        "a step of every route, or of signing in; nobody calls it by itself",
    ),
    **dict.fromkeys(
        ("plan", "plan_undo", "definitions.apply", "definitions.export"),
        "they read or write files of the machine",
    ),
    **dict.fromkeys(
        (f"drafts.audiences.{name}" for name in ("list", "get", "of", "save", "drop", "merge")),
        "steps of the builder's page; a program keeps what it writes by itself",
    ),
    "repeats.once": "a step of the routes that begin something",
    "access.accounts.setup_code": "whoever sees the console proves to own the machine",
    **dict.fromkeys(
        ("alerts.look", "alerts.tell", "alerts.hearers", "alerts.note", "alerts.shout"),
        "the service does it all the time",
    ),
    "certify": "it runs queries without end on the real service until it is cancelled",
    "definitions.rotate_key": "the key is in the machine's files or environment",
    "serving": "it is the process itself",
    "watch.write_back": "a timer of the machine calls it, with a password of its own",
    "watch.ready": "/readyz stands beside the API, without a right",
}


@dataclass(frozen=True)
class Declared:
    method: str
    path: str
    operation: str
    right: str

    @property
    def url(self) -> str:
        filled = self.path.removeprefix("/api/v1")
        for name in ("run_id", "user_id", "token_id", "number"):
            filled = filled.replace(f"{{{name}}}", "999999")
        return filled.replace("{", "").replace("}", "")


def routes() -> Iterator[Declared]:
    for path, methods in described(api_of(Office(rowlift.Project)))["paths"].items():
        for method, told in methods.items():
            operation, right = told.get("x-operation", ""), told.get("x-right", "")
            yield Declared(method.upper(), path, operation, right)


ROUTES = list(routes())


def named(route: Declared) -> str:
    return f"{route.method} {route.path}"


def test_S15_every_route_declares_a_right() -> None:
    assert {route.right for route in ROUTES} <= {right.value for right in Right} | {"none"}
    assert {(one.method, one.path) for one in ROUTES if one.right == "none"} == OPEN


def test_every_route_calls_one_operation_of_its_own(api: Api) -> None:
    others = {"rule", "openapi"}
    operations = [
        route.operation
        for route in ROUTES
        if route.operation not in others and not route.path.endswith((".csv", "/events"))
    ]
    assert len(set(operations)) == len(operations)
    for operation in operations:
        assert callable(attrgetter(operation)(api.project)), operation


def test_every_operation_has_a_route_or_a_reason() -> None:
    missing = set(operations(rowlift.Project)) - {route.operation for route in ROUTES}
    assert sorted(missing) == sorted(WITHOUT_ROUTE)


@pytest.mark.parametrize("role", list(Role))
def test_S15_a_role_gets_exactly_what_it_may(api: Api, role: Role) -> None:
    with api.as_user(role) as client:
        for route in ROUTES:
            if route.right == "none" or route.operation.endswith(".logout"):
                continue
            answer = client.request(route.method, route.url, json={})
            allowed = Right(route.right) in RIGHTS[role]
            assert (answer.status_code != 403) == allowed, (named(route), answer.text)


def test_S15_nobody_gets_in_without_proof(api: Api) -> None:
    with api.anybody() as client:
        for route in ROUTES:
            if route.right != "none":
                for headers in ({}, {"authorization": "Bearer rlt_guess"}, {"cookie": "rowlift=x"}):
                    answer = client.request(route.method, route.url, headers=headers, json={})
                    assert answer.status_code == 401, named(route)
                    assert answer.headers["www-authenticate"] == "Bearer"


def test_S17_csrf_all_routes(api: Api) -> None:
    with api.as_user(Role.ADMIN) as client:
        token = client.headers.pop("x-csrf-token")
        for route in ROUTES:
            if route.method in {"GET", "HEAD"} or route.right == "none":
                continue
            for headers in (
                {},
                {"x-csrf-token": "x" * len(token)},
                {"x-csrf-token": token, "origin": "https://evil.example"},
                {"x-csrf-token": token, "origin": "null"},
                {"x-csrf-token": token, "sec-fetch-site": "cross-site"},
            ):
                answer = client.request(route.method, route.url, headers=headers, json={})
                assert answer.json()["code"] == "CSRF_WRONG", (named(route), headers)
        ours = {"x-csrf-token": token, "origin": api.url, "sec-fetch-site": "same-origin"}
        assert client.post("/segments", json={"name": "Beta"}, headers=ours).status_code == 201


@pytest.mark.parametrize("path", ["/session", "/setup"])
def test_S17_another_site_cannot_sign_anybody_in(api: Api, path: str) -> None:
    with api.anybody() as client:
        answer = client.post(path, json={}, headers={"origin": "https://evil.example"})
        assert answer.json()["code"] == "CSRF_WRONG"


def test_S17_reading_changes_nothing(api: Api) -> None:
    with api.as_user(Role.ADMIN) as client:
        before = client.get("/audit").json()["items"]
        for route in ROUTES:
            if route.method == "GET":
                client.get(route.url)
        assert client.get("/audit").json()["items"] == before


def test_S19_every_answer_has_the_headers_that_browsers_need(api: Api) -> None:
    with api.as_user(Role.ADMIN) as client, api.anybody() as guest:
        answers = [
            client.get("/runs"),
            guest.get("/runs"),
            guest.get("/nowhere"),
            guest.patch("/runs"),
            guest.get("/runs", headers={"host": "evil.example"}),
            guest.post("/session", content=b"x" * (LARGEST_BODY + 1)),
            client.get("/runs", params={"cursor": "x"}),
            guest.get(api.url),
        ]
    assert [one.status_code for one in answers] == [200, 401, 404, 405, 421, 413, 422, 303]
    for one in answers:
        for name, value in SAFE_HEADERS.items():
            assert one.headers[name] == value
        assert "access-control-allow-origin" not in one.headers
    assert "unsafe" not in SAFE_HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "localhost.evil.example", "", "127.0.0.1@evil.example", "[::2]:80",
        "127.0.0.1:80.evil.example",
    ],
)  # fmt: skip
def test_S19_a_request_for_another_host_is_refused(api: Api, host: str) -> None:
    with api.anybody() as client:
        answer = client.get("/openapi.json", headers={"host": host})
        assert (answer.status_code, answer.json()["code"]) == (421, "HOST_REFUSED")


def test_S19_a_whole_address_is_understood_and_names_the_host(api: Api) -> None:
    """As RFC 9112 wants it; httpx sends what stands in `target` instead of the path."""
    ours = {"target": f"{api.base}/problems/BUSY".encode()}
    others = {"target": b"http://evil.example/api/v1/problems/BUSY"}
    with api.anybody() as client:
        answers = [client.get("/", extensions=one) for one in (ours, others)]
    found = [(one.status_code, one.json()["code"]) for one in answers]
    assert found == [(200, "BUSY"), (421, "HOST_REFUSED")]


@pytest.mark.anyio
async def test_S43_who_asks_too_often_waits_whatever_proof_is_made_up(shop: World) -> None:
    office = Office(shop.project)
    app = api_of(office)
    app.state.pace = Pace(per_minute=3)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        proofs = [{"authorization": f"Bearer {number}"} for number in range(4)]
        answers = [await client.get("/api/v1/runs", headers=proof) for proof in proofs]
        assert [one.status_code for one in answers] == [401, 401, 401, 429]
        assert answers[-1].json()["code"] == "TOO_MANY_REQUESTS"
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
        assert (await client.get("/api/v1/problems/BUSY")).status_code == 429
    office.close()


def test_S43_a_body_is_read_up_to_its_limit_whatever_it_says_of_its_length(api: Api) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(LARGEST_BODY // 10_000 + 2):
            yield b" " * 10_000

    with api.anybody() as client:
        answer = client.post("/session", content=endless())
        assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")


def test_a_member_that_nobody_knows_is_refused(api: Api) -> None:
    with api.as_user(Role.EDITOR) as editor:
        mistyped = editor.post("/syncs/people/runs", json={"allow_removal": True})
    assert (mistyped.status_code, mistyped.json()["code"]) == (422, "VALUE_WRONG")
    assert "body.allow_removal" in mistyped.json()["examples"][0]


def anonymous() -> httpx.Client:
    """Somebody who waits as long as a busy machine needs, and loads no authorities."""
    return httpx.Client(trust_env=False, verify=False, timeout=60)


def test_S33_a_fault_of_ours_is_told_by_a_reference_only(caplog) -> None:
    class Broken:
        def open(self) -> None:
            raise RuntimeError("secret words")

    with served_by(Broken) as url, anonymous() as client:
        answer = client.get(f"{url}/api/v1/runs", headers={"cookie": "rowlift=x"})
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert "secret words" not in answer.text
    assert answer.json()["reference"] in caplog.text
    assert "RuntimeError" in caplog.text


def test_F20_a_full_disk_is_no_fault_of_ours() -> None:
    class Full:
        def open(self) -> None:
            raise OSError(errno.ENOSPC, "no room in /somewhere")

    with served_by(Full) as url, anonymous() as client:
        answer = client.get(f"{url}/api/v1/runs", headers={"cookie": "rowlift=x"})
    assert (answer.status_code, answer.json()["code"]) == (503, "STATE_FULL")
    assert "somewhere" not in answer.text


def test_every_code_that_a_problem_names_is_explained(api: Api) -> None:
    with api.anybody() as client:
        wrong = client.get("/runs").json()
        told = client.get(f"{api.url}{wrong['type']}").json()
        assert told == json.loads(json.dumps({**told, "code": "SIGNED_OUT"}))
        assert told["title"] == RULES["SIGNED_OUT"].title == wrong["title"]
        assert client.get("/problems/NONE").status_code == 404


def test_whoever_watches_the_process_learns_whether_it_works(api: Api) -> None:
    class Away:
        def open(self) -> None:
            raise StateError("STATE_UNREACHABLE", "It is away.", mend="Wait.")

    def ready(url: str) -> tuple[int, str]:
        answer = client.get(f"{url}/readyz")
        return answer.status_code, answer.json()["code"]

    with api.anybody() as client, served_by(Away) as away:
        assert {client.get(f"{url}/healthz").text for url in (api.url, away)} == {"ok\n"}
        assert ready(away) == (503, "STATE_UNREACHABLE")
        assert ready(api.url) == (503, "SERVICE_DOWN")
        serving = api.project.serving()
        service = serving.start()
        assert client.get(f"{api.url}/readyz").text == "ok\n"
        serving.home.store.services.end(service)
        assert ready(api.url) == (503, "SERVICE_DOWN")


@needs_root
def test_whoever_watches_the_process_learns_that_its_disk_is_full(
    shop: World, tmp_path: Path
) -> None:
    with (
        disk(tmp_path / "small", "30m") as small,
        serving(shop.folder, ROWLIFT_DATA_DIR=str(small)) as api,
        api.anybody() as client,
    ):

        def code() -> str:
            return str(client.get(f"{api.url}/readyz").json()["code"])

        assert code() == "SERVICE_DOWN"
        with filled(small):
            assert code() == "STATE_FULL"
        assert code() == "SERVICE_DOWN"


@pytest.mark.door("api")
def test_B3_connections_are_tested_ten_times_a_minute(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "monotonic", lambda: 0.0)  # however long ten tests take
    with api.as_user(Role.EDITOR) as editor, api.as_user(Role.VIEWER) as viewer:
        found = editor.post("/connections/test").json()
        assert {one["level"] for one in found["shop"]} == {"ok"}
        answers = [editor.post("/connections/test").status_code for _ in range(10)]
        assert answers == [200] * 9 + [429]
        assert viewer.post("/connections/test").status_code == 403
        anew = viewer.get("/sources/shop/catalog", params={"refresh": True})
        assert anew.json()["code"] == "RIGHT_MISSING"
        tables = editor.get("/sources/shop/catalog").json()["tables"]
        assert [one["name"] for one in tables] == ["people"]


@pytest.mark.door("api")
def test_B22_rejects_are_downloaded_without_formulas(api: Api, shop: World) -> None:
    shop.rows(("ann", "ann@example.com", "pro"), ("=1+1", "ann@example.com", "free"))
    run = shop.run()
    with api.as_user(Role.EDITOR) as editor:
        answer = editor.get(f"/runs/{run.id}/rejects.csv")
        assert editor.get("/runs/999/rejects.csv").status_code == 404
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    name = f'attachment; filename="rejects-{run.id}.csv"'
    assert answer.headers["content-disposition"] == name
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert header == ["row_number", "identifier", "code", "reason", "target", "query"]
    assert [(row[0], row[1], row[2]) for row in rows] == [
        ("1", "ann", "EMAIL_TAKEN"),
        ("2", "'=1+1", "EMAIL_TAKEN"),
    ]


def test_files_that_change_are_read_again_and_broken_ones_wait(api: Api, shop: World) -> None:
    with api.as_user(Role.VIEWER) as client:
        assert [one["name"] for one in client.get("/syncs").json()["items"]] == ["people"]
        shop.write("syncs/more.yml", {**shop.sync, "sync": "more", "destinations": []})
        names = [one["name"] for one in client.get("/syncs").json()["items"]]
        assert names == ["more", "people"]
        (shop.folder / "syncs" / "more.yml").write_text("sync: [")
        assert [one["name"] for one in client.get("/syncs").json()["items"]] == names
