"""A new sync by mouse and keys, with and without scripts, on PostgreSQL and MariaDB, to a sink."""

import json
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from doors.api import Api
from e2e.jobs import PASSWORD, Warehouse, mariadb_warehouse, postgres_warehouse
from rowlift.testing.sink import Sink
from servers import MariaDbServer, PostgresServer
from ui.conftest import HOSTILE, Reader
from ui.looks import broken, too_wide
from world import World

Readers = Callable[..., Reader]

CUSTOMERS = (
    "CREATE TABLE customers (customer_no varchar(20), mail varchar(40), plan varchar(20))",
    "INSERT INTO customers VALUES ('c1', 'ann@example.com', 'pro'), ('c2', 'bo@example.com', NULL)",
    "INSERT INTO customers VALUES ('c3', 'cy@example.com', 'free')",
    'CREATE TABLE "<img src=x onerror=alert(1)>" (id varchar(20), "<b>x</b>" varchar(20))',
)


@pytest.fixture(scope="module")
def warehouses(
    postgres_server: PostgresServer, mariadb_server: MariaDbServer
) -> Iterator[dict[str, Warehouse]]:
    with postgres_warehouse(postgres_server) as first, mariadb_warehouse(mariadb_server) as second:
        for one in (first, second):
            quote = '"' if one.kind == "postgres" else "`"
            one.execute(*(statement.replace('"', quote) for statement in CUSTOMERS))
        yield {"postgres": first, "maria": second}


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, warehouses: dict[str, Warehouse], sink: Sink
) -> World:
    """A project with two servers as sources, a Segment sink, and a sync that files manage."""
    world = World(tmp_path_factory.mktemp("new") / "acme", ("user_id", "email", "plan"))
    world.sync |= {"workspace": "write"}
    world.rows(("ann", "ann@example.com", HOSTILE))
    world.run()
    (world.folder / "password").write_text(PASSWORD)
    secret = f"${{file:{world.folder / 'password'}}}"
    world.others["segment"] = {
        "type": "segment", "write_key": secret, "endpoint": f"{sink.url}/v1",
        "allow_networks": ["127.0.0.1/32"],
    }  # fmt: skip
    world.save()
    connections = json.loads((world.folder / "connections.yml").read_text())
    for name, one in warehouses.items():
        connections["profiles"]["dev"]["sources"][name] = one.settings(password=secret)
    world.write("connections.yml", connections)
    return world


def begin(page: Page, how: str, name: str) -> None:
    page.goto("/syncs")
    page.get_by_role("link", name="New sync").click()
    page.get_by_role("button", name=how).click()
    page.wait_for_url("**/drafts/*")
    page.get_by_label("Name", exact=True).fill(name)


def go_on(page: Page, step: str) -> None:
    """Press the button that keeps the step and goes on."""
    with page.expect_navigation():  # what is being kept is kept first
        page.locator(f"#{step}").get_by_role("button", name="Continue").click()


def written(page: Page, sql: str) -> None:
    """Put a query into the textarea or the editor, whichever is there."""
    editor = page.locator("sql-editor .cm-content")
    if page.evaluate("typeof customElements === 'object' && !!customElements.get('sql-editor')"):
        editor.click()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.insert_text(sql)
    else:
        page.locator("textarea[name=sql]").fill(sql)


