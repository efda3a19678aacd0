"""What Customer.io's Track API says of an operation before it takes it, by its published limits."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

PERSON = frozenset({"id", "email", "phone", "cio_id"})
OBJECT = frozenset({"object_type_id", "object_id"})
_EVENTS = ("event", "page", "screen")
_ACTIONS = {
    "person": {
        "identify", "delete", "suppress", "unsuppress", "add_relationships", "delete_relationships",
        *_EVENTS,
    },
    "object": {"identify", "delete", "add_relationships", "delete_relationships"},
}  # fmt: skip
_EVENT_MEMBERS = {"type", "action", "identifiers", "name", "id", "attributes", "timestamp"}
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_MEMBERS = {"type", "action", "identifiers", "attributes", "timestamp", "cio_relationships"}

OPERATION_BYTES = 32_768
IDENTIFIER_BYTES = 150
NAME_BYTES = 150
VALUE_BYTES = 1000
ATTRIBUTES = 300
EVENT_NAME_BYTES = 100
EVENT_BYTES = 100_000
_LAST_SECOND = 10**11  # a larger timestamp is in milliseconds

Fault = tuple[str, str]
"""The field that is wrong, and why."""


def faults(operation: Any, value_bytes: int = VALUE_BYTES) -> Iterator[Fault]:
    """Yield everything that is wrong with an operation on a person or an object."""
    if not isinstance(operation, dict):
        yield "", "an operation is an object"
        return
    kind = operation.get("type")
    if kind not in _ACTIONS:
        yield "type", "must be person or object"
    elif operation.get("action") not in _ACTIONS[kind]:
        yield "action", f"is not an action of a {kind}"
    elif operation["action"] in _EVENTS:
        yield from _event(operation)
    else:
        yield from _identified(operation.get("identifiers"), kind, "identifiers")
        yield from _content(operation, kind, value_bytes)
    if _size(operation) > OPERATION_BYTES:
        yield "", "an operation has at most 32 KB"


def _event(operation: Mapping[str, Any]) -> Iterator[Fault]:
    given = operation.get("identifiers")
    if not isinstance(given, dict) or given.keys() != {"anonymous_id"}:
        yield from _identified(given, "person", "identifiers")
    for name in operation.keys() - _EVENT_MEMBERS:
        yield name, "is not known"
    named, ident = operation.get("name"), str(operation.get("id", ""))
    if not isinstance(named, str) or not 0 < len(named.encode()) <= EVENT_NAME_BYTES:
        yield "name", f"must be a text of at most {EVENT_NAME_BYTES} bytes"
    if ident and not _ULID.fullmatch(ident):
        yield "id", "must be a ULID"
    attributes = operation.get("attributes", {})
    if not isinstance(attributes, dict) or _size(attributes) > EVENT_BYTES:
        yield "attributes", f"must be an object of at most {EVENT_BYTES} bytes"
    yield from _moment(operation)


def _content(operation: Mapping[str, Any], kind: str, value_bytes: int) -> Iterator[Fault]:
    for name in operation.keys() - _MEMBERS:
        yield name, "is not known"
    if "attributes" in operation:
        if operation["action"] != "identify":
            yield "attributes", "only identify takes them"
        yield from _attributes(operation["attributes"], "attributes", value_bytes)
    yield from _moment(operation)
    if operation["action"] in ("add_relationships", "delete_relationships"):
        yield from _relationships(operation.get("cio_relationships"), kind, value_bytes)
    elif operation["action"] != "identify" and "cio_relationships" in operation:
        yield "cio_relationships", f"{operation['action']} takes none"


def _moment(operation: Mapping[str, Any]) -> Iterator[Fault]:
    moment = operation.get("timestamp", 0)
    if type(moment) is not int or not 0 <= moment < _LAST_SECOND:
        yield "timestamp", "must be in Unix seconds"


def _relationships(given: Any, kind: str, value_bytes: int) -> Iterator[Fault]:
    if not isinstance(given, list) or not given:
        yield "cio_relationships", "are required"
        return
    other = "object" if kind == "person" else "person"
    for at, one in enumerate(given):
        path = f"cio_relationships.{at}"
        if not isinstance(one, dict) or one.keys() - {"identifiers", "relationship_attributes"}:
            yield path, "has identifiers and relationship_attributes"
            continue
        yield from _identified(one.get("identifiers"), other, f"{path}.identifiers")
        attributes = one.get("relationship_attributes", {})
        yield from _attributes(attributes, f"{path}.relationship_attributes", value_bytes)


def _identified(given: Any, kind: str, path: str) -> Iterator[Fault]:
    names = given.keys() if isinstance(given, dict) else set()
    one_person = kind == "person" and len(names) == 1 and names <= PERSON
    if not (one_person or (kind == "object" and names in (OBJECT, {"cio_object_id"}))):
        yield path, "must identify one " + kind
        return
    for name, value in given.items():
        if not isinstance(value, str) or not value:
            yield f"{path}.{name}", "must be a text"
        elif len(value.encode()) > IDENTIFIER_BYTES:
            yield f"{path}.{name}", f"has more than {IDENTIFIER_BYTES} bytes"
        elif name == "object_type_id" and not value.isdecimal():
            yield f"{path}.{name}", "must be a number as text"


def _attributes(given: Any, path: str, value_bytes: int) -> Iterator[Fault]:
    if not isinstance(given, dict):
        yield path, "must be an object"
        return
    if len(given) > ATTRIBUTES:
        yield path, f"are more than {ATTRIBUTES}"
    for name, value in given.items():
        if len(name.encode()) > NAME_BYTES:
            yield f"{path}.{name}", f"has a name of more than {NAME_BYTES} bytes"
        if _size(value) > value_bytes:
            yield f"{path}.{name}", f"has more than {value_bytes} bytes"


def _size(value: Any) -> int:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return len(text.encode())
