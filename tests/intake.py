"""A project whose ingest API is asked in this process, and a key for it."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from rowlift.operations.ingesting import Ingest
from rowlift.web.ingest.app import application
from world import World

if TYPE_CHECKING:
    import rowlift


class Inlet(World):
    """Send messages, let them be written, and look at the workspace."""

    def __init__(self, folder: Path, state_url: str = "") -> None:
        super().__init__(folder, ("user_id", "email", "plan"))
        self.env = {"ROWLIFT_STATE_URL": state_url} if state_url else {}
        self.sync["workspace"] = "write"
        self.rows()

    @contextmanager
    def opened(self) -> Iterator["Asked"]:
        with self.project() as project:
            yield Asked(project)


class Asked:
    """An open project with a write key; `post` answers as a server would."""

    def __init__(self, project: "rowlift.Project") -> None:
        self.project = project
        self.key = project.ingest.create_key("web").secret
        self._app = application(project.ingest)

    def post(self, path: str, body: Any = None, **how: Any) -> httpx.Response:
        how.setdefault("auth", (self.key, ""))
        if body is not None:
            how["content"] = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", path, **how)

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        return asyncio.run(self._ask(method, path, **how))

    async def _ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, f"/v1/{path}", **how)

    def send(self, *messages: dict[str, Any]) -> Any:
        """Post a batch, and write whatever waits."""
        answer = self.post("batch", {"batch": messages})
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        return written(self.project.ingest)

    def attributes(self, who: str) -> dict[str, Any]:
        return {one.name: one.value for one in self.project.person(who).attributes}

    def refused(self) -> list[tuple[str, str]]:
        """Return code and identifier of refused messages, the first that came first."""
        return [(one.code, one.identifier) for one in reversed(self.project.ingest.rejects(1000))]


def written(ingest: Ingest) -> Any:
    """Write all that waits and return what became of it."""
    total = None
    while found := ingest.write_some():
        total = found if total is None else total + found
    return total