@pytest.mark.door("ui")
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("source", ["postgres", "maria"])
def test_B28_people_of_a_table_reach_a_destination_without_sql(
    readers: Readers, served: Api, sink: Sink, warehouses: dict[str, Warehouse], source: str,
    scripts: bool,
) -> None:  # fmt: skip
    page = readers(java_script_enabled=scripts).see("/")
    name = f"{source}_{'with' if scripts else 'without'}"
    begin(page, "People from a table", name)
    page.get_by_label("Source", exact=True).select_option(source)
    go_on(page, "query")
    tables = page.get_by_label("Table", exact=True).locator("option").all_text_contents()
    (customers,) = (one for one in tables if one.endswith("customers"))
    page.get_by_label("Table", exact=True).select_option(customers)
    go_on(page, "query")
    columns = page.get_by_role("region", name="Columns of customers, table")
    columns.get_by_role("row").filter(has_text="mail").get_by_text("ann@example.com").wait_for()
    page.get_by_label("customer_no identifies the row").check()
    page.get_by_label("Take mail").uncheck()
    page.get_by_role("button", name="Preview rows").first.click()
    page.wait_for_url("**look=query*")
    page.get_by_role("region", name="First rows of the query, table").get_by_text("c1").wait_for()
    assert page.locator(".fates").inner_text().split()[-1] == "3"
    page.locator('input[name="to"][value="segment"]').check()
    page.get_by_label("What plan is called at segment").fill("tier")
    page.get_by_label("Every", exact=True).fill("6")
    page.locator('input[name="segment"][value="new"]').check()
    page.get_by_label("Name of the segment").fill(f"All of {name}")
    go_on(page, "destinations")
    told = page.locator("#story .prose").inner_text()
    assert told.startswith(f"Every 6 hours, Rowlift runs a query on {source} whose rows are people")
    assert "What changed goes to segment (as user_id; plan as tier)." in told
    assert page.locator(".slots li").count() == 5
    page.reload()
    assert page.get_by_label("Name of the segment").input_value() == f"All of {name}"
    page.get_by_role("button", name="Start").click()
    page.get_by_text("first run was asked for").wait_for()
    served.project.refresh()
    until(lambda: [one for one in served.project.runs(name) if one.is_over and one.deliveries])
    until(lambda: {"c1", "c3"} <= {one.get("userId") for one in taken(sink)})
    (traits,) = {json.dumps(one["traits"]) for one in taken(sink) if one.get("userId") == "c1"}
    assert json.loads(traits)["tier"] == "pro"
    assert served.project.segment(f"All of {name}").members == 3
    kept = served.project.definitions.get("sync", name).document
    assert list(kept) == [
        "sync", "source", "sql", "identify_by", "schedule", "segment", "destinations",
    ]  # fmt: skip
    assert warehouses[source].kind in {"postgres", "mysql"}


def taken(sink: Sink) -> list[dict[str, object]]:
    return [record for request in list(sink.requests) for record in request.records]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)


@pytest.mark.door("ui")
def test_B9_B10_B12_each_step_is_kept_through_reloads_and_back(
    readers: Readers, served: Api
) -> None:
    page = readers().see("/")
    begin(page, "People from a query", "kept")
    page.get_by_label("Source", exact=True).select_option("postgres")
    written(page, "SELECT customer_no AS id, mail AS email, plan FROM customers")
    page.locator('input[name="identify_by"][value="email"]').check()
    page.locator('input[name="mode"][value="update"]').check()
    page.get_by_label("Empty values").select_option("delete")
    page.get_by_text("Draft kept just now").wait_for()
    until(lambda: page.locator("#story-aside").inner_text().count("deletes the attribute"))
    page.reload()
    assert page.locator('input[name="mode"]:checked').input_value() == "update"
    assert page.get_by_label("Empty values").input_value() == "delete"
    go_on(page, "identify")
    page.get_by_role("link", name="Runs").first.click()
    page.go_back()
    page.get_by_label("Empty values").wait_for()
    assert page.locator('input[name="identify_by"]:checked').input_value() == "email"
    assert "each known by its email" in page.locator("#story-aside").inner_text()
    served.project.refresh()
    assert "kept" not in {one.name for one in served.project.ls()}
    page.goto("/syncs")
    page.get_by_role("link", name="kept").click()
    page.get_by_role("button", name="Drop draft").click()
    page.get_by_text("The draft is dropped.").wait_for()


