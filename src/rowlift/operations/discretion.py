"""What operations answer, for who may see no value of a row: without what a reason may quote.

A driver or a destination says what it met in its own words, and a stopped run shows examples.
"""

import operator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from rowlift.core.nouns import Status
from rowlift.core.rights import Right
from rowlift.core.rules import RULES
from rowlift.operations.callers import Caller

Told = TypeVar("Told")

_QUOTING = frozenset({"row", "source", "destination"})  # scopes of rules
_WITH_EXAMPLES = frozenset({"BAD_ROWS", "MASS_REJECT", "PREVIEW_STOPS"})


def may_quote(code: str) -> bool:
    """Tell whether what is said beside a code may hold a value of a row."""
    if code in RULES:
        return code in _WITH_EXAMPLES or RULES[code].scope in _QUOTING
    return bool(code)  # a destination's own


def seen_by(caller: Caller, told: Told) -> Told:
    """Return an answer as a caller may see it."""
    return told if Right.VALUES in caller.rights else discreet(told)


def discreet(told: Told) -> Told:
    """Return an answer in which each reason that may quote a row says what its code means.

    So does each problem of the web, whatever page or form it stands on.
    """
    if isinstance(told, (list, tuple)):
        quiets = [discreet(one) for one in told]
        is_same = all(map(operator.is_, quiets, told))
        return told if is_same else cast("Told", type(told)(quiets))
    if isinstance(told, dict):
        members = {name: discreet(value) for name, value in told.items()}
        is_same = all(members[name] is value for name, value in told.items())
        return told if is_same else cast("Told", members)
    if not is_dataclass(told) or isinstance(told, type):
        return told
    values = {one.name: getattr(told, one.name) for one in fields(told)}
    quiet = {name: discreet(value) for name, value in values.items()}
    if "reason" in values:
        quiet["reason"] = _reason(values)
    if "detail" in values and may_quote(values.get("code", "")):
        quiet |= {"detail": values["title"], "mend": _mend(values["code"]), "examples": ()}
    changed = {name: value for name, value in quiet.items() if value is not values[name]}
    return cast("Told", replace(cast("Any", told), **changed)) if changed else told


def meaning(code: str) -> str:
    """Return what a code means and how it is mended, without anything of what happened."""
    known = RULES.get(code)
    return f"{known.title}. {known.mend}" if known else "The destination gave a reason."


def _mend(code: str) -> str:
    return RULES[code].mend if code in RULES else ""


def _reason(values: dict[str, Any]) -> str:
    reason: str = values["reason"]
    code: str = values.get("reason_code", values.get("code", ""))
    is_ours = values.get("status") is Status.SOME_ROWS_FAILED  # it counts, and quotes nothing
    return meaning(code) if reason and may_quote(code) and not is_ours else reason
