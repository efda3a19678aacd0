"""Files: every batch is one JSON Lines, CSV or Parquet file in a folder."""

import re
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, Field

from rowlift.core.errors import DestinationError
from rowlift.core.nouns import (
    Accepts,
    Feed,
    Finding,
    Kind,
    Limits,
    Outcome,
    Outcomes,
    Removed,
    Verdict,
)
from rowlift.core.ports import Batch, Events, Rows
from rowlift.core.rules import rule
from rowlift.kit.arrow import joined
from rowlift.kit.config import ConnectorConfig
from rowlift.kit.durable import make_folder, sweep, write_durable
from rowlift.kit.http import Http
from rowlift.kit.texts import (
    change_records,
    concat,
    csv_cell,
    event_records,
    key_names,
    spread,
)

UNWRITABLE = "FOLDER_UNWRITABLE"

_CHECK = ".rowlift-check"
_PEOPLE = ("user_id", "email", "anonymous_id")
_EVENT = ("type", "name", "message_id", "timestamp", "properties", "traits")
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
        events=frozenset(_PEOPLE),
    )
    limits = Limits(batch_rows=50_000, batch_bytes=64_000_000, record_bytes=16_000_000, in_flight=1)

    def __init__(self, config: FilesConfig, feed: Feed, http: Http) -> None:
        self._format = config.format
        self._root = config.path.expanduser().resolve()
        self._folder = self._root / (_UNSAFE.sub("_", feed.sync) or "_")
        self._names = [column.name for column in feed.columns]
        self._key = key_names(feed.kind, feed.match)
        self._of_events = feed.of_events
        self._header = [*_PEOPLE, *_EVENT] if feed.of_events else _header(self._names)
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
        if self._format != "csv":
            return change_records(rows, self._key)
        values = spread(rows.attributes, self._names)
        return _csv_line((rows.ops, rows.keys, rows.message_ids, *values))

    def encode_events(self, events: Events) -> pa.StringArray:
        if self._format != "csv":
            return event_records(events)
        nobody = pa.scalar(None, pa.string())
        named = [pc.equal(events.identifiers, one) for one in _PEOPLE]
        keys = [pc.if_else(one, events.keys, nobody) for one in named]
        about = (events.types, events.names, events.message_ids, events.moments)
        return _csv_line((*keys, *about, events.properties, events.traits))

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
        columns = self._event_columns(batch) if self._of_events else self._columns(batch)
        out = BytesIO()
        pq.write_table(pa.Table.from_arrays(columns, self._header), out, compression="zstd")
        return out.getvalue()

    def _columns(self, batch: Batch) -> list[pa.StringArray]:
        messages = batch.messages
        values = spread(messages, self._names, under="/attributes")
        return [*spread(messages, ["op"]), batch.keys, batch.message_ids, *values]

    def _event_columns(self, batch: Batch) -> list[pa.StringArray]:
        messages = batch.messages
        return [*spread(messages, _PEOPLE, under="/key"), *spread(messages, _EVENT)]


def _csv_line(texts: Iterable[pa.StringArray]) -> pa.StringArray:
    first, *others = map(csv_cell, texts)
    return concat(first, *(part for cell in others for part in (",", cell)))


def _header(names: Sequence[str]) -> list[str]:
    header = ["op", "key", "message_id"]
    for name in names:
        free = name
        while free in header:
            free += "_"
        header.append(free)
    return header
