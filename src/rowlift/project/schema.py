"""JSON Schemas (2020-12) of the five kinds of files, for editors and for the reference page."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from rowlift.core.errors import ConfigError
from rowlift.project.audiences import AudienceFile
from rowlift.project.connections import ROLES, ConnectorKinds, Kinds
from rowlift.project.forwards import ForwardFile
from rowlift.project.models import ConnectionFile, ConnectionsFile, RowliftFile, SyncFile
from rowlift.project.names import NAME

FileKind = Literal["rowlift", "connections", "sync", "forward", "audience"]
Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MODELS: Mapping[FileKind, type[BaseModel]] = {
    "rowlift": RowliftFile,
    "connections": ConnectionsFile,
    "sync": SyncFile,
    "forward": ForwardFile,
    "audience": AudienceFile,
}
_REFERENCE = {"type": "string", "pattern": r"\$\{"}


def json_schema(kind: FileKind, kinds: ConnectorKinds) -> Schema:
    """Return the schema of rowlift.yml, connections.yml, or or one definition's file."""
    schema = _tidy(_MODELS[kind].model_json_schema())
    if kind == "connections":
        _insert_connections(schema, kinds)
    return {"$schema": DIALECT, **schema}


def _insert_connections(schema: Schema, kinds: ConnectorKinds) -> None:
    profile = schema["$defs"]["ProfileFile"]
    del schema["$defs"]["ConnectionFile"]
    for role in ROLES.values():
        types = kinds.of(role)
        branches = [_connection(role, name, types, schema["$defs"]) for name in sorted(types)]
        profile["properties"][role]["patternProperties"] = {f"^{NAME}$": {"oneOf": branches}}


def _connection(role: str, name: str, types: Kinds, defs: Schema) -> Schema:
    prefix = f"{role}.{name}."
    fields = _fields(types, name, prefix)
    for model, inner in fields.pop("$defs", {}).items():
        defs[prefix + model] = inner
    own = _tidy(ConnectionFile.model_json_schema())["properties"]
    own["type"] |= {"const": name}
    properties = {key: _or_reference(one) for key, one in fields.get("properties", {}).items()}
    return {
        "title": name,
        "description": fields.get("description", ""),
        "type": "object",
        "properties": own | properties,
        "required": ["type", *fields.get("required", ())],
        "additionalProperties": fields.get("additionalProperties", False),
    }


def _fields(types: Kinds, name: str, prefix: str) -> Schema:
    try:
        config = types[name]
    except ConfigError:  # a driver that is not installed: any key may be right
        return {"additionalProperties": True}
    fields: Schema = _tidy(config.model_json_schema(ref_template=f"#/$defs/{prefix}{{model}}"))
    return fields


def _or_reference(schema: Schema) -> Schema:
    """Let a value be a reference such as ${PORT} too, whatever its type."""
    is_free_text = set(schema) <= {"type", "format", "writeOnly", "description", "default"}
    if schema.get("type") in {"array", "object"} or (
        schema.get("type") == "string" and is_free_text
    ):
        return schema
    about: Schema = {key: schema[key] for key in ("description", "default") if key in schema}
    demand = {key: value for key, value in schema.items() if key not in about}
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
    if "patternProperties" in tidy:
        tidy.setdefault("additionalProperties", False)
    branches = tidy.get("anyOf")
    if isinstance(branches, list):
        kept = [one for one in branches if one != {"type": "null"}]
        tidy["anyOf"] = kept
        if len(kept) == 1:
            del tidy["anyOf"]
            tidy = kept[0] | tidy
    return tidy
