"""The secrets of a document that is made in Rowlift: taken out of it before it is kept anywhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from rowlift.core.errors import ConfigError, Place
from rowlift.project.annotations import is_secret
from rowlift.project.documents import KeyPath
from rowlift.project.problems import listed
from rowlift.project.references import Secret, parts, secret_reference
from rowlift.project.secrets import place_key
from rowlift.project.walking import mapped, texts
from rowlift.project.words import dotted

# Settings that decide neither where a secret is sent nor who can read it on its way.
_HARMLESS = frozenset({
    "description", "database", "schema_name", "dataset", "user", "role", "warehouse", "reader",
    "connect_timeout", "statement_timeout", "fetch_rows", "labels", "maximum_bytes_billed",
    "tinyint1", "isolation", "application_intent", "memory_limit", "threads", "gzip", "batch",
    "batch_rows", "requests_per_second", "segment_id", "object_types",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Confided:
    """A document without secrets; `keeps` are the ids of those it goes on with."""

    document: Mapping[str, Any]
    keeps: frozenset[str]


def confide(
    document: Mapping[str, Any],
    config: type[BaseModel],
    before: Mapping[str, Any],
    seal: Callable[[str, str], str],
) -> Confided:
    """Hand each secret, by path, to `seal`, which returns its id, and leave a reference behind.

    Raises ConfigError for a reference to a secret of another definition, and SECRET_AGAIN where one
    is kept although it would go elsewhere.
    """
    known = secret_ids(before)

    def take(path: KeyPath, text: str) -> str:
        pieces = parts(text, Place(dotted(path)))
        for one in pieces:
            if isinstance(one, Secret) and (one.id not in known or len(pieces) > 1):
                raise _not_theirs(path)
        plain = [one for one in pieces if isinstance(one, str)]
        if not is_secret(config, path) or not plain:
            return text
        return secret_reference(seal(place_key(path), "".join(plain)))

    confided = mapped(document, take)
    keeps = frozenset(secret_ids(document))
    if keeps and (moved := _moved(document, before, config)):
        raise ConfigError(
            "SECRET_AGAIN",
            f"{listed(moved, 'and')} changed: its secrets would go elsewhere.",
            mend=f"Give them again: {', '.join(sorted(secret_paths(document)))}.",
        )
    return Confided(confided, keeps)


def secret_ids(document: Mapping[str, Any]) -> set[str]:
    """Return the ids of the secrets that a document refers to."""
    return set(secret_paths(document).values())


def secret_paths(document: Mapping[str, Any]) -> dict[str, str]:
    """Return path → id of the secrets that a document refers to."""
    return {
        place_key(path): text.removeprefix("${secret:").removesuffix("}")
        for path, text in texts(document)
        if text.startswith("${secret:")
    }


def with_present_secrets(document: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return an older document with the secrets that stand at the same paths now."""
    return _with(document, {path: secret_reference(one) for path, one in secret_paths(now).items()})


def with_references(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return a document that refers to variables, by path, in the place of its secrets."""
    return _with(document, {path: f"${{{name}}}" for path, name in names.items()})


def _with(document: Mapping[str, Any], references: Mapping[str, str]) -> dict[str, Any]:
    def take(path: KeyPath, text: str) -> str:
        is_one = text.startswith("${secret:")
        return references.get(place_key(path), text) if is_one else text

    changed: dict[str, Any] = mapped(document, take)
    return changed


def _moved(
    document: Mapping[str, Any], before: Mapping[str, Any], config: type[BaseModel]
) -> list[str]:
    """Return the settings that changed and may lead a secret elsewhere."""

    def blank(path: KeyPath, text: str) -> str:
        return "" if is_secret(config, path) else text

    old, new = mapped(before, blank), mapped(document, blank)
    keys = sorted(old.keys() | new.keys())
    return [
        key for key in keys if key not in _HARMLESS and (old.get(key) or "") != (new.get(key) or "")
    ]


def _not_theirs(path: KeyPath) -> ConfigError:
    text = f"{dotted(path)} refers to a secret that this definition does not have."
    return ConfigError("VALUE_WRONG", text, mend="Give the secret itself.")
