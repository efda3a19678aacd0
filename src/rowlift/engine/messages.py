"""Messages of Segment's tracking protocol, read from accepted requests.

A message that breaks a rule becomes a reject of its own. Numbers keep the digits they came with, so
that attributes are as exact as those of a query.
"""

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rowlift.core.identifiers import email_valid
from rowlift.engine.jsontext import Digits, canonical_value, refuse
from rowlift.engine.rowrules import MAX_IDENTIFIER
from rowlift.state.intake import Accepted, MessageReject

EVENTS = ("track", "page", "screen")
TYPES = ("identify", "group", "alias", *EVENTS)
MOST_IN_BATCH = 2500
MAX_MESSAGE_ID = 100

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_IDENTIFIERS = frozenset({"id", "user_id", "anonymous_id"})  # of a person; no traits
_NUL = "\\u0000"
_EARLIEST = datetime(1, 1, 2, tzinfo=UTC).timestamp()  # in whatever zone it is shown
_LATEST = datetime(9999, 12, 30, tzinfo=UTC).timestamp()

Members = Mapping[str, str]  # canonical JSON text by name


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One message that keeps the rules; at and received_at are in Unix seconds.

    `members` are the traits of an identify or group; `properties` those of an event, as one text.
    """

    type: str
    message_id: str
    user_id: str
    anonymous_id: str
    received_at: float
    at: float
    members: Members
    group_id: str = ""
    previous_id: str = ""
    name: str = ""
    properties: str = "{}"

    @property
    def identifier(self) -> str:
        """Return what names its person."""
        return self.user_id or self.anonymous_id

    def refused(self, code: str, reason: str) -> MessageReject:
        """Return the reject of this message."""
        return MessageReject(
            self.received_at, self.type, self.message_id, self.identifier, code, reason
        )


class _Broken(Exception):
    """A message breaks a rule: code, and reason."""


def read(request: Accepted) -> Iterator[Message | MessageReject]:
    """Yield the messages of a request, in their order, and a reject for each that is broken."""
    body = _parsed(request.body)
    if body is None:
        reason = "It nests too deep."
        yield MessageReject(request.received_at, request.type, "", "", "JSON_INVALID", reason)
        return
    if request.type:
        yield _read(body, request, request.type, body.get("sentAt"))
        return
    listed: Sequence[Any] = body["batch"]
    if len(listed) > MOST_IN_BATCH:
        reason = f"The batch has {len(listed):,} messages; {MOST_IN_BATCH:,} are allowed."
        yield MessageReject(request.received_at, "batch", "", "", "BATCH_TOO_LONG", reason)
        return
    for raw in listed:
        yield _read(raw, request, "", body.get("sentAt"))


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body, parse_int=Digits, parse_float=Digits, parse_constant=refuse)
    except RecursionError:  # how deep it may go hangs on who reads it
        return None


def _read(raw: Any, request: Accepted, type_: str, sent_at: Any) -> Message | MessageReject:
    known = raw if isinstance(raw, dict) else {}
    kind = type_ or _shown(known, "type")
    try:
        return _message(raw, kind, request.received_at, sent_at)
    except _Broken as broken:
        code, reason = broken.args
        told = (_shown(known, "messageId"), _shown(known, "userId") or _shown(known, "anonymousId"))
        return MessageReject(request.received_at, kind[:20], *told, code, reason)


def _shown(raw: Mapping[str, Any], name: str) -> str:
    """What a broken message says of itself, short and fit to be stored."""
    value = raw.get(name)
    text = value[:MAX_MESSAGE_ID] if isinstance(value, str) else ""
    return _CONTROL.sub("", text).encode(errors="replace").decode()


def _message(raw: Any, kind: str, received_at: float, sent_at: Any) -> Message:
    if not isinstance(raw, dict):
        raise _Broken("MESSAGE_INVALID", "A message is a JSON object.")
    if kind not in TYPES:
        text = f"There is no type {kind[:40]!r}." if kind else "type is missing."
        raise _Broken("MESSAGE_INVALID", text)
    message_id = _text(raw, "messageId") or uuid.uuid4().hex
    if len(message_id) > MAX_MESSAGE_ID:
        raise _Broken("MESSAGE_INVALID", f"messageId is over {MAX_MESSAGE_ID} characters long.")
    user_id, anonymous_id = _identifier(raw, "userId"), _identifier(raw, "anonymousId")
    if not (user_id or anonymous_id):
        raise _Broken("MESSAGE_NO_ID", "It has neither userId nor anonymousId.")
    at = _happened(raw.get("timestamp"), sent_at or raw.get("sentAt"), received_at)
    shared = (kind, message_id, user_id, anonymous_id, received_at, at)
    if kind in EVENTS:
        return Message(
            *shared, {}, name=_name(raw, kind), properties=_canonical(_object(raw, "properties"))
        )
    if kind == "alias":
        _required(raw, "userId")
        return Message(*shared, {}, previous_id=_required(raw, "previousId"))
    group_id = _required(raw, "groupId") if kind == "group" else ""
    return Message(*shared, _members(raw, kind), group_id=group_id)


def _members(raw: Mapping[str, Any], kind: str) -> Members:
    traits = _object(raw, "traits")
    if kind == "identify":
        traits = {name: value for name, value in traits.items() if name not in _IDENTIFIERS}
        _check_email(traits.get("email"))
    members = {name: _canonical(value) for name, value in traits.items()}
    _canonical(list(members))
    return members


def _check_email(value: Any) -> None:
    if value is None or value == "":
        return
    if not isinstance(value, str) or not email_valid(value.strip()):
        told = value[:MAX_IDENTIFIER] if isinstance(value, str) else "email"
        raise _Broken("EMAIL_INVALID", f"{told} is not a valid address.")


def _canonical(value: Any) -> str:
    text = canonical_value(value)
    if not text or _NUL in text:
        raise _Broken("JSON_INVALID", "A value nests too deep or is no valid text.")
    return text


def _object(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Broken("MESSAGE_INVALID", f"{name} is a JSON object.")
    return value


def _name(raw: Mapping[str, Any], kind: str) -> str:
    """The event's name; of a page or screen its category and name."""
    if kind == "track":
        return _required(raw, "event")
    return " ".join(filter(None, (_text(raw, "category"), _text(raw, "name"))))


def _required(raw: Mapping[str, Any], name: str) -> str:
    text = _text(raw, name) if name == "event" else _identifier(raw, name)
    if not text:
        raise _Broken("MESSAGE_INVALID", f"{name} is missing or empty.")
    return text


def _identifier(raw: Mapping[str, Any], name: str) -> str:
    text = _text(raw, name)
    if len(text) > MAX_IDENTIFIER:
        raise _Broken("ID_TOO_LONG", f"{name} is over {MAX_IDENTIFIER} characters long.")
    if _CONTROL.search(text):
        raise _Broken("ID_CHARACTERS", f"{name} has control characters.")
    return text


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):  # numbers come as their digits
        raise _Broken("MESSAGE_INVALID", f"{name} is a text.")
    if not (value.isascii() or canonical_value(value)) or "\0" in value:
        raise _Broken("TEXT_ENCODING", f"{name} is no valid text.")
    return value.strip()


def _happened(timestamp: Any, sent_at: Any, received_at: float) -> float:
    """When it happened by our clock: the sender's is put right by what it said when it sent.

    A moment that no calendar has is none.
    """
    told, sent = _moment(timestamp), _moment(sent_at)
    if told is not None and sent is not None:
        told += received_at - sent
    return told if told is not None and _EARLIEST < told < _LATEST else received_at


def _moment(value: Any) -> float | None:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
