"""Messages folded into rows: one for each person, account and membership they speak of.

Later messages lay their traits over earlier ones. Messages that name only an anonymous id are of
the person who has it, or to whom an earlier message of the same chunk gave it; an anonymous id that
somebody known has stays theirs.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from rowlift.engine.attributes import joined
from rowlift.engine.messages import EVENTS, Message
from rowlift.state.intake import MessageReject

Who = tuple[str, str]  # kind of identifier as a sync names it, and its value


@dataclass(frozen=True, slots=True)
class Known:
    """Who is known of those whom messages name: ids, anonymous ids, and owners of these.

    An owner is named by their id; None where they have none but an e-mail address. `told` are the
    raw traits that messages told of somebody and that stand as they were told.
    """

    ids: Collection[str]
    anonymous_ids: Collection[str]
    owners: Mapping[str, str | None]
    told: Mapping[Who, Mapping[str, str]]


@dataclass(slots=True)
class Row:
    """What messages say of one key, in their order."""

    messages: list[Message] = field(default_factory=list)
    identifiers: dict[str, str] = field(default_factory=dict)  # beside the key
    is_laid: bool = True  # its messages' traits are its own
    is_known: bool = False
    told: Mapping[str, str] = field(default_factory=dict)

    def attributes(self) -> str:
        """Return the traits of all messages laid over each other, as one canonical text."""
        named = {name: _text(value) for name, value in self.identifiers.items()}
        return joined(self._laid() | named)

    def says_nothing(self) -> bool:
        """Tell whether the person is known, by no other identifier, and each trait was told."""
        if self.identifiers or not self.is_known:
            return False
        return all(self.told.get(name) == value for name, value in self._laid().items())

    def _laid(self) -> dict[str, str]:
        laid: dict[str, str] = {}
        for message in self.messages if self.is_laid else ():
            laid |= message.members
        return laid


Rows = dict[str, Row]


@dataclass(slots=True)
class Folded:
    """Rows by key: people by the identifier they are known by, and further ids of theirs."""

    strangers: Rows = field(default_factory=dict)
    people: Rows = field(default_factory=dict)
    links: Rows = field(default_factory=dict)
    accounts: Rows = field(default_factory=dict)
    memberships: Rows = field(default_factory=dict)
    events: list[tuple[Who, Message]] = field(default_factory=list)
    rejects: list[MessageReject] = field(default_factory=list)


def fold(messages: Iterable[Message], known: Known) -> Folded:
    """Fold messages in the order they came."""
    folding = _Folding(known)
    for message in messages:
        folding.add(message)
    return folding.folded


class _Folding:
    """Messages folded so far, and who has which anonymous id."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._owners = dict(known.owners)
        self.folded = Folded()

    def add(self, message: Message) -> None:
        if message.type == "alias" and self._is_known(message):
            reason = f"{message.previous_id} is somebody known; people are merged by hand."
            self.folded.rejects.append(message.refused("ALIAS_KNOWN", reason))
            return
        kind, value = who = self._who(message)
        if kind == "user_id":
            self._link(message, value)
        if message.type == "group":
            self._add_group(message, who)
        elif kind == "user_id":
            self._person(value).messages.append(message)
        else:
            self._stranger(value).messages.append(message)
        if message.type in EVENTS:
            self.folded.events.append((who, message))

    def _is_known(self, message: Message) -> bool:
        """Tell whether an alias names somebody else than a stranger."""
        owner = self._owners.get(message.previous_id, message.user_id)
        return owner != message.user_id or message.previous_id in self._known.ids

    def _who(self, message: Message) -> Who:
        own = message.user_id or self._owners.get(message.anonymous_id)
        return ("user_id", own) if own else ("anonymous_id", message.anonymous_id)

    def _link(self, message: Message, user_id: str) -> None:
        """Give anonymous ids to a person, unless they stay with somebody who is known."""
        for anonymous_id in filter(None, (message.anonymous_id, message.previous_id)):
            if self._is_theirs(anonymous_id, user_id):
                continue
            self._owners[anonymous_id] = user_id
            own = self._person(user_id).identifiers
            if own.setdefault("anonymous_id", anonymous_id) != anonymous_id:
                self.folded.links[anonymous_id] = Row([], {"id": user_id})

    def _is_theirs(self, anonymous_id: str, user_id: str) -> bool:
        """Tell whether an anonymous id has an owner; one without an id may turn out to be new."""
        has_owner = anonymous_id in self._owners
        return has_owner and bool(self._owners[anonymous_id] or user_id in self._known.ids)

    def _person(self, user_id: str) -> Row:
        told = self._known.told.get(("user_id", user_id), {})
        row = Row(is_known=user_id in self._known.ids, told=told)
        return self.folded.people.setdefault(user_id, row)

    def _stranger(self, anonymous_id: str) -> Row:
        told = self._known.told.get(("anonymous_id", anonymous_id), {})
        row = Row(is_known=anonymous_id in self._known.anonymous_ids, told=told)
        return self.folded.strangers.setdefault(anonymous_id, row)

    def _add_group(self, message: Message, who: Who) -> None:
        """A group call makes nobody of an anonymous id: account rows of a sync have one each."""
        self.folded.accounts.setdefault(message.group_id, Row()).messages.append(message)
        kind, value = who
        if kind == "user_id":
            self._person(value)
            key = f'["1",{_text(message.group_id)},{_text(value)}]'
            member = self.folded.memberships.setdefault(key, Row(is_laid=False))
            member.messages.append(message)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


_COLUMNS = pa.schema(
    [("key", pa.string()), ("version", pa.int64()), ("op", pa.string()), ("fp", pa.uint64()),
     ("present", pa.bool_()), ("row_number", pa.int64()), ("attributes", pa.string()),
     ("is_news", pa.bool_())]
)  # fmt: skip


def due(rows: Mapping[str, Row]) -> pa.Table:
    """Return rows as the engine's due rows, numbered as they come."""
    keys, count = list(rows), len(rows)
    columns: Sequence[Iterable[object]] = (
        keys, [1] * count, ["upsert"] * count, [0] * count, [True] * count, range(1, count + 1),
        [row.attributes() for row in rows.values()],
        [not row.says_nothing() for row in rows.values()],
    )  # fmt: skip
    arrays = [pa.array(column, one.type) for column, one in zip(columns, _COLUMNS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=_COLUMNS)


def without_email(rows: Mapping[str, Row]) -> Iterator[tuple[str, Row]]:
    """Yield what is left of rows without the messages that name an e-mail address."""
    for key, row in rows.items():
        left = [message for message in row.messages if "email" not in message.members]
        if 0 < len(left) < len(row.messages):
            yield key, Row(left, row.identifiers)
