"""Write keys of two workspaces of one state: what comes under one never lands in the other."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from doors.api import serving
from intake import Inlet, written
from rowlift.core.errors import RowliftError
from rowlift.core.rights import Role
from rowlift.web.ingest.app import application
from rowlift.web.server import HttpServer

if TYPE_CHECKING:
    import rowlift

NAMES = ("acme", "beta")
LIST = ("/people", "/segments", "/keys", "/messages/rejects", "/objects/account")


@pytest.fixture
def inlets(tmp_path: Path) -> dict[str, Inlet]:
    """Two teams' folders on one state, each with a key called web."""
    made = {}
    for name in NAMES:
        made[name] = Inlet(tmp_path / name)
        made[name].workspace["name"] = name
        made[name].env["ROWLIFT_DATA_DIR"] = str(tmp_path / "data")
        made[name].save()
    return made


@pytest.fixture
def projects(inlets: dict[str, Inlet]) -> Iterator[dict[str, "rowlift.Project"]]:
    with ExitStack() as opened:
        yield {name: opened.enter_context(inlet.project()) for name, inlet in inlets.items()}


def messages(of: str) -> list[dict[str, Any]]:
    """The same ids from each team, which says of everything whose it is."""
    return [
        {"type": "identify", "userId": "ann", "anonymousId": "a1", "traits": {"of": of}},
        {"type": "identify", "userId": of, "traits": {"email": f"{of}@example.com"}},
        {"type": "group", "userId": "ann", "groupId": "club", "traits": {"of": of}},
        {"type": "track", "userId": "ann", "event": f"Bought by {of}"},
        {"type": "alias", "previousId": "a2", "userId": "ann"},
        {"type": "track", "userId": "", "event": f"Nobody of {of}"},
    ]


@pytest.mark.door("api")
def test_S15_what_comes_under_a_key_of_one_workspace_never_lands_in_another(
    inlets: dict[str, Inlet], projects: dict[str, "rowlift.Project"]
) -> None:
    keys = {name: one.ingest.create_key("web").secret for name, one in projects.items()}
    acme, beta = projects.values()
    with HttpServer(application(acme.ingest)) as server:

        def send(key: str, batch: list[dict[str, Any]]) -> int:
            numbered = [one | {"messageId": f"m{at}"} for at, one in enumerate(batch)]
            url, sent = f"{server.url}/v1/batch", {"batch": numbered}
            return httpx.post(url, json=sent, auth=(key, ""), trust_env=False).status_code

        assert [send(keys[name], messages(name)) for name in NAMES] == [200, 200]
        written(acme.ingest)
        written(beta.ingest)
        for name, project in projects.items():
            (other,) = {*NAMES} - {name}
            assert {one.id for one in project.people()} == {"ann", name}
            told = {one.name: one.value for one in project.person("ann").attributes}
            assert told["of"] == name
            assert [one.name for one in project.ingest.events("ann")] == [f"Bought by {name}"]
            assert [one.name for one in project.ingest.events("anonymous_id:a1")]
            with pytest.raises(RowliftError, match="NOT_FOUND"):
                project.person(other)
            inlet = inlets[name]
            with serving(inlet.folder, **inlet.env) as api, api.as_user(Role.ADMIN) as admin:
                seen = "".join(admin.get(path).raise_for_status().text for path in LIST)
            assert f"{name}@example.com" in seen
            assert f"{other}@example.com" not in seen
            assert keys[other] not in seen

        beta.suppress(["id:ann"])
        acme.ingest.revoke_key("web")
        later = [{"type": "track", "userId": "ann", "event": "Later"}]
        assert send(keys["beta"], [one | {"messageId": "later"} for one in later]) == 200
        (kept,) = beta.ingest.keys()
        assert kept.name == "web", "only the other workspace's was revoked"
        written(acme.ingest)
        written(beta.ingest)
        assert "Later" not in {one.name for one in acme.ingest.events("ann")}
