"""Catalogues as sources told them last: names, types and estimates, never a value.

They decide nothing and no row of the database points to them: a file may be lost at any time, and
the source is asked again.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rowlift.core.nouns import Table
from rowlift.kit.durable import make_folder, write_durable

CATALOGUES = "catalogues"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The tables and views of a source; `as_of` is when it told them, in Unix seconds."""

    as_of: float
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    connection: str
    catalogue: Catalogue


@cache
def _form() -> TypeAdapter[_Kept]:
    """Return how a file is read and written, made for who does: every run loads this module."""
    return TypeAdapter(_Kept)


class CatalogueFiles:
    """One file for each source of the data directory, by its uid."""

    def __init__(self, root: Path) -> None:
        self._folder = root / CATALOGUES

    def load(self, uid: str, connection: str) -> Catalogue | None:
        """Return what was kept of a source under the same connection, if anything can be read."""
        try:
            kept = _form().validate_json(self._path(uid).read_bytes())
        except (OSError, ValidationError):
            return None
        return kept.catalogue if kept.connection == connection else None

    def keep(self, uid: str, connection: str, catalogue: Catalogue) -> None:
        """Replace what was kept; where there is no room for it, nothing is kept."""
        text = _form().dump_json(_Kept(connection, catalogue))
        with suppress(OSError):
            make_folder(self._folder)
            write_durable(self._path(uid), [text])

    def _path(self, uid: str) -> Path:
        return self._folder / f"{uid}.json"
