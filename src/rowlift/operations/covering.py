"""Definitions as they are shown to who may not edit them: an address may hold a token in its path.

The address of a webhook often is all that it takes to write there. Its scheme and host stay.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rowlift.kit.masks import without_path
from rowlift.operations.defining import DefinitionRecord
from rowlift.project.connections import ROLES
from rowlift.project.documents import KeyPath
from rowlift.project.walking import mapped
from rowlift.state.definitions import Version

_FOR_PEOPLE = ("description",)


def covered(one: DefinitionRecord) -> DefinitionRecord:
    """Return a definition without the paths of its addresses."""
    return replace(one, document=covered_document(one.kind, one.document))


def covered_version(kind: str, one: Version) -> Version:
    """Return what a definition was, without the paths of its addresses."""
    return replace(one, document=covered_document(kind, one.document))


def covered_document(kind: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a connection's document without the paths of its addresses; others as they are."""
    found: Mapping[str, Any] = mapped(document, _covered) if kind in ROLES else document
    return found


def _covered(path: KeyPath, text: str) -> str:
    return text if path[:1] == _FOR_PEOPLE else without_path(text)
