"""Files: every batch is one JSON Lines, CSV or Parquet file in a folder."""

import re
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import ClassVar, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, Field

from rowlift.core.errors import DestinationError
from rowlift.core.nouns import (
    Accepts,
    Feed,
    Finding,
    Kind,
    Limits,
    Op,
    Outcome,
    Outcomes,
    Removed,
    Verdict,
)
from rowlift.core.ports import Batch, Events, Held, Rows
from rowlift.core.rules import rule
from rowlift.destinations.file_columns import (
    EVENT_HEADER,
    PEOPLE,
    change_columns,
    change_header,
    change_lines,
    event_columns,
    event_lines,
)
from rowlift.destinations.file_reading import Folder
from rowlift.kit.arrow import joined
from rowlift.kit.config import ConnectorConfig
from rowlift.kit.durable import make_folder, sweep, write_durable
from rowlift.kit.http import Http
from rowlift.kit.texts import change_records, csv_cell, event_records, key_names

UNWRITABLE = "FOLDER_UNWRITABLE"

_CHECK = ".rowlift-check"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


class FilesConfig(ConnectorConfig):
    """Where to write and in which format."""

    path: Path = Field(description="Folder; each sync writes into a folder of its name in it")
    format: Literal["jsonl", "csv", "parquet"] = Field("jsonl", description="Format of the files")


class Files:
    """Writes one file per batch, named by time, number and batch id; the same batch overwrites it.

    JSON Lines: `op`, `key`, `message_id`, `attributes`. CSV and Parquet: `op`, `key`, `message_id`
    and the sync's columns (with _ behind a name of ours), all as texts; a CSV cell that a
    spreadsheet would run gets an apostrophe. Events have type, name, what names the person,
    message_id, timestamp, properties and traits, the last two as JSON. A file is whole or absent;
    only its owner may read it.
    """

    Config: ClassVar[type[BaseModel]] = FilesConfig
    accepts: ClassVar[Accepts] = Accepts(
        kinds=frozenset(Kind),
        matches=frozenset({"user_id", "email", "anonymous_id", "group_id", "object_id"}),
        removed=frozenset({Removed.KEEP, Removed.CLEAR, Removed.DELETE}),
        events=frozenset(PEOPLE),
        test=Op.UPSERT,  # in a folder of its own
        appends=True,
    )
    limits = Limits(batch_rows=50_000, batch_bytes=64_000_000, record_bytes=16_000_000, in_flight=1)

    def __init__(self, config: FilesConfig, feed: Feed, http: Http) -> None:
        self._format = config.format
        self._root = config.path.expanduser().resolve()
        self._folder, *self._former = [
            self._root / (_UNSAFE.sub("_", name) or "_") for name in (feed.sync, *feed.formerly)
        ]
        self._names = [column.name for column in feed.columns]
        self._key = key_names(feed.kind, feed.match)
        self._of_events = feed.of_events
        self._header = EVENT_HEADER if feed.of_events else change_header(self._names)
        self.account = f"files:{self._root}"

    def check(self) -> Sequence[Finding]:
        try:
            make_folder(self._root)
            write_durable(self._root / _CHECK, [b""])
            (self._root / _CHECK).unlink()
        except OSError as error:
            words = f"{self._root} cannot be written: {error.strerror}"
            mend = rule(UNWRITABLE).mend
            return [Finding("privileges", "error", words, mend, UNWRITABLE)]
        return [Finding("privileges", "ok", f"{self._root} can be written")]

    def encode(self, rows: Rows) -> pa.StringArray:
        if self._format == "csv":
            return change_lines(rows, self._names)
        return change_records(rows, self._key)

    def encode_events(self, events: Events) -> pa.StringArray:
        return event_lines(events) if self._format == "csv" else event_records(events)

    def deliver(self, batch: Batch) -> Outcomes:
        stamp = _UNSAFE.sub("", batch.timestamp)
        name = f"{stamp}-{batch.number:06d}-{_UNSAFE.sub('_', batch.id)}.{self._format}"
        try:
            make_folder(self._folder)
            write_durable(self._folder / name, self._content(batch))
        except OSError as error:
            raise DestinationError(
                UNWRITABLE,
                f"{self._folder} cannot be written: {error.strerror}",
                mend=rule(UNWRITABLE).mend,
            ) from None
        return Outcomes(Outcome(Verdict.DELIVERED))

    def held(self, keys: pa.StringArray | None) -> Held:
        return Folder((self._folder, *self._former), self._names, self._key).held()

    def close(self) -> None:
        sweep(self._folder)

    def _content(self, batch: Batch) -> Iterable[bytes | memoryview]:
        if self._format == "jsonl":
            return joined(batch.messages, b"\n"), b"\n"
        if self._format == "csv":
            header = joined(csv_cell(pa.array(self._header)))
            return header, b"\r\n", joined(batch.messages, b"\r\n"), b"\r\n"
        return (self._parquet(batch),)

    def _parquet(self, batch: Batch) -> bytes:
        of_events = self._of_events
        columns = event_columns(batch) if of_events else change_columns(batch, self._names)
        out = BytesIO()
        table = pa.Table.from_arrays(columns, [*self._header])
        pq.write_table(table, out, compression="zstd")
        return out.getvalue()
