"""One destination as an outsider sees it: every message that arrived, and what none may be."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Message = Mapping[str, Any]
Identity = tuple[str, str]  # the destination's identifier, and the key


class Divergence(AssertionError):
    """Something is not as promised."""


@dataclass(slots=True)
class Watch:
    """Reads the sandbox's log as it grows; each message id counts once, as it does there."""

    path: Path
    state: dict[Identity, Message] = field(default_factory=dict)
    messages: int = 0
    repeated: set[str] = field(default_factory=set)  # ids that came again after an answer
    moments: set[str] = field(default_factory=set)  # the source's time of each run
    _content: dict[str, str] = field(default_factory=dict)
    _ids: dict[Identity, list[str]] = field(default_factory=dict)
    _answered: Counter[str] = field(default_factory=Counter)
    _read: int = 0

    def look(self) -> list[Message]:
        """Return the messages that took effect since the last look, without those that were late.

        Raises Divergence when an id stands for two contents, a key went back, or a request says
        that its rows were read when no run began.
        """
        if not self.path.exists():
            return []
        with self.path.open("rb") as log:
            log.seek(self._read)
            lines = log.read().splitlines(keepends=True)
        self._read += sum(len(line) for line in lines)
        requests = [json.loads(line) for line in lines]
        if wrong := {request["timestamp"] for request in requests} - self.moments:
            raise Divergence(f"rows are said to be read at {wrong}, when no run began")
        return [
            message
            for request in requests
            for message in request["messages"]
            if self._take(message, answered=request["answered"]) and request["batch"]
        ]

    def _take(self, message: Message, *, answered: bool) -> bool:
        self.messages += 1
        number, who = message["message_id"], identity_of(message)
        content = json.dumps([message["op"], message["key"], message["attributes"]])
        if self._content.setdefault(number, content) != content:
            raise Divergence(f"one message id for two contents of {who}")
        if self._answered[number]:
            self.repeated.add(number)
        self._answered[number] += answered
        ids = self._ids.setdefault(who, [])
        if number in ids:
            if ids[-1] != number:
                raise Divergence(f"{who} went back to an older message")
            return False
        ids.append(number)
        self.state[who] = message
        return True


def identity_of(message: Message) -> Identity:
    """Return who a message is about."""
    ((name, key),) = message["key"].items()
    return str(name), str(key)
