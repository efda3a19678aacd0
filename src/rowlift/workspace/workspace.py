"""Which workspace is meant, by which rules it joins identifiers, and who writes to it."""

from dataclasses import dataclass

from rowlift.db import Database


@dataclass(frozen=True, slots=True)
class Workspace:
    """One workspace in its database; the flag is the setting "allow updates to email using id"."""

    database: Database
    id: int
    allow_email_change_by_id: bool = False


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes attributes: the sync, its run, and the source's time in Unix seconds.

    `part` tells the rows of a sync's second query from its own; people whom it writes enter the
    segment.
    """

    sync_uid: str
    run_id: int
    as_of: int
    part: str = ""
    segment_id: int | None = None
