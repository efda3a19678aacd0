"""Statements compiled once for a whole test process.

Each project that a test opens has an engine of its own, which would compile all of them anew.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.util import LRUCache

KEPT = 2000
_first: dict[type[sa.Dialect], tuple[sa.Dialect, LRUCache[Any, Any]]] = {}


def compile_once() -> None:
    """Let all connections of this process keep what they compiled together."""
    sa.event.listen(sa.Engine, "engine_connect", _share)


def _share(connection: sa.Connection) -> None:
    mine = connection.dialect
    connection.dialect, cache = _first.setdefault(type(mine), (mine, LRUCache(KEPT)))
    connection.execution_options(compiled_cache=cache)
