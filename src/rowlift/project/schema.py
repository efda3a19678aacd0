"""JSON Schemas (2020-12) of the three kinds of files, for editors and for the reference page."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from rowlift.project.connections import OWN_KEYS, Kinds, Role
from rowlift.project.models import ConnectionFile, ConnectionsFile, RowliftFile, SyncFile

FileKind = Literal["rowlift", "connections", "sync"]
Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MODELS: Mapping[FileKind, type[BaseModel]] = {
    "rowlift": RowliftFile,
    "connections": ConnectionsFile,
    "sync": SyncFile,
}
_REFERENCE = {"type": "string", "pattern": r"\$\{"}


def json_schema(kind: FileKind, kinds: Kinds) -> Schema:
    """Return the schema of rowlift.yml, connections.yml or a sync's file."""
    schema = _tidy(_MODELS[kind].model_json_schema())
    if kind == "connections":
        _insert_connections(schema, kinds)
    return {"$schema": DIALECT, **schema}


def _insert_connections(schema: Schema, kinds: Kinds) -> None:
    profile = schema["$defs"]["ProfileFile"]
    del schema["$defs"]["ConnectionFile"]
    roles: tuple[Role, Role] = ("sources", "destinations")
    for role in roles:
        types = kinds.of(role)
        branches = [_connection(role, name, types[name], schema["$defs"]) for name in sorted(types)]
        profile["properties"][role]["additionalProperties"] = {"oneOf": branches}


def _connection(role: Role, name: str, config: type[BaseModel], defs: Schema) -> Schema:
    prefix = f"{role}.{name}."
    fields = _tidy(config.model_json_schema(ref_template=f"#/$defs/{prefix}{{model}}"))
    for model, inner in fields.pop("$defs", {}).items():
        defs[prefix + model] = inner
    own = _tidy(ConnectionFile.model_json_schema())["properties"]
    own["type"] |= {"const": name}
    properties = {key: _or_reference(one) for key, one in fields.get("properties", {}).items()}
    return {
        "title": name,
        "description": fields.get("description", ""),
        "type": "object",
        "properties": {key: own[key] for key in own if key in OWN_KEYS} | properties,
        "required": ["type", *fields.get("required", ())],
        "additionalProperties": False,
    }


def _or_reference(schema: Schema) -> Schema:
    """Let a value be a reference such as ${PORT} too, whatever its type."""
    about = {key: schema[key] for key in ("description", "default") if key in schema}
    demand = {key: value for key, value in schema.items() if key not in about}
    if demand.get("type") in {"array", "object"} or set(demand) <= {"type", "format", "writeOnly"}:
        is_text = demand.get("type") in {"string", "array", "object"}
        if is_text:
            return schema
    return {**about, "anyOf": [demand, _REFERENCE]}


def _tidy(value: Any) -> Any:
    """Drop generated titles and null: a file has no nulls, a key is there or it is not."""
    if isinstance(value, list):
        return [_tidy(one) for one in value]
    if not isinstance(value, dict):
        return value
    tidy = {
        key: _tidy(one)
        for key, one in value.items()
        if not (key == "title" and isinstance(one, str)) and not (key == "default" and one is None)
    }
    branches = tidy.get("anyOf")
    if isinstance(branches, list):
        kept = [one for one in branches if one != {"type": "null"}]
        tidy["anyOf"] = kept
        if len(kept) == 1:
            del tidy["anyOf"]
            tidy = kept[0] | tidy
    return tidy
