"""The SQL studio in a real browser, over a real PostgreSQL and a real MariaDB."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

import rowlift
from doors.api import Api
from rowlift.core.rights import Role
from servers.mariadb import MariaDbDatabase, MariaDbServer
from servers.postgres import PostgresDatabase, PostgresServer
from servers.room import free_port, unique_name
from ui.conftest import HOSTILE, Reader
from ui.looks import broken, too_wide
from world import World

Readers = Callable[..., Reader]

PASSWORD = "reads only"
STUDIO = "/queries/new"
KNOWN, ALL = 3, 5  # people of the workspace, and of the table
ODD = "<img src=x onerror=alert(1)>\"'"  # a name; {{…}} in a query is a variable of ours
GOOD = "select id, email, plan, spent from {0}people"
TWICE = "select plan as user_id, email from {0}people"
UNREADABLE = "select id,\n  plan from people where ("
ENDLESS = "select count(*) as user_id, 1 as n from generate_series(1, 100000000000)"
KNOWS_TABLES = """async () => {
  const editor = document.querySelector("sql-editor");
  while (!editor.tables) await new Promise(requestAnimationFrame);
}"""
WITHOUT_EDITOR, WITH_EDITOR = 60_000, 180_000  # bytes of scripts, compressed

PEOPLE = f"""
CREATE TABLE {{0}}people (
  id varchar(40), email varchar(80), plan varchar(200), spent numeric(10, 2));
