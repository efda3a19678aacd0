"""Restore: a backup in the place of a state, which stays as it was until all of it is right."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rowlift.core.errors import Busy, GuardStop, StateError
from rowlift.kit.archive import ArchiveDamaged, manifest_of, unpack
from rowlift.kit.durable import make_folder, publish
from rowlift.operations.backups import FILES, STATE, is_member, is_stored, naming, note
from rowlift.operations.home import data_folder, open_store, state_url
from rowlift.state.failures import file_errors
from rowlift.state.fresh import alone, create
from rowlift.state.restored import disown, is_carried, next_epoch, paths
from rowlift.state.revision import current
from rowlift.state.snapshot import DAMAGED, put, set_aside
from rowlift.state.store import Store, database_of
from rowlift.state.vault import KEY_FILE, Vault

_STAGED = "restore"  # the folder in the data directory


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was restored: of when (Unix seconds), made by which release.

    `key_missing` tells that secrets are sealed with a key that is not here.
    """

    made_at: float
    release: str
    files: int
    reset_epoch: int
    key_missing: bool


def restore(
    folder: Path, env: Mapping[str, str], archive: Path, *, replace: bool = False
) -> RestoreReport:
    """Put a backup in the place of the state, if there is one only with `replace`.

    Every checksum is compared before anything is touched; killed at any instruction, it leaves the
    old state, or none that anybody would take for one, and can be repeated. Raises ConfigError
    BACKUP_DAMAGED, BACKUP_NEWER or FILE_UNREADABLE, GuardStop STATE_PRESENT, Busy and StateError.
    """
    with naming(archive, "read from"):
        manifest = manifest_of(archive, is_member)
        made_at, release = _made(manifest.about)
    data = data_folder(folder, env)
    with file_errors():
        make_folder(data)
    with alone(data, _STAGED), _staged(data) as staged:
        before = _Before.look(data, state_url(env), replace=replace)
        with naming(archive, "read from"):
            unpack(archive, manifest, staged)
            epoch = _prepare(staged, made_at, before.reset_epoch)
        _move_files(staged, data)
        _put_state(staged, data, state_url(env), is_damaged=before.is_damaged)
    with closing(open_store(folder, env)) as store:
        return RestoreReport(
            made_at=made_at,
            release=release,
            files=sum(one.name.startswith(FILES) for one in manifest.members),
            reset_epoch=epoch,
            key_missing=store.vault.lacks_keys(),
        )


@dataclass(frozen=True, slots=True)
class _Before:
    """What stands in the place that a backup is to take."""

    reset_epoch: int = 0
    is_damaged: bool = False

    @classmethod
    def look(cls, data: Path, url: str | None, *, replace: bool) -> "_Before":
        """Look at the state; raises GuardStop STATE_PRESENT and Busy."""
        try:
            return cls._sound(data, url, replace=replace)
        except StateError as error:
            if error.code != "STATE_DAMAGED":
                raise
            _require(f"The damaged one is kept as {DAMAGED}.", replace=replace)
            return cls(is_damaged=True)

    @classmethod
    def _sound(cls, data: Path, url: str | None, *, replace: bool) -> "_Before":
        with closing(database_of(data, url)) as database:
            if current(database) is None:
                return cls()
        with closing(Store.open(data, url)) as store:
            if store.definitions.workspaces():
                _require("What it holds and the backup does not is gone then.", replace=replace)
                _refuse_carried(store)
            return cls(store.reset_epoch())


def _require(what: str, *, replace: bool) -> None:
    if not replace:
        raise GuardStop(
            "STATE_PRESENT",
            "There is a state already, and a backup would take its place.",
            mend=f"Say so: rowlift restore FILE --replace. {what}",
        )


def _refuse_carried(store: Store) -> None:
    if is_carried(store.database, store.files.locks):
        raise Busy(
            "BUSY",
            "A service, a run or a delivery works on this state.",
            mend="End it, then restore.",
        )


def _made(about: Mapping[str, Any]) -> tuple[float, str]:
    try:
        return float(about["made_at"]), str(about["rowlift"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArchiveDamaged("it does not say when it was made") from error


def _prepare(staged: Path, made_at: float, used: int) -> int:
    """Upgrade a backup's tables, and let it believe nothing that it cannot know any more."""
    try:
        with closing(database_of(staged)) as database:
            if current(database) is None:
                raise ArchiveDamaged("it holds no state")
        with closing(Store.open(staged)) as store:
            _require_files(store)
            epoch = next_epoch(used, store.reset_epoch())
            disown(store.database, epoch)
            note(store, "restore", time.time(), backup_of=made_at)
            store.database.checkpoint()
    except StateError as error:
        if error.code != "STATE_DAMAGED":
            raise
        raise ArchiveDamaged("its state is damaged") from error
    return epoch


def _require_files(store: Store) -> None:
    """Refuse a state that names files which the backup has not, or which lie elsewhere."""
    for path, state in paths(store.database).items():
        if not is_stored(path):
            raise ArchiveDamaged(f"its state names a file outside: {path[:100]!r}")
        if state == "live" and not (store.files.root / path).is_file():
            raise ArchiveDamaged(f"{path} is missing")


def _move_files(staged: Path, data: Path) -> None:
    """Move files to where they belong; none counts before the state does."""
    with file_errors():
        for source in sorted((staged / FILES).glob("*/*.parquet")):
            target = data / source.relative_to(staged)
            make_folder(target.parent)
            publish(source, target)


def _put_state(staged: Path, data: Path, url: str | None, *, is_damaged: bool) -> None:
    with closing(database_of(data, url)) as database:
        if is_damaged and database.is_sqlite:
            set_aside(Path(str(database.url.database)))
        elif not database.is_sqlite and current(database) is None:
            create(database)
        if (staged / KEY_FILE).exists():
            Vault(database, data).add_keys(staged / KEY_FILE)
        put(staged / STATE, database)


@contextmanager
def _staged(data: Path) -> Iterator[Path]:
    """Yield an empty folder on the disk of the data directory; a killed restore left its own."""
    folder = data / _STAGED
    shutil.rmtree(folder, ignore_errors=True)
    with file_errors():
        make_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
