"""The ingest API in a process of its own, forked from a warm one."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import requests
import uvicorn

import rowlift
from doors.forks import started
from rowlift.core import faults
from rowlift.web.ingest.app import application
from rowlift.workers.ingesting import IngestWorker

_SECONDS = 120
POINTS = [
    f"ingest.{commit}_commit"
    for name in ("accept", "slice", "settle")
    for commit in (f"{name}.before", f"{name}.after")
]


@contextmanager
def serving(folder: Path, *, spec: str = "", **env: str) -> Iterator[str]:
    """Serve a project and yield the address; with `spec` a crash point is armed."""
    ours, theirs = Pipe()
    child = started(_serve, str(folder), theirs, spec, env)
    try:
        assert ours.poll(_SECONDS), "the service did not start"
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        child.kill()
        child.join(_SECONDS)


def post_until_killed(key: str, address: str, who: str, first: int) -> Iterator[int]:
    """Post event after event of a new person and yield the numbers of those that were answered."""
    for number in range(first, first + 1000):
        event = {"userId": who, "event": str(number), "messageId": f"m{number}"}
        try:
            answer = requests.post(
                f"{address}/v1/track", data=json.dumps(event), auth=(key, ""), timeout=60
            )
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            return  # killed before or amid its answer
        assert answer.json() == {"success": True}
        yield number
    pytest.fail("the service was never killed")


def _serve(folder: str, told: Connection, spec: str, env: dict[str, str]) -> None:
    faults.arm(spec)
    with (
        rowlift.Project(folder, env={**os.environ, **env}) as project,
        socket.create_server(("127.0.0.1", 0)) as listening,
        IngestWorker(project.ingest) as worker,
    ):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(application(project.ingest, worker.wake), log_level="warning")
        told.send(listening.getsockname()[1])
        uvicorn.Server(config).run([listening])
