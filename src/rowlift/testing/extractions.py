"""The contract of a source behind a network: read through a proxy that makes it go wrong."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Literal, Self

import pytest

from rowlift.core.errors import SourceError
from rowlift.core.nouns import Status
from rowlift.core.ports import Source
from rowlift.registry import source_kind
from rowlift.testing.fake import deliveries
from rowlift.testing.folder import SYNC, Folder
from rowlift.testing.proxy import Proxy, Trouble
from rowlift.testing.sources import BIG_ROWS, SourceSuite

MOST_SECONDS = 30  # that anything but a stalled read may take
STALLED_SECONDS = 25  # from a stall to its error, with a statement timeout of a second
CANCEL_SECONDS = 5
ROWS = 20_000
PEOPLE = 3_000
MIDST = 200_000  # bytes after which a read of 20,000 rows of 200 bytes is under way
CUTS = 20
BROKEN = ("SOURCE_DROPPED", "CONNECT_FAILED", "TLS_FAILED", "QUERY_FAILED")


@dataclass(frozen=True, slots=True)
class Origin:
    """A server that holds the table `people`: the source's type and settings, host and port in it.

    `stop` ends every connection to it as an administrator would; `running` counts the queries that
    our user has running.
    """

    type: str
    settings: Mapping[str, Any]
    stop: Callable[[], object]
    running: Callable[[], int]


class NetworkSourceSuite(SourceSuite):
    """Provide the fixture `origin` instead of `source`, and the snippets of SourceSuite.

    The server must be reached over loopback, so that its certificate also holds for the proxy.
    """

    streams: ClassVar[bool] = True  # rows come as they arrive, not in large blocks
    user_id: ClassVar[str] = "user_id"  # as an alias that keeps its case
    driver: ClassVar[str]  # the vendor's module; of a child, what its files or its program contain

    @pytest.fixture
    def origin(self) -> Origin:
        raise NotImplementedError

    @pytest.fixture
    def source(self, origin: Origin) -> Iterator[Source]:
        source = _built(origin, statement_timeout=60)
        yield source
        source.close()

    @pytest.fixture
    def proxy(self, origin: Origin) -> Iterator[Proxy]:
        with Proxy(origin.settings["host"], origin.settings["port"]) as proxy:
            yield proxy

    @pytest.fixture
    def far(self, origin: Origin, proxy: Proxy) -> Iterator[Source]:
        """The source through the proxy."""
        source = _built(origin, **_through(proxy), connect_timeout=2, statement_timeout=60)
        yield source
        source.close()

    def some(self, columns: str = "id, name", rows: int = ROWS) -> str:
        """Return a query for a part of `big`."""
        return f"SELECT {columns} FROM ({self.big}) AS b WHERE id < {rows}"

    def test_the_rows_come_by_the_driver_through_a_socket_from_another_process(
        self, far: Source, proxy: Proxy, origin: Origin
    ) -> None:
        assert far.query(self.some(rows=PEOPLE)).read_all().num_rows == PEOPLE
        assert proxy.longest > PEOPLE
        assert not _listens_here(origin.settings["port"])
        proxy.trouble = Trouble(after=MIDST, bandwidth=200_000)
        reader = far.query(self.big)
        _wait_for(lambda: self.driver in sys.modules or any(map(self._has_driver, _children())))
        reader.close()

    def _has_driver(self, process: Path) -> bool:
        """Tell whether one of our processes has the driver: as a library, or as its program."""
        with suppress(OSError):  # it has just ended
            loaded = (process / "maps").read_bytes() + (process / "cmdline").read_bytes()
            return self.driver.encode() in loaded
        return False

    def test_a_slow_network_changes_nothing(self, far: Source, proxy: Proxy) -> None:
        proxy.trouble = Trouble(latency=0.01)
        table = _within(MOST_SECONDS, lambda: far.query(self.some(rows=PEOPLE)).read_all())
        assert table.num_rows == PEOPLE

    def test_F29_a_server_that_is_down_is_told_and_found_again(
        self, far: Source, proxy: Proxy
    ) -> None:
        proxy.down()
        for ask in (far.now, far.catalog, lambda: far.query(self.some()).read_all()):
            with self.refused(far, "CONNECT_FAILED"):
                ask()
        (found,) = [one for one in far.check() if one.level == "error"]
        assert (found.step, found.code) == ("network", "CONNECT_FAILED")
        proxy.up()
        assert far.query(self.some()).read_all().num_rows == ROWS

    def test_T7_F30_a_read_that_is_cut_anywhere_is_an_error(
        self, far: Source, proxy: Proxy
    ) -> None:
        sql = self.some(rows=PEOPLE)
        assert far.query(sql).read_all().num_rows == PEOPLE
        whole = proxy.longest
        within = Random(whole).sample(range(2, whole - 60), CUTS - 4)  # noqa: S311
        cuts = [0, 1, *sorted(within), whole - 60, whole - 9]
        broken = 0
        for cut, how in zip(cuts, cycle(_CUTS), strict=False):
            proxy.trouble = Trouble(after=cut, then=how)
            reading = _Reading(far, sql)
            reading.wait(MOST_SECONDS)
            proxy.trouble = Trouble()
            if reading.code:
                assert reading.code in BROKEN, (cut, how)
                broken += 1
            else:
                assert reading.rows == PEOPLE, (cut, how)
        assert broken >= len(cuts) - 2  # the last bytes may be a farewell
        assert far.query(sql).read_all().num_rows == PEOPLE

    def test_F30_an_administrator_ends_the_read(
        self, far: Source, proxy: Proxy, origin: Origin
    ) -> None:
        proxy.trouble = Trouble(after=MIDST, bandwidth=100_000)
        reading = _Reading(far, self.big)
        _wait_for(lambda: proxy.longest > MIDST)
        origin.stop()
        proxy.trouble = Trouble()
        reading.wait(MOST_SECONDS)
        assert (reading.code, reading.rows < BIG_ROWS) == ("SOURCE_DROPPED", True)
        assert far.query(self.some()).read_all().num_rows == ROWS

    def test_F31_a_server_that_falls_silent_is_given_up(self, origin: Origin) -> None:
        """All at once, since each takes the statement's timeout and ten seconds."""
        started = time.monotonic()
        with ExitStack() as stack:
            silences = [stack.enter_context(_Silence(origin, self.big, at)) for at in _PLACES]
            for one in silences:
                one.reading.wait(STALLED_SECONDS)
                assert one.reading.code in (*BROKEN, "QUERY_TIMEOUT"), one.place
            assert time.monotonic() - started < STALLED_SECONDS
            _wait_for(lambda: origin.running() == 0)
            for one in silences:
                one.proxy.trouble = Trouble()
                assert one.source.query("SELECT 1 AS a").read_all().num_rows == 1

    def test_F32_a_slow_read_shows_progress_and_can_be_cancelled(
        self, far: Source, proxy: Proxy, origin: Origin
    ) -> None:
        proxy.trouble = Trouble(after=MIDST, bandwidth=200_000)
        reading = _Reading(far, self.big)
        _wait_for(lambda: proxy.longest > MIDST + 100_000)
        if self.streams:
            seen = reading.batches
            _wait_for(lambda: reading.batches > seen + 1)
        self._cancelled(far, reading, origin)

    def test_F31_a_silent_read_can_be_cancelled(
        self, far: Source, proxy: Proxy, origin: Origin
    ) -> None:
        proxy.trouble = Trouble(after=MIDST, then="stall")
        reading = _Reading(far, self.big)
        _wait_for(lambda: proxy.longest >= MIDST)
        self._cancelled(far, reading, origin)

    def _cancelled(self, far: Source, reading: "_Reading", origin: Origin) -> None:
        started = time.monotonic()
        far.cancel()
        reading.wait(MOST_SECONDS)
        assert reading.code == "QUERY_CANCELLED"
        assert time.monotonic() - started < CANCEL_SECONDS
        _wait_for(lambda: origin.running() == 0)

    def test_F30_F39_a_read_that_fails_sends_nothing_and_removes_nobody(
        self, origin: Origin, proxy: Proxy, tmp_path: Path
    ) -> None:
        folder, log = self._folder(origin, proxy, tmp_path)
        assert folder.run().counts["added"] == PEOPLE
        sent, before = len(deliveries(log)), _state(folder)
        assert sent == PEOPLE
        for how in _CUTS:
            proxy.trouble = Trouble(after=MIDST, then=how)
            _refuses(folder)
            proxy.trouble = Trouble()
        proxy.down()
        _refuses(folder)
        proxy.up()
        folder.edit(sql=f"SELECT name AS {self.user_id}, id AS plan FROM ({self.late_error}) AS b")
        _refuses(folder, "QUERY_FAILED")
        assert (len(deliveries(log)), _state(folder)) == (sent, before)
        folder.edit(sql=self.some(f"id AS {self.user_id}, name AS plan", PEOPLE))
        healed = folder.run()
        assert (healed.counts["unchanged"], healed.counts["removed"]) == (PEOPLE, 0)
        assert len(deliveries(log)) == sent

    def _folder(self, origin: Origin, proxy: Proxy, path: Path) -> tuple[Folder, Path]:
        source = {"type": origin.type, **origin.settings, **_through(proxy), "connect_timeout": 2}
        log = path / "sent.jsonl"
        destination = {"type": "sandbox", "path": str(log), "batch_rows": 1000}
        folder = Folder(
            path / "acme", source, destination,
            use={"removed": "delete"}, workspace="none",
            sql=self.some(f"id AS {self.user_id}, name AS plan", PEOPLE),
        )  # fmt: skip
        return folder, log


