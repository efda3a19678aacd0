"""What is told of a workspace, and the port to whoever is told."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from pydantic import BaseModel

NAMED = 20  # notices that a message names; of the others it gives the number


class AlertRule(StrEnum):
    """What can be wrong; each is told when it begins and when it is over."""

    FAILURE = "failure"
    GUARD_STOP = "guard_stop"
    ROWS_FAILED = "rows_failed"
    MISSED_SLOT = "missed_slot"
    LATE = "late"
    SLOWER = "slower"
    COUNT_OFF = "count_off"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Notice:
    """One change of state; no value of a row and no secret is ever in it.

    `at` is in Unix seconds; `destination` is empty where it is the sync's run. `url` is that of the
    run, empty where there is none or the service does not know its own address.
    """

    rule: AlertRule
    sync: str
    destination: str
    run: int | None
    code: str
    text: str
    recovered: bool
    at: float
    url: str = ""

    @property
    def line(self) -> str:
        """Return the notice as one line for people."""
        if self.rule is AlertRule.TEST:
            return self.text
        where = f"{self.sync} → {self.destination}" if self.destination else self.sync
        code = f" [{self.code}]" if self.code else ""
        run = f" (run {self.run})" if self.run else ""
        mark = "✓ recovered" if self.recovered else "✗"
        return f"{mark} {where}: {self.text}{code}{run}"


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """What goes to a channel in one piece; its id is the same at every attempt.

    `others` counts notices beyond those it names.
    """

    id: str
    workspace: str
    at: float
    notices: tuple[Notice, ...]
    others: int = 0

    @property
    def title(self) -> str:
        """Return what it is about, in a few words."""
        number = len(self.notices) + self.others
        if number == 1:
            return f"Rowlift {self.workspace}: {self.notices[0].line}"
        what = "recoveries" if self.is_good else "alerts"
        return f"Rowlift {self.workspace}: {number} {what}"

    @property
    def text(self) -> str:
        """Return all it says, a line for each notice, with the address of its run."""
        lines = [f"{one.line} {one.url}".rstrip() for one in self.notices]
        if self.others:
            lines.append(f"… and {self.others} others. See: rowlift alerts")
        return "\n".join(lines)

    @property
    def is_good(self) -> bool:
        """Tell whether everything it names is over."""
        return all(one.recovered for one in self.notices)

    def document(self) -> dict[str, Any]:
        """Return the message as it is signed and sent, and as it is kept until then."""
        moment = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds")
        return {
            "type": "alert",
            "id": self.id,
            "timestamp": moment.replace("+00:00", "Z"),
            "workspace": self.workspace,
            "title": self.title,
            "alerts": [asdict(one) for one in self.notices],
            "others": self.others,
        }


def message_from(document: dict[str, Any], at: float) -> AlertMessage:
    """Build the message whose document was kept."""
    notices = tuple(map(notice_from, document["alerts"]))
    return AlertMessage(document["id"], document["workspace"], at, notices, document["others"])


def notice_from(document: dict[str, Any]) -> Notice:
    """Build the notice whose document was kept."""
    return Notice(**{**document, "rule": AlertRule(document["rule"])})


def message_of(ident: str, workspace: str, at: float, notices: Sequence[Notice]) -> AlertMessage:
    """Return one message of many notices."""
    told = _ends(notices)
    return AlertMessage(ident, workspace, at, tuple(told[:NAMED]), len(told[NAMED:]))


def _ends(notices: Sequence[Notice]) -> list[Notice]:
    """Return of each thing its first and last notice; what is still wrong comes first."""
    ends: dict[tuple[str, str, str], tuple[Notice, ...]] = {}
    for one in notices:
        thing = (one.rule, one.sync, one.destination)
        ends[thing] = (*ends.get(thing, ())[:1], one)
    kept = [one for known in ends.values() for one in known]
    return sorted(kept, key=lambda one: one.recovered)


@dataclass(frozen=True, slots=True)
class Heard:
    """Whether a channel took a message; the reason names neither secrets nor row values."""

    ok: bool
    code: str = ""
    reason: str = ""


class Channel(Protocol):
    """Takes messages; built as `Kind(config)`.

    It tries once, within ten seconds, and raises nothing but ConfigError: whoever asks it retries.
    """

    Config: ClassVar[type["BaseModel"]]

    def tell(self, message: AlertMessage) -> Heard:
        """Send one message once."""

    def close(self) -> None:
        """Give the connections back."""
