"""Addresses: whole ones are understood, and a slash that is written %2F is part of a name."""

import re
from urllib.parse import unquote

from fastapi import Request
from starlette.types import Scope

_SLASH = "\ue000"  # stands for one until the route is found; of no use in a name
_WRITTEN = re.compile("%2f", re.IGNORECASE)


def origin(scope: Scope) -> Scope:
    """Return a request for a whole address, as to a proxy, as one for its path at its host."""
    raw = (scope.get("raw_path") or b"").decode("latin-1")
    if not raw.lower().startswith(("http://", "https://")):
        return scope
    _, _, rest = raw.partition("://")
    host, _, path = rest.partition("/")
    headers = [one for one in scope["headers"] if one[0] != b"host"]
    return {
        **scope,
        "headers": [*headers, (b"host", host.encode("latin-1"))],
        "path": f"/{unquote(path)}",
        "raw_path": f"/{path}".encode("latin-1"),
    }


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
