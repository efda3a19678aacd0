"""Sources in processes of their own, for drivers that run in ours and may not end when asked.

A call that takes hours is ended with its process: by its limit, by who cancels it, by its reader's
leaving, and by our own end however sudden. Processes are kept warm for the next source. Rows come
through a socket, so that no more of them is under way than it holds.
"""

import atexit
import os
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import Pipe
from shutil import rmtree
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from rowlift.core.errors import SourceError
from rowlift.core.ports import Source
from rowlift.core.rules import rule
from rowlift.kit.arrowchild import ENVIRONMENT

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from pydantic import BaseModel

    from rowlift.core.nouns import Finding

PROGRAM = "rowlift.kit.sourcechild"
PRELOADED = ("rowlift.sources.duckdb", "rowlift.sources.files", "rowlift.sources.sqlite")
HEEDED = (*ENVIRONMENT, "TZ")  # no secret is in them
KEPT = 2  # processes that wait for the next source, with some 100 MB each
IDLE_SECONDS = 300.0
GRACE_SECONDS = 2.0  # after a limit, in which a driver may end by itself


class Process:
    """A process that answers one call at a time; any thread may end it."""

    def __init__(self) -> None:
        self.line, theirs = Pipe()
        self._folder = tempfile.mkdtemp(prefix="rowlift-source-")
        kept = {name: os.environ[name] for name in HEEDED if name in os.environ}
        self._child = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", "-m", PROGRAM, str(theirs.fileno()), *PRELOADED],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env=kept | {"TMPDIR": self._folder},
            start_new_session=True,  # Ctrl-C is for the parent, which ends it
        )
        theirs.close()

    @property
    def is_alive(self) -> bool:
        """Tell whether it has not ended by itself."""
        return self._child.poll() is None

    def kill(self) -> None:
        """End it; whoever waits for its answer finds that it is gone."""
        self._child.terminate()

    def end(self) -> None:
        """End it and let go of all it had."""
        self.kill()
        self._child.wait()
        self.line.close()
        rmtree(self._folder, ignore_errors=True)

    def last_words(self) -> str:
        """Tell how it ended, which it has or is about to."""
        with suppress(subprocess.TimeoutExpired):
            code = self._child.wait(1)
            return f"by signal {-code}" if code < 0 else f"with code {code}"
        return "without a word"


class Processes:
    """The processes of this one that wait for a source to be asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[Process, threading.Timer] = {}

    def take(self) -> Process:
        """Return one that answers; a new one takes half a second to load its drivers."""
        while True:
            with self._lock:
                if not self._idle:
                    break
                process, timer = self._idle.popitem()
            timer.cancel()
            if process.is_alive:
                return process
            process.end()
        process = Process()
        try:
            process.line.recv()
        except (EOFError, OSError):
            raise _gone(process) from None
        return process

    def give_back(self, process: Process) -> None:
        """Keep one, which waits for its next call, for some minutes."""
        timer = threading.Timer(IDLE_SECONDS, self._retire, [process])
        timer.daemon = True
        with self._lock:
            if keep := len(self._idle) < KEPT:
                self._idle[process] = timer
                timer.start()
        if not keep:
            process.end()

    def end(self) -> None:
        """End those that wait."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for process, timer in idle.items():
            timer.cancel()
            process.end()

    def forget(self) -> None:
        """Leave them, in a fork, to the process whose they are."""
        self._lock, self._idle = threading.Lock(), {}

    def _retire(self, process: Process) -> None:
        with self._lock:
            was_idle = self._idle.pop(process, None)
        if was_idle:
            process.end()


PROCESSES = Processes()
atexit.register(PROCESSES.end)
os.register_at_fork(after_in_child=PROCESSES.forget)


