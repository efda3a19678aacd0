"""Messages on their way: gathered for some seconds, sent, and tried again while nobody answers."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

from rowlift.core.alerts import AlertMessage, AlertRule, Channel, Heard, Notice
from rowlift.core.clock import Clock
from rowlift.core.errors import ConfigError, RowliftError
from rowlift.core.spelling import did_you_mean
from rowlift.operations.home import Home
from rowlift.operations.testing import UNREACHED
from rowlift.project.problems import shown
from rowlift.project.secrets import resolve
from rowlift.registry import channel_kind
from rowlift.state.alerts import SENDING, WAITING, Outgoing

GATHER_SECONDS = 10.0  # what comes within them goes in one message
APART_SECONDS = 60.0  # from one message of a channel to the next
AT_ONCE_MOST = 5  # messages of a channel within that time, where commands tell at once
CHANNELS_AT_ONCE = 8
_AGAIN_SECONDS = (15, 60, 240, 900, 3600)  # after the first failure, the second, …
_GIVE_UP_SECONDS = 86_400.0
_LEAST_ATTEMPTS = 10


class Teller:
    """Sends what waits for channels; each attempt ends within ten seconds."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._home = home
        self._alerts = home.store.alerts
        self._clock = clock
        self._names = {uid: name for name, uid in home.channels.items()}

    def tell(self, *, at_once: bool = False) -> None:
        """Send what is due, a message of each channel a minute.

        `at_once` gathers no longer, and sends up to five in a minute.
        Channels are told side by side: one that does not answer delays no other.
        """
        self._compose(at_once=at_once)
        last = self._alerts.last(self._home.workspace_id)
        open_ = [one for one in last.values() if one.status in {WAITING, SENDING}]
        with ThreadPoolExecutor(CHANNELS_AT_ONCE) as pool:
            list(pool.map(self._attempt, [one for one in open_ if one.channel_uid in self._names]))

    def _compose(self, *, at_once: bool) -> None:
        workspace_id = self._home.workspace_id
        waiting = self._alerts.waiting(workspace_id)
        last = self._alerts.last(workspace_id) if waiting else {}
        for uid, (_, since) in waiting.items():
            if uid not in self._names:
                self._alerts.drop(workspace_id, uid)
            elif self._is_time(since, last.get(uid), at_once=at_once):
                name = self._home.project.workspace.name
                self._alerts.compose(workspace_id, uid, name, self._now())

    def _is_time(self, since: float, last: Outgoing | None, *, at_once: bool) -> bool:
        told = last.message.at if last else 0.0
        # A clock that was put back makes both lie in the future.
        is_gathered = at_once or not 0 <= self._now() - since < GATHER_SECONDS
        is_apart = not 0 <= self._now() - told < APART_SECONDS
        return is_gathered and (is_apart or (at_once and self._has_told_few(last)))

    def _has_told_few(self, last: Outgoing | None) -> bool:
        if last is None:
            return True
        now, workspace_id = self._now(), self._home.workspace_id
        lately = self._alerts.told(workspace_id, last.channel_uid, now - APART_SECONDS, now)
        return lately < AT_ONCE_MOST

    def _attempt(self, last: Outgoing) -> None:
        claimed = self._alerts.claim(last.message.id, self._is_due)
        if claimed is None:
            return
        try:
            heard = self._said(self._names[claimed.channel_uid], claimed.message)
        except RowliftError as error:
            heard = Heard(ok=False, code=error.code, reason=error.message)
        self._alerts.settle(
            claimed, heard_discreetly(heard), self._now(), self._again_at(claimed)
        )  # fmt: skip

    def _is_due(self, next_at: float) -> bool:
        return not 0 < next_at - self._now() <= _AGAIN_SECONDS[-1]

    def _again_at(self, claimed: Outgoing) -> float | None:
        age = self._now() - claimed.message.at
        if age > _GIVE_UP_SECONDS and claimed.attempts >= _LEAST_ATTEMPTS:
            return None
        return self._now() + _AGAIN_SECONDS[min(claimed.attempts, len(_AGAIN_SECONDS)) - 1]

    def _said(self, name: str, message: AlertMessage) -> Heard:
        with closing(self._channel(name)) as channel:
            return channel.tell(message)

    def _channel(self, name: str) -> Channel:
        declared = self._home.project.channels[name]
        kind = channel_kind(declared.type)
        config = resolve(declared, kind.Config, self._home.env, self._home.project.root)
        return kind(config)  # type: ignore[call-arg]

    def test(self, name: str) -> Heard:
        """Send a message that says it is a test; raises ConfigError NAME_UNKNOWN."""
        known = self._home.project.channels
        if ("channel", name) in self._home.broken:
            raise self._home.broken["channel", name]
        if name not in known:
            text = f"There is no channel {shown(name)}.{did_you_mean(name, known)}"
            mend = f"Known: {', '.join(known) or 'none; declare one in connections.yml'}."
            raise ConfigError("NAME_UNKNOWN", text, mend=mend)
        text = "This is a test: nothing is wrong."
        notice = Notice(AlertRule.TEST, name, "", None, "", text, recovered=True, at=self._now())
        return self._said(name, self._alone(notice))

    def shout(self, notice: Notice, channels: Collection[str]) -> set[str]:
        """Send a notice once, and write nothing down; return the channels that took it."""
        message = self._alone(notice)

        def is_heard(name: str) -> bool:
            try:
                return self._said(name, message).ok
            except RowliftError:
                return False

        names = [one for one in channels if one in self._home.project.channels]
        with ThreadPoolExecutor(CHANNELS_AT_ONCE) as pool:
            heard = pool.map(is_heard, names)
            return {name for name, ok in zip(names, heard, strict=True) if ok}

    def _alone(self, notice: Notice) -> AlertMessage:
        name = self._home.project.workspace.name
        return AlertMessage(uuid4().hex, name, self._now(), (notice,))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def heard_discreetly(heard: Heard) -> Heard:
    """Say of a closed port, a filtered one and an unknown name the same."""
    if heard.code not in UNREACHED:
        return heard
    return replace(heard, reason="It cannot be reached.")
