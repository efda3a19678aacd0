"""How to mend something by hand in a browser, where the words of a rule are for a terminal."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rowlift.core.nouns import Preset
from rowlift.core.rules import RULES
from rowlift.project.presets import PRESETS

MENDS: Mapping[str, str] = {
    "MOSTLY_UNKNOWN": "Compare a few identifiers with people whom you know. If these are really "
    "new, say so under Rules for rows: they may all be new.",
    "ALL_UNKNOWN": "Compare a few identifiers with people whom you know; if these are new, go on.",
    "TOO_MANY_COLUMNS": "Take fewer columns. Up to 300 may go where bad rows are left out: choose "
    "that under What.",
    "IDENTIFIER_NOT_ALLOWED": "Identify the rows by another column, or let an admin allow this one "
    "in the settings of the workspace.",
    "KEY_CHANGED": "Identify the rows as before, or begin anew with this identifier.",
    "CANNOT_DO": "Choose under Destinations what it can do, or leave it out.",
    "PAUSED": "Resume the sync on its page.",
    "EMPTIED": "Look at the query. If nobody shall be left, run it once with removals allowed.",
    "MASS_REMOVAL": "Look at the query, and at what changed since the last good run. If it is "
    "right, run it once with removals allowed.",
    "BAD_ROWS": "Mend the query, or let the good rows pass.",
    "MASS_REJECT": "Look at why rows were rejected, below.",
    "TOO_MANY_ROWS": "Narrow the query, or let more rows through.",
    "PLAN_STALE": "Look again: what a run would do now is another thing.",
    "ACCOUNT_CHANGED": "Connect this account under a name of its own, or begin anew with it.",
}


@dataclass(frozen=True, slots=True)
class Remedy:
    """What one may do about a guard's stop: change the sync, or forget what was sent.

    `change` is what the sync's document says from then on.
    """

    title: str
    about: str
    label: str
    change: Mapping[str, Any] | None = None


REMEDIES: Mapping[str, Remedy] = {
    "BAD_ROWS": Remedy(
        "Let the good rows pass",
        "From now on rows that break a rule are left out, counted and listed with their reasons, "
        "and all others go. Of an identifier that stands in several rows, none of them goes.",
        "Leave bad rows out from now on",
        {"on_bad_rows": "reject"},
    ),
    "MOSTLY_UNKNOWN": Remedy(
        "They are really new",
        "This sync is no longer stopped where hardly anybody is known: the next run makes a new "
        "person of each row that it does not know.",
        "Let them all be new",
        {"guards": {"unknown": "off"}},
    ),
    "KEY_CHANGED": Remedy(
        "Begin anew with this identifier",
        "What was sent is forgotten: the next run takes every row as new and sends it under a new "
        "message id. What destinations have under the old identifier stays there.",
        "Forget what was sent",
    ),
    "ACCOUNT_CHANGED": Remedy(
        "Begin anew with this account",
        "What was sent to the other account is forgotten: the next run sends everything to this "
        "one, under new message ids. What the other account has stays there.",
        "Forget what was sent there",
    ),
}
_MORE = 10  # times the rows of before

_INNER = re.compile(r"\(([A-Z_]+)\)$")


def here(mend: str, code: str, message: str = "") -> str:
    """Return the mend of a code, or of the one that a message ends with, for a browser."""
    inner = _INNER.search(message)
    return MENDS.get(inner[1] if inner else code) or MENDS.get(code) or mend


def remedied(document: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sync's document with a remedy's change."""
    merged = {
        key: {**(document.get(key) or {}), **value} if isinstance(value, Mapping) else value
        for key, value in change.items()
    }
    return {**document, **merged}


def remedy_of(code: str, document: Mapping[str, Any]) -> Remedy | None:
    """Return what can be done about a guard's stop of the sync of a document."""
    if code != "TOO_MANY_ROWS":
        return REMEDIES.get(code)
    usual = PRESETS[Preset(document.get("preset", Preset.TRAITS))].rows
    rows = _MORE * int((document.get("limits") or {}).get("rows") or usual)
    return Remedy(
        "Let more rows through",
        f"From now on the query of this sync may return up to {rows:,} rows. They take as much "
        "more time and room as there are more of them.",
        f"Let {rows:,} rows through",
        {"limits": {"rows": rows}},
    )


def stopped(reason: str, code: str) -> str:
    """Return why something did not go on, with what can be done about it in a browser."""
    known = RULES.get(code)
    if not known or code not in MENDS or not reason.endswith(known.mend):
        return reason
    return reason.removesuffix(known.mend) + MENDS[code]