def test_every_step_stands_after_a_reload_and_after_going_back(readers: Readers) -> None:
    page = readers().see("/")
    begin(page, "People from a query", "steps")
    version = page.locator("#version input")
    acts: tuple[Callable[[], object], ...] = (
        lambda: page.get_by_label("Source", exact=True).select_option("shop"),
        lambda: page.get_by_label("Description").fill("Who pays"),
        lambda: written(page, "SELECT user_id, email, plan FROM people"),
        lambda: page.locator('input[name="identify_by"][value="user_id"]').check(),
        lambda: page.get_by_label("Empty values").select_option("delete"),
        lambda: page.locator('input[name="segment"][value="new"]').check(),
        lambda: page.get_by_label("Name of the segment").fill("Payers"),
        lambda: page.locator('input[name="to"][value="crm"]').check(),
        lambda: page.get_by_label("Every", exact=True).fill("6"),
    )
    stands = filled(page)
    for act in acts:
        before, was = version.input_value(), stands
        act()
        page.locator("h1").click()
        if filled(page) != was:
            expect(version).not_to_have_value(before)
        stands = filled(page)
        page.reload()
        assert filled(page) == stands
        page.goto("/syncs")
        page.go_back()
        assert filled(page) == stands
    assert {"Payers", "Who pays", "SELECT user_id, email, plan FROM people"} <= {*stands.values()}
    for said in ("Who paid", "Who pays now"):  # sooner than it is kept
        page.get_by_label("Description").fill(said)
        page.reload()
        expect(page.get_by_label("Description")).to_have_value(said)
        page.wait_for_load_state()
    page.get_by_label("Empty values").select_option("ignore")
    page.get_by_text("Draft kept just now").wait_for()
    page.locator('input[name="when"][value="at"]').check()
    page.get_by_label("At", exact=True).fill("09:30")
    page.reload()
    expect(page.get_by_label("At", exact=True)).to_have_value("09:30")


def filled(page: Page) -> dict[str, str]:
    """Return what stands in the form of a draft."""
    page.locator("draft-form form").wait_for()
    read = "() => Object.fromEntries(new FormData(document.querySelector('#draft')))"
    ours = {"csrf", "version", "window"}
    return {name: one for name, one in page.evaluate(read).items() if name not in ours}


@pytest.mark.door("ui")
@pytest.mark.parametrize("source", ["postgres", "maria"])
def test_A5_B27_what_is_wrong_is_told_before_anything_starts(
    readers: Readers, served: Api, source: str
) -> None:
    reader = readers(java_script_enabled=False)
    page = reader.see("/")
    begin(page, "People from a query", f"bad_{source}")
    page.get_by_label("Source", exact=True).select_option(source)
    page.locator("textarea[name=sql]").fill(
        "SELECT plan AS user_id, mail AS note FROM customers ORDER BY mail LIMIT 3"
    )
    page.locator('input[name="identify_by"][value="user_id"]').check()
    page.get_by_role("button", name="Preview rows").first.click()
    page.get_by_text("The identifier is null in 1 row").wait_for()
    page.get_by_text("LIMIT_LOSES_ROWS").first.wait_for()
    page.get_by_role("button", name="Start").click()
    summary = page.locator("#summary")
    summary.get_by_text("PREVIEW_STOPS").wait_for()
    assert "ID_NULL" in summary.inner_text()
    served.project.refresh()
    assert f"bad_{source}" not in {one.name for one in served.project.ls()}
    reader.complaints.clear()  # the browser tells of each answer with 409


def test_what_is_wrong_with_a_query_is_marked_where_it_is_written(readers: Readers) -> None:
    reader = readers()
    page = reader.see("/")
    begin(page, "People from a query", "marked")
    page.get_by_label("Source", exact=True).select_option("shop")
    page.locator('input[name="identify_by"][value="user_id"]').check()
    written(page, "SELECT user_id,\n  plan FROM (")
    page.get_by_label("Description").click()
    marks = page.locator("sql-editor .cm-content .wrong")
    expect(marks).to_have_text("(")
    code = page.locator("#said-query").get_by_role("link", name="SQL_UNREADABLE")
    assert code.get_attribute("href") == "/codes/SQL_UNREADABLE"
    written(page, "SELECT user_id, nope FROM people")
    page.get_by_role("button", name="Preview rows").first.click()
    page.wait_for_url("**look=query*")
    expect(marks).to_have_text("nope")
    assert page.locator("#said-query mark").inner_text() == "nope"
    reader.complaints.clear()  # the browser tells of the answer with 409


