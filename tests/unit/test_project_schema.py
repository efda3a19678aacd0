"""The JSON Schemas: every field is in them, and they take what the project's reader takes."""

import json
import re
from typing import get_args

import pytest
from pydantic import BaseModel

from data.project.kinds import FOLDER, KINDS, Tool, Warehouse
from rowlift.core.errors import ConfigError
from rowlift.project.files import ConnectorKinds
from rowlift.project.models import ConnectionFile, ConnectionsFile, RowliftFile, SyncFile
from rowlift.project.schema import DIALECT, json_schema
from rowlift.project.yaml import read_document

MODELS = {"rowlift": RowliftFile, "connections": ConnectionsFile, "sync": SyncFile}
EXAMPLES = [
    ("rowlift", "shop/rowlift.yml"),
    ("connections", "shop/connections.yml"),
    ("sync", "shop/syncs/zendesk_tickets.yml"),
    ("sync", "segment.yml"),
]
TYPES = {"string": str, "integer": int, "number": int | float, "boolean": bool}


def fits(value, schema, root) -> bool:
    """Tell whether a value fits the part of JSON Schema that these schemas use."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        return fits(value, root["$defs"][name], root)
    checks = (
        ("anyOf", lambda some: any(fits(value, one, root) for one in some)),
        ("oneOf", lambda some: sum(fits(value, one, root) for one in some) == 1),
        ("const", lambda one: value == one),
        ("enum", lambda some: value in some),
        ("pattern", lambda text: re.search(text, value) is not None),
        ("type", lambda name: fits_type(value, name, schema, root)),
    )
    return all(check(schema[key]) for key, check in checks if key in schema)


def fits_type(value, name, schema, root) -> bool:
    if name == "array":
        return isinstance(value, list) and all(fits(one, schema["items"], root) for one in value)
    if name == "object":
        return isinstance(value, dict) and fits_object(value, schema, root)
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def fits_object(value, schema, root) -> bool:
    known = schema.get("properties", {})
    named = schema.get("patternProperties", {})
    rest = schema.get("additionalProperties", True)
    for key, one in value.items():
        some = [known[key]] if key in known else []
        some += [inner for pattern, inner in named.items() if re.search(pattern, key)]
        if not some and rest is False:
            return False
        if not some and isinstance(rest, dict):
            some = [rest]
        if not all(fits(one, inner, root) for inner in some):
            return False
    return all(key in value for key in schema.get("required", ()))


@pytest.mark.parametrize(("kind", "name"), EXAMPLES)
def test_the_examples_fit_their_schemas(kind, name):
    document = read_document(FOLDER / name, name)
    assert document.problems == []
    schema = json_schema(kind, KINDS)
    assert schema["$schema"] == DIALECT
    assert fits(document.value, schema, schema)
    assert not fits(document.value | {"unknown": 1}, schema, schema)


def models_of(model, seen):
    """Yield a model and every model its fields hold."""
    if isinstance(model, type) and issubclass(model, BaseModel) and model not in seen:
        seen.add(model)
        yield model
        for field in model.model_fields.values():
            for one in inner_types(field.annotation):
                yield from models_of(one, seen)


def inner_types(annotation):
    yield annotation
    for one in get_args(annotation):
        yield from inner_types(one)


@pytest.mark.parametrize("kind", MODELS)
def test_every_field_is_in_the_schema_with_its_words(kind):
    schema = json_schema(kind, KINDS)
    for model in models_of(MODELS[kind], set()):
        if model is ConnectionFile:
            continue
        part = schema if model is MODELS[kind] else schema["$defs"][model.__name__]
        assert list(part["properties"]) == list(model.model_fields)
        assert part["additionalProperties"] is False
        assert all(one["description"] for one in part["properties"].values())


def test_connectors_are_told_apart_by_type():
    schema = json_schema("connections", KINDS)
    profile = schema["$defs"]["ProfileFile"]["properties"]
    for role, name, model in (
        ("sources", "postgres", Warehouse),
        ("destinations", "segment", Tool),
    ):
        (branches,) = profile[role]["patternProperties"].values()
        (branch,) = branches["oneOf"]
        assert branch["title"] == name
        assert branch["properties"]["type"]["const"] == name
        assert branch["description"] == model.__doc__
        assert set(branch["properties"]) == {*ConnectionFile.model_fields, *model.model_fields}
        for key, field in model.model_fields.items():
            assert branch["properties"][key]["description"] == field.description


@pytest.mark.parametrize(
    ("change", "is_right"),
    [
        ({"port": 5433}, True),
        ({"port": "${PORT}"}, True),
        ({"verify": "${VERIFY:-true}"}, True),
        ({"port": "x"}, False),
        ({"verify": "no"}, False),
        ({"prot": 1}, False),
        ({"type": "mysql"}, False),
        ({"description": "The shop's replica.", "renamed_from": "old"}, True),
    ],
)
def test_a_connection_takes_references_for_any_type(change, is_right):
    schema = json_schema("connections", KINDS)
    warehouse = {"type": "postgres", "host": "h", "database": "d", "user": "u"} | change
    value = {"profiles": {"dev": {"sources": {"w": warehouse}}}}
    assert fits(value, schema, schema) is is_right


class Uninstalled(dict):
    """A registry whose driver is missing, as it is without its extra."""

    def __getitem__(self, name):
        raise ConfigError("DRIVER_MISSING", f"The driver for {name} is not installed.")


def test_a_type_without_its_driver_takes_any_key():
    schema = json_schema("connections", ConnectorKinds(Uninstalled(oracle=None), {}))
    value = {"profiles": {"dev": {"sources": {"w": {"type": "oracle", "anything": 1}}}}}
    assert fits(value, schema, schema)


def test_schemas_are_plain_json_without_null():
    for kind in MODELS:
        text = json.dumps(json_schema(kind, KINDS))
        assert '"null"' not in text
        assert ": null" not in text
