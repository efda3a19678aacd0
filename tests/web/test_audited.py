"""What is changed on pages and on the console is written into the audit log."""

from pathlib import Path

import pytest

from doors.api import Api
from doors.cli import run_cli
from rowlift.core.rights import Role
from web.test_pages import Reader
from world import World


@pytest.mark.door("api")
def test_S36_an_audience_that_is_made_and_changed_on_its_page_is_written_down(api: Api) -> None:
    with Reader(api, Role.EDITOR) as editor:
        pro = "where: {attribute: plan, is: pro}"
        editor.post("/new/audience", name="pros", document=pro, do="keep")
        free = "where: {attribute: plan, is: free}"
        editor.post("/audiences/pros/edit", document=free, version="1", do="keep")
        editor.post("/audiences/pros/delete", version="2")
    lines = [one for one in api.project.access.audit.page() if one.action.startswith("audience")]
    assert [one.action for one in lines] == ["audience.archive", "audience.edit", "audience.create"]
    assert lines[1].before["where"] == {"attribute": "plan", "is": "pro"}
    assert lines[1].after["where"] == {"attribute": "plan", "is": "free"}


@pytest.mark.door("cli")
def test_S36_what_is_changed_on_the_console_is_written_down(shop: World, tmp_path: Path) -> None:
    for words in (
        ("apply",),
        ("keys", "create", "site"),
        ("keys", "revoke", "site"),
        ("suppress", "id:gone"),
        ("pause", "people"),
        ("resume", "people"),
        ("run", "--allow-removals"),
        ("runs", "1", "--csv"),
        ("people", "export", str(tmp_path / "people.jsonl")),
        ("segments", "create", "vips"),
        ("state", "reset", "people", "--yes"),
        ("state", "rotate-key"),
        ("people", "delete", "id:ann", "--yes"),
    ):
        assert run_cli(*words, cwd=shop.folder, env=shop.env).code in {0, 1}, words
    with shop.project() as project:
        lines = [(one.action, one.subject) for one in project.access.audit.page()][::-1]
    assert lines == [
        ("workspace.create", "acme"), ("source.create", "shop"), ("destination.create", "crm"),
        ("sync.create", "people"), ("key.create", "site"), ("key.revoke", "site"),
        ("suppress", ""), ("sync.pause", "people"), ("sync.resume", "people"), ("sync.run", ""),
        ("rejects.export", "1"), ("people.export", ""), ("segment.create", "vips"),
        ("sync.reset", "people"), ("secrets.rotate", ""), ("person.erase", ""),
    ]  # fmt: skip
