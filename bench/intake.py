"""The round of the ingest API: messages taken in from several senders, and written."""

import sys
from collections.abc import Iterator
from pathlib import Path

import rowlift
from bench import measure, project
from bench.measure import WrongResult
from bench.stage import Sample, Stage

SERVICE = str(Path(__file__).with_name("service.py"))
MOST = 200_000
WRITTEN = "taken in and written"
NO_SOURCE = {"type": "sqlite", "path": "none.db"}


def taking_in(stage: Stage, rows: int) -> Iterator[Sample]:
    """Measure the service, its start and its senders with it, until all is in the workspace."""
    messages = min(rows, MOST)
    with stage.project() as folder:
        project.write(folder, NO_SOURCE, {"people": {"sql": "SELECT 1", **project.TO_WORKSPACE}})
        words = [sys.executable, SERVICE, str(messages)]
        cost = measure.run(words, folder, project.ENV, stage.around())
        with rowlift.Project(folder, env=project.ENV) as written:
            if written.ingest.rejects() or written.ingest.waiting_bytes():
                raise WrongResult("some messages were not written")
        yield Sample(WRITTEN, messages, cost)
