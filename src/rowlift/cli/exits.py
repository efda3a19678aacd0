"""Exit codes; docs/operations.md explains them to users."""

from rowlift.core.errors import RowliftError

DONE = 0
FAILED = 1
USAGE = 2
CANNOT_CONNECT = 3
REFUSED = 4
SKIPPED = 5
BUG = 70
INTERRUPTED = 130


def of_error(error: RowliftError) -> int:
    """Return the exit code of an error; INTERNAL is a fault of ours."""
    return BUG if error.code == "INTERNAL" else error.exit_code


def code_of(end: SystemExit) -> int:
    """Return the number that a SystemExit asks for."""
    return end.code if isinstance(end.code, int) else DONE if end.code is None else FAILED
