"""Plan: the due rows, encoded and cut into batches once, durable before the first send."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rowlift.core.nouns import Limits
from rowlift.core.ports import Batch, Destination, Rows
from rowlift.core.progress import Progress
from rowlift.engine.duck import Duck
from rowlift.engine.layers import image_width
from rowlift.kit.arrow import digest, give_back, runs
from rowlift.kit.packed import PackedTexts, pack

TOO_LARGE = -1
ROLLED = -2
SUPPRESSED = -3
ROW_GROUP = 50_000
GROUP_BYTES = 25_000_000
LEAST_GROUP = 500

SCHEMA = pa.schema(
    [
        ("batch", pa.int32()),
        ("position", pa.int32()),
        ("key", pa.string()),
        ("version", pa.int64()),
        ("op", pa.string()),
        ("present", pa.bool_()),
        ("fp", pa.uint64()),
        ("row_number", pa.int64()),
        ("bytes", pa.int32()),
        ("message_id", pa.string()),
        ("messages", pa.binary()),  # of a whole batch, on its first row
        ("crc", pa.uint32()),
    ]
)

_NOISE = frozenset({"fp", "message_id", "messages"})  # nothing to gain from compressing it
_QUICK: Any = {  # the file lives for one delivery
    "compression": {name: "none" if name in _NOISE else "lz4" for name in SCHEMA.names},
    "use_dictionary": ["batch", "version", "op", "present"],
    "write_statistics": False,
}

_SENT = ["key", "message_id", "bytes", "messages", "crc"]

MOST_LANES = 16

_COLUMNS = "key, version, op, present, fp, row_number, message_id, attributes"
_GROUPS = """
SELECT doubt, present, version, count(*) FROM due WHERE is_due GROUP BY ALL ORDER BY version
"""
_DUE = "SELECT {columns} FROM due WHERE is_due AND {lane}"
_ORDER = " ORDER BY doubt DESC, present, version, row_number, key"

_ROLLED = """
SELECT key, version, op, present, fp, row_number,
    CASE WHEN suppressed THEN {suppressed} ELSE {rolled} END::INTEGER AS batch
