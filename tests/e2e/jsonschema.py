"""As much of JSON Schema as our published schemas use; an unknown keyword is an error."""

from collections.abc import Iterator, Mapping
from typing import Any

ABOUT = {"$schema", "$defs", "title", "description", "default", "format"}
KNOWN = ABOUT | {
    "$ref", "type", "anyOf", "const", "enum", "items", "properties", "required",
    "additionalProperties",
}  # fmt: skip
TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,),
    "number": (int, float), "boolean": (bool,), "null": (type(None),),
}  # fmt: skip


def faults(value: Any, schema: Mapping[str, Any], root: Any = None, at: str = "$") -> Iterator[str]:
    """What in a value breaks a schema."""
    root = schema if root is None else root
    if unknown := schema.keys() - KNOWN:
        raise NotImplementedError(unknown)
    if "$ref" in schema:
        yield from faults(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)
    if "type" in schema and not is_a(value, schema["type"]):
        yield f"{at} is {value!r}, not {schema['type']}"
    if value not in schema.get("enum", [schema.get("const", value)]):
        yield f"{at} is {value!r}, not {schema.get('enum', schema.get('const'))}"
    branches = schema.get("anyOf", ())
    if branches and all(list(faults(value, one, root, at)) for one in branches):
        yield f"{at} is {value!r}: fits no branch"
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from faults(one, schema.get("items", {}), root, f"{at}[{index}]")
    if isinstance(value, dict):
        yield from members(value, schema, root, at)


def is_a(value: Any, name: str) -> bool:
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def members(value: dict[str, Any], schema: Mapping[str, Any], root: Any, at: str) -> Iterator[str]:
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    yield from (f"{at}.{key} is missing" for key in schema.get("required", ()) if key not in value)
    for key, one in value.items():
        if key not in known and others is False:
            yield f"{at}.{key} is unknown"
        wanted = known.get(key, {} if isinstance(others, bool) else others)
        yield from faults(one, wanted, root, f"{at}.{key}")
