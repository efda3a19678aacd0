"""Backup and restore: a state and its files as one archive, made beside a running service."""

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rowlift.core.errors import ConfigError, StateError
from rowlift.core.faults import point
from rowlift.core.version import VERSION
from rowlift.kit.archive import ArchiveDamaged, ArchiveNewer, pack
from rowlift.kit.durable import make_folder
from rowlift.operations.callers import CONSOLE
from rowlift.operations.home import data_folder, open_store
from rowlift.state.audit import AuditLog, AuditRecord
from rowlift.state.collect import COLLECTING
from rowlift.state.failures import file_errors
from rowlift.state.fresh import alone
from rowlift.state.restored import paths
from rowlift.state.revision import HEAD
from rowlift.state.snapshot import database_at, take
from rowlift.state.store import Store
from rowlift.state.vault import KEY_FILE

STATE = "state.db"
FILES = "files"

_FILE = r"(?:[0-9A-Za-z_-][0-9A-Za-z._-]*)/[a-z_]+-[0-9a-f]{32}\.parquet"
_STORED = re.compile(_FILE)
_MEMBER = re.compile(rf"{re.escape(STATE)}|{re.escape(KEY_FILE)}|{FILES}/{_FILE}")


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup holds; `bytes` is its size, `made_at` Unix seconds."""

    path: str
    made_at: float
    revision: str
    files: int
    bytes: int
    with_key: bool


def back_up(
    folder: Path, env: Mapping[str, str], to: Path, *, with_key: bool = False
) -> BackupReport:
    """Write the state as it is at one moment, with the files it refers to, as one archive.

    The key of sealed secrets is left out unless it is asked for. Raises StateError, and ConfigError
    FILE_EXISTS, FILE_UNREADABLE or NO_PROJECT.
    """
    if to.exists():
        raise ConfigError("FILE_EXISTS", f"{to} exists already.", mend="Name a new file.")
    if not data_folder(folder, env).is_dir():
        raise ConfigError(
            "NO_PROJECT", f"There is no state in {folder.resolve()}.", mend="Use -C FOLDER."
        )
    with closing(open_store(folder, env)) as store, _scratch(store) as scratch:
        made_at = time.time()
        note(store, "backup", made_at)
        members = _gathered(store, scratch)
        files = len(members) - 1
        key = store.folder / KEY_FILE
        if with_key and key.exists():
            members[KEY_FILE] = key
        about = {"rowlift": VERSION, "revision": HEAD, "made_at": made_at}
        with naming(to, "written to"):
            size = pack(to, members, about)
    return BackupReport(str(to), made_at, HEAD, files, size, KEY_FILE in members)


def is_member(name: str) -> bool:
    """Tell whether a backup may hold a file of a name."""
    return _MEMBER.fullmatch(name) is not None


def is_stored(path: str) -> bool:
    """Tell whether a path is one that a file of the data directory may have."""
    return _STORED.fullmatch(path) is not None


def note(store: Store, action: str, at: float, **after: Any) -> None:
    """Write a line into the audit log of every workspace."""
    record = AuditRecord(at, CONSOLE.name, "", action, "", {}, after)
    for workspace_id in store.definitions.workspaces().values():
        AuditLog(store.database, workspace_id).add(record)


@contextmanager
def naming(path: Path, done: str) -> Iterator[None]:
    """Say of an archive what the file system refuses, or what is wrong about it."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            "FILE_UNREADABLE",
            f"The backup cannot be {done} {path}: {error.strerror or type(error).__name__}.",
            mend="Check the path, its rights and the space there.",
        ) from error
    except ArchiveNewer as error:
        raise ConfigError(
            "BACKUP_NEWER",
            f"{path} was made by a newer Rowlift.",
            mend="Restore it with that release.",
        ) from error
    except ArchiveDamaged as error:
        raise ConfigError(
            "BACKUP_DAMAGED",
            f"{path} cannot be restored: {error}. Nothing was changed.",
            mend="Take another backup.",
        ) from error


def _gathered(store: Store, scratch: Path) -> dict[str, Path]:
    """Return the members of a backup by name, as they stand at one moment.

    Collection waits until every file has a second name here, under which it stays.
    """
    copy = scratch / STATE
    with alone(store.folder, COLLECTING):
        take(store.database, copy)
        with closing(database_at(copy)) as taken:
            wanted = {path: state for path, state in paths(taken).items() if state != "writing"}
        linked = {path: scratch / str(number) for number, path in enumerate(wanted)}
        there = {
            f"{FILES}/{path}": link
            for path, link in linked.items()
            if _linked(store.files.root / path, link, is_needed=wanted[path] == "live")
        }
    return {STATE: copy, **there}


def _linked(source: Path, link: Path, *, is_needed: bool) -> bool:
    """Give a file a second name, if it is there; raises StateError STATE_DAMAGED if it must be."""
    if not source.exists():
        if is_needed:
            raise StateError(
                "STATE_DAMAGED",
                f"The file {source.name} of the data directory is lost.",
                mend="Restore an older backup, or reset its sync: rowlift state reset NAME.",
            )
        return False
    point("backup.before_link")
    try:
        os.link(source, link)
    except OSError:  # the file system knows one name for a file only
        shutil.copyfile(source, link)
    return True


@contextmanager
def _scratch(store: Store) -> Iterator[Path]:
    folder = store.files.scratch
    with file_errors():
        make_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
