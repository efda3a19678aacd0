"""A destination inside the process that deduplicates, loses replies and refuses rows.

It keeps every request it applied in one append-only file, so that a process killed at any point,
its successor and a checker see the same history. What goes wrong is drawn from a seed.
"""

import fcntl
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

import pyarrow as pa
from pydantic import BaseModel, Field

from rowlift.core.faults import point
from rowlift.core.nouns import (
    Accepts,
    Feed,
    Finding,
    Kind,
    Limits,
    Mode,
    Op,
    Outcome,
    Outcomes,
    Removed,
    Verdict,
)
from rowlift.core.ports import Batch, Held, Rows
from rowlift.kit.config import ConnectorConfig
from rowlift.kit.http import Http
from rowlift.kit.texts import change_records, key_names, key_parts

_HELD = pa.schema([(name, pa.string()) for name in ("key", "attributes", "wrote")])
_REFUSED = Outcome(Verdict.REFUSED, "REFUSED", "one of the rows is poison")
_REJECTED = Outcome(Verdict.REJECTED, "REFUSED", "the fake does not like this key")
_LOST = Outcome(Verdict.IN_DOUBT, "UNREACHABLE", "the reply was lost")
_FAILED = Outcome(Verdict.IN_DOUBT, "UNAVAILABLE", "the fake failed")


class FakeConfig(ConnectorConfig):
    """How the fake behaves; shares are between 0 and 1, drawn anew for each attempt."""

    path: Path = Field(description="File that keeps what was applied")
    account: str = Field("fake", description="Account it pretends to belong to")
    seed: int = Field(0, description="Seed of everything that goes wrong")
    lost_replies: float = Field(0, ge=0, lt=1, description="Share applied but not answered")
    unavailable: float = Field(0, ge=0, lt=1, description="Share neither applied nor in doubt")
    failing: float = Field(0, ge=0, lt=1, description="Share failed without a word, not applied")
    partial: float = Field(0, ge=0, lt=1, description="Share answered for the first rows only")
    late: float = Field(0, ge=0, lt=1, description="Share not answered, applied before the next")
    retry_after: float | None = Field(None, description="Seconds to wait when unavailable")
    reject: tuple[str, ...] = Field((), description="Keys rejected by name")
    poison: tuple[str, ...] = Field((), description="Keys for which a whole batch is refused")
    batch_rows: int = Field(100, ge=1, description="Most rows in a batch")
    in_flight: int = Field(4, ge=1, description="Most batches at once")


class FakeDestination:
    """Applies each message id once, however often and by whichever process it is sent."""

    Config: ClassVar[type[BaseModel]] = FakeConfig
    accepts: ClassVar[Accepts] = Accepts(
        kinds=frozenset(Kind),
        matches=frozenset({"user_id", "email", "anonymous_id", "group_id", "object_id"}),
        modes=frozenset(Mode),
        removed=frozenset({Removed.KEEP, Removed.CLEAR, Removed.DELETE}),
        test=Op.UPSERT,
    )

    def __init__(self, config: FakeConfig, feed: Feed, http: Http | None = None) -> None:
        self._config = config
        self._match = feed.match
        self._sync = feed.sync_uid
        self._parts = len(key_names(feed.kind, feed.match))
        self.account = config.account
        self.limits = Limits(config.batch_rows, 1_000_000, 512_000, in_flight=config.in_flight)

    def check(self) -> Sequence[Finding]:
        return [Finding("network", "ok", "The fake is always there")]

    def encode(self, rows: Rows) -> pa.StringArray:
        return change_records(rows, [self._match])

    def deliver(self, batch: Batch) -> Outcomes:
        point("fake.before_send")
        outcomes = self._take(batch)
        point("fake.after_send")
        return outcomes

    def held(self, keys: pa.StringArray | None) -> Held:
        return Held("json", _holdings(self._config.path, self._sync, self._parts))

    def close(self) -> None:
        """Hold nothing open."""

    def _take(self, batch: Batch) -> Outcomes:
        with self._config.path.open("a+b") as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            keys = batch.keys.to_pylist()
            attempt = _attempts(log, keys)
            _land(log)
            chance = random.Random(f"{self._config.seed} {keys} {attempt}")  # noqa: S311
            if chance.random() < self._config.unavailable:
                _append(log, self._sync, batch, attempt, [], answered=True)
                return Outcomes(self._unavailable())
            if _drawn(chance, self._config.failing):
                _append(log, self._sync, batch, attempt, [], answered=False)
                return Outcomes(_FAILED)
            messages = [json.loads(text) for text in batch.messages.to_pylist()]
            outcomes = self._judge(messages)
            delivered = outcomes.default.verdict is Verdict.DELIVERED
            good = [one for at, one in enumerate(messages) if at not in outcomes.rows]
            lost = delivered and chance.random() < self._config.lost_replies
            if delivered and _drawn(chance, self._config.late):
                _append(log, self._sync, batch, attempt, [], answered=False, late=good)
                return Outcomes(_LOST)
            if delivered and not outcomes.rows and _drawn(chance, self._config.partial):
                return _answer_some(log, self._sync, batch, attempt, good, chance)
            _append(log, self._sync, batch, attempt, good if delivered else [], answered=not lost)
        return Outcomes(_LOST) if lost else outcomes

    def _judge(self, messages: Sequence[dict[str, Any]]) -> Outcomes:
        keys = [key_of(message) for message in messages]
        if not set(keys).isdisjoint(self._config.poison):
            return Outcomes(_REFUSED)
        rejected = {at: _REJECTED for at, key in enumerate(keys) if key in self._config.reject}
        return Outcomes(Outcome(Verdict.DELIVERED), rejected)

    def _unavailable(self) -> Outcome:
        return Outcome(Verdict.PENDING, "UNAVAILABLE", "come back later", self._config.retry_after)


