"""What the last test of each connection found: steps and mends, never a value or a secret.

They decide nothing and no row of the database points to them: a file may be lost at any time, and
the connection is tested again.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rowlift.core.nouns import Finding
from rowlift.kit.durable import make_folder, write_durable

CHECKUPS = "checkups"


@dataclass(frozen=True, slots=True)
class Checkup:
    """The findings of one test; `at` is in Unix seconds, `version` the definition's tested one."""

    at: float
    version: int
    findings: Sequence[Finding]

    @property
    def level(self) -> str:
        """Return the worst level of the findings: ok, note, warning or error."""
        order = ("ok", "note", "warning", "error")
        return max((one.level for one in self.findings), key=order.index, default="ok")


_KEPT = TypeAdapter(Checkup)


class CheckupFiles:
    """One file for each connection of the data directory, by its uid."""

    def __init__(self, root: Path) -> None:
        self._folder = root / CHECKUPS

    def load(self, uid: str) -> Checkup | None:
        """Return what was kept of a connection, if anything can be read."""
        try:
            return _KEPT.validate_json(self._path(uid).read_bytes())
        except (OSError, ValidationError):
            return None

    def keep(self, uid: str, checkup: Checkup) -> None:
        """Replace what was kept; where there is no room for it, nothing is kept."""
        text = _KEPT.dump_json(checkup)
        with suppress(OSError):
            make_folder(self._folder)
            write_durable(self._path(uid), [text])

    def _path(self, uid: str) -> Path:
        return self._folder / f"{uid}.json"