_LISTEN = "0A"  # the state of a socket in /proc/net/tcp
_CUTS: tuple[Literal["close", "reset", "half-close"], ...] = ("close", "reset", "half-close")


_PLACES: tuple[Literal["greeting", "question", "rows"], ...] = ("greeting", "question", "rows")


class _Silence:
    """A source with a second for a query, whose server falls silent in a place of the talk."""

    def __init__(self, origin: Origin, sql: str, place: str) -> None:
        self.place = place
        self.proxy = Proxy(origin.settings["host"], origin.settings["port"])
        self.source = _built(origin, **_through(self.proxy), connect_timeout=2, statement_timeout=1)
        if place != "greeting":
            self.source.now()
        after = {"greeting": 0, "question": self.proxy.longest + 100, "rows": MIDST}[place]
        self.proxy.trouble = Trouble(after=after, then="stall")
        self.reading = _Reading(self.source, sql)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self.proxy.close()


class _Reading:
    """A query that is read in a thread of its own, so that a test can look on, or give up."""

    def __init__(self, source: Source, sql: str) -> None:
        self.rows = 0
        self.batches = 0
        self._error: SourceError | None = None
        self._thread = threading.Thread(target=self._read, args=[source, sql], daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait for its end; AssertionError if that does not come in time."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "it never ended"

    @property
    def code(self) -> str:
        """Return the code of the error it ended with; empty for a good end."""
        return self._error.code if self._error else ""

    def _read(self, source: Source, sql: str) -> None:
        try:
            for batch in source.query(sql):
                self.rows += batch.num_rows
                self.batches += 1
        except SourceError as error:
            self._error = error


def _listens_here(port: int) -> bool:
    """Tell whether it is this process that listens on a port of this machine."""
    sockets = map(str.split, Path("/proc/self/net/tcp").read_text().splitlines())
    listening = {
        f"socket:[{one[9]}]"
        for one in sockets
        if one[1].endswith(f":{port:04X}") and one[3] == _LISTEN
    }
    assert listening, f"nobody listens on {port}"
    return any(_leads_to(one) in listening for one in Path("/proc/self/fd").iterdir())


def _leads_to(link: Path) -> str:
    with suppress(OSError):  # it has just been closed
        return str(link.readlink())
    return ""


def _children() -> Iterator[Path]:
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread that has just ended
            yield from (Path("/proc") / pid for pid in task.read_text().split())


def _built(origin: Origin, **settings: Any) -> Source:
    kind: Any = source_kind(origin.type)
    built: Source = kind(kind.Config.model_validate({**origin.settings, **settings}))
    return built


def _through(proxy: Proxy) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": proxy.port}


def _within(seconds: float, ask: Callable[[], Any]) -> Any:
    started = time.monotonic()
    found = ask()
    assert time.monotonic() - started < seconds
    return found


def _wait_for(condition: Callable[[], bool], seconds: float = MOST_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def _state(folder: Folder) -> dict[str, Any]:
    with folder.project() as project:
        return dict(project.state(SYNC))


def _refuses(folder: Folder, *codes: str) -> None:
    with pytest.raises(SourceError) as caught:
        folder.run()
    assert caught.value.code in (codes or BROKEN)
    with folder.project() as project:
        (last,) = project.runs(limit=1)
    assert (last.status, last.reason_code) == (Status.FAILED, caught.value.code)
