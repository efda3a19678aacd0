"""What holds for every page: rights, forms of ours only, JSON for who asks, nothing inline."""

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
import pytest
from starlette.datastructures import State

from doors.api import PASSWORD, Api
from rowlift.core.nouns import Status
from rowlift.core.rights import RIGHTS, Right, Role
from rowlift.operations.callers import CONSOLE
from rowlift.web.pages.app import pages
from rowlift.web.pages.assets import FOLDER
from rowlift.web.rights import csrf_token
from world import World

OPEN = {("GET", "/setup"), ("POST", "/setup"), ("GET", "/login"), ("POST", "/login")}
OPEN |= {("GET", "/join"), ("POST", "/join")}
TEMPLATES = FOLDER.parent / "templates"
EDITOR = "vendor/codemirror/codemirror.js"
WITHOUT_EDITOR, WITH_EDITOR = 60_000, 180_000  # bytes of scripts, compressed


@dataclass(frozen=True)
class Declared:
    method: str
    path: str
    right: str

    @property
    def url(self) -> str:
        names = {"sources": "shop", "destinations": "crm"}
        name = names.get(self.path.split("/")[1], "people")
        filled = self.path.replace("{run_id}", "1").replace("{name}", name)
        filled = filled.replace("{user_id}", "999999").replace("{token_id}", "999999")
        filled = filled.replace("{number}", "1").replace("{code}", "ID_NULL")
        return filled.replace("{who}", "id:ann").replace("{plan_id}", "0" * 32)


def routes() -> Iterator[Declared]:
    for path, methods in pages(State()).openapi()["paths"].items():
        for method, told in methods.items():
            yield Declared(method.upper(), path, told.get("x-right", ""))


ROUTES = list(routes())
SHOWN = [one for one in ROUTES if one.method == "GET" and one.right != "none"]


class Reader:
    """A browser without scripts: it keeps cookies, and sends what forms of pages hold."""

    def __init__(self, api: Api, role: Role | None = None) -> None:
        self.client = httpx.Client(base_url=api.url, trust_env=False, verify=False, timeout=60)
        if role:
            email, password = f"{role.value}@example.com", PASSWORD.format(role.value)
            api.project.access.accounts.create_user(email, role, password, by=CONSOLE)
            self.post("/login", email=email, password=password)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def get(self, path: str, accept: str = "text/html") -> httpx.Response:
        return self.client.get(path, headers={"accept": accept})

    def post(self, path: str, **fields: str) -> httpx.Response:
        session = self.client.cookies.get("rowlift")
        token = {"csrf": csrf_token(session)} if session else {}
        return self.client.post(path, data=token | fields, headers={"accept": "text/html"})


@pytest.fixture
def ran(shop: World) -> None:
    shop.run()


def test_a_channel_that_takes_nothing_shows_where_one_looks(api: Api, shop: World) -> None:
    hook = {"type": "webhook", "url": "https://127.0.0.1/canary", "secret": "whsec_" + "A" * 32}
    shop.channels["ops"] = hook
    assert shop.run().status is Status.SOME_ROWS_FAILED
    with Reader(api, Role.VIEWER) as viewer:
        text = viewer.get("/").text
    assert "<strong>ops</strong> does not take what it is told" in text
    assert "ADDRESS_REFUSED" in text
    assert "canary" not in text


def test_S15_every_page_declares_a_right() -> None:
    assert {one.right for one in ROUTES} <= {right.value for right in Right} | {"none"}
    assert {(one.method, one.path) for one in ROUTES if one.right == "none"} == OPEN


@pytest.mark.usefixtures("ran")
@pytest.mark.parametrize("role", list(Role))
def test_S15_a_role_sees_and_does_exactly_what_it_may(api: Api, role: Role) -> None:
    with Reader(api, role) as reader:
        for one in ROUTES:
            if one.right == "none" or one.path == "/logout":
                continue
            answer = reader.get(one.url) if one.method == "GET" else reader.post(one.url)
            allowed = Right(one.right) in RIGHTS[role]
            assert (answer.status_code != 403) == allowed, (one, answer.text)


@pytest.mark.usefixtures("ran")
def test_S15_strangers_are_led_to_where_one_signs_in(api: Api) -> None:
    with Reader(api) as reader:
        assert reader.get("/runs").headers["location"] == "/setup"
    Reader(api, Role.VIEWER).client.close()
    with Reader(api) as reader:
        for one in ROUTES:
            if one.right == "none":
                continue
            answer = reader.get(one.url) if one.method == "GET" else reader.post(one.url)
            assert answer.status_code == 303, one
            assert answer.headers["location"].startswith("/login"), one
            told = reader.get(one.url, "application/json") if one.method == "GET" else None
            assert told is None or told.json()["code"] == "SIGNED_OUT"
        asked = reader.get("/runs?failed=true")
        assert asked.headers["location"] == "/login?next=%2Fruns%3Ffailed%3Dtrue"


