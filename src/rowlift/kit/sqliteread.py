"""An SQLite file as something to read: opened for one query, closed in, stoppable."""

import sqlite3
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

OPERATIONS = 20_000  # of SQLite's machine between two looks at the clock: well under 10 ms
LOCK_SECONDS = 5.0


class Opened:
    """One connection in one read transaction; it may be used by one thread and stopped by another.

    Errors are sqlite3's own.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._stopped = threading.Event()
        self.connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro",
            uri=True,
            timeout=min(LOCK_SECONDS, seconds),
            isolation_level=None,
            check_same_thread=False,
        )
        self.connection.text_factory = bytes
        self.connection.set_progress_handler(self._must_end, OPERATIONS)

    def close_in(
        self, limits: Mapping[int, int], allowed: Collection[int], denied: Collection[str]
    ) -> None:
        """Let what follows do nothing but the allowed actions, without the denied functions."""
        for limit, value in limits.items():
            self.connection.setlimit(limit, value)

        def authorize(action: int, _first: Any, second: Any, *_: Any) -> int:
            if action == sqlite3.SQLITE_FUNCTION:
                allow = str(second).lower() not in denied
            else:
                allow = action in allowed
            return sqlite3.SQLITE_OK if allow else sqlite3.SQLITE_DENY

        self.connection.set_authorizer(authorize)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return a short answer, texts decoded."""
        return [
            tuple(v.decode(errors="replace") if isinstance(v, bytes) else v for v in row)
            for row in self.connection.execute(sql)
        ]

    def names(self, sql: str) -> list[str]:
        """Return the names of a query's columns."""
        cursor = self.connection.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        cursor.close()
        return names

    def stop(self) -> None:
        """End what runs, soon."""
        self._stopped.set()

    @property
    def code(self) -> str:
        """Return why a query was interrupted."""
        return "QUERY_CANCELLED" if self._stopped.is_set() else "QUERY_TIMEOUT"

    @property
    def must_end(self) -> bool:
        """Tell whether somebody, or the clock, asked for the end."""
        return self._stopped.is_set() or time.monotonic() > self._deadline

    def _must_end(self) -> int:
        return int(self.must_end)

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()
