"""What a connector says of its keys, in the words of the form that they are filled in with."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from pydantic import BaseModel

from rowlift.core.nouns import Finding
from rowlift.web.pages.fields import Field, Standing, sections
from rowlift.web.pages.words import statement

_VALUE = r"[\w-]+(?:\.[\w-]+)*"
_SWITCHED = {"true": "tick", "false": "untick"}


def in_labels(config: type[BaseModel] | None, text: str) -> str:
    """Return a text with the labels of a form in place of keys; statements stay as they are."""
    if config is None:
        return text
    known, wanted = _known(config)
    lines = [
        line if statement(line) else wanted.sub(lambda one: _told(one, known), line)
        for line in text.split("\n")
    ]
    return "\n".join(lines)


def labelled(config: type[BaseModel] | None, one: Finding) -> Finding:
    """Return a finding in the words of a form."""
    return replace(one, message=in_labels(config, one.message), mend=in_labels(config, one.mend))


@cache
def _known(config: type[BaseModel]) -> tuple[Mapping[str, Field], re.Pattern[str]]:
    """Return fields by key, and what finds them: a key that is a plain word only with a value."""
    known = {one.key: one for each in sections(config, Standing()) for one in each.fields}
    plain = [key for key, one in known.items() if one.label.casefold() == key]
    odd = [key for key in known if key not in plain]
    chosen = [key for key in plain if known[key].control in {"choice", "switch"}]
    alone = rf"(?P<odd>{_any(odd)})\b(?:: (?P<value>{_VALUE}))?"
    valued = rf"(?P<plain>{_any(chosen)}): (?P<plain_value>{_VALUE})"
    quoted = rf'key "(?P<named>{_any([*known])})"'
    return known, re.compile(rf"\b(?:(?P<set>[Ss]et )?(?:{alone}|{valued})|{quoted})")


def _any(keys: list[str]) -> str:
    return "|".join(sorted(map(re.escape, keys), key=len, reverse=True)) or "(?!)"


def _told(found: re.Match[str], known: Mapping[str, Field]) -> str:
    if named := found["named"]:
        return f"field “{known[named].label}”"
    one = known[found["odd"] or found["plain"]]
    value, begin = found["value"] or found["plain_value"], found["set"] or ""
    label = f"“{one.label}”"
    if one.control == "switch" and value in _SWITCHED:
        words = f"{_SWITCHED[value]} {label}"
        return words[0].upper() + words[1:] if begin.startswith("S") else words
    return f"{begin}{label}{' to' if begin and value else ''}{f' {value}' if value else ''}"
