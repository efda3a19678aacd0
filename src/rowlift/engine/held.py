"""Held rows: what broke a rule beside a usable identifier is kept, and judged again by each run.

An incremental query returns a row once. So that none is lost because it was bad, its newest values
wait here until they pass, until the source returns that key again, or until a full result, which
says everything.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rowlift.core.specs import SyncSpec
from rowlift.engine.duck import Duck
from rowlift.engine.layers import Added
from rowlift.engine.problems import codes
from rowlift.engine.read import ROW_NUMBER, row_numbers
from rowlift.engine.validate import Judged, Validated, judge, publish
from rowlift.state.files import Owner, StoredFile
from rowlift.state.store import Store

HELD = "held"

# Numbers of an earlier result name no row of this one.
_NOT_CAME = """(
    SELECT * REPLACE (NULL::BIGINT AS row_number), row_number AS position FROM {judged} judged
    WHERE NOT EXISTS (
        SELECT 1 FROM arrived WHERE NOT no_key AND hashed_key = hash(judged.key))
)"""
_STILL_BAD = "SELECT position FROM {rows} WHERE problem > 0 ORDER BY position"
_NEWLY_BAD = "SELECT row_number FROM {judged} WHERE problem > {of_key} ORDER BY row_number"


@dataclass(frozen=True, slots=True)
class Picked:
    """Some rows of a staged file, by their numbers in rising order."""

    path: Path
    numbers: pa.Array


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held from here on, and the `former` files that it takes the place of.

    `retried` rows that were held were judged again; `rejected` and `codes` count them too.
    """

    former: tuple[StoredFile, ...]
    picked: tuple[Picked, ...]
    retried: int
    rejected: int
    codes: Mapping[str, int]

    @property
    def rows(self) -> int:
        """Return how many rows are held."""
        return sum(len(one.numbers) for one in self.picked)


def judge_held(
    duck: Duck, held: Sequence[StoredFile], spec: SyncSpec, version: int
) -> list[Judged]:
    """Judge the held rows of each file; the result must be validated after them."""
    return [judge(duck, one.path, spec, full=False, version=version).judged for one in held]


def hold(
    duck: Duck, spec: SyncSpec, staged: Path, checked: Validated,
    former: Sequence[StoredFile], again: Sequence[Judged], *, is_again: bool = False,
) -> Holding:  # fmt: skip
    """Add the rows that were judged `again` to `valid` and `rejected`, and say what to hold.

    Of a key that came in the result its older rows count no more. Where the next run gets the same
    rows and more (`is_again`), none is held.
    """
    waiting = [_NOT_CAME.format(judged=one.relation) for one in again]
    if waiting:
        _publish_all(duck, checked.judged, again, waiting)
    picked = [
        Picked(stored.path, _numbers(duck, _STILL_BAD.format(rows=rows)))
        for stored, rows in zip(former, waiting, strict=False)
    ]
    if spec.cursor == "held_rows" and checked.rejected and not is_again:
        newly = _NEWLY_BAD.format(judged=checked.judged.relation, of_key=checked.judged.of_key)
        picked.append(Picked(staged, _numbers(duck, newly)))
    retried = sum(duck.count(rows) for rows in waiting)
    return Holding(
        tuple(former), tuple(one for one in picked if len(one.numbers)), retried,
        duck.count("rejected") if retried else checked.rejected,
        codes(duck) if retried else checked.codes,
    )  # fmt: skip


def _publish_all(
    duck: Duck, judged: Judged, again: Sequence[Judged], waiting: Sequence[str]
) -> None:
    each = [(judged, judged.relation), *zip(again, waiting, strict=True)]
    publish(
        duck, [one.valid_sql(rows) for one, rows in each],
        [one.rejected_sql(rows) for one, rows in each],
    )  # fmt: skip


def _numbers(duck: Duck, sql: str) -> pa.Array:
    return duck.table(sql).column(0).combine_chunks()


def write_held(store: Store, owner: Owner, holding: Holding) -> Added:
    """Write the held rows, one file for each shape of them, unless they are the former ones."""
    if _is_as_before(holding):
        return Added()
    shapes: dict[bytes, list[Picked]] = {}
    for one in holding.picked:
        shapes.setdefault(pq.read_schema(one.path).serialize().to_pybytes(), []).append(one)
    stored = [
        store.files.write(HELD, owner, partial(fill_held, picked)) for picked in shapes.values()
    ]
    return Added(tuple(stored), holding.former)


def _is_as_before(holding: Holding) -> bool:
    before = {one.path: one.rows for one in holding.former}
    return before == {one.path: len(one.numbers) for one in holding.picked}


def fill_held(picked: Sequence[Picked], path: Path) -> int:
    """Write picked rows of one shape as a file of held rows, and return how many they are."""
    rows = 0
    with pq.ParquetWriter(path, pq.read_schema(picked[0].path), compression="zstd") as out:
        for one in picked:
            for table in _rows(one):
                at = table.schema.get_field_index(ROW_NUMBER)
                numbers = row_numbers(rows, table.num_rows)
                out.write_table(table.set_column(at, table.schema.field(at), numbers))
                rows += table.num_rows
    return rows


def _rows(picked: Picked) -> Iterator[pa.Table]:
    """Yield the rows of each row group; row n of a staged file has the number n."""
    before = 0
    with pq.ParquetFile(picked.path) as file:
        for group in range(file.num_row_groups):
            after = before + file.metadata.row_group(group).num_rows
            in_group = pc.and_(
                pc.greater(picked.numbers, before), pc.less_equal(picked.numbers, after)
            )
            wanted = picked.numbers.filter(in_group)
            if len(wanted):
                yield file.read_row_group(group).take(pc.subtract(wanted, before + 1))
            before = after
