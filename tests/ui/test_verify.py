"""A destination is read back in a real browser: what differs, its repair, and all well again."""

import json
from collections.abc import Callable

import pytest

from doors.api import Api
from ui.conftest import HOSTILE, Reader
from ui.looks import broken, too_wide
from world import World


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two people who were delivered, one of whom somebody changed in the sandbox by hand."""
    world = World(tmp_path_factory.mktemp("ui") / "acme")
    world.rows(("ann", "pro"), ("bob", "free"))
    world.run()
    message = {
        "op": "upsert", "key": {"user_id": "ann"}, "message_id": "by-hand",
        "attributes": {"plan": HOSTILE},
    }  # fmt: skip
    request = {"batch": "", "keys": [], "attempt": 0, "answered": True, "messages": [message]}
    with world.log().open("a") as file:
        file.write(json.dumps({**request, "timestamp": ""}) + "\n")
    return world


@pytest.mark.door("ui")
def test_C14_a_destination_is_verified_and_repaired_on_its_page(
    readers: Callable[..., Reader], served: Api
) -> None:
    page = readers().see("/destinations")
    page.get_by_role("link", name="crm", exact=True).click()
    page.get_by_role("link", name="Verify", exact=True).click()
    page.get_by_text("It was not verified yet").wait_for()
    wrong = [*broken(page), *too_wide(page)]
    page.get_by_role("button", name="Verify now").click()
    page.get_by_text("It was read back").wait_for()  # each step shows before, on the former page
    page.get_by_text("50 % of all records match.").wait_for()
    row = page.get_by_role("row").filter(has_text="message by-hand")
    assert row.inner_text().split("\t") == [
        "people", "ann", "drifted", "plan", "pro", HOSTILE, "message by-hand",
    ]  # fmt: skip
    wrong += [*broken(page, "what differs"), *too_wide(page)]
    page.get_by_role("button", name="Make it due again").click()
    page.get_by_text("What differs is due again.").wait_for()
    served.project.run(["people"])
    page.get_by_role("button", name="Verify now").click()
    page.get_by_text("It was read back").wait_for()
    page.get_by_text("100 % of all records match.").wait_for()
    page.goto("/destinations/workspace/verify")
    page.get_by_role("heading", name="Verify the workspace").wait_for()
    assert wrong == []
