"""Foreign texts made fit to be shown: one short line, without a secret in any disguise."""

import json
import re
from collections.abc import Iterable
from functools import cache
from html import escape
from urllib.parse import quote, quote_plus, unquote

LONGEST_REASON = 300  # characters
_SHORTEST_SECRET = 4


def scrubbed(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a foreign text as one line of at most 300 characters, secrets starred out."""
    text = starred(text, secrets)
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"


def starred(text: str, secrets: Iterable[str]) -> str:
    """Return a text with stars in the place of secrets, in whichever form they stand there."""
    known = {form for secret in secrets for form in (secret, unquote(secret))}
    known = {form for form in known if len(form) >= _SHORTEST_SECRET}
    if not known:
        return text
    return re.sub("|".join(map(_pattern, sorted(known, key=len, reverse=True))), "***", text)


def _pattern(secret: str) -> str:
    """Return a pattern of a secret, however a reply escapes it: as JSON, in a URL or in a page."""
    return "".join(map(_any_form, secret))


@cache
def _any_form(character: str) -> str:
    if character.isascii() and character.isalnum():
        return character
    code, url = f"\\u{ord(character):04x}", quote(character, safe="")
    forms = {character, json.dumps(character)[1:-1], f"\\{character}", code, url}
    forms |= {code[:2] + code[2:].upper(), url.lower(), escape(character), quote_plus(character)}
    return f"(?:{'|'.join(map(re.escape, sorted(forms, key=len, reverse=True)))})"