def _drawn(chance: random.Random, share: float) -> bool:
    return bool(share) and chance.random() < share


def _answer_some(
    log: IO[bytes],
    sync: str,
    batch: Batch,
    attempt: int,
    messages: list[dict[str, Any]],
    chance: random.Random,
) -> Outcomes:
    """Apply the first rows, answer for fewer of them, and say nothing of the others."""
    applied_rows = chance.randint(0, len(messages))
    answered_rows = chance.randint(0, applied_rows)
    _append(log, sync, batch, attempt, messages[:answered_rows], answered=True)
    _append(log, sync, batch, attempt, messages[answered_rows:applied_rows], answered=False)
    unknown = dict.fromkeys(range(answered_rows, len(messages)), _LOST)
    return Outcomes(Outcome(Verdict.DELIVERED), unknown)


def _attempts(log: IO[bytes], keys: Sequence[str]) -> int:
    """Count what came before with the same keys: ids would differ from one run to another."""
    log.seek(0)
    text = log.read()
    whole = text.rpartition(b"\n")[0] + b"\n" if b"\n" in text else b""
    log.truncate(len(whole))  # a process killed here may leave half a line
    return sum(json.loads(line)["keys"] == keys for line in whole.splitlines())


def _land(log: IO[bytes]) -> None:
    """Apply a request that was on its way when its sender gave up waiting."""
    log.seek(0)
    lines = log.read().splitlines()
    last = json.loads(lines[-1]) if lines else {}
    if late := last.get("late"):
        landed = {"batch": "", "keys": [], "attempt": 0, "answered": False, "messages": late}
        _write(log, landed | {name: last[name] for name in ("sync", "timestamp")})


def _append(
    log: IO[bytes],
    sync: str,
    batch: Batch,
    attempt: int,
    messages: list[dict[str, Any]],
    *,
    answered: bool,
    late: Sequence[dict[str, Any]] = (),
) -> None:
    request = {
        "sync": sync, "batch": batch.id, "keys": batch.keys.to_pylist(), "attempt": attempt,
        "answered": answered, "messages": messages, "timestamp": batch.timestamp,
    }  # fmt: skip
    _write(log, request | ({"late": list(late)} if late else {}))


def _write(log: IO[bytes], request: Mapping[str, Any]) -> None:
    log.write(json.dumps(request).encode() + b"\n")
    log.flush()


def key_of(message: dict[str, Any]) -> str:
    """Return the key a message is about."""
    return str(next(iter(message["key"].values())))


def requests(path: Path) -> Iterator[dict[str, Any]]:
    """Return every request: its batch, keys, attempt, timestamp, what it applied, if answered."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return (json.loads(line) for line in lines if line.endswith(b"\n"))


def deliveries(path: Path) -> list[dict[str, Any]]:
    """Return every message that arrived, repeats too, in the order of arrival."""
    return [message for request in requests(path) for message in request["messages"]]


def applied(path: Path) -> dict[str, dict[str, Any]]:
    """Return the last message applied to each key, each message id counting once."""
    first: dict[str, dict[str, Any]] = {}
    for message in deliveries(path):
        first.setdefault(message["message_id"], message)
    return {key_of(message): message for message in first.values()}


def _holdings(path: Path, sync: str, parts: int) -> Iterator[pa.RecordBatch]:
    """Yield the messages of a sync, and those that somebody wrote by hand, each id once."""
    seen: set[str] = set()
    for request in requests(path):
        fresh = [one for one in request["messages"] if one["message_id"] not in seen]
        seen.update(one["message_id"] for one in fresh)
        if request.get("sync", sync) == sync:
            told = [
                {"key": key_of(one), "attributes": _left(one), "wrote": _named(one)}
                for one in fresh
                if key_parts(key_of(one)) == parts
            ]
            yield pa.RecordBatch.from_pylist(told, schema=_HELD)


def _left(message: Mapping[str, Any]) -> str | None:
    return None if message["op"] == Op.DELETE else json.dumps(message["attributes"])


def _named(message: Mapping[str, Any]) -> str:
    return f"message {message['message_id']}"
