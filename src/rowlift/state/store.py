"""Everything Rowlift remembers, opened from a folder and a database URL."""

import resource
import secrets
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL

from rowlift.core.errors import StateError
from rowlift.core.specs import RetentionSpec
from rowlift.db import Database
from rowlift.kit.durable import make_folder
from rowlift.state.alerts import AlertStore
from rowlift.state.audiences import AudienceStore
from rowlift.state.collect import collect
from rowlift.state.definitions import DefinitionStore
from rowlift.state.deliveries import DeliveryStore
from rowlift.state.exchanges import ExchangeStore
from rowlift.state.failures import file_errors
from rowlift.state.files import FileStore
from rowlift.state.forwards import ForwardStore
from rowlift.state.fresh import make
from rowlift.state.images import ImageStore
from rowlift.state.intake import Intake
from rowlift.state.keys import WriteKeyStore
from rowlift.state.locks import Locks
from rowlift.state.revision import HEAD, current
from rowlift.state.runs import RunStore
from rowlift.state.schedules import ScheduleStore
from rowlift.state.services import ServiceStore
from rowlift.state.tables import meta
from rowlift.state.tallies import TallyStore
from rowlift.state.triggers import TriggerStore
from rowlift.state.vault import Vault

LEAST_OPEN_FILES = 64


@dataclass(frozen=True, slots=True)
class Store:
    """The state database and the data directory, with one part for each noun."""

    database: Database
    folder: Path
    files: FileStore
    runs: RunStore
    images: ImageStore
    deliveries: DeliveryStore
    definitions: DefinitionStore
    vault: Vault
    intake: Intake
    write_keys: WriteKeyStore
    schedules: ScheduleStore
    triggers: TriggerStore
    services: ServiceStore
    exchanges: ExchangeStore
    tallies: TallyStore
    alerts: AlertStore
    forwards: ForwardStore
    audiences: AudienceStore

    @classmethod
    def open(
        cls, folder: Path, url: str | URL | None = None, secret_key: str | None = None
    ) -> "Store":
        """Open, and make or upgrade, the state; without a URL it is SQLite in the folder.

        `secret_key` seals its secrets in the place of the folder's key file.
        Raises StateError when it is damaged, unreachable or of a newer release, or when this
        process may open too few files: then a library would end it without a word.
        """
        _require_open_files()
        with file_errors():
            make_folder(folder)
        database = database_of(folder, url)
        found = current(database)
        if found is None:
            make(database, folder)
        elif found != HEAD:
            from rowlift.state.migrate import upgrade

            upgrade(database, folder)
        _seed(database)
        locks = Locks(folder)
        return cls(
            database,
            folder,
            FileStore(database, folder / "files", locks),
            RunStore(database, locks),
            ImageStore(database),
            DeliveryStore(database, locks),
            DefinitionStore(database),
            Vault(database, folder, secret_key),
            Intake(database),
            WriteKeyStore(database),
            ScheduleStore(database),
            TriggerStore(database),
            ServiceStore(database, locks),
            ExchangeStore(database),
            TallyStore(database),
            AlertStore(database),
            ForwardStore(database, locks),
            AudienceStore(database, locks),
        )

    def reset_epoch(self) -> int:
        """Return the number that a restore raises, so that old message ids are never reused."""
        return int(self.recall("reset_epoch"))

    def recall(self, key: str) -> str:
        """Return what was remembered under a key, or nothing."""
        with self.database.read() as connection:
            query = sa.select(meta.c.value).where(meta.c.key == key)
            return str(connection.scalar(query) or "")

    def remember(self, key: str, value: str) -> None:
        """Keep one small value under a key, in place of what was there."""
        with self.database.transaction("meta.remember", alone=True) as connection:
            connection.execute(meta.delete().where(meta.c.key == key))
            connection.execute(meta.insert().values(key=key, value=value))

    def collect(self, keep: RetentionSpec) -> int:
        """Delete files that nothing counts any more and return how many went."""
        return collect(self.database, self.files.root, self.files.locks, keep)

    def look_again(self, connection: sa.Connection, workspace_id: int) -> None:
        """Let every ledger of a destination look at all rows again, as part of a transaction.

        Each destination that a sync was ever delivered to gets a delivery, under new message ids.
        """
        self.images.raise_epochs(connection, workspace_id)
        self.deliveries.queue_again(connection, self.definitions.live(connection, workspace_id))

    def close(self) -> None:
        """Close the database and remove scratch files."""
        self.files.close()
        self.files.locks.close()
        self.database.close()


def database_of(folder: Path, url: str | URL | None = None) -> Database:
    """Return the state database of a data directory; without a URL it is SQLite in the folder."""
    return Database(url or URL.create("sqlite", database=str(folder.resolve() / "state.db")))


def _require_open_files() -> None:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= most < LEAST_OPEN_FILES:
        raise StateError(
            "FILE_LIMIT",
            f"This process may hold only {most} files open; a run needs {LEAST_OPEN_FILES}.",
            mend="Raise the limit and run again: ulimit -n 1024.",
        )


def _seed(database: Database) -> None:
    with database.read() as connection:
        if connection.scalar(sa.select(sa.func.count()).select_from(meta)):
            return
    with database.transaction("state.seed", alone=True) as connection:
        known = connection.scalar(sa.select(sa.func.count()).select_from(meta))
        if not known:
            rows = [
                {"key": "reset_epoch", "value": "1"},
                {"key": "instance", "value": secrets.token_hex(16)},
            ]
            connection.execute(meta.insert(), rows)
