"""The one place where every failure of a command ends: as words, a document and an exit code."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import rowlift
from rowlift.cli import exits
from rowlift.cli.interrupts import interrupted, unwind
from rowlift.cli.terminal import Terminal
from rowlift.core.errors import RowliftError, unexpected
from rowlift.kit.logs import trace_of


def guarded(
    chosen: Mapping[str, Any], body: Callable[[Terminal], int], *, unwinds: bool = True
) -> int:
    """Run a command's body; the documented boundary at which any exception is caught.

    A body that does not unwind from its beginning says itself from where on it does.
    """
    terminal = Terminal.of(chosen)
    try:
        if unwinds:
            unwind(lambda: _interrupted(terminal))
        return body(terminal)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        return _interrupted(terminal)
    except Exception as error:  # noqa: BLE001
        if interrupted():  # drivers word it in their own way
            return _interrupted(terminal)
        known = error if isinstance(error, RowliftError) else unexpected(error)
        if known.code == "INTERNAL":
            return bug(terminal, error)
        terminal.error(known)
        return exits.of_error(known)


def _interrupted(terminal: Terminal) -> int:
    terminal.error(
        RowliftError("INTERRUPTED", "Interrupted; what was done so far is saved.",
                     mend="Run again: it goes on where it stopped.")
    )  # fmt: skip
    return exits.INTERRUPTED


def bug(terminal: Terminal, error: Exception) -> int:
    """Say that it was our fault, and where the report is; returns the exit code."""
    path = _report(terminal, error)
    text = str(error.args[0]) if isinstance(error, RowliftError) else type(error).__name__
    mend = f"Nothing is lost. Please report it with {path}" if path else "Please report it."
    terminal.error(RowliftError("INTERNAL", f"A fault of Rowlift itself: {text}", mend=mend))
    return exits.BUG


def _report(terminal: Terminal, error: Exception) -> Path | None:
    """Write what a maintainer needs; neither values of rows nor messages of drivers."""
    name = time.strftime("fault-%Y%m%dT%H%M%SZ", time.gmtime())
    text = "\n".join(_lines(error))
    for folder in (terminal.log_folder(), Path(tempfile.gettempdir())):  # a full disk, say
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / f"{name}-{time.time_ns() % 10**9:09d}.txt"
            path.touch(mode=0o600, exist_ok=False)
            path.write_text(text, encoding="utf-8")
        except OSError:
            continue
        return path
    return None


def _lines(error: BaseException) -> Iterator[str]:
    version = sys.version.split()[0]
    yield f"rowlift {rowlift.__version__}, Python {version}, {sys.platform}"
    yield from trace_of(error)
