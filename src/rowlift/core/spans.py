"""Where the time of a run goes; nobody learns it unless `collect` was called."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Span(Protocol):
    """One piece of work between its beginning and its end."""

    def note(self, **facts: object) -> None:
        """Say what came of it; of the facts numbers and short texts count, none from a row."""


class Collector(Protocol):
    """Takes spans; those begun in a block of another one are parts of it."""

    def span(self, name: str, trace: str, facts: dict[str, object]) -> AbstractContextManager[Span]:
        """Begin a piece of work; all of one `trace` belong together, in whatever process."""


class _Unseen:
    def note(self, **facts: object) -> None: ...


_NOTHING: AbstractContextManager[Span] = nullcontext(_Unseen())
_collector: Collector | None = None


def collect(collector: Collector | None) -> None:
    """Give the spans of this process to a collector from now on, or to nobody."""
    global _collector  # noqa: PLW0603 - the process has one, like its log
    _collector = collector


def span(name: str, trace: str = "", **facts: object) -> AbstractContextManager[Span]:
    """Begin a piece of work, which is a part of what the thread does or of the trace."""
    return _collector.span(name, trace, facts) if _collector else _NOTHING


def trace_of(sync_uid: str, run_id: int) -> str:
    """Return what the spans of a run and of its deliveries share."""
    return f"{sync_uid.partition('.')[0]}:{run_id}"