INSERT INTO {{0}}people VALUES ('ann', 'ann@example.com', 'pro', 12.5),
  ('bob', 'bob@example.com', 'free', NULL), ('eve', 'eve@example.com', 'pro', 3),
  ('joe', 'joe@example.com', '{HOSTILE.replace("'", "''")}', 0), ('kim', NULL, 'free', 1)
"""
POSTGRES = """
CREATE SCHEMA zendesk; CREATE SCHEMA shop;
{people};
CREATE TABLE zendesk.users (id int, external_id text);
CREATE TABLE zendesk.tickets (id int, requester_id int, status text);
INSERT INTO zendesk.users VALUES (1, 'ann'), (2, 'new'), (3, NULL);
INSERT INTO zendesk.tickets VALUES (1, 1, 'open'), (2, 1, 'new'), (3, 2, 'hold'), (4, 3, 'open');
CREATE TABLE shop."{odd}" (id text, "{odd}" text);
INSERT INTO shop."{odd}" VALUES ('ann', '{value}');
CREATE ROLE {role} LOGIN PASSWORD '{password}';
GRANT USAGE ON SCHEMA shop, zendesk TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA shop, zendesk TO {role};
"""


@pytest.fixture(scope="module")
def postgres(postgres_server: PostgresServer) -> Iterator[tuple[PostgresDatabase, dict[str, Any]]]:
    name, role = unique_name(), unique_name()
    database = postgres_server.create_database(name)
    odd, value = ODD.replace('"', '""'), HOSTILE.replace("'", "''")
    script = POSTGRES.format(
        people=PEOPLE.format("shop."), odd=odd, value=value, role=role, password=PASSWORD
    )
    database.execute(script)
    yield database, {
        "type": "postgres", "host": "127.0.0.1", "port": postgres_server.port, "database": name,
        "user": role, "password": "${PASSWORD}", "sslrootcert": str(postgres_server.ca_file),
    }  # fmt: skip
    postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def mariadb(mariadb_server: MariaDbServer) -> Iterator[tuple[MariaDbDatabase, dict[str, Any]]]:
    name, role = unique_name(), unique_name()
    database = mariadb_server.create_database(name)
    database.execute(*filter(str.strip, PEOPLE.format("").split(";\n")))
    database.execute(
        f"CREATE USER {role} IDENTIFIED BY '{PASSWORD}'", f"GRANT SELECT ON `{name}`.* TO {role}"
    )
    yield database, {
        "type": "mysql", "host": "127.0.0.1", "port": mariadb_server.port, "database": name,
        "user": role, "password": "${PASSWORD}", "ssl_ca": str(mariadb_server.ca_file),
    }  # fmt: skip
    mariadb_server.stop_backends(name)
    mariadb_server.drop_database(name)


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: tuple[PostgresDatabase, dict[str, Any]],
    mariadb: tuple[MariaDbDatabase, dict[str, Any]],
) -> World:
    """Three of five people are in the workspace; one source is out of reach."""
    world = World(tmp_path_factory.mktemp("studio") / "acme", ("user_id",))
    world.sync |= {"workspace": "write", "source": "shop"}
    world.sync["sql"] = "select id, email from shop.people where id in ('ann', 'bob', 'eve')"
    world.save()
    gone = postgres[1] | {"port": free_port()}
    sources = {"shop": postgres[1], "maria": mariadb[1], "gone": gone}
    settings = json.loads((world.folder / "connections.yml").read_text())
    settings["profiles"]["dev"]["sources"] = sources
    world.write("connections.yml", settings)
    with rowlift.Project(world.folder, env={"PASSWORD": PASSWORD}) as project:
        project.run(["people"])
    return world


@pytest.fixture(scope="module")
def env() -> dict[str, str]:
    return {"PASSWORD": PASSWORD}


def write(page: Page, sql: str) -> None:
    page.locator("sql-editor .cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(sql)


def ran(page: Page) -> None:
    """Run the preview, and wait for its end."""
    with page.expect_request(lambda one: one.method == "POST" and one.url.endswith(STUDIO)):
        page.keyboard.press("ControlOrMeta+Enter")
    page.wait_for_selector("query-studio:not([data-busy])", state="attached")


def refused(reader: Reader) -> None:
    """Forget that the browser, too, tells of answers that refuse."""
    told = [one for one in reader.complaints if "Failed to load resource" not in one]
    reader.complaints[:] = told


@pytest.mark.door("ui")
@pytest.mark.parametrize(("source", "home"), [("shop", "shop."), ("maria", "")])
def test_A10_each_row_is_marked_and_who_is_known_is_one_click_away(
    readers: Readers, source: str, home: str
) -> None:
    page = readers().see(f"{STUDIO}?source={source}")
    write(page, GOOD.format(home))
    ran(page)
    marks = page.locator("#result .marks")
    assert f"{KNOWN} known" in marks.inner_text()
    assert f"{ALL - KNOWN} new" in marks.inner_text()
    assert "Unique and not null" in marks.inner_text()
    rows = page.locator(".sample tbody tr")
    assert rows.count() == ALL
    assert rows.nth(1).locator(".null").count() == 1
    assert "12.5" in rows.nth(0).locator("td.n").inner_text()
    assert page.get_by_title("New: not in the workspace yet").count() == ALL - KNOWN
    page.get_by_role("link", name="ann", exact=True).click()
    page.wait_for_url("**/people/id%3Aann")
    page.go_back()
    page.get_by_role("textbox", name="SQL").get_by_text("people").wait_for()
    page.reload()
    page.get_by_role("textbox", name="SQL").get_by_text("people").wait_for()


@pytest.mark.door("ui")
def test_A5_a_trait_is_made_of_a_query_that_was_previewed_well(
    readers: Readers, served: Api
) -> None:
    page = readers().see(f"{STUDIO}?source=shop")
    write(page, TWICE.format("shop."))
    ran(page)
    verdict = page.locator(".verdicts .bad").filter(has_text="more than once")
    assert "GROUP BY" in verdict.inner_text()
    assert verdict.get_by_role("link").inner_text() == "ID_DUPLICATE"
    assert page.get_by_role("button", name="Create the sync").count() == 0
    write(page, GOOD.format("shop."))
    ran(page)
    page.get_by_label("Name").fill("spenders")
    page.get_by_label("Every").fill("6")
    page.get_by_role("button", name="Create the sync").click()
    page.wait_for_url("**/syncs/spenders?said=sync-made")
    made = served.project.definitions.get("sync", "spenders").document
    assert made["schedule"] == {"every": "6h"}
    assert made["destinations"] == []


def test_people_who_are_really_new_are_taken(readers: Readers, served: Api) -> None:
    page = readers().see(f"{STUDIO}?source=shop")
    write(page, "select 'x' || i as user_id, i as n from generate_series(1, 300) i")
    ran(page)
    verdict = page.locator(".verdicts .bad").filter(has_text="does not know")
    assert "rowlift" not in verdict.inner_text()
    page.get_by_label("Name").fill("newcomers")
    page.get_by_label("These people are really new").check()
    page.get_by_role("button", name="Create the sync").click()
    page.wait_for_url("**/syncs/newcomers?said=sync-made")
    made = served.project.definitions.get("sync", "newcomers").document
    assert made["guards"] == {"unknown": "off"}


def test_a_query_goes_on_to_the_page_of_all_settings(readers: Readers) -> None:
    page = readers().see(f"{STUDIO}?source=maria")
    write(page, GOOD.format(""))
    ran(page)
    page.get_by_role("button", name="More settings").click()
    page.wait_for_url("**/drafts/*")
    page.get_by_role("textbox", name="Query").get_by_text("people").wait_for()


@pytest.mark.door("ui")
def test_A11_destinations_are_chosen(readers: Readers, served: Api) -> None:
    reader = readers(java_script_enabled=False)
    page = reader.see(f"{STUDIO}?source=maria")
    page.get_by_label("SQL", exact=True).fill(GOOD.format(""))
    page.get_by_role("button", name="Run preview").click()
    assert "without destinations" in page.get_by_text("None chosen").inner_text()
    page.get_by_label("crm").check()
    page.get_by_label("Name").fill("to_crm")
    page.get_by_role("button", name="Create the sync").click()
    page.wait_for_url("**/syncs/to_crm?said=sync-made")
    made = served.project.definitions.get("sync", "to_crm").document
    assert made["destinations"] == [{"use": "crm", "match": "user_id"}]


@pytest.mark.door("ui")
def test_B8_a_sync_begins_at_a_chosen_time(readers: Readers, served: Api) -> None:
    page = readers().see(f"{STUDIO}?source=shop")
    write(page, GOOD.format("shop."))
    ran(page)
    page.get_by_label("Name").fill("later")
    page.get_by_label("Every").fill("90")
    page.get_by_label("Unit").select_option("minutes")
    page.get_by_label("from", exact=True).fill("2030-05-06T07:08")
    page.get_by_role("button", name="Create the sync").click()
    page.wait_for_url("**/syncs/later?said=sync-made")
    made = served.project.definitions.get("sync", "later").document
    assert made["schedule"] == {"every": "90m", "start_at": "2030-05-06T07:08"}


def test_what_is_wrong_is_marked_in_the_text(readers: Readers) -> None:
    reader = readers()
    page = reader.see(f"{STUDIO}?source=shop")
    write(page, UNREADABLE)
    ran(page)
    assert page.locator("sql-editor .wrong").inner_text() == "("
    page.locator(".excerpt").click()
    page.keyboard.type("1")
    assert "where 1(" in page.get_by_role("textbox", name="SQL").inner_text()
    write(page, "select id, pla from shop.people")
    ran(page)
    assert page.locator("sql-editor .wrong").inner_text() == "pla"
    assert page.locator(".excerpt mark").inner_text() == "pla"
    page.get_by_role("link", name="COLUMN_UNKNOWN").click()
    page.get_by_role("heading", name="The column does not exist").wait_for()
    refused(reader)
    plain = readers(java_script_enabled=False)
    page = plain.see(f"{STUDIO}?source=shop")
    page.get_by_label("SQL", exact=True).fill(UNREADABLE)
    page.get_by_role("button", name="Run preview").click()
    assert page.locator(".excerpt mark").inner_text() == "("
    assert page.get_by_label("SQL", exact=True).input_value() == UNREADABLE
    refused(plain)


@pytest.mark.door("ui")
@pytest.mark.parametrize("scripts", [True, False])
def test_B7_columns_of_a_table_are_picked_without_writing_sql(
    readers: Readers, *, scripts: bool
) -> None:
    reader = readers(java_script_enabled=scripts)
    page = reader.see(f"{STUDIO}?source=maria")
    page.get_by_role("link", name="Pick from a table instead").click()
    page.get_by_text("people", exact=True).click()
    page.get_by_role("link", name="Pick columns of people").click()
    assert "ann@example.com" in page.get_by_role("row", name="email").inner_text()
    page.get_by_label("email", exact=True).uncheck()
    page.get_by_label("Only rows where").select_option("spent")
    page.get_by_label("compares as").select_option("is over")
    page.get_by_label("Value", exact=True).fill("much")
    page.get_by_role("button", name="Write the query").click()
    page.get_by_text("holds numbers").wait_for()
    refused(reader)
    page.get_by_label("Value", exact=True).fill("2")
    page.get_by_role("button", name="Write the query").click()
    page.wait_for_url("**/queries/new?source=maria&**")
    page.get_by_role("button", name="Run preview").click()
    page.locator("#save").wait_for()
    heads = page.locator(".sample th").all_inner_texts()
    assert [one.split()[0] for one in heads] == ["id", "plan", "spent"]
    assert page.locator(".sample tbody tr").count() == 2


@pytest.mark.door("ui")
def test_B7_everything_of_a_table_is_shown(readers: Readers) -> None:
    page = readers().see(f"{STUDIO}?source=shop&rules=import")
    write(page, "select * from shop.people")
    ran(page)
    assert page.locator(".sample th").count() == 4
    assert "4 of 300" in page.locator(".meters").inner_text()


@pytest.mark.door("ui")
def test_A4_templates_are_offered_first_where_the_source_has_their_tables(
    readers: Readers,
) -> None:
    page = readers().see(f"{STUDIO}?source=shop")
    fitting = page.locator(".templates a").first
    page.get_by_text("Its tables are there").wait_for(state="attached")
    assert fitting.inner_text() == "Zendesk open tickets"
    fitting.click()
    page.wait_for_url("**template=zendesk_open_ticket")
    page.locator("sql-editor .cm-content").click()
    ran(page)
    assert "has_open_ticket" in page.locator(".sample thead").inner_text()
    assert "1 known" in page.locator(".marks").inner_text()
    page.get_by_text("All 25 templates").click()
    assert (
        "needs stripe.charges"
        in page.locator(".offers li").filter(has_text="Stripe lifetime").inner_text()
    )


@pytest.mark.door("ui")
def test_A4_a_template_is_put_on_a_table_that_was_named(readers: Readers) -> None:
    page = readers(java_script_enabled=False).see(f"{STUDIO}/tables?source=maria")
    page.goto(f"{STUDIO}?source=maria")
    page.get_by_text("All 25 templates").click()
    page.get_by_role("link", name="Lifetime value", exact=True).click()
    page.get_by_text("maria shows no shop.orders.").wait_for()
    for place, name in (("", "people"), (".customer_id", "id"), (".ordered_at", "plan")):
        page.get_by_label(f"orders{place}", exact=True).fill(name)
    page.get_by_role("button", name="Write the query").click()
    assert "has: id, email, plan, spent." in page.locator("#result .message.bad").inner_text()
    page.get_by_label("orders.amount").fill("spent")
    page.get_by_role("button", name="Write the query").click()
    page.get_by_role("button", name="Run preview").click()
    page.locator("#save").wait_for()
    assert "lifetime_value" in page.locator(".sample thead").inner_text()


def test_tables_and_columns_are_completed_and_tab_leaves(readers: Readers) -> None:
    page = readers().see(f"{STUDIO}?source=shop")
    page.locator("#tables details").first.wait_for()
    with page.expect_response("**/api/v1/sources/shop/catalog"):
        write(page, "select u. from zendesk.users u")
    page.evaluate(KNOWS_TABLES)
    page.keyboard.press("Home")
    for _ in "select u.":
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Control+Space")
    offered = page.locator(".cm-tooltip-autocomplete li")
    offered.filter(has_text="external_id").wait_for()
    assert sorted(offered.all_inner_texts()) == ["external_idtext", "idinteger"]
    page.keyboard.press("Escape")
    write(page, "select co")
    page.keyboard.press("Control+Space")
    offered.filter(has_text="coalesce").wait_for()
    assert not {"cobol", "collation_name"} & set(offered.all_inner_texts())
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") != "SQL-EDITOR"
    page.keyboard.press("g")
    page.locator("sql-editor .cm-content").click()
    page.keyboard.type("gs?")
    assert page.url.startswith(f"{page.url.partition('/queries')[0]}{STUDIO}?source=shop")


def test_names_are_found_and_put_into_the_text(readers: Readers) -> None:
    page = readers().see(f"{STUDIO}?source=shop")
    page.get_by_label("Find a table or column").fill("external")
    expect(page.locator("#tables details")).to_have_count(1)
    page.get_by_role("button", name="external_id").click()
    page.get_by_role("button", name="Insert name").click()
    text = page.get_by_role("textbox", name="SQL").inner_text()
    assert text == "external_idzendesk.users"
    page.get_by_label("Source").select_option("maria")
    page.locator("#tables h2").filter(has_text="maria").wait_for()
    page.locator("#tables details").first.wait_for()


def test_a_preview_is_cancelled_and_its_query_stops(
    readers: Readers, postgres: tuple[PostgresDatabase, dict[str, Any]]
) -> None:
    database, source = postgres
    page = readers().see(f"{STUDIO}?source=shop")
    write(page, ENDLESS)
    page.keyboard.press("ControlOrMeta+Enter")
    page.get_by_text("Asking shop").wait_for()
    running = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND state = 'active'"
    with database.connect() as admin:

        def active() -> int:
            ((found,),) = admin.execute(running, [source["user"]]).fetchall()
            return int(str(found))

        until(lambda: active() > 0)
        page.get_by_role("button", name="Cancel").click()
        page.get_by_text("Cancelled: the query was stopped.").wait_for()
        until(lambda: active() == 0)
    assert page.get_by_role("button", name="Run preview").is_visible()


def test_a_source_that_is_down_is_told_in_words(readers: Readers) -> None:
    reader = readers()
    page = reader.see(f"{STUDIO}?source=gone")
    page.locator("#tables .message.bad").wait_for()
    write(page, GOOD.format("shop."))
    ran(page)
    told = page.locator("#result .message.bad").inner_text()
    assert "reach" in told
    assert "CONNECT" in told
    assert PASSWORD not in page.content()
    refused(reader)


def test_S20_names_and_values_of_a_source_are_shown_and_never_run(readers: Readers) -> None:
    page = readers().see(f"{STUDIO}?source=shop")
    page.locator("#tables summary").filter(has_text=ODD).click()
    page.get_by_role("link", name=f"Pick columns of {ODD}").click()
    page.get_by_role("button", name="Write the query").click()
    page.locator("sql-editor .cm-content").click()
    ran(page)
    assert page.locator(".sample").get_by_text(HOSTILE).count() == 1
    assert page.locator(".sample th").filter(has_text=ODD).count() == 1
    assert page.locator("img").count() == 0
    page.goto(f"{STUDIO}?source=shop&sql={HOSTILE}&template={HOSTILE}")
    assert page.locator("img").count() == 0
    page.goto(f"{STUDIO}/tables?source=shop&q={HOSTILE}")
    assert page.locator("img").count() == 0


def states(reader: Reader) -> Iterator[tuple[str, Page]]:
    """The studio and its pages, each as people meet it."""
    page = reader.see(f"{STUDIO}?source=shop")
    page.locator("#tables details").first.wait_for()
    yield "empty", page
    for name, sql in (("good", GOOD), ("rules", TWICE), ("wrong", UNREADABLE)):
        write(page, sql.format("shop."))
        ran(page)
        yield name, page
    for path in ("/tables?source=shop", "/tables?source=shop&q=nothing", "/tables?source=gone"):
        yield path, reader.see(STUDIO + path)
    yield "code", reader.see("/codes/ID_DUPLICATE")
    yield "picking", reader.see(f"{STUDIO}/table?source=shop&schema=shop&table=people")
    refused(reader)


def test_no_state_of_the_studio_breaks_a_rule_of_accessibility_or_is_wider_than_its_window(
    readers: Readers,
) -> None:
    wrong = []
    for name, page in states(readers()):
        wrong += [*broken(page, name), *too_wide(page, name)]
    assert wrong == []


def test_scripts_stay_small(readers: Readers) -> None:
    sizes: dict[str, int] = {}

    def weigh(answer: Response) -> None:
        if answer.url.split("?")[0].endswith(".js"):
            sizes[answer.url] = len(gzip.compress(answer.body()))

    page = readers().page
    page.on("response", weigh)
    page.goto("/syncs/people")
    page.wait_for_load_state("networkidle")
    assert 0 < sum(sizes.values()) <= WITHOUT_EDITOR
    page.goto(f"{STUDIO}?source=shop")
    page.wait_for_load_state("networkidle")
    assert WITHOUT_EDITOR < sum(sizes.values()) <= WITH_EDITOR


def test_who_may_not_edit_has_no_studio(readers: Readers, served: Api) -> None:
    with served.as_user(Role.VIEWER) as viewer:
        answer = viewer.get(served.url + STUDIO, headers={"accept": "text/html"})
        assert answer.status_code == 403
        shown = viewer.get(served.url + "/syncs", headers={"accept": "text/html"}).text
        assert "SQL studio" not in shown
    assert readers().see("/").get_by_role("link", name="SQL studio").is_visible()


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what comes by itself."""
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
