"""The project behind the server, while its files change under it."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from doors.api import Api
from rowlift.core.rights import Role
from world import World


@contextmanager
def scheduled(api: Api) -> Iterator[None]:
    """Say that a service runs the schedules."""
    serving = api.project.serving()
    service = serving.start()
    try:
        yield
    finally:
        serving.home.store.services.end(service)


def described(client: httpx.Client) -> str:
    document = client.get("/definitions/sync/people").json()["document"]
    return str(document.get("description", ""))


@pytest.mark.door("api")
def test_B18_files_that_name_another_workspace_wait_for_a_restart(api: Api, shop: World) -> None:
    with scheduled(api), api.as_user(Role.EDITOR) as editor:
        assert editor.get("/service").json()["problem"] == ""
        shop.workspace["name"] = "other"
        shop.sync["description"] = "of the other one"
        shop.save()
        assert editor.get("/about").json()["workspace"] == "acme"
        assert described(editor) == ""
        told = editor.get("/service").json()["problem"]
        assert "WORKSPACE_CHANGED" in told
        assert "acme" in told
        assert "other" in told
        assert "WORKSPACE_CHANGED" in editor.get(f"{api.url}/").text
        assert editor.post("/segments", json={"name": "Beta"}).status_code == 201
        made = {"name": "hook", "document": {"type": "webhook", "url": "https://example.com/a"}}
        assert editor.post("/definitions/destination", json=made).status_code == 201
        named = [one["name"] for one in editor.get("/definitions?kind=destination").json()["items"]]
        assert named == ["crm", "hook"]
        shop.workspace["name"] = "acme"
        shop.save()
        assert editor.get("/service").json()["problem"] == ""
        assert described(editor) == "of the other one"


def test_what_is_made_here_is_in_force_also_while_files_are_broken(api: Api, shop: World) -> None:
    with scheduled(api), api.as_user(Role.EDITOR) as editor:
        assert editor.get("/service").json()["problem"] == ""
        (shop.folder / "syncs" / "more.yml").write_text("sync: [")
        made = {"name": "hook", "document": {"type": "webhook", "url": "https://example.com/a"}}
        answer = editor.post("/definitions/destination", json=made)
        assert answer.status_code == 201, answer.text
        assert editor.get("/connections/destination/named/hook").status_code == 200
        assert "YAML_INVALID" in editor.get("/service").json()["problem"]
