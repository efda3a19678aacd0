"""What guards stop, mended in a browser by the button that stands beside it."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from doors.api import Api
from rowlift import Project
from rowlift.core.errors import GuardStop
from rowlift.operations.reports import RunReport
from served import until
from ui.conftest import Reader
from ui.looks import broken, too_wide
from world import World

Readers = Callable[..., Reader]

SYNC: dict[str, Any] = {
    "preset": "traits", "source": "shop", "identify_by": "user_id", "destinations": [],
}  # fmt: skip
ONE = "user_id,email,plan\nann,ann@example.com,pro\n"
MANY = "".join(f"n{at},n{at}@example.com,pro\n" for at in range(201))
# Each sync: what is edited of it, or what its table holds, before the run that is stopped.
AFTER: dict[str, tuple[dict[str, Any], str]] = {
    "strict": ({}, f"{ONE},bob@example.com,free\n"),
    "rekeyed": ({"identify_by": "email"}, ONE),
    "many": ({}, f"{ONE}bob,bob@example.com,free\n"),
    "strangers": ({}, ONE + MANY),
    "emptied": ({}, ONE.replace("pro", "free")),
}
RAN_BEFORE = ("rekeyed", "emptied")
LIMITS = {"many": {"limits": {"rows": 1}}}
WHERE = {"emptied": " WHERE plan = 'pro'"}
# By sync: what opens its remedy, the button, and what the page says then.
BUTTONS = {
    "strict": ("Let the good rows pass", "Leave bad rows out from now on", "The sync is changed."),
    "many": ("Let more rows through", "Let 10 rows through", "The sync is changed."),
    "strangers": ("They are really new", "Let them all be new", "The sync is changed."),
    "rekeyed": (
        "Begin anew with this identifier", "Forget what was sent", "What was sent is forgotten.",
    ),
    "people": (
        "Begin anew with this account", "Forget what was sent there", "What was sent is forgotten.",
    ),
    "emptied": (
        "Allow the removals of one run", "Run once with removals allowed", "The run was asked for.",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Six syncs, of each of which a guard has stopped a run, or what it sends."""
    world = World(tmp_path_factory.mktemp("guards") / "acme", ("user_id", "email", "plan"))
    world.sync |= {"workspace": "write"}
    world.rows(("zoe", "zoe@example.com", "pro"))
    world.run()
    world.rows(("zoe", "zoe@example.com", "free"))
    world.crm["account"] = "another one's"
    world.run()
    for name in AFTER:
        (world.folder / "data" / f"{name}.csv").write_text(ONE)
    with world.project() as project:
        ours = project.definitions.by("ann", "ui")
        for name in AFTER:
            sql = f"SELECT user_id, email, plan FROM {name}{WHERE.get(name, '')}"
            ours.create("sync", name, SYNC | {"sql": sql} | LIMITS.get(name, {}))
        project.refresh()
        project.run(RAN_BEFORE)
        for name, (edit, table) in AFTER.items():
            _stopped(world, project, name, edit, table)
    return world


def _stopped(world: World, project: Project, name: str, edit: dict[str, Any], table: str) -> None:
    (world.folder / "data" / f"{name}.csv").write_text(table)
    if edit:
        one = project.definitions.get("sync", name)
        project.definitions.edit("sync", name, dict(one.document) | edit, expected=one.version)
        project.refresh()
    with pytest.raises(GuardStop):
        project.run([name])


def newest(served: Api, name: str) -> RunReport:
    return served.project.runs(name, 1)[0]


def _is_new(run: RunReport, known: int) -> bool:
    return run.id > known and run.is_over


