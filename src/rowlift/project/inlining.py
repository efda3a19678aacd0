"""Documents of files as the state keeps them: queries written in, secrets left out."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from rowlift.core.errors import ConfigError, Place
from rowlift.core.specs import ConnectionSpec, SyncSpec
from rowlift.project.annotations import is_secret
from rowlift.project.documents import KeyPath
from rowlift.project.problems import Problem
from rowlift.project.references import File, Variable, parts, secret_reference
from rowlift.project.walking import mapped

LEFT_OUT = secret_reference("0")


def inlined(written: Mapping[str, Any], spec: SyncSpec) -> dict[str, Any]:
    """Return a sync's document with the texts of its queries in the place of their files."""
    document = _with_sql(written, spec.sql)
    if spec.relationships:
        document["relationships"] = _with_sql(written["relationships"], spec.relationships.sql)
    return document


def without_former_name(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without the name that it had before, which is told once."""
    return {key: value for key, value in written.items() if key != "renamed_from"}


def _with_sql(written: Mapping[str, Any], sql: str) -> dict[str, Any]:
    return {
        "sql" if key == "query" else key: sql if key in {"query", "sql"} else value
        for key, value in without_former_name(written).items()
    }


def confided(spec: ConnectionSpec, kinds: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    """Return a connection's document; of its secrets only whole references are in it.

    Where its driver is not installed nobody can tell what is a secret: its settings are left out.
    """
    own: dict[str, Any] = {"type": spec.type} | (
        {"description": spec.description} if spec.description else {}
    )
    try:
        config = kinds[spec.type]
    except (ConfigError, KeyError):
        return own

    def keep(path: KeyPath, text: str) -> str:
        return text if not is_secret(config, path) or _is_reference(text) else LEFT_OUT

    own |= mapped(spec.config, keep)
    return own


def _is_reference(text: str) -> bool:
    try:
        pieces = parts(text, Place(""))
    except Problem:
        return False
    return bool(pieces) and all(
        isinstance(one, File) or (isinstance(one, Variable) and not one.default) for one in pieces
    )