FROM due WHERE NOT is_due
"""


@dataclass(slots=True)
class Cut:
    """How a plan was cut."""

    due: int = 0
    too_large: int = 0
    rolled: int = 0
    suppressed: int = 0
    batches: int = 0
    bytes: int = 0  # of the messages, before they are compressed
    added: dict[str, int] = field(default_factory=dict)


def write_plan(
    duck: Duck,
    path: Path,
    destination: Destination,
    *,
    timestamp: str,
    record_bytes: int | None,
    progress: Progress,
    task: str,
) -> Cut:
    """Encode every due row and write the plan file."""
    most = min(destination.limits.record_bytes, record_bytes or destination.limits.record_bytes)
    cut = Cut()
    group = max(LEAST_GROUP, min(ROW_GROUP, GROUP_BYTES // max(1, image_width(duck))))
    # Rows are encoded as they come: a second thread would only hand them over.
    with pq.ParquetWriter(path, SCHEMA, **_QUICK) as writer, duck.one_thread():
        for query in _queries(duck):
            for found in duck.reader(query, group):
                _write_due(writer, found, destination, timestamp, most, cut)
                progress.advance(task, len(found))
        still = _ROLLED.format(suppressed=SUPPRESSED, rolled=ROLLED)
        for found in duck.reader(still, ROW_GROUP):
            if len(found):
                writer.write_batch(_planned(found))
                hidden = pc.sum(pc.equal(found.column("batch"), SUPPRESSED)).as_py()
                cut.suppressed += hidden
                cut.rolled += len(found) - hidden
    cut.due += cut.suppressed
    give_back()
    return cut


def write_nothing(path: Path) -> int:
    """Write the plan of a target to which nothing is due; returns 0."""
    pq.write_table(SCHEMA.empty_table(), path)
    return 0


def _queries(duck: Duck) -> list[str]:
    """Return the queries that give the due rows in the order in which they should leave.

    Many rows are not sorted, which would hold all their values at once: they come lane by lane.
    """
    groups = duck.rows(_GROUPS)
    if duck.has_room_to_sort(sum(count for *_, count in groups)):
        return [_DUE.format(columns=_COLUMNS, lane="true") + _ORDER]
    lanes = []
    if any(doubt for doubt, *_ in groups):
        lanes.append("doubt")
    if any(not doubt and not present for doubt, present, *_ in groups):
        lanes.append("NOT doubt AND NOT present")
    versions = [version for doubt, present, version, _ in groups if present and not doubt]
    step = len(versions) // MOST_LANES + 1
    lanes += [
        f"NOT doubt AND present AND version BETWEEN {versions[at]}"
        f" AND {versions[min(at + step, len(versions)) - 1]}"
        for at in range(0, len(versions), step)
    ]
    return [_DUE.format(columns=_COLUMNS, lane=lane) for lane in lanes]


def _write_due(
    writer: pq.ParquetWriter,
    found: pa.RecordBatch,
    destination: Destination,
    timestamp: str,
    most: int,
    cut: Cut,
) -> None:
    """Encode some rows and write them, those that are too large by themselves."""
    messages = destination.encode(_rows(found, timestamp))
    sizes = pc.binary_length(messages)
    fits = pc.less_equal(sizes, most)
    cut.due += len(found)
    if not pc.all(fits).as_py():
        large = pc.invert(fits)
        cut.too_large += pc.sum(large).as_py()
        writer.write_batch(_too_large(found.filter(large), sizes.filter(large)))
        found, messages, sizes = (one.filter(fits) for one in (found, messages, sizes))
    if len(found):
        ends = batch_ends(sizes, destination.limits)
        writer.write_batch(_batched(found, messages, sizes, ends, cut.batches))
        cut.batches += len(ends)
        cut.bytes += pc.sum(sizes).as_py()


def _rows(found: pa.RecordBatch, timestamp: str) -> Rows:
    return Rows(
        keys=found.column("key"),
        ops=found.column("op"),
        message_ids=found.column("message_id"),
        attributes=found.column("attributes"),
        timestamp=timestamp,
    )


def _batched(
    found: pa.RecordBatch, messages: pa.Array, sizes: pa.Array, ends: Sequence[int], first: int
) -> pa.RecordBatch:
    """Return rows in batches from the number `first`, the messages of each on its first row."""
    starts = [0, *ends[:-1]]
    packed = [pack(messages[start:end]) for start, end in zip(starts, ends, strict=True)]
    positions = pc.subtract(_counting(len(found)), _spread(ends, starts))
    lead = pc.if_else(pc.equal(positions, 0), _spread(ends, range(len(ends))), None)
    return _planned(
        found,
        batch=_spread(ends, range(first, first + len(ends))),
        position=positions,
        bytes=sizes,
        messages=pa.array([one.blocks for one in packed]).take(lead),
        crc=pa.array([one.crc for one in packed]).take(lead),
    )


def _too_large(found: pa.RecordBatch, sizes: pa.Array) -> pa.RecordBatch:
    numbers = pa.repeat(pa.scalar(TOO_LARGE, pa.int32()), len(found))
    return _planned(found, batch=numbers, bytes=sizes)


def _planned(found: pa.RecordBatch, **own: pa.Array) -> pa.RecordBatch:
    """Return rows of the plan from its own columns and those that were found, else without."""
    given = {"position": _counting(len(found))}
    given |= dict(zip(found.schema.names, found.columns, strict=True)) | own
    columns = [
        given[field.name].cast(field.type)
        if field.name in given
        else pa.nulls(len(found), field.type)
        for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def batch_ends(sizes: pa.Array, limits: Limits) -> list[int]:
    """Return where each batch ends so that it keeps the limits, separators counted as a byte."""
    totals = pc.cumulative_sum(pc.add(sizes.cast(pa.int64()), 1))
    used = memoryview(totals.buffers()[1] or b"").cast("q")
    room = limits.batch_bytes - limits.envelope_bytes
    ends: list[int] = []
    start = 0
    while start < len(sizes):
        before = used[start - 1] if start else 0
        stop = bisect_right(used, before + room, start, min(start + limits.batch_rows, len(sizes)))
        start = max(stop, start + 1)
        ends.append(start)
    return ends


def _spread(ends: Sequence[int], values: Iterable[int]) -> pa.Array:
    """Return a batch's value, a large integer, for each of its rows."""
    runs = pa.RunEndEncodedArray.from_arrays(
        pa.array(ends, pa.int32()), pa.array(values, pa.int64())
    )
    return pc.run_end_decode(runs)


def _counting(count: int) -> pa.Array:
    ones = pa.repeat(pa.scalar(1, pa.int32()), count)
    return pc.cumulative_sum(ones, start=-1)


def plan_batches(path: Path, timestamp: str, done: frozenset[int]) -> Iterator[Batch]:
    """Yield the batches of a plan in order, leaving out those that are done."""
    with pq.ParquetFile(path) as plan:
        for group in range(plan.num_row_groups):
            numbers = plan.read_row_group(group, columns=["batch"]).column(0).combine_chunks()
            wanted = set(numbers.unique().to_pylist()) - done - {TOO_LARGE, ROLLED, SUPPRESSED}
            if wanted:
                rows = plan.read_row_group(group, columns=_SENT)
                yield from _group_batches(numbers, rows.combine_chunks(), wanted, timestamp)
                give_back()


def _group_batches(
    numbers: pa.Array, rows: pa.Table, wanted: set[int], timestamp: str
) -> Iterator[Batch]:
    for number, start, end in runs(numbers):
        if number in wanted:
            yield _batch(number, rows.slice(start, end - start), timestamp)


def _batch(number: int, rows: pa.Table, timestamp: str) -> Batch:
    keys, message_ids, sizes, messages, crc = (column.chunk(0) for column in rows.columns)
    return Batch(
        id=digest(message_ids),
        number=number,
        keys=keys,
        message_ids=message_ids,
        packed=PackedTexts(sizes, messages[0].as_py(), crc[0].as_py()),
        timestamp=timestamp,
    )
