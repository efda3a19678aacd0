"""What stands in a folder of files: the records of changes, read back in the order they came."""

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from rowlift.core.errors import DestinationError
from rowlift.core.ports import Held
from rowlift.core.rules import rule
from rowlift.destinations.file_columns import change_header
from rowlift.kit.cells import read_csv_changes, read_parquet_changes
from rowlift.kit.ndjson import read_changes

HELD = pa.schema([("key", pa.string()), ("attributes", pa.string()), ("wrote", pa.string())])

_OURS = ("op", "key", "message_id")
_ENDINGS = {".jsonl": b"\n", ".csv": b"\r\n"}

Columns = tuple[pa.StringArray, pa.StringArray]  # keys, and attributes or null


@dataclass(frozen=True, slots=True)
class Folder:
    """One sync's folder and those of its former names.

    `names` are its columns, `key` what its keys are made of.
    """

    paths: Sequence[Path]
    names: Sequence[str]
    key: Sequence[str]

    def held(self) -> Held:
        """Return what its files of changes hold; raises DestinationError HELD_UNREADABLE."""
        found = self._files()
        endings = {path.suffix for path in found}
        form: Literal["json", "text", "csv"] = "json"
        if ".csv" in endings:
            form = "csv"
        elif ".parquet" in endings:
            form = "text"
        return Held(form, (batch for path in found for batch in self._batches(path)))

    def _files(self) -> list[Path]:
        """Return the files from the oldest on: by the run's moment, then as they were written."""
        found = sorted(one for path in self.paths for one in _entries(path))
        return [path for *_, path in found]

    def _batches(self, path: Path) -> Iterator[pa.RecordBatch]:
        try:
            _require_end(path)
            for keys, attributes in _READERS[path.suffix](path, self):
                columns = [keys, attributes, pa.repeat(path.name, len(keys))]
                yield pa.RecordBatch.from_arrays(columns, schema=HELD)
        except OSError as error:
            raise _unreadable(path, error.strerror or type(error).__name__) from None


def _entries(folder: Path) -> Iterator[tuple[str, int, str, Path]]:
    """Yield files of a folder with what they are ordered by."""
    try:
        for one in os.scandir(folder):
            if Path(one.name).suffix in _READERS and not one.name.startswith("."):
                yield one.name[:20], one.stat().st_mtime_ns, one.name, Path(one.path)
    except FileNotFoundError:
        return  # nothing was sent yet, or somebody removed all of it
    except OSError as error:
        raise _unreadable(folder, error.strerror or type(error).__name__) from None


def _require_end(path: Path) -> None:
    """Refuse a file whose last line was cut."""
    ending = _ENDINGS.get(path.suffix, b"")
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(ending)))
        if size and file.read() != ending:
            raise _unreadable(path, "its last line is cut")


def _lines(path: Path, folder: Folder) -> Iterator[Columns]:
    """Read JSON Lines."""
    try:
        yield from read_changes(path, folder.key)
    except ValueError as error:
        raise _unreadable(path, str(error)) from None


def _cells(path: Path, folder: Folder) -> Iterator[Columns]:
    """Read CSV."""
    names = _named(_csv_header(path), folder)
    if names is None:
        return
    try:
        yield from read_csv_changes(path, names, len(folder.key))
    except ValueError as error:
        raise _unreadable(path, str(error)) from None


def _csv_header(path: Path) -> Sequence[str]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return next(csv.reader(file, strict=True), [])
    except (csv.Error, ValueError):
        raise _unreadable(path, "line 1 is no record") from None


def _columns(path: Path, folder: Folder) -> Iterator[Columns]:
    """Read Parquet."""
    try:
        names = _named(pq.read_schema(path).names, folder)
        if names is not None:
            yield from read_parquet_changes(path, names, len(folder.key))
    except (pa.ArrowException, ValueError):
        raise _unreadable(path, "it is no whole Parquet file") from None


_READERS: Mapping[str, Callable[[Path, Folder], Iterator[Columns]]] = {
    ".jsonl": _lines, ".csv": _cells, ".parquet": _columns,
}  # fmt: skip


def _named(header: Sequence[str], folder: Folder) -> Sequence[str] | None:
    """Return the columns of the sync that a header names; None where it is of no changes."""
    if tuple(header[: len(_OURS)]) != _OURS:
        return None
    named = dict(zip(change_header(folder.names), (*_OURS, *folder.names), strict=True))
    return [named.get(one, one) for one in header[len(_OURS) :]]


def _unreadable(path: Path, why: str) -> DestinationError:
    text = f"{path} cannot be read: {why}."
    return DestinationError("HELD_UNREADABLE", text, mend=rule("HELD_UNREADABLE").mend)
