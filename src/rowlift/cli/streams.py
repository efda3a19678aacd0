"""The three streams of the process, made so that no state of them can break off a run."""

import codecs
import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

from rowlift.core.errors import RowliftError

OUTPUT_LOST = "OUTPUT_LOST"
PLAIN = "rowlift-plain"
# Signs that a terminal without Unicode gets instead of ours; a question mark means unknown.
_SIGNS = {
    "✓": "+", "×": "x", "·": "-", "•": "*", "»": ">", "…": "...", "→": "->", "─": "-", "━": "-",  # noqa: RUF001
    "│": "|", "╭": "+", "╮": "+", "╰": "+", "╯": "+",
}  # fmt: skip


class Results(io.TextIOWrapper):
    """Standard output; raises RowliftError OUTPUT_LOST when it cannot be written."""

    def write(self, text: str, /) -> int:
        with _told():
            return super().write(text)

    def flush(self) -> None:
        with _told():
            super().flush()


class Remarks(io.TextIOWrapper):
    """Standard error; what cannot be written is dropped, for the work goes on without it."""

    def write(self, text: str, /) -> int:
        with _dropped(self):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with _dropped(self):
            super().flush()


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(_SIGNS.get(one, "?") for one in wrong), error.end


def prepare() -> None:
    """Open what is closed, and write what an encoding cannot express in plain signs."""
    logging.raiseExceptions = False  # what a library cannot log, as for want of memory, is left
    codecs.register_error(PLAIN, _plain)
    for number in range(3):
        _occupy(number)
    sys.stdin = _opened(sys.stdin, 0)
    sys.stdout = _wrapped(Results, _opened(sys.stdout, 1))
    sys.stderr = _wrapped(Remarks, _opened(sys.stderr, 2))


def speak_utf8() -> None:
    """Write standard output as UTF-8 whatever the locale says: JSON and CSV are for programs."""
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]


def silence(number: int) -> None:
    """Let a stream lead nowhere, so that the interpreter can close it without a word."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _occupy(number: int) -> None:
    """A closed number would go to the next file opened, and our words would go into that."""
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)


def _opened(stream: Any, number: int) -> Any:
    if stream is None:
        return open(number, "w" if number else "r", encoding="utf-8", closefd=False)
    stream.reconfigure(errors="replace" if number == 0 else PLAIN)
    return stream


def _wrapped(kind: type[io.TextIOWrapper], stream: Any) -> io.TextIOWrapper:
    how = {
        "encoding": stream.encoding,
        "errors": stream.errors,
        "line_buffering": stream.line_buffering,
        "write_through": stream.write_through,
    }
    return kind(stream.detach(), **how)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RowliftError(
            OUTPUT_LOST,
            f"The result cannot be written: {error.strerror or 'no reason given'}.",
            mend="Free space or write it elsewhere; what was done is kept: rowlift runs.",
        ) from error


@contextlib.contextmanager
def _dropped(stream: io.TextIOWrapper) -> Iterator[None]:
    try:
        yield
    except OSError:
        silence(stream.fileno())
