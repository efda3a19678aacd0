"""The log of a process: lines for people, or JSON lines for programs.

What others said (a reply, a driver, a library) may quote a row or a secret: JSON lines, which are
kept elsewhere and read by many, never hold it.
"""

import json
import logging
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TextIO

from rowlift.core.errors import RowliftError

Fact = str | int
DETAIL = "detail"  # the fact that holds what others said

_NO_FACTS: Mapping[str, Fact] = MappingProxyType({})
_facts: ContextVar[Mapping[str, Fact]] = ContextVar("facts", default=_NO_FACTS)
_OURS = frozenset({"rowlift", "uvicorn"})
_LEFT_OUT = "(message left out)"


@contextmanager
def about(**facts: Fact) -> Iterator[None]:
    """Let every line that is logged in a block say what it is about; empty facts are left out."""
    token = _facts.set({**_facts.get(), **{name: fact for name, fact in facts.items() if fact}})
    try:
        yield
    finally:
        _facts.reset(token)


def log_to(stream: TextIO, *, as_json: bool, level: int = logging.INFO) -> None:
    """Log to a stream from now on, whatever logged before; of libraries their warnings only."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if as_json else Lines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("rowlift").setLevel(level)


class Lines(logging.Formatter):
    """A line for people: `2026-11-21T10:00:00Z  people: Run 7 begins.`."""

    def format(self, record: logging.LogRecord) -> str:
        facts = _facts.get()
        text = " ".join(filter(None, (_message(record), str(facts.get(DETAIL, "")))))
        line = f"{_moment(record):%Y-%m-%dT%H:%M:%SZ}  {facts.get('task', record.name)}: {text}"
        return "\n".join(map(_printable, (line, *trace_of(_error(record)))))


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, what it is about, and a trace."""

    def format(self, record: logging.LogRecord) -> str:
        facts = {name: fact for name, fact in _facts.get().items() if name != DETAIL}
        told: dict[str, Any] = {
            "time": _moment(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        trace = list(trace_of(_error(record)))
        told |= facts | ({"trace": trace} if trace else {})
        return _escaped(json.dumps(told, ensure_ascii=False))


def trace_of(error: BaseException | None) -> Iterator[str]:
    """Yield where an error and what caused it came from, without messages that are not ours."""
    while error is not None:
        said = str(error) if isinstance(error, RowliftError) else _LEFT_OUT
        yield f"{type(error).__module__}.{type(error).__qualname__}: {said}"
        for lines in traceback.format_tb(error.__traceback__):
            yield from lines.rstrip().splitlines()
        error = error.__cause__ or error.__context__


def _message(record: logging.LogRecord) -> str:
    is_ours = record.name.partition(".")[0] in _OURS
    return record.getMessage() if is_ours else _LEFT_OUT


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _error(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def _printable(line: str) -> str:
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in line)


def _escaped(document: str) -> str:
    """Escape, as JSON does, what a terminal obeys: it stands inside strings only."""
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in document)