class SourceProcess:
    """A source whose every call is answered by another process; calls may go on side by side."""

    def __init__(self, kind: type[Source], config: "BaseModel") -> None:
        self.Config = kind.Config
        self.dialect = kind.dialect
        self._kind = kind
        self._config = config
        self._seconds: float = getattr(config, "statement_timeout", 3600.0)
        self._lock = threading.Lock()
        self._calls: set[_Call] = set()
        self._ours: list[Process] = []  # which have the source built
        weakref.finalize(self, _let_go, self._calls, self._ours)

    def check(self) -> Iterator["Finding"]:
        """Test the source, and tell each step as it ends."""
        call = self._called("check")
        try:
            while steps := self._answer(call):
                yield from steps
            self._ended(call)
        finally:
            self._dropped(call)

    def describe(self, sql: str) -> Any:
        """Return the output columns of a query."""
        return self._asked("describe", sql)

    def catalog(self) -> Any:
        """Return what this user may read."""
        return self._asked("catalog")

    def now(self) -> Any:
        """Return the source's own clock."""
        return self._asked("now")

    def query(self, sql: str, *, limit: int | None = None) -> pa.RecordBatchReader:
        """Stream the result in bounded memory; a late row's error comes out of the reader."""
        call = self._called("query", sql, limit=limit)
        schema = pa.ipc.read_schema(pa.py_buffer(self._answer(call)))
        return pa.RecordBatchReader.from_batches(schema, self._batches(call, schema))

    def cancel(self) -> None:
        """End what is under way; safe to call from another thread."""
        with self._lock:
            calls = list(self._calls)
        for call in calls:
            call.cancel()

    def close(self) -> None:
        """End what is under way, and leave the processes to the next source."""
        with self._lock:
            calls, ours = list(self._calls), len(self._ours)
        for call in calls:
            call.cancel()
            self._dropped(call)
        for _ in range(ours):
            with suppress(SourceError):
                self._asked("close")
                PROCESSES.give_back(self._ours.pop())

    def _asked(self, method: str, *given: Any) -> Any:
        call = self._called(method, *given)
        answer = self._answer(call)
        self._ended(call)
        return answer

    def _called(self, method: str, *given: Any, **named: Any) -> "_Call":
        with self._lock:
            process = self._ours.pop() if self._ours else None
        call = _Call(process or PROCESSES.take(), self._seconds)
        with self._lock:
            self._calls.add(call)
        call.ask((self._kind, self._config, method, given, named))
        return call

    def _answer(self, call: "_Call") -> Any:
        """Return what a call answers; raises what the source raised."""
        try:
            answer, error = call.heard()
        except BaseException:
            self._dropped(call)
            raise
        if error:
            self._ended(call)
            raise error
        return answer

    def _batches(self, call: "_Call", schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            while message := call.received():
                yield pa.ipc.read_record_batch(pa.py_buffer(message), schema)
            self._answer(call)
            self._ended(call)
        finally:
            self._dropped(call)

    def _ended(self, call: "_Call") -> None:
        """Keep the process of a call that has its answer for the next one."""
        with self._lock:
            self._calls.remove(call)
            self._ours.append(call.process)

    def _dropped(self, call: "_Call") -> None:
        """End the process of a call that has not."""
        with self._lock:
            if call not in self._calls:
                return
            self._calls.remove(call)
        call.process.end()


class FactSourceProcess(SourceProcess):
    """The same of a source that also tells what a query will cost."""

    def facts(self, sql: str) -> Any:
        """Return what the catalogue says of a query."""
        return self._asked("facts", sql)


class _Call:
    """One call that a process answers, until its deadline or until somebody cancels it."""

    def __init__(self, process: Process, seconds: float) -> None:
        self.process = process
        self._until = time.monotonic() + seconds + GRACE_SECONDS
        self._code = ""

    def ask(self, request: object) -> None:
        with suppress(OSError):  # gone: `heard` finds it so
            self.process.line.send(request)

    def cancel(self) -> None:
        self._code = self._code or "QUERY_CANCELLED"
        self.process.kill()

    def heard(self) -> Any:
        """Return the next thing that the process said; raises SourceError where it is gone."""
        self._wait()
        try:
            return self._line.recv()
        except (EOFError, OSError):
            raise self._gone() from None

    def received(self) -> bytes:
        """Return the next batch; nothing after the last."""
        self._wait()
        try:
            return self._line.recv_bytes()
        except (EOFError, OSError):
            raise self._gone() from None

    @property
    def _line(self) -> "Connection[Any, Any]":
        return self.process.line

    def _wait(self) -> None:
        if not self._line.poll(max(0.0, self._until - time.monotonic())):
            self._code = self._code or "QUERY_TIMEOUT"
            raise self._gone()

    def _gone(self) -> SourceError:
        if self._code:
            return SourceError(self._code, rule(self._code).title, mend=rule(self._code).mend)
        return _gone(self.process)


def _let_go(calls: "set[_Call]", ours: list[Process]) -> None:
    """End what a source has that nobody closed."""
    for process in (*(call.process for call in calls), *ours):
        process.end()


def _gone(process: Process) -> SourceError:
    text = f"The process that reads the source ended {process.last_words()}"
    mend = "It may have needed more memory than there is: make the query smaller."
    process.end()
    return SourceError("QUERY_FAILED", text, mend=mend)


def in_a_process(kind: type[Source], config: "BaseModel") -> Source:
    """Return a source of a kind, asked in a process of its own."""
    made = FactSourceProcess if hasattr(kind, "facts") else SourceProcess
    return cast("Source", made(kind, config))