@pytest.mark.usefixtures("ran")
def test_S17_a_form_that_is_not_of_our_pages_does_nothing(api: Api) -> None:
    with Reader(api, Role.ADMIN) as reader:
        ours = {"csrf": csrf_token(reader.client.cookies["rowlift"])}
        for one in ROUTES:
            if one.method != "POST" or one.right == "none":
                continue
            for fields, headers in (
                ({}, {}),
                ({"csrf": "x" * 64}, {}),
                (ours, {"origin": "https://evil.example"}),
                (ours, {"sec-fetch-site": "cross-site"}),
            ):
                answer = reader.client.post(one.url, data=fields, headers=headers)
                assert answer.status_code == 403, one
                assert "CSRF_WRONG" in answer.text
        assert not api.project.paused(["people"])
        for path in ("/login", "/setup"):
            answer = reader.client.post(path, data={}, headers={"origin": "https://evil.example"})
            assert "CSRF_WRONG" in answer.text


@pytest.mark.usefixtures("ran")
def test_S19_every_page_has_the_headers_nothing_inline_and_is_json_for_who_asks(api: Api) -> None:
    with Reader(api, Role.ADMIN) as reader:
        reader.post("/drafts", kind="person", way="table")
        for one in SHOWN:
            answer = reader.get(one.url)
            assert "<h1>" in answer.text
            assert isinstance(reader.get(one.url, "application/json").json(), dict)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["cache-control"] == "no-store"
            assert 'method="post"' not in answer.text or "/static/once.js" in answer.text
            assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=", answer.text)


@pytest.mark.usefixtures("ran")
def test_scripts_of_every_page_weigh_little(api: Api) -> None:
    weights: dict[str, int] = {}
    with Reader(api, Role.ADMIN) as reader:
        reader.post("/drafts", kind="person", way="sql")
        for path in (*(one.url for one in SHOWN), "/new/source?type=postgres"):
            answer = reader.get(path)
            files = scripts(answer.text)
            assert files or answer.is_error, path
            weights[path] = sum(len(gzip.compress((FOLDER / one).read_bytes())) for one in files)
            most = WITH_EDITOR if EDITOR in files else WITHOUT_EDITOR
            assert weights[path] <= most, path
    assert {path for path, weight in weights.items() if weight > WITHOUT_EDITOR} == {
        "/queries/new", "/drafts/1",
    }  # fmt: skip


def scripts(page: str) -> set[str]:
    """Return the scripts that a page loads, those that they import included."""
    found: set[str] = set()
    due = set(re.findall(r'(?:src|module)="/static/([^"?]+\.js)', page))
    while due:
        found.add(one := due.pop())
        due |= set(re.findall(r'from "\./([^"]+\.js)"', (FOLDER / one).read_text())) - found
    return found


def test_S19_templates_need_no_evaluation_of_text() -> None:
    for path in TEMPLATES.glob("*.html"):
        assert not re.search(r"hx-on|js:|\|\s*safe|javascript:", path.read_text()), path


def test_assets_are_kept_for_good_under_the_name_of_their_content_only(api: Api) -> None:
    with Reader(api, Role.VIEWER) as reader:
        page = reader.get("/").text
        (path,) = set(re.findall(r'href="(/static/app\.css\?v=\w+)"', page))
        assert "immutable" in reader.get(path).headers["cache-control"]
        assert reader.get("/static/app.css?v=x").headers["cache-control"] == "no-cache"
        assert reader.get("/static/../pages/app.py").status_code == 404
        assert reader.get("/static/%2e%2e/shell.py").status_code == 404


def test_a_script_names_those_that_it_imports_by_their_content(api: Api) -> None:
    with Reader(api, Role.EDITOR) as reader:
        page = reader.get("/queries/new").text
        (path,) = set(re.findall(r'src="(/static/query-studio\.js\?v=\w+)"', page))
        script = reader.get(path)
        assert script.headers["content-type"].startswith("text/javascript")
        (imported,) = re.findall(r'from "\./(sql-words\.js\?v=\w{12})"', script.text)
        words = reader.get(f"/static/{imported}")
        assert "immutable" in words.headers["cache-control"]
        assert words.content == (FOLDER / "sql-words.js").read_bytes()
        imports = [re.findall(r'from "\./', one.read_text()) for one in FOLDER.glob("*.js")]
        assert sum(map(len, imports)) == 4


