"""A project's folder, opened at the first question and closed at the end."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rowlift.core.clock import Clock, SystemClock
from rowlift.core.errors import ConfigError
from rowlift.core.progress import Progress, Silent
from rowlift.operations.opening import kept, open_folder, refreshed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rowlift.operations.home import Home


class Opened:
    """Reads the files and opens the state; what takes part in it asks for its `_home`."""

    def __init__(
        self,
        folder: str | Path = ".",
        *,
        profile: str | None = None,
        progress: Progress | None = None,
        clock: Clock | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self._profile = profile
        self._progress = progress or Silent()
        self._clock = clock or SystemClock()
        self._env = os.environ if env is None else env

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Read the files and open the state now, not at the first question."""
        _ = self._home

    def close(self) -> None:
        """Close the state, if it was opened."""
        if "_home" in self.__dict__:
            self._home.store.close()
            del self.__dict__["_home"]

    @cached_property
    def _home(self) -> Home:
        return open_folder(self.folder, self._env, profile=self._profile)

    def refresh(self) -> None:
        """Take in what was changed in files and definitions since the project was opened.

        Files that are wrong, or name another workspace, leave those of before in force.
        """
        if "_home" not in self.__dict__:
            return
        try:
            self.__dict__["_home"] = refreshed(self._home, profile=self._profile)
        except ConfigError as error:
            self.__dict__["_home"] = kept(self._home, error)
