"""Plan: the due rows, encoded and cut into batches once, durable before the first send."""

from bisect import bisect_right
from collections.abc import Iterator
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
from rowlift.kit.arrow import digest, give_back

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
        ("message", pa.large_string()),
    ]
)

_QUICK: Any = {  # the file lives for one delivery
    "compression": "lz4", "use_dictionary": ["batch", "version", "op", "present"],
    "write_statistics": False,
}  # fmt: skip

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
    limits = destination.limits
    most = min(limits.record_bytes, record_bytes or limits.record_bytes)
    cut = Cut()
    group = max(LEAST_GROUP, min(ROW_GROUP, GROUP_BYTES // max(1, image_width(duck))))
    with pq.ParquetWriter(path, SCHEMA, **_QUICK) as writer:
        for query in _queries(duck):
            for found in duck.reader(query, group):
                if len(found):
                    writer.write_batch(_encoded(found, destination, timestamp, most, limits, cut))
                    progress.advance(task, len(found))
        still = _ROLLED.format(suppressed=SUPPRESSED, rolled=ROLLED)
        for found in duck.reader(still, ROW_GROUP):
            if len(found):
                writer.write_batch(_rolled(found))
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


def _encoded(
    found: pa.RecordBatch,
    destination: Destination,
    timestamp: str,
    most: int,
    limits: Limits,
    cut: Cut,
) -> pa.RecordBatch:
    rows = Rows(
        keys=found.column("key"),
        ops=found.column("op"),
        message_ids=found.column("message_id"),
        attributes=found.column("attributes"),
        timestamp=timestamp,
    )
    messages = destination.encode(rows).cast(pa.large_string())
    sizes = pc.cast(pc.binary_length(messages), pa.int64())
    fits = pc.less_equal(sizes, most)
    good = pc.sum(fits).as_py() or 0
    bad = len(found) - good
    if bad:
        ordered = pc.array_sort_indices(pc.invert(fits))  # stable: those that fit keep their order
        found, messages, sizes = found.take(ordered), messages.take(ordered), sizes.take(ordered)
    numbers, positions = _cut(sizes.slice(0, good), limits, cut.batches)
    cut.batches = max(cut.batches, (numbers[-1].as_py() + 1) if good else 0)
    cut.due += len(found)
    cut.too_large += bad
    columns = {
        "batch": pa.concat_arrays([numbers, pa.repeat(pa.scalar(TOO_LARGE, pa.int32()), bad)]),
        "position": pa.concat_arrays([positions, _counting(bad)]),
        "bytes": sizes.cast(pa.int32()),
        "message": messages,
    }
    return pa.RecordBatch.from_arrays(
        [
            columns[name] if name in columns else found.column(name).cast(SCHEMA.field(name).type)
            for name in SCHEMA.names
        ],
        schema=SCHEMA,
    )


def _rolled(found: pa.RecordBatch) -> pa.RecordBatch:
    count = len(found)
    constant = {
        "position": _counting(count),
        "bytes": pa.nulls(count, pa.int32()),
        "message_id": pa.nulls(count, pa.string()),
        "message": pa.nulls(count, pa.large_string()),
    }
    return pa.RecordBatch.from_arrays(
        [
            constant[name] if name in constant else found.column(name).cast(SCHEMA.field(name).type)
            for name in SCHEMA.names
        ],
        schema=SCHEMA,
    )


def _cut(sizes: pa.Array, limits: Limits, first: int) -> tuple[pa.Array, pa.Array]:
    """Number the rows' batches, each within the limits; one separator byte a row is counted."""
    ends = memoryview(pc.cumulative_sum(pc.add(sizes, 1)).buffers()[1] or b"").cast("q")
    room = limits.batch_bytes - limits.envelope_bytes
    numbers: list[pa.Array] = [pa.array([], pa.int32())]
    positions: list[pa.Array] = [pa.array([], pa.int32())]
    start, batch = 0, first
    while start < len(sizes):
        used = ends[start - 1] if start else 0
        stop = bisect_right(ends, used + room, start, min(start + limits.batch_rows, len(sizes)))
        stop = max(stop, start + 1)
        numbers.append(pa.repeat(pa.scalar(batch, pa.int32()), stop - start))
        positions.append(_counting(stop - start))
        start, batch = stop, batch + 1
    return pa.concat_arrays(numbers), pa.concat_arrays(positions)


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
                rows = plan.read_row_group(group, columns=["key", "message_id", "message"])
                yield from _group_batches(numbers, rows.combine_chunks(), wanted, timestamp)
                give_back()


def _group_batches(
    numbers: pa.Array, rows: pa.Table, wanted: set[int], timestamp: str
) -> Iterator[Batch]:
    runs = pc.run_end_encode(numbers)
    start = 0
    for number, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        if number in wanted:
            yield _batch(number, rows.slice(start, end - start), timestamp)
        start = end


def _batch(number: int, rows: pa.Table, timestamp: str) -> Batch:
    message_ids = rows.column("message_id").chunk(0)
    return Batch(
        id=digest(message_ids),
        number=number,
        keys=rows.column("key").chunk(0),
        message_ids=message_ids,
        messages=rows.column("message").chunk(0),
        timestamp=timestamp,
    )
