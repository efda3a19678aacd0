"""Names in addresses: a slash that is written %2F is part of a name, and parts no names."""

import re
from urllib.parse import unquote

from fastapi import Request
from starlette.types import Scope

_SLASH = "\ue000"  # stands for one until the route is found; of no use in a name
_WRITTEN = re.compile("%2f", re.IGNORECASE)


def kept(scope: Scope) -> Scope:
    """Return a request whose path keeps written slashes apart from those that part names."""
    raw = (scope.get("raw_path") or b"").decode("latin-1")
    if not _WRITTEN.search(raw):
        return scope
    return {**scope, "path": unquote(_WRITTEN.sub(_SLASH, raw))}


def meant(request: Request) -> None:
    """Give the names of a request, whose route is found, their slashes back."""
    named = request.path_params.items()
    request.scope["path_params"] = {name: text.replace(_SLASH, "/") for name, text in named}
