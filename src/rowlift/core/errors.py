"""What can go wrong for a whole operation, grouped by what the caller does about it.

RowliftError
├── ConfigError        nothing was attempted: mend the files or the options   (exit 2)
├── SourceError        the query failed, nothing was delivered                (exit 1)
│   └── ConnectError   the source could not be reached or refused the login   (exit 3)
├── DestinationError   stop this destination, its rows stay due               (exit 1)
├── GuardStop          a guard or a rule refused, nothing was changed         (exit 4)
├── Busy               another run is active: skip or wait                    (exit 5)
├── Fenced             somebody else took this run over: stop at once         (exit 5)
├── AccessError        who asks may not, or is not known                      (exit 4)
│   └── Throttled      who asks did so too often                              (exit 4)
└── StateError         the state is unreadable, full or of a newer release    (exit 1)

What is wrong with one row is never an exception: it is a Reject or an Outcome.
"""

import copyreg
import errno
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file a problem stands; lines and columns count from 1."""

    path: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.path, self.line, self.column) if part)


class RowliftError(Exception):
    """A failure of a whole operation, with a stable code, a message and a way to mend it."""

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        mend: str = "",
        place: Place | None = None,
        examples: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.mend = mend
        self.place = place
        self.examples = examples

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{where}{self.message} [{self.code}]"

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it cross to another process, whatever a kind of error is built from."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]

    @property
    def told(self) -> str:
        """Return message and mend as sentences; statements of SQL have lines of their own."""
        if not self.mend:
            return self.message
        ending = "" if self.message.endswith((".", "!", "?", ":")) else "."
        space = "\n" if self.mend.partition("\n")[0].endswith(";") else " "
        return f"{self.message}{ending}{space}{self.mend}"


class ConfigError(RowliftError):
    """Nothing was attempted: the files or the options must be mended first."""

    exit_code = 2


class SourceError(RowliftError):
    """The query failed and nothing was delivered."""


class ConnectError(SourceError):
    """The source could not be reached or refused the login."""

    exit_code = 3


class DestinationError(RowliftError):
    """This destination must be left alone until somebody mends it; its rows stay due."""


class GuardStop(RowliftError):
    """A guard or a rule refused the run before anything was changed."""

    exit_code = 4


class Busy(RowliftError):
    """Another run is active in this workspace."""

    exit_code = 5


class Fenced(Busy):
    """Somebody else took this run over; whatever this process still holds is void."""


class AccessError(RowliftError):
    """Who asks may not do this, or did not prove who they are."""

    exit_code = 4


class Throttled(AccessError):
    """Who asks did so too often, and may again after some seconds."""

    def __init__(self, code: str, message: str, seconds: int) -> None:
        super().__init__(code, message, mend=f"Wait {seconds} seconds, then try again.")
        self.seconds = seconds


class StateError(RowliftError):
    """The state database or a state file is unreadable, full, missing or of a newer release."""


def is_passing(error: RowliftError) -> bool:
    """Tell whether the state only gave way to others or was out of reach: it is tried again."""
    return error.code in {"STATE_LOCKED", "STATE_UNREACHABLE"}


def unexpected(error: Exception) -> RowliftError:
    """Say what an exception that nobody foresaw is: no memory, no disk, or a fault of ours."""
    if isinstance(error, MemoryError) or any(word in str(error) for word in _NO_MEMORY):
        return RowliftError(
            "OUT_OF_MEMORY",
            "There is not enough memory.",
            mend="Allow it more memory and run again: nothing was lost.",
        )
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return StateError(
            "STATE_FULL",
            "The disk is full or a file cannot be written.",
            mend="Free space and run again: nothing was lost.",
        )
    return RowliftError("INTERNAL", f"A fault of ours: {type(error).__name__}.")


_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
# What the system's loader, Python's threads and Arrow's say instead of MemoryError.
_NO_MEMORY = (
    "failed to map segment", "annot allocate memory", "can't start new thread",
    "Failed to launch worker thread",
)  # fmt: skip
