"""What a command writes to: results on stdout, progress and errors on stderr."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from rowlift.cli.interrupts import stopping
from rowlift.cli.streams import OUTPUT_LOST, speak_utf8
from rowlift.cli.text import safe
from rowlift.cli.traces import TRACES, traced
from rowlift.core.errors import RowliftError

if TYPE_CHECKING:
    from rowlift.core.progress import Progress
    from rowlift.operations.project import Project

PLAIN_WIDTH = 100
_WIDTH = re.compile("[1-9][0-9]{1,3}")


@dataclass
class Terminal:
    """The two streams of one command, and the options that every command takes."""

    folder: Path = field(default_factory=Path)
    profile: str | None = None
    json: bool = False
    quiet: bool = False

    @classmethod
    def of(cls, chosen: Mapping[str, Any]) -> "Terminal":
        """Build it from the shared options."""
        folder = chosen["project_dir"] or Path()
        is_json = chosen["output"] == "json"
        if is_json:
            speak_utf8()
        return cls(folder, chosen["profile"], is_json, bool(chosen["quiet"]))

    @cached_property
    def out(self) -> Console:
        return _console(sys.stdout)

    @cached_property
    def err(self) -> Console:
        return _console(sys.stderr)

    def say(self, text: str | Text = "", *, style: str = "") -> None:
        """Print one line of a result; in json mode nothing but the document goes to stdout."""
        if not self.json:
            _line(self.out, text, style)

    def show(self, *blocks: Any) -> None:
        """Print tables and other blocks of a result."""
        if not self.json:
            for block in blocks:
                self.out.print(block, markup=False, highlight=False)

    def note(self, text: str | Text, *, style: str = "dim") -> None:
        """Print one line for the person who waits."""
        if not self.quiet:
            _line(self.err, text, style)

    def document(self, kind: str, **content: Any) -> None:
        """Print the one document of json mode."""
        if self.json:
            from rowlift.cli.documents import dumped

            sys.stdout.write(dumped(kind, content) + "\n")
            sys.stdout.flush()

    def error(self, error: RowliftError) -> None:
        """Say what is wrong, where, with examples and the mend."""
        self.complain(error, "×", "red")  # noqa: RUF001
        if error.code != OUTPUT_LOST:
            self.document("error", error=error)

    def complain(
        self, error: RowliftError, mark: str, style: str, console: Console | None = None
    ) -> None:
        """Print a problem, on stderr unless told otherwise."""
        console = console or self.err
        where = f"{error.place}: " if error.place else ""
        line = Text.assemble((f"{mark} ", style), (safe(where), "bold"), safe(error.message, "\n"))
        line.append(f" [{error.code}]", style="dim")
        _line(console, line)
        examples = [one for one in error.examples if one not in error.message]
        if examples:
            _line(console, "  for example " + ", ".join(map(safe, examples)))
        for mend in error.mend.splitlines():
            _line(console, "  " + safe(mend), "cyan")

    def log_folder(self) -> Path:
        """Return the folder for reports of our own faults: a project's, or the temporary one."""
        data = Path(os.environ.get("ROWLIFT_DATA_DIR") or self.folder / ".rowlift")
        usable = os.access(data, os.W_OK | os.X_OK) and data.is_dir()
        return data / "logs" if usable else Path(tempfile.gettempdir())

    @contextlib.contextmanager
    def progress(self) -> Iterator["Progress"]:
        """Show progress while the block runs: bars on a terminal, else one line per phase."""
        from rowlift.cli.progress import progress

        with progress(self.err, quiet=self.quiet) as listener:
            yield listener

    @contextlib.contextmanager
    def project(self, progress: "Progress | None" = None) -> Iterator["Project"]:
        """Open the project folder and close it afterwards."""
        from rowlift.core.progress import Silent
        from rowlift.operations.asking import Asker
        from rowlift.operations.project import Project

        listener, asker = progress or Silent(), Asker(apart=False)
        with (
            traced(os.environ.get(TRACES, "")),
            Project(self.folder, profile=self.profile, progress=listener) as project,
            asker.asking(),
            stopping(asker.leave),
        ):
            yield project

    @contextlib.contextmanager
    def working(self) -> Iterator["Project"]:
        """Open the project folder and show the progress of what is done with it."""
        with self.progress() as listener, self.project(listener) as project:
            yield project


def _console(stream: Any) -> Console:
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        wished = os.environ.get("COLUMNS", "")
        console.width = int(wished) if _WIDTH.fullmatch(wished) else PLAIN_WIDTH
    return console


def _line(console: Console, text: str | Text, style: str = "") -> None:
    console.print(text, style=style, soft_wrap=True, markup=False, highlight=False)