def test_the_first_admin_comes_in_with_the_code(api: Api) -> None:
    code = api.project.access.accounts.setup_code()
    mine = {"email": "ann@example.com", "password": "a long sentence of ann's"}
    with Reader(api) as reader:
        assert reader.get("/").headers["location"] == "/setup"
        assert reader.get("/login").headers["location"] == "/setup"
        assert f'value="{code}"' in reader.get(f"/setup?code={code}").text
        assert "/static/once.js" in reader.get("/setup").text
        wrong = reader.post("/setup", code="1-2", **mine)
        assert (wrong.status_code, "SETUP_CODE_WRONG" in wrong.text) == (409, True)
        assert 'value="ann@example.com"' in wrong.text
        weak = reader.post("/setup", code=code or "", email="ann@example.com", password="x")
        assert "PASSWORD_WEAK" in weak.text
        assert reader.post("/setup", code=code or "", **mine).headers["location"] == "/"
        assert "Nothing is synced yet" not in reader.get("/").text
        assert reader.get("/setup").headers["location"] == "/login"
        assert reader.post("/logout").headers["location"] == "/login?said=signed-out"
        assert reader.get("/").headers["location"] == "/login"
        again = reader.post("/login", next="/runs?failed=true", **mine)
        assert again.headers["location"] == "/runs?failed=true"


def test_S18_signing_in_leads_to_no_other_site(api: Api) -> None:
    Reader(api, Role.VIEWER).client.close()
    mine = {"email": "viewer@example.com", "password": PASSWORD.format("viewer")}
    with Reader(api) as reader:
        for after in ("//evil.example", "https://evil.example", "/\\evil.example", "/\t/x", ""):
            assert reader.post("/login", next=after, **mine).headers["location"] == "/"
        wrong = reader.post("/login", email="viewer@example.com", password="guess")
        assert wrong.status_code == 401
        assert "guess" not in wrong.text


@pytest.mark.door("api")
def test_B17_a_sync_is_paused_and_resumed_on_its_page(api: Api) -> None:
    with Reader(api, Role.EDITOR) as reader:
        answer = reader.post("/syncs/people/pause")
        assert answer.headers["location"] == "/syncs/people?said=paused"
        assert api.project.paused(["people"]) == ["people"]
        shown = reader.get("/syncs/people?said=paused").text
        assert "nothing of it begins" in shown
        assert "Run now" not in shown
        reader.post("/syncs/people/resume")
        assert not api.project.paused(["people"])
        log = [one.action for one in api.project.access.audit.page()]
        assert log[:2] == ["sync.resume", "sync.pause"]


@pytest.mark.door("api")
def test_B16_runs_are_filtered_by_sync_and_by_failure(api: Api, shop: World) -> None:
    bad = shop.run().id
    shop.rows(("ann", "ann@example.com", "pro"))
    good = shop.run().id
    with Reader(api, Role.VIEWER) as reader:

        def listed(query: str) -> list[int]:
            told = reader.get(f"/runs{query}", "application/json").json()
            return [one["id"] for one in told["items"]]

        assert listed("") == [good, bad]
        assert listed("?failed=true") == [bad]
        assert listed("?failed=true&sync=people") == [bad]
        assert "Show all" in reader.get("/runs?failed=true").text
        assert reader.get("/runs?sync=nobody").status_code == 404
        assert [one.id for one in api.project.runs(failed=True)] == [bad]


@pytest.mark.door("api")
def test_B22_why_rows_failed_is_told_with_values_to_who_may_see_them(api: Api, shop: World) -> None:
    run = shop.run()
    api.project.access.accounts.create_user(
        "eve@example.com", Role.EDITOR, "a sentence of eve's own", by=CONSOLE
    )
    with Reader(api, Role.VIEWER) as viewer, Reader(api) as editor:
        editor.post("/login", email="eve@example.com", password="a sentence of eve's own")
        (told,) = editor.get(f"/runs/{run.id}", "application/json").json()["reasons"]
        assert (told["code"], told["rows"]) == ("ID_NULL", 1)
        assert told["examples"][0]["row_number"] == 2
        (hidden,) = viewer.get(f"/runs/{run.id}", "application/json").json()["reasons"]
        assert hidden["examples"] == []
        assert "rejects.csv" in editor.get(f"/runs/{run.id}").text
        assert "rejects.csv" not in viewer.get(f"/runs/{run.id}").text
        lost = viewer.get("/runs/999")
        assert (lost.status_code, "NOT_FOUND" in lost.text) == (404, True)
        assert 'aria-label="Main"' in lost.text  # one goes on from there


@pytest.mark.usefixtures("ran")
def test_a_person_is_found_by_any_identifier(api: Api) -> None:
    with Reader(api, Role.EDITOR) as reader:
        for q in ("ann", "ANN@example.com", "email:ann@example.com"):
            found = reader.get(f"/people?q={q}")
            assert (found.status_code, found.headers["location"][:8]) == (303, "/people/")
        assert "Nobody is known as" in reader.get("/people?q=zoe").text
        assert "ann@example.com" in reader.get("/people/id:ann").text


def test_the_vendored_files_have_licences() -> None:
    vendor = FOLDER / "vendor"
    folders = [path for path in vendor.iterdir() if path.is_dir()]
    assert len(folders) == 4
    assert all((path / "LICENSE").is_file() for path in folders)
    assert isinstance(vendor, Path)
