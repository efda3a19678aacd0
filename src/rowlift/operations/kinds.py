"""Every type of source, destination and channel that there is, for checking what people declare."""

from typing import TYPE_CHECKING

from rowlift.project.connections import ConnectorKinds
from rowlift.registry import DESTINATIONS, SOURCES, Abilities, ChannelKinds, Kinds, source_kind

if TYPE_CHECKING:
    from rowlift.kit.sqlguard import GuardedQuery

KINDS = ConnectorKinds(Kinds(SOURCES), Kinds(DESTINATIONS), ChannelKinds())
ACCEPTS = Abilities()


def guarded(sql: str, kind: str) -> "GuardedQuery":
    """Read a query as the source of a type would; raises RowliftError with a place inside it."""
    from rowlift.kit.sqlguard import guard, render  # noqa: PLC0415 - with a parser: 0.1 s

    dialect = source_kind(kind).dialect
    return guard(render(sql, 0, dialect), dialect)
