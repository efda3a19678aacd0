"""Secrets that somebody typed into a form that came back to them: kept for minutes, sealed."""

import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request

from rowlift.kit.sealing import Key
from rowlift.operations.callers import Caller

KEPT_SECONDS = 900.0
KEPT = 500  # forms at once; the oldest goes


@dataclass(frozen=True, slots=True)
class _Sealed:
    text: str
    until: float


class TypedSecrets:
    """Sealed under a key of this process; only who typed them, with the form's token, gets them."""

    def __init__(self) -> None:
        self._key = Key.new()
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Sealed] = OrderedDict()

    def keep(self, whose: str, typed: Mapping[str, str]) -> str:
        """Keep secrets by the fields they were typed into; return the token of their form."""
        if not typed:
            return ""
        token = secrets.token_urlsafe(18)
        now = time.monotonic()
        sealed = _Sealed(self._key.seal(whose + token, json.dumps(typed)), now + KEPT_SECONDS)
        with self._lock:
            self._kept[token] = sealed
            for one in list(self._kept):  # the oldest first
                if len(self._kept) <= KEPT and self._kept[one].until >= now:
                    break
                del self._kept[one]
        return token

    def of(self, whose: str, token: str) -> Mapping[str, str]:
        """Return what was kept with a token; nothing where it is somebody else's."""
        with self._lock:
            sealed = self._kept.get(token)
        if sealed is None or sealed.until < time.monotonic():
            return {}
        try:
            found: Mapping[str, str] = json.loads(self._key.open(whose + token, sealed.text))
        except ValueError:
            return {}
        return found

    def forget(self, token: str) -> None:
        """Let go of what was kept with a token: it is saved."""
        with self._lock:
            self._kept.pop(token, None)


def whose_form(request: Request, caller: Caller) -> str:
    """Return who fills in which form: what is typed into it is kept for them there only."""
    return f"{caller.name}\n{caller.session}\n{request.url.path}"
