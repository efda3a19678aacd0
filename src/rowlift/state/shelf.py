"""Plan files that wait for somebody's word. They hold rows, so none stays for long."""

import time
from collections.abc import Sequence
from pathlib import Path

from rowlift.kit.durable import make_folder
from rowlift.state.failures import file_errors

GOOD_FOR_SECONDS = 24 * 3600
_ENDING = ".plan"


class Shelf:
    """The plan files of one workspace in a data directory, by id."""

    def __init__(self, folder: Path, workspace_id: int) -> None:
        self._folder = folder / "plans" / str(workspace_id)

    def place(self, plan_id: str) -> Path:
        """Return where the file of a plan stands, or will."""
        with file_errors():
            make_folder(self._folder)
        return self._folder / f"{plan_id}{_ENDING}"

    def ids(self) -> Sequence[str]:
        """Return the ids of all plans."""
        return [path.stem for path in self._folder.glob(f"*{_ENDING}")]

    def forget(self, plan_id: str) -> None:
        """Remove a plan."""
        with file_errors():
            (self._folder / f"{plan_id}{_ENDING}").unlink(missing_ok=True)

    def expire(self) -> None:
        """Remove the plans that are too old to be applied."""
        oldest = time.time() - GOOD_FOR_SECONDS
        for path in self._folder.glob(f"*{_ENDING}"):
            with file_errors():
                if path.stat().st_mtime < oldest:
                    path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all plans."""
        for plan_id in self.ids():
            self.forget(plan_id)
