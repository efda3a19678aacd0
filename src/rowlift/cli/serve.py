"""rowlift serve."""

import gc
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Annotated, Literal

import typer

from rowlift.cli import exits
from rowlift.cli.interrupts import held, unwind
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal
from rowlift.core.errors import StateError
from rowlift.kit.logs import about, log_to
from rowlift.operations.opening import found_if_empty
from rowlift.operations.project import Project
from rowlift.scheduler.service import ServiceLoop
from rowlift.state.definitions import Author
from rowlift.web.app import application
from rowlift.web.ingest.app import application as inlet
from rowlift.web.office import Office
from rowlift.web.server import HttpServer
from rowlift.web.shell import LOOPBACK
from rowlift.workers.alerting import AlertWorker
from rowlift.workers.ingesting import IngestWorker
from rowlift.workers.tidying import TidyWorker

Host = Annotated[str, typer.Option(help="Address to answer at.", metavar="ADDRESS")]
Port = Annotated[int, typer.Option(help="Port to answer at; 0 takes a free one.", min=0, max=65535)]
AllowedHosts = Annotated[
    list[str] | None,
    typer.Option("--allow-host", help="A name that leads to it; once for each.", metavar="NAME"),
]
LogFormat = Annotated[
    Literal["text", "json"],
    typer.Option(
        "--log", envvar="ROWLIFT_LOG", metavar="text|json",
        help="text for people, or JSON lines, which hold no value of a row and no reply.",
    ),
]  # fmt: skip

OBJECTS_PER_COLLECTION = 100_000  # a process that stays keeps less of what is of no use

_log = logging.getLogger("rowlift.service")


class Log:
    """A line of the log for each beginning and end; phases are left out."""

    def __init__(self, *, for_people: bool) -> None:
        self.for_people = for_people

    def phase(self, task: str, phase: str, total: int | None = None) -> None: ...

    def advance(self, task: str, rows: int) -> None: ...

    def note(self, task: str, text: str, detail: str = "") -> None:
        with about(task=task, detail=detail):
            _log.info("%s", text)


@partial(_command, unwinds=False)
def command(
    terminal: Terminal,
    host: Host = "127.0.0.1",
    port: Port = 7070,
    allowed_hosts: AllowedHosts = None,
    log_format: LogFormat = "text",
) -> int:
    """Begins a run at each slot of a schedule and when it is asked for, and delivers beside it.

    Answers the HTTP API, and takes in messages of SDKs, meanwhile. Changed files are taken in
    without a restart. Ctrl-C or SIGTERM ends it in order, within 15 s; ended in any other way, the
    next start goes on where it stopped.
    """
    level = logging.WARNING if terminal.quiet else logging.INFO
    log_to(sys.stderr, as_json=log_format == "json", level=level)
    log = Log(for_people=log_format == "text")
    answering = partial(
        _answering, terminal, (host, port), {*LOOPBACK, host, *(allowed_hosts or ())}
    )
    try:
        unwind()
        if name := found_if_empty(terminal.folder, os.environ, Author("console", "cli")):
            log.note("service", f"There was no project here; the workspace {name} was made.")
        gc.set_threshold(OBJECTS_PER_COLLECTION)
        with terminal.project(log) as project, _in_time(terminal), held() as ready:
            _serve(log, project, answering, ready)
    except KeyboardInterrupt:  # it was starting
        pass
    log.note("service", "Ended in order.")
    return exits.DONE


def _serve(
    log: Log,
    project: Project,
    answering: Callable[[Project], AbstractContextManager[str]],
    ready: Callable[[], None],
) -> None:
    """Begin what works beside the loop, and serve; what has begun is ended in order."""
    serving = project.serving()
    loop = ServiceLoop(serving)
    with (
        AlertWorker(serving.alerts, serving.hindrance),
        TidyWorker(serving.tidy),
        answering(project) as url,
    ):
        log.note("service", f"The API answers at {url}/api/v1")
        _welcome(log, project, url)
        loop.run(ready)


@contextmanager
def _in_time(terminal: Terminal) -> Iterator[None]:
    """Leave at once where something did not end: in a driver it would keep the process."""
    try:
        yield
    except StateError as error:
        if error.code != "DRAIN_LATE":
            raise
        terminal.error(error)
        os._exit(exits.FAILED)


@contextmanager
def _answering(
    terminal: Terminal, at: tuple[str, int], names: Collection[str], project: Project
) -> Iterator[str]:
    """Answer over HTTP during a block; yields the address."""
    office = Office(lambda: Project(terminal.folder, profile=terminal.profile))
    office.project()  # now, before the files can name another workspace than is served
    with IngestWorker(project.ingest) as worker:
        messages = inlet(project.ingest, worker.wake)
        with HttpServer(application(office, messages, names), *at) as server:
            yield server.url


def _welcome(log: Log, project: Project, url: str) -> None:
    """Say how the first admin gets in; the code is not for logs that others keep."""
    if not log.for_people and not project.access.accounts.is_set_up:
        log.note("service", "Nobody works here yet: rowlift users add EMAIL --role admin")
    elif code := project.access.accounts.setup_code():
        log.note("service", f"Nobody works here yet. The first admin signs up with {code}")
        log.note("service", f"In a browser that is {url}/setup?code={code}")
    else:
        log.note("service", f"In a browser it is {url}/")