@pytest.mark.door("ui")
def test_B18_two_people_edit_one_sync_and_nothing_is_lost(readers: Readers, served: Api) -> None:
    document = {
        "preset": "import", "source": "shop", "sql": "SELECT user_id, plan FROM people",
        "identify_by": "user_id",
    }  # fmt: skip
    served.project.definitions.create("sync", "shared", document)
    reader = readers()
    page = reader.see("/syncs/shared")
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Description").fill("Hers")
    page.get_by_label("Description").blur()
    page.get_by_text("Draft kept just now").wait_for()
    his = readers().becomes("bob@example.com", served).see("/syncs/shared")
    his.get_by_role("button", name="Edit").click()
    his.get_by_label("Rows that leave the result").select_option("clear")
    his.get_by_role("button", name="Save changes").click()
    his.get_by_text("takes effect at the next run").wait_for()
    page.get_by_role("button", name="Save changes").click()
    page.get_by_role("heading", name="bob@example.com changed shared").wait_for()
    page.get_by_text("+removed: clear").wait_for()
    page.get_by_role("button", name="Take their changes in").click()
    page.get_by_text("Their changes are taken in: removed").wait_for()
    page.get_by_role("button", name="Save changes").click()
    page.get_by_text("takes effect at the next run").wait_for()
    kept = served.project.definitions.get("sync", "shared").document
    assert (kept["description"], kept["removed"]) == ("Hers", "clear")
    page.goto("/syncs/shared/history?version=1")
    page.get_by_role("button", name="Restore version 1").click()
    page.get_by_text("The version is brought back.").wait_for()
    reader.complaints.clear()  # the browser tells of the answer with 412


def test_a_slow_server_loses_no_change(readers: Readers) -> None:
    page = readers().see("/")
    begin(page, "People from a query", "slowly")
    page.get_by_label("Source", exact=True).select_option("shop")

    def late(route: Route) -> None:
        time.sleep(1)
        route.continue_()

    page.route("**/drafts/*", late)
    page.get_by_label("Description").fill("first")
    page.get_by_label("Description").blur()
    page.get_by_text("Keeping …").wait_for()
    page.get_by_label("Description").fill("second")
    page.get_by_label("Object", exact=False).first.focus()
    page.get_by_text("Draft kept just now").wait_for()
    page.unroute("**/drafts/*")
    until(lambda: page.request.get(page.url, headers={"accept": "application/json"}).json()
          ["draft"]["document"].get("description") == "second")  # fmt: skip
    assert page.get_by_label("Description").input_value() == "second"


def test_the_pages_of_a_sync_being_made_break_no_rule(readers: Readers, served: Api) -> None:
    reader = readers()
    page = reader.see("/drafts")
    begin(page, "People from a table", "plain")
    page.get_by_label("Source", exact=True).select_option("postgres")
    page.get_by_text("Draft kept just now").wait_for()
    empty = page.url
    begin(page, "People from a query", "Not a Name!")
    page.get_by_label("Source", exact=True).select_option("shop")
    written(page, "SELECT user_id, email, plan FROM people")
    page.locator('input[name="identify_by"][value="user_id"]').check()
    page.locator('input[name="to"][value="crm"]').check()
    page.get_by_role("button", name="Preview rows").first.click()
    page.get_by_text(HOSTILE).first.wait_for()
    assert page.locator("img").count() == 0
    seen, wrong = page.url.partition("#")[0], []
    for path in ("/drafts", "/syncs", empty, seen, "/syncs/people/history", "/syncs/people/delete"):
        reader.see(path)
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 844})
            wrong += broken(page, f"{path} in {width} pixels")
        wrong += too_wide(page, path)
    assert wrong == []
    assert served.project.ls()
