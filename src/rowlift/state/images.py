"""Pointers of images and ledgers: which revision is current and what it was made with."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import sqlalchemy as sa

from rowlift.core.nouns import Column
from rowlift.db import Database
from rowlift.state.tables import images, ledgers

WORKSPACE = "workspace"  # the target that is no destination


@dataclass(frozen=True, slots=True)
class Image:
    """What is known of a sync's image besides its rows.

    What was up to the revision `forgotten` counts no more: the sync was reset since.
    """

    sync_uid: str
    workspace_id: int
    revision: int
    key_column: str
    columns: tuple[Column, ...]
    form: str
    rows: int
    present: int
    run_id: int
    forgotten: int = 0


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known of a ledger besides its rows.

    Rows of epochs before `restored` came back with a backup: the target may hold anything by now.
    `settled` is the image revision of which every row is acknowledged; 0 where some are not.
    """

    sync_uid: str
    target: str
    workspace_id: int
    epoch: int = 1
    restored: int = 0
    revision: int = 0
    settled: int = 0
    mapping: str = ""
    account: str = ""


# Asked for with each batch that leaves, so it is built once.
_REVISION = sa.select(images.c.revision).where(images.c.sync_uid == sa.bindparam("sync"))


class ImageStore:
    """Reads and writes the pointers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def image(self, sync_uid: str) -> Image | None:
        """Return the image of a sync that merged at least once."""
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(images).where(images.c.sync_uid == sync_uid)
            ).one_or_none()
        if row is None:
            return None
        columns = tuple(Column(**column) for column in json.loads(row.columns))
        return replace(Image(**dict(row._mapping)), columns=columns)  # noqa: SLF001

    def revision(self, connection: sa.Connection, sync_uid: str) -> int | None:
        """Return the revision of a sync's image as the caller's transaction sees it."""
        return connection.scalar(_REVISION, {"sync": sync_uid})

    def save_image(self, connection: sa.Connection, image: Image) -> None:
        """Write the pointer, but not what is forgotten, as part of the caller's transaction."""
        values = asdict(image) | {"columns": json.dumps([asdict(one) for one in image.columns])}
        del values["forgotten"]
        _upsert(connection, images, values, ("sync_uid",))

    def ledger(self, sync_uid: str, target: str, workspace_id: int) -> Ledger:
        """Return the ledger of a sync and target; a new one if nothing was ever sent."""
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(ledgers).where(ledgers.c.sync_uid == sync_uid, ledgers.c.target == target)
            ).one_or_none()
        if row is None:
            return Ledger(sync_uid, target, workspace_id)
        return Ledger(**dict(row._mapping))  # noqa: SLF001

    def epoch(self, connection: sa.Connection, ledger: Ledger) -> int:
        """Return a ledger's epoch, or the higher one that it was given meanwhile."""
        same = (ledgers.c.sync_uid == ledger.sync_uid, ledgers.c.target == ledger.target)
        found = connection.scalar(sa.select(ledgers.c.epoch).where(*same).with_for_update())
        return max(ledger.epoch, int(found or 0))

    def raise_epochs(self, connection: sa.Connection, workspace_id: int) -> None:
        """Begin a new epoch of the ledger of every destination."""
        wanted = (ledgers.c.workspace_id == workspace_id, ledgers.c.target != WORKSPACE)
        values = {"epoch": ledgers.c.epoch + 1, "settled": 0}
        connection.execute(ledgers.update().where(*wanted).values(values))

    def save_ledger(self, connection: sa.Connection, ledger: Ledger) -> None:
        """Write the pointer as part of the caller's transaction."""
        _upsert(connection, ledgers, asdict(ledger), ("sync_uid", "target"))


def _upsert(
    connection: sa.Connection, table: sa.Table, values: dict[str, object], keys: Sequence[str]
) -> None:
    same = sa.and_(*(table.c[key] == values[key] for key in keys))
    if connection.execute(table.update().where(same).values(values)).rowcount == 0:
        connection.execute(table.insert().values(values))
