"""Sources and destinations in a real browser, on real PostgreSQL and MariaDB servers."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from doors.api import Api
from rowlift.testing.proxy import Proxy, Trouble
from ui.conftest import HOSTILE, Reader
from ui.looks import broken, too_wide

Readers = Callable[..., Reader]

PASSWORD = "correct-horse-battery"
PATHS = (
    "/sources", "/destinations", "/sources/shop", "/sources/shop/tables", "/sources/shop/delete",
    "/destinations/crm", "/destinations/gate/requests", "/destinations/gate/message",
    "/new/source", "/new/destination",
    "/new/source?type=postgres", "/new/source?type=files", "/new/destination?type=webhook",
)  # fmt: skip
EMPTY = (
    "/sources?q=nothing", "/destinations?q=nothing", "/sources/shop/tables?q=nothing",
    "/destinations/crm/requests", "/new/source?q=nothing", "/new/destination?q=nothing",
)  # fmt: skip


@pytest.fixture
def readers(readers: Readers, served: Api) -> Readers:
    """Readers of whom each is somebody else: one person may test ten times a minute."""

    def reader(**how: object) -> Reader:
        return readers(**how).becomes(f"{uuid4().hex}@example.com", served)

    return reader


def test_no_page_of_connections_breaks_a_rule_of_accessibility_or_is_wider_than_its_window(
    readers: Readers,
) -> None:
    reader, wrong = readers(), []
    for path in (*PATHS, *EMPTY):
        page = reader.see(path)
        wrong += [*broken(page), *too_wide(page)]
    page = reader.see("/new/source?type=mysql")
    for summary in page.locator("details.section summary").all():
        summary.click()
    wrong += broken(page, "every section unfolded")
    page.goto("/new/source?type=files")
    page.get_by_label("Name").fill("Wrong Name")
    page.get_by_label("Root").fill("data")
    page.get_by_role("button", name="Save and test").click()
    page.get_by_role("alert").wait_for()
    wrong += broken(page, "a wrong form")
    page.get_by_role("button", name="Only test").click()
    page.get_by_text("It works").wait_for()
    wrong += broken(page, "a test before it is saved")
    page.goto("/destinations/crm/message")
    page.get_by_role("button", name="Send a test").click()
    page.get_by_text("The destination took it.").wait_for()
    wrong += [*broken(page, "a test message that was sent"), *too_wide(page)]
    assert wrong == []


@dataclass(frozen=True)
class Server:
    """A database whose user may read one table of two, and what the form calls it."""

    type: str
    title: str
    name: str
    fields: dict[str, str]
    grant: str
    step: str
    close: Callable[[], None]


@pytest.fixture(params=["postgres", "mysql"])
def server(
    request: pytest.FixtureRequest, postgres_database: Any, mariadb_database: Any
) -> Iterator[Server]:
    if request.param == "postgres":
        database, user = postgres_database, f"r_{postgres_database.name}"
        database.execute(
            "CREATE TABLE people (user_id text, plan text); CREATE TABLE secrets (salary int);"
            f"CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'; GRANT SELECT ON people TO {user}"
        )
        ends = [f"DROP OWNED BY {user}; DROP ROLE {user}"]
    else:
        database, user = mariadb_database, f"r_{mariadb_database.name}"
        database.execute(
            "CREATE TABLE people (user_id varchar(20), plan varchar(9))",
            f"CREATE USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT SELECT ON people TO '{user}'@'%'",
        )
        ends = [f"DROP USER '{user}'@'%'"]
    told = {
        "Host": "127.0.0.1", "Port": str(database.server.port), "Database": database.name,
        "User": user, "Password": PASSWORD,
    }  # fmt: skip

    title = {"postgres": "PostgreSQL", "mysql": "MySQL and MariaDB"}[request.param]
    shut, grant, step = {
        "postgres": ((), f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}", "Privileges"),
        "mysql": (
            (f"REVOKE SELECT ON people FROM '{user}'@'%'",),
            f"GRANT SELECT ON `{database.name}`.* TO '{user}'@", "Login",
        ),
    }[request.param]  # fmt: skip

    def close() -> None:
        for statement in shut:
            database.execute(statement)

    name = f"{request.param}_{database.name[-8:]}".lower()
    yield Server(request.param, title, name, told, grant, step, close)
    database.execute(*ends)


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def reader(request: pytest.FixtureRequest, readers: Readers) -> Reader:
    return readers(java_script_enabled=request.param)


def _filled(page: Page, fields: dict[str, str]) -> None:
    main = page.locator(".sheet > .fields > .field")
    for label, value in fields.items():
        main.get_by_label(label, exact=False).first.fill(value)


@pytest.mark.door("ui")
def test_B3_a_database_is_connected_and_tested_by_mouse(
    reader: Reader, server: Server, served: Api
) -> None:
    page = reader.see("/sources")
    page.get_by_role("link", name="Connect a source").click()
    page.get_by_label("Find a database").fill(server.type)
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name=server.title).click()
    _filled(page, {"Name": "Two Words", **server.fields})
    page.get_by_role("button", name="Save and test").click()
    page.get_by_role("alert").get_by_text("must be a name").wait_for()
    assert "kept sealed" in page.locator(".field.secret").first.inner_text()
    assert PASSWORD not in page.content()
    page.get_by_label("Name").first.fill(server.name)
    page.get_by_role("button", name="Save and test").click()  # the password is not typed again
    page.get_by_text("was tested").wait_for()
    assert page.locator(".findings .bad").count() == 0
    steps = page.locator(".findings strong").all_inner_texts()
    assert {"Network", "TLS", "Login", "Read-only", "Privileges", "Version", "Clock"} - set(
        steps
    ) <= {"Network"}
    assert PASSWORD not in page.content()
    made = served.project.definitions.get("source", server.name)
    assert (made.managed, list(made.secrets)) == ("rowlift", ["password"])
    page.get_by_role("link", name="Edit").click()
    assert "Empty keeps it" in page.locator(".field.secret").first.inner_text()
    assert PASSWORD not in page.content()
    page.get_by_label("Description").fill("The shop")
    page.get_by_role("button", name="Save and test").click()
    page.get_by_text("was tested").wait_for()
    assert page.locator(".findings .bad").count() == 0
    assert served.project.definitions.get("source", server.name).version == 2
    page.goto("/sources")
    row = page.get_by_role("row").filter(has_text=server.name)
    assert "Works" in row.inner_text()
    assert server.fields["Host"] in row.inner_text()


@pytest.mark.door("ui")
def test_A18_missing_rights_come_with_the_statements_that_mend_them(
    reader: Reader, server: Server
) -> None:
    server.close()
    page = reader.see(f"/new/source?type={server.type}")
    _filled(page, {"Name": server.name, **server.fields})
    page.get_by_role("button", name="Only test").click()
    finding = page.locator(".findings li").filter(has_text=server.step)
    assert server.grant in finding.locator("pre").inner_text()
    page.goto("/sources")
    assert page.get_by_text(server.name).count() == 0


@pytest.mark.door("ui")
def test_B3_a_wrong_password_is_a_finding_before_anything_is_saved(
    readers: Readers, server: Server
) -> None:
    page = readers().see(f"/new/source?type={server.type}")
    _filled(page, {"Name": server.name, **server.fields, "Password": "not-the-right-one"})
    page.get_by_role("button", name="Only test").click()
    page.get_by_text("It does not work yet").wait_for()
    assert "LOGIN_FAILED" in page.locator(".findings .error").inner_text()
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Only test").click()
    page.get_by_text("It works").wait_for()
    page.get_by_role("button", name="Save and test").click()  # what was typed still stands there
    page.wait_for_url(f"**/sources/{server.name}?said=connected")
    assert page.locator(".findings .bad").count() == 0
    page.get_by_role("button", name="Test now").click()
    page.get_by_text("tested again").wait_for()
    assert page.locator(".findings .bad").count() == 0


@pytest.mark.door("ui")
def test_B3_each_step_of_a_test_shows_as_soon_as_it_is_found(
    readers: Readers, served: Api, mariadb_database: Any
) -> None:
    server, name = mariadb_database.server, f"slow_{mariadb_database.name[-8:]}".lower()
    with Proxy(server.host, server.port) as proxy:
        told = {
            "type": "mysql", "host": "127.0.0.1", "port": proxy.port, "user": server.user,
            "database": mariadb_database.name, "password": server.password,
        }  # fmt: skip
        _made(served, name, told)
        page = readers().see(f"/sources/{name}")
        page.get_by_role("button", name="Test now").click()
        page.get_by_text("tested again").wait_for()
        steps = page.locator(".findings strong")
        expect(steps.last).to_have_text("Clock")
        proxy.trouble = Trouble(after=proxy.longest - 60, then="stall")
        page.get_by_role("button", name="Test now").click()
        page.locator("#testing").wait_for()
        expect(steps.last).to_have_text("Version")
        assert page.get_by_role("button", name="Test now").is_disabled()
        proxy.trouble = Trouble()
        expect(steps.last).to_have_text("Clock")
        proxy.down()
        page.get_by_role("button", name="Test now").click()
        expect(page.locator("#verdict")).to_have_text("Does not work")


@pytest.mark.door("ui")
def test_B30_types_tables_and_columns_are_found(reader: Reader) -> None:
    page = reader.see("/new/source?q=mariadb")
    assert page.locator(".tilecard h2").all_inner_texts() == ["MySQL and MariaDB"]
    page.goto("/new/destination?q=parquet")
    assert page.locator(".tilecard h2").all_inner_texts() == ["Files"]
    page.goto("/sources/shop/tables")
    page.get_by_label("Find a schema, table or column").fill("PLAN")
    page.get_by_role("button", name="Find").click()
    page.wait_for_url("**/sources/shop/tables?q=PLAN")
    table = page.locator("details").filter(has_text="people")
    assert table.get_by_role("row").nth(1).inner_text().split()[0] == "plan"
    page.get_by_role("button", name="Ask anew").click()
    page.get_by_text("asked for anew").wait_for()
    assert page.get_by_label("Find a schema, table or column").input_value() == "PLAN"


@pytest.mark.door("ui")
def test_B29_the_form_shows_the_addresses_to_allow(readers: Readers, served: Api) -> None:
    own = served.project.addresses().addresses
    for path in ("/sources", "/new/source?type=postgres"):
        page = readers().see(path)
        shown = page.get_by_label("Addresses that connections come from")
        assert shown.inner_text().split() == list(own)


def test_what_is_wrong_stands_at_its_field(reader: Reader) -> None:
    page = reader.see("/new/source?type=postgres")
    _filled(page, {"Name": "Two Words", "Host": "db.example.com", "Port": "5432"})
    form = page.locator("form.sheet")
    form.evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Save and test").click()
    summary = page.get_by_role("alert")
    summary.wait_for()
    assert "must be a name" in summary.inner_text()
    assert page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    assert "two_words" in page.locator("#name-error").inner_text()
    assert page.get_by_label("Name").first.get_attribute("aria-invalid") == "true"
    page.get_by_label("Name").first.fill("two_words")
    form.evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Save and test").click()
    page.locator("#user-error").wait_for()
    assert page.locator("#database-error").inner_text().endswith("KEY_MISSING")
    assert page.get_by_label("Host").first.input_value() == "db.example.com"
    page.get_by_role("alert").get_by_role("link", name="Database").click()
    assert page.evaluate("document.activeElement.id") == "database"


def _made(served: Api, name: str, document: dict[str, Any]) -> None:
    served.project.definitions.by("ann", "ui").create("source", name, document)


def test_of_two_people_who_edit_the_second_is_told_and_loses_nothing(
    reader: Reader, readers: Readers, served: Api
) -> None:
    name, bob = f"twice_{id(reader)}", f"bob{id(reader)}@example.com"
    _made(served, name, {"type": "files", "root": "data"})
    page = reader.see(f"/sources/{name}/edit")
    page.get_by_label("Description").fill("mine")
    theirs = readers().becomes(bob, served).see(f"/sources/{name}/edit")
    theirs.get_by_label("Description").fill("theirs")
    theirs.get_by_role("button", name="Save and test").click()
    theirs.get_by_text("was tested").wait_for()
    page.get_by_role("button", name="Save and test").click()
    alert = page.get_by_role("alert")
    alert.get_by_text(f"{bob} saved it meanwhile").wait_for()
    assert "+description: theirs" in alert.inner_text()
    assert page.get_by_label("Description").input_value() == "mine"
    page.get_by_role("button", name="Save and test").click()
    page.get_by_text("was tested").wait_for()
    kept = served.project.definitions.get("source", name)
    assert (kept.version, kept.document["description"]) == (3, "mine")


def test_a_source_goes_once_its_name_is_typed_and_nothing_needs_it(
    reader: Reader, served: Api
) -> None:
    name = f"gone_{id(reader)}"
    _made(served, name, {"type": "files", "root": "data"})
    page = reader.see(f"/sources/{name}")
    page.get_by_role("link", name="Delete").click()
    page.get_by_text("What stays").wait_for()
    page.get_by_label("to delete it").fill("another")
    page.get_by_role("button", name="Delete source").click()
    page.get_by_text("nothing was changed").wait_for()
    page.get_by_label("to delete it").fill(name)
    page.get_by_role("button", name="Delete source").click()
    page.get_by_text("It is out of use").wait_for()
    assert name not in [one.name for one in served.project.connections.list("source")]
    page.goto("/sources/shop/delete")
    assert page.get_by_role("button", name="Delete source").count() == 0


@pytest.mark.door("ui")
def test_A23_requests_and_replies_show_while_one_looks(
    readers: Readers, served: Api, gate: tuple[str, threading.Event]
) -> None:
    gate[1].set()
    page = readers().see("/destinations/gate/requests")
    page.get_by_text("Live: new requests show here").wait_for()
    known = page.locator(".exchanges > li").count()
    served.project.service.trigger(["watched"])
    expect(page.locator(".exchanges > li")).not_to_have_count(known)
    newest = page.locator(".exchanges > li").first
    newest.locator("summary").click()
    assert "POST" in newest.inner_text()
    assert "200" in newest.inner_text()
    assert "ann" in newest.get_by_label("Body of the request").inner_text()


def test_S20_what_connections_say_is_shown_and_never_run(readers: Readers, served: Api) -> None:
    name = "hostile"
    _made(served, name, {"type": "sqlite", "path": HOSTILE, "description": HOSTILE})
    reader = readers()
    page = reader.see(f"/sources/{name}")
    page.get_by_role("button", name="Test now").click()
    expect(page.locator("#verdict")).to_have_text("Does not work")
    page.locator(".findings .error").wait_for()
    assert HOSTILE in page.locator(".findings .error").inner_text()
    for path in (f"/sources/{name}/edit", f"/sources/{name}/tables", "/sources", "/new/source",
                 f"/sources?q={HOSTILE}", f"/new/source?q={HOSTILE}",
                 f"/sources/shop/tables?q={HOSTILE}"):  # fmt: skip
        page = reader.see(path)
        assert page.locator("img").count() == 0
        assert "49" not in page.title()


@pytest.mark.door("ui")
def test_A23_a_test_message_shows_what_was_sent_and_answered(
    reader: Reader, gate: tuple[str, threading.Event]
) -> None:
    gate[1].set()
    page = reader.see("/destinations/gate")
    page.get_by_role("link", name="Test message").click()
    page.get_by_label("The record").get_by_text("rowlift-test").wait_for()
    page.get_by_role("button", name="Send a test").click()
    page.get_by_text("The destination took it.").wait_for()
    assert "records.test" in page.get_by_label("Body of the request").inner_text()
    page.get_by_role("link", name="Last requests", exact=True).click()
    page.get_by_text("rowlift_test").first.wait_for()


def test_a_slow_answer_shows_that_it_is_waited_for_and_nothing_goes_twice(
    readers: Readers, gate: tuple[str, threading.Event]
) -> None:
    gate[1].clear()
    page = readers().see("/destinations/gate/message")
    button = page.get_by_role("button", name="Send a test")
    button.click()
    page.get_by_role("status").get_by_text("Sending…").wait_for()
    expect(button).to_be_disabled()
    gate[1].set()
    page.get_by_text("The destination took it.").wait_for()
    expect(button).to_be_enabled()
