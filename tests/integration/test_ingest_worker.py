"""The boundary of the ingest API: a reply means durable, and what is durable is written."""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from faults.disks import disk, filled, needs_root
from intake import Asked, Inlet, written
from rowlift.core.errors import StateError
from rowlift.operations.ingesting import Ingest
from rowlift.state.intake import Accepted
from rowlift.web.ingest import app, spool
from rowlift.web.ingest.calls import Refused
from rowlift.web.ingest.spool import Spool
from rowlift.workers.ingesting import IngestWorker
from served import until

ANN = {"userId": "ann", "traits": {"plan": "free"}}
BODY = b'{"type":"track","userId":"ann","event":"Bought"}'


@pytest.fixture
def inlet(tmp_path: Path) -> Inlet:
    return Inlet(tmp_path / "acme")


class Gate:
    """Makes requests durable once it is open; fails while `error` says so."""

    def __init__(self, ingest: Ingest) -> None:
        self.error: StateError | None = None
        self.opened = threading.Event()
        self.wakes = 0
        self._ingest = ingest

    def accept(self, requests: Sequence[Accepted]) -> None:
        assert self.opened.wait(60)
        if self.error:
            raise self.error
        self._ingest.accept(requests)

    def wake(self) -> None:
        self.wakes += 1


def spooled(inlet: Inlet, work: Callable[[Spool, Gate, Ingest], Coroutine[Any, Any, None]]) -> None:
    with inlet.opened() as asked:
        gate = Gate(asked.project.ingest)

        async def go() -> None:
            await work(Spool(gate.accept, gate.wake), gate, asked.project.ingest)

        asyncio.run(go())


def request() -> Accepted:
    return Accepted(1, "track", 0.0, BODY)


def test_a_request_is_answered_once_it_is_durable_and_not_before(inlet: Inlet) -> None:
    async def work(spool: Spool, gate: Gate, ingest: Ingest) -> None:
        first, gone = (asyncio.create_task(spool.put(request())) for _ in range(2))
        await asyncio.sleep(0)
        later = asyncio.create_task(spool.put(request()))
        await asyncio.sleep(0)
        gone.cancel()  # its sender hung up, which takes nothing back
        assert not first.done()
        assert ingest.waiting_bytes() == 0
        gate.opened.set()
        await asyncio.gather(first, later)
        assert ingest.waiting_bytes() == 3 * len(BODY)
        assert gate.wakes

    spooled(inlet, work)


def test_what_cannot_be_made_durable_is_refused_alone(inlet: Inlet) -> None:
    async def work(spool: Spool, gate: Gate, ingest: Ingest) -> None:
        gate.opened.set()
        gate.error = StateError("STATE_FULL", "no room")
        for answer in await asyncio.gather(
            *(spool.put(request()) for _ in range(3)), return_exceptions=True
        ):
            assert answer is gate.error
        gate.error = None
        await spool.put(request())
        assert ingest.waiting_bytes() == len(BODY)

    spooled(inlet, work)


def test_S30_more_than_fits_into_the_buffer_is_refused_until_there_is_room(
    inlet: Inlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MOST_BYTES", 2 * len(BODY))

    async def work(spool: Spool, gate: Gate, ingest: Ingest) -> None:
        fitting = [asyncio.create_task(spool.put(request())) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Refused) as refused:
            await spool.put(request())
        assert (refused.value.status, refused.value.retry_after) == (429, 1)
        gate.opened.set()
        await asyncio.gather(*fitting)
        await spool.put(request())
        assert ingest.waiting_bytes() == 3 * len(BODY)

    spooled(inlet, work)


def test_S30_nothing_is_taken_while_too_much_waits_to_be_written(
    inlet: Inlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "MOST_WAITING", len(BODY))
    with inlet.opened() as asked:
        asked.project.ingest.accept([request(), request()])
        refused = asked.post("identify", ANN)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
        written(asked.project.ingest)
        monkeypatch.setattr(app, "_LOOK_SECONDS", 0)
        assert asked.post("identify", ANN).status_code == 200


@needs_root
def test_F20_a_full_disk_takes_nothing_in_and_loses_nothing(tmp_path: Path) -> None:
    with disk(tmp_path / "small", "20m") as small:
        inlet = Inlet(small / "acme")
        with inlet.opened() as asked, IngestWorker(asked.project.ingest) as worker:
            assert asked.post("identify", ANN).status_code == 200
            with filled(small):
                refused = until(lambda: _refused(asked))
                assert refused.json()["code"] == "state_full"
                assert refused.headers["retry-after"] == "5"
            later = {**ANN, "traits": {"plan": "pro"}}
            assert asked.post("identify", later).status_code == 200
            worker.wake()
            until(lambda: asked.project.ingest.waiting_bytes() == 0)
            assert asked.attributes("ann") == {"plan": "pro"}


def _refused(asked: Asked) -> Any:
    """Post until the room that files have already is used up."""
    answer = asked.post("identify", {"userId": "bob", "traits": {"note": "x" * 30_000}})
    assert answer.status_code in {200, 503}
    return answer if answer.status_code == 503 else None


@pytest.mark.parametrize(
    "error", [StateError("STATE_LOCKED", "away"), RuntimeError("nobody foresaw it")], ids=repr
)
def test_the_worker_outlives_what_fails_says_it_once_and_writes_it_later(
    inlet: Inlet,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failed = threading.Semaphore(0)

    def fail(_: Ingest) -> None:
        failed.release()
        raise error

    with inlet.opened() as asked:
        asked.post("identify", ANN)
        with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
            patch.setattr(Ingest, "write_some", fail)
            with IngestWorker(asked.project.ingest) as worker:
                for _ in range(3):
                    worker.wake()
                    assert failed.acquire(timeout=60)
                patch.undo()
                worker.wake()
                until(lambda: asked.project.ingest.waiting_bytes() == 0)
        assert asked.attributes("ann") == {"plan": "free"}
    told = [one for one in caplog.records if "Messages wait" in one.getMessage()]
    assert len(told) == 1
