"""A Customer.io workspace of its own for tests: a receiver that judges and keeps state.

It speaks the parts of the Track API that carry people, objects, relationships, suppressions and
members of manual segments, and refuses what the vendor documents to refuse.
"""

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any

from rowlift.testing.misbehaviour import kept
from rowlift.testing.sink import Received, Sink, ident_of, key_of
from rowlift.testing.trackrules import VALUE_BYTES, faults

_REQUEST_BYTES = 500_000
_SEGMENT_IDS = 1000
_SEGMENT = re.compile(
    r"/api/v1/segments/(?P<id>\d+)/(?P<change>add|remove)_customers(\?id_type=(?P<kind>\w+))?"
)
_BASIC = re.compile(r"Basic (?P<token>.+)")
Attributes = dict[str, Any]
Identifier = tuple[str, str]


@dataclass(slots=True)
class Person:
    """A person with the identifiers that are set."""

    identifiers: dict[str, str]
    attributes: Attributes = field(default_factory=dict)


@dataclass
class Workspace:
    """What the operations made: objects by type and id, relationships by object and person.

    `failures` are attribute updates that failed after they were accepted, as the vendor does it.
    """

    people: list[Person] = field(default_factory=list)
    objects: dict[tuple[str, str], Attributes] = field(default_factory=dict)
    relationships: dict[tuple[str, str, Identifier], Attributes] = field(default_factory=dict)
    suppressed: set[Identifier] = field(default_factory=set)
    segments: dict[int, set[Identifier]] = field(default_factory=dict)
    failures: list[tuple[Identifier, str]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def person(self, name: str, value: str) -> Person | None:
        """Return the person whom an identifier names."""
        wanted = _same(name, value)
        for person in self.people:
            if name in person.identifiers and _same(name, person.identifiers[name]) == wanted:
                return person
        return None

    def apply(self, operation: dict[str, Any]) -> None:
        """Carry out one valid operation."""
        if operation["type"] == "object":
            self._apply_to_object(operation)
            return
        ((name, value),) = operation["identifiers"].items()
        if operation["action"] == "unsuppress":
            self.suppressed.discard((name, value))
        elif (name, value) not in self.suppressed:
            self._apply_to_person(name, value, operation)

    def _apply_to_object(self, operation: dict[str, Any]) -> None:
        key = (operation["identifiers"]["object_type_id"], operation["identifiers"]["object_id"])
        if operation["action"] == "delete":
            self.objects.pop(key, None)
            for link in [one for one in self.relationships if one[:2] == key]:
                del self.relationships[link]
        else:
            _merge(self.objects.setdefault(key, {}), operation.get("attributes", {}))

    def _apply_to_person(self, name: str, value: str, operation: dict[str, Any]) -> None:
        person = self.person(name, value)
        action = operation["action"]
        if action in ("delete", "suppress"):
            if person:
                self.people.remove(person)
            if action == "suppress":
                known = person.identifiers if person else {}
                self.suppressed |= {(name, value), *known.items()}
        elif action in ("event", "page", "screen"):
            self.events.append(operation)
        elif action == "identify":
            self._identify(name, value, person, dict(operation.get("attributes", {})))
        else:
            self._relate((name, value), action, operation["cio_relationships"])

    def _identify(
        self, name: str, value: str, person: Person | None, attributes: Attributes
    ) -> None:
        update_only = attributes.pop("_update", False)
        if person is None:
            if update_only or name == "cio_id":
                return
            person = Person({name: value})
            self.people.append(person)
        for other in ("id", "email"):
            if attributes.get(other):
                self._add_identifier((name, value), person, other, attributes.pop(other))
        _merge(person.attributes, attributes)

    def _add_identifier(self, by: Identifier, person: Person, name: str, value: str) -> None:
        owner = self.person(name, value)
        if owner is None and name not in person.identifiers:
            person.identifiers[name] = value
        elif owner is not person:
            self.failures.append((by, name))

    def _relate(self, person: Identifier, action: str, given: list[dict[str, Any]]) -> None:
        for one in given:
            where = one["identifiers"]
            link = (where["object_type_id"], where["object_id"], person)
            if action == "delete_relationships":
                self.relationships.pop(link, None)
            else:
                attributes = one.get("relationship_attributes", {})
                _merge(self.relationships.setdefault(link, {}), attributes)


class TrackServer(Sink):
    """Serves one workspace to one pair of credentials; requests are judged as the vendor does.

    What the vendor leaves open is: 413 for a request that is too large, and 401 with `meta`. A
    limit of `value_bytes` above the vendor's 1,000 lets suites send records of any size.
    """

    def __init__(
        self,
        *,
        site_id: str = "site",
        api_key: str = "key",
        region: str = "us",
        value_bytes: int = VALUE_BYTES,
    ) -> None:
        self.workspace = Workspace()
        self.region = region
        self._token = base64.b64encode(f"{site_id}:{api_key}".encode()).decode()
        self._value_bytes = value_bytes
        super().__init__()

    def _welcome(self, received: Received) -> bytes:
        refusal = self._refusal(received)
        if refusal:
            self._note(received, apply=False)
            return refusal
        if (received.method, received.path) == ("GET", "/api/v1/accounts/region"):
            return _json(200, {"url": self.url, "region": self.region, "environment_id": 1})
        if (received.method, received.path) == ("POST", "/api/v2/batch"):
            return self._batch(received)
        segment = _SEGMENT.fullmatch(received.path)
        if segment and received.method == "POST":
            return self._segment(received, segment)
        return kept(404)

    def _refusal(self, received: Received) -> bytes | None:
        basic = _BASIC.fullmatch(received.headers.get("authorization", ""))
        if not basic or basic["token"] != self._token:
            return _json(401, {"meta": {"error": "Unauthorized"}})
        if len(received.body) >= _REQUEST_BYTES:
            return kept(413)
        if "content-encoding" in received.headers:
            return _malformed("body", "must not be compressed")
        return None

    def _batch(self, received: Received) -> bytes:
        operations = _listed(received, "batch")
        if not operations:
            self._note(received, apply=False)
            return _malformed("batch", "must be a list of operations")
        found = [
            {"batch_index": at, "reason": "invalid", "field": where, "message": why}
            for at, one in enumerate(operations)
            for where, why in faults(one, self._value_bytes)
        ]
        self._note(received, apply=True)
        return _json(207, {"errors": found}) if found else _json(200, {})

    def _take(self, record: dict[str, Any]) -> None:
        if any(faults(record, self._value_bytes)):
            return
        known = self.taken.by_key.get(key_of(record))
        ident = ident_of(record)
        if ident in self.taken.records or (known and ident_of(known) == ident):
            self.taken.repeats += 1
            return
        self.taken.records[record.get("id") or str(len(self.taken.records))] = record
        self.taken.by_key[key_of(record)] = record
        self.workspace.apply(record)

    def _segment(self, received: Received, asked: re.Match[str]) -> bytes:
        ids = _listed(received, "ids")
        members = self.workspace.segments.get(int(asked["id"]))
        if members is None:
            return kept(404)
        if not 1 <= len(ids) <= _SEGMENT_IDS or not all(isinstance(one, str) for one in ids):
            return _json(400, {"meta": {"errors": ["ids must be 1 to 1000 texts"]}})
        named = {(asked["kind"] or "id", one) for one in ids}
        with self._lock:
            if asked["change"] == "add":
                members |= named
            else:
                members -= named
        self._note(received, apply=True)
        return _json(200, {})


def _listed(received: Received, name: str) -> list[Any]:
    try:
        found = json.loads(received.body)[name]
    except (ValueError, LookupError, TypeError):
        return []
    return found if isinstance(found, list) else []


def _merge(into: Attributes, given: Attributes) -> None:
    """Set attributes; null and the empty text remove one."""
    for name, value in given.items():
        if value in (None, ""):
            into.pop(name, None)
        else:
            into[name] = value


def _same(name: str, value: str) -> str:
    return value.lower() if name == "email" else value


def _malformed(where: str, why: str) -> bytes:
    return _json(400, {"errors": [{"reason": "invalid", "field": where, "message": why}]})


def _json(status: int, document: Any) -> bytes:
    return kept(status, json.dumps(document).encode())
