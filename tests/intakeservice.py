"""The ingest API in a process of its own, forked from a warm one."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import uvicorn

import rowlift
from doors.forks import started
from rowlift.core import faults
from rowlift.web.ingest.app import application
from rowlift.workers.ingesting import IngestWorker

_SECONDS = 120


@contextmanager
def serving(folder: Path, *, spec: str = "") -> Iterator[str]:
    """Serve a project and yield the address; with `spec` a crash point is armed."""
    ours, theirs = Pipe()
    child = started(_serve, str(folder), theirs, spec)
    try:
        assert ours.poll(_SECONDS), "the service did not start"
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        child.kill()
        child.join(_SECONDS)


def _serve(folder: str, told: Connection, spec: str) -> None:
    faults.arm(spec)
    with (
        rowlift.Project(folder) as project,
        socket.create_server(("127.0.0.1", 0)) as listening,
        IngestWorker(project.ingest) as worker,
    ):
        config = uvicorn.Config(application(project.ingest, worker.wake), log_level="warning")
        told.send(listening.getsockname()[1])
        uvicorn.Server(config).run([listening])
