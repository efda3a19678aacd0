"""From forms of the workspace's settings to its document, and what is wrong back to a field."""

from collections.abc import Mapping
from typing import Any

from rowlift.core.errors import RowliftError
from rowlift.operations.defining import DefinitionRecord
from rowlift.project.problems import ProjectInvalid

RETENTION = ("runs", "batches", "rejects", "events", "history", "undo", "audit")
SWITCHES = ("failure", "guard_stop", "missed_slot", "late")
NUMBERS = ("rows_failed", "slower", "count_off")
_FIELDS = (*RETENTION, *NUMBERS, "to", "addresses", "public_url", "identifiers")


def with_settings(one: DefinitionRecord, form: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the document with what the form says of identifiers, rights and retention."""
    space = {
        **one.document.get("workspace", {}),
        "identifiers": _text(form, "identifiers").split(),
        "allow_email_change_by_id": "allow_email_change_by_id" in form,
        "viewers_see_values": "viewers_see_values" in form,
        "addresses": _text(form, "addresses").split(),
        "public_url": _text(form, "public_url") or None,
        "approval": "another" if "approval" in form else None,
    }
    kept = {name: value for name in RETENTION if (value := _text(form, name))}
    return {**one.document, "workspace": _given(space), "retention": kept}


def with_rules(one: DefinitionRecord, form: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the document with what the form says channels are told."""
    told: dict[str, Any] = {name: name in form for name in SWITCHES}
    told |= {name: _number(value) for name in NUMBERS if (value := _text(form, name))}
    to = _text(form, "to")
    if to:
        told["to"] = [] if to == "none" else to.replace(",", " ").split()
    return {**one.document, "alerts": told}


def field_of(error: RowliftError) -> str:
    """Return the field of the form that a problem names, if it names one."""
    found = error.problems if isinstance(error, ProjectInvalid) else (error,)
    places = [str(getattr(each, "place", "") or each) for each in found]
    return next((name for name in _FIELDS for each in places if name in each), "")


def _given(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, [], False)}


def _text(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").strip()


def _number(text: str) -> object:
    """Return a whole number or a decimal one as such, anything else as it was typed."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
