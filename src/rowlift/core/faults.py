"""Named points at which a test can kill, stop or break the process.

`ROWLIFT_FAULTS=name:n:action` arms the n-th passing of a point; actions are kill, raise and stop.
`ROWLIFT_FAULTS_RECORD=<file>` appends the name of each point passed, so that a walk can list them.
Without either variable a point costs one test of a global.
"""

import os
import re
import signal
import threading
from collections import Counter
from dataclasses import dataclass

from rowlift.core.errors import ConfigError

_SPEC = re.compile(r"([\w.-]+):([1-9]\d{0,8}):(kill|raise|stop)")


class InjectedFault(BaseException):
    """The fault a test asked for; never caught by the program itself."""


@dataclass(frozen=True, slots=True)
class _Armed:
    name: str
    occurrence: int
    action: str


class _Faults:
    def __init__(self, spec: str, record: str) -> None:
        self.passed: Counter[str] = Counter()
        self.record = record
        self.armed = _parse(spec)

    def __bool__(self) -> bool:
        return bool(self.armed or self.record)

    def hit(self, name: str) -> None:
        self.passed[name] += 1
        if self.record:
            with open(self.record, "a", encoding="utf-8") as out:  # noqa: PTH123
                out.write(name + "\n")
        if self.armed and (self.armed.name, self.armed.occurrence) == (name, self.passed[name]):
            _act(self.armed.action, name)


def _parse(spec: str) -> _Armed | None:
    if not spec:
        return None
    found = _SPEC.fullmatch(spec)
    if not found:
        raise ConfigError(
            "VALUE_WRONG",
            "ROWLIFT_FAULTS is not a fault to be armed.",
            mend="Unset it: only tests need it. It reads name:n:action with kill, raise or stop.",
        )
    return _Armed(found[1], int(found[2]), found[3])


def _act(action: str, name: str) -> None:
    if action == "raise":
        raise InjectedFault(name)
    # To this thread: a signal to the process may reach another one, and this one would go on.
    signal.pthread_kill(
        threading.get_ident(), signal.SIGKILL if action == "kill" else signal.SIGSTOP
    )


_faults = _Faults(os.environ.get("ROWLIFT_FAULTS", ""), os.environ.get("ROWLIFT_FAULTS_RECORD", ""))


def arm(spec: str = "", record: str = "") -> None:
    """Arm one point, or none; tests that fork from a warmed parent call this in the child."""
    global _faults  # noqa: PLW0603
    _faults = _Faults(spec, record)


def point(name: str) -> None:
    """Mark a place where the process may die; does nothing unless a test armed it."""
    if _faults:
        _faults.hit(name)