@pytest.mark.door("ui")
def test_C4_what_a_guard_stopped_goes_on_by_the_button_beside_it(
    readers: Readers, served: Api, shop: World
) -> None:
    reader, wrong = readers(), []
    page = reader.see("/syncs/strict")
    page.get_by_role("button", name="Try 10 rows").click()
    page.get_by_role("alert").get_by_text("BAD_ROWS").wait_for()
    page.get_by_text(BUTTONS["strict"][0], exact=True).click()
    wrong += [*broken(page, "a plan that is stopped"), *too_wide(page)]
    known = {name: newest(served, name).id for name in BUTTONS}
    for name, told in BUTTONS.items():
        page = reader.see(f"/runs/{known[name]}")
        page.get_by_text(told[0], exact=True).click()
        wrong += [*broken(page, name), *too_wide(page, name)]
        page.get_by_role("button", name=told[1], exact=True).click()
        page.get_by_text(told[2]).wait_for()
    assert wrong == []
    served.project.refresh()
    served.project.service.trigger([name for name in BUTTONS if name != "emptied"])
    until(lambda: all(_is_new(newest(served, name), known[name]) for name in BUTTONS))
    found = {name: newest(served, name).counts for name in BUTTONS}
    assert {name: one.get("added") for name, one in found.items()} == {
        "strict": 1, "many": 2, "strangers": 202, "rekeyed": 1, "people": 0, "emptied": 0,
    }  # fmt: skip
    assert found["emptied"]["removed"] == 1
    until(lambda: shop.applied()["zoe"]["plan"] == "free")


@pytest.mark.door("ui")
def test_C2_a_whole_run_is_foreseen_and_done_or_refused_while_the_sync_is_paused(
    readers: Readers, served: Api
) -> None:
    page, known = readers().see("/syncs/people"), newest(served, "people").id
    _foresee(page)
    page.get_by_role("heading", name="What a run would do").wait_for()
    assert [*broken(page), *too_wide(page)] == []
    served.project.pause("people")
    page.get_by_role("button", name="Run exactly this").click()
    page.get_by_role("alert").get_by_text("people is paused.").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("The sync runs again").wait_for()
    assert served.project.paused(["people"]) == []
    _foresee(page)
    page.get_by_role("button", name="Run exactly this").click()
    page.get_by_text("The run was asked for.").wait_for()
    until(lambda: _is_new(newest(served, "people"), known))


def _foresee(page: Page) -> None:
    page.get_by_text("More", exact=True).click()
    page.get_by_role("button", name="What a run would do").click()


@pytest.mark.door("ui")
def test_C6_a_run_is_undone_by_the_button_on_its_page(
    readers: Readers, served: Api, shop: World
) -> None:
    table = shop.folder / "data" / "regretted.csv"
    table.write_text(ONE)
    ours = served.project.definitions.by("ann", "ui")
    sql = "SELECT user_id, plan AS regretted FROM regretted"
    ours.create("sync", "regretted", SYNC | {"sql": sql})
    served.project.refresh()
    _asked(served, 0)
    table.write_text(ONE.replace("pro", "wrong"))
    run = _asked(served, newest(served, "regretted").id)
    reader = readers()
    page = reader.see(f"/runs/{run}")
    page.get_by_role("button", name="Undo this run …").click()
    page.get_by_role("heading", name=f"Undo run {run}").wait_for()
    page.get_by_text('regretted "wrong"').wait_for()
    wrong = [*broken(page, "a plan"), *too_wide(page, "a plan")]
    page.get_by_role("button", name="Undo exactly this").click()
    page.get_by_text("The run was asked for.").wait_for()
    until(lambda: _is_new(newest(served, "regretted"), run))
    (plan,) = served.project.person("ann").attributes[-1:]
    assert (plan.name, plan.value) == ("regretted", "pro")
    page = reader.see("/syncs/regretted")
    page.get_by_text("1 row of this sync stays as an undo left it").wait_for()
    wrong += [*broken(page, "a sync"), *too_wide(page, "a sync")]
    assert wrong == []
    page.get_by_role("button", name="Let them come back").click()
    page.get_by_text("What was undone may come back").wait_for()
    page = reader.see(f"/runs/{run}")
    page.get_by_text("This run was undone.").wait_for()


def _asked(served: Api, known: int) -> int:
    """Let the service run a sync; returns the number of its run."""
    served.project.service.trigger(["regretted"])

    def is_over() -> bool:
        found = served.project.runs("regretted", 1)
        return bool(found) and _is_new(found[0], known)

    until(is_over)
    return newest(served, "regretted").id
