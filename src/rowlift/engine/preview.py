"""Preview: a hundred rows at once, then the rules and the marks over the whole result.

The warehouse counts; only identifiers leave it beyond the sample, and nothing is changed anywhere.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rowlift.core.nouns import Column, Finding, Kind
from rowlift.core.ports import Source
from rowlift.core.rules import rule
from rowlift.core.specs import SyncSpec
from rowlift.engine import canon, proof
from rowlift.engine.arrivals import with_canonical_json
from rowlift.engine.columns import identifying, judge_columns, key_names
from rowlift.engine.duck import Duck
from rowlift.engine.marks import Known, Mark, load_known, marked_counts, marked_rows
from rowlift.engine.moments import conversion_told
from rowlift.engine.problems import Problem
from rowlift.engine.read import ROW_NUMBER, staged_columns
from rowlift.engine.validate import judge
from rowlift.kit.sqlguard import guard, render

SAMPLE_ROWS = 100


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One row of the sample: its values as JSON would carry them, in the order of the columns.

    `problem` is the code of the first rule it breaks within the sample.
    """

    number: int
    identifier: str | None
    mark: Mark
    problem: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a query gives; `counts` and `problems` are of the sample until `whole` is true.

    Counts: rows, null, blank, duplicate_rows, duplicate_keys, known, unknown, own.
    """

    sync: str
    columns: tuple[Column, ...]
    key: str | None
    rows: tuple[PreviewRow, ...]
    whole: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    strict: bool = True  # bad rows stop the run

    @property
    def stops(self) -> bool:
        """Tell whether a run would refuse, as far as this preview looked."""
        wrong = any(one.level == "error" for one in self.findings)
        return wrong or (self.strict and bool(self.problems))

    @property
    def good(self) -> bool:
        """Tell whether no rule is broken as far as this preview looked."""
        return not self.problems and all(one.level != "error" for one in self.findings)


def preview(  # noqa: PLR0913 - each is one choice of a door
    source: Source,
    spec: SyncSpec,
    *,
    scratch: Path,
    identifiers: Sequence[str] = ("id", "email"),
    known: Known | None = None,
    sync_uid: str = "",
    last_sync_time: int = 0,
    sample: bool = False,
    on_sample: Callable[[Preview], None] | None = None,
) -> Preview:
    """Run the query, hand the first rows to `on_sample`, then prove the rules over the result.

    `identifiers` is the workspace's setting; without `known` no row has a mark. Raises SourceError
    and ConnectError as the source does; broken rules are values of the preview.
    """
    sql = guard(render(spec.sql, last_sync_time), source.dialect).sql
    with Duck(scratch) as duck:
        look = _Look(source, spec, sql, duck, known if spec.workspace else None, sync_uid)
        first = look.at_sample(identifiers)
        if on_sample:
            on_sample(first)
        return first if sample or first.key is None else look.at_whole(first)


class _Look:
    def __init__(
        self,
        source: Source,
        spec: SyncSpec,
        sql: str,
        duck: Duck,
        known: Known | None,
        sync_uid: str,
    ) -> None:
        self._source = source
        self._spec = spec
        self._sql = sql
        self._duck = duck
        self._known = known
        self._elsewhere = load_known(duck, known, sync_uid) if known else False

    def at_sample(self, identifiers: Sequence[str]) -> Preview:
        with conversion_told(self._spec.sql, self._source.dialect):
            staged = self._staged(self._sql, "sample", SAMPLE_ROWS)
        columns = staged_columns(staged)
        findings = judge_columns(columns, self._spec, identifiers)
        wrong = any(one.level == "error" for one in findings)
        names = [column.name for column in columns]
        key = None if wrong else ", ".join(key_names(names, self._spec))
        problems = judge(self._duck, staged, self._spec, full=False).problems if key else ()
        marks = marked_rows(self._duck, staged, self._spec) if key and self._known else {}
        rows = self._rows(staged, key, marks)
        return Preview(
            self._spec.name, columns, key, rows,
            counts={"rows": len(rows)},
            problems=problems,
            findings=tuple(findings),
            notes=("Only the first rows were looked at.",),
            strict=self._spec.on_bad_rows == "stop",
        )  # fmt: skip

    def at_whole(self, first: Preview) -> Preview:
        counts, broken = self._proven(first)
        findings, notes = list(first.findings), [proof.NOT_PROVEN]
        if self._known:
            marks = self._marks(first)
            counts |= {mark.value: count for mark, count in marks.items()}
            findings += self._all_unknown(str(first.key), marks)
        if counts["rows"] > self._spec.limits.rows:
            findings.append(_too_many_rows(counts["rows"], self._spec.limits.rows))
        proven = {one.code for one in broken} | _PROVEN
        broken += [one for one in first.problems if one.code not in proven]
        return replace(
            first, whole=True, counts=counts, problems=tuple(broken),
            findings=tuple(findings), notes=tuple(notes),
        )  # fmt: skip

    def _proven(self, first: Preview) -> tuple[dict[str, int], list[Problem]]:
        """Ask the warehouse about the key; what is made of several columns is looked at here."""
        key = next((column for column in first.columns if column.name == first.key), None)
        if key is None or self._spec.kind in (Kind.OBJECT, Kind.RELATIONSHIP):
            judged = judge(self._duck, self._keys(first), self._spec, full=False)
            found = [one for one in judged.problems if one.code in _PROVEN]
            return {"rows": judged.read, **_of_problems(found)}, found
        counted = proof.count_rows(self._source, self._sql, key)
        broken = proof.broken(self._source, self._sql, key, counted)
        return {_COUNTS[name]: count for name, count in counted.items()}, broken

    def _marks(self, first: Preview) -> Mapping[Mark, int]:
        return marked_counts(self._duck, self._keys(first), self._spec)

    def _keys(self, first: Preview) -> Path:
        names = [column.name for column in first.columns]
        wanted = dict.fromkeys((*key_names(names, self._spec), *identifying(names, self._spec)))
        sql = proof.keys_sql(self._sql, self._source.dialect, list(wanted))
        return self._staged(sql, "keys", None)

    def _all_unknown(self, key: str, marks: Mapping[Mark, int]) -> list[Finding]:
        unknown = marks[Mark.UNKNOWN]
        if not self._elsewhere or not unknown or unknown < sum(marks.values()):
            return []
        message = (
            f"None of the {unknown:,} rows is known in the workspace, which holds people from "
            f"elsewhere. Either {key} holds other identifiers than the rest of your data, or all "
            "of these people are really new."
        )
        mend = (
            f"Compare a few values of {key} with people of the workspace; if they are new, go on."
        )
        return [Finding("rows", "warning", message, mend, "ALL_UNKNOWN")]

    def _rows(
        self, staged: Path, key: str | None, marks: Mapping[int, Mark]
    ) -> tuple[PreviewRow, ...]:
        canon.install(self._duck)
        columns = canon.staged_columns(pq.read_schema(staged))
        source = with_canonical_json(self._duck, staged, columns)
        shown = [column for column in columns if column.name != ROW_NUMBER]
        named = {column.name: column for column in columns}
        values = ", ".join(canon.canonical(column) for column in shown)
        number, relation = named[ROW_NUMBER].sql, canon.staged_sql(source, columns)
        keys = [canon.key_sql(named[name]) for name in key_names(list(named), self._spec)]
        identifier = " || ' / ' || ".join(keys) if key else "NULL"
        rows = self._duck.rows(
            f"SELECT {number}, {identifier}, {values} FROM {relation} ORDER BY {number}"
        )
        broken = self._broken() if key else {}
        return tuple(
            PreviewRow(
                at, own, marks.get(at, Mark.NONE), broken.get(at, ""), tuple(map(_value, texts))
            )
            for at, own, *texts in rows
        )

    def _broken(self) -> dict[int, str]:
        return dict(self._duck.rows("SELECT row_number, code FROM rejected"))

    def _staged(self, sql: str, stem: str, limit: int | None) -> Path:
        path = self._duck.scratch_file(stem)
        reader = self._source.query(sql, limit=limit)
        schema = reader.schema.append(pa.field(ROW_NUMBER, pa.int64(), nullable=False))
        rows = 0
        with pq.ParquetWriter(path, schema) as out:
            for batch in reader:
                numbers = pa.array(range(rows + 1, rows + 1 + len(batch)), pa.int64())
                whole = [*batch.columns, numbers]
                out.write_batch(pa.RecordBatch.from_arrays(whole, schema=schema))
                rows += len(batch)
        return path


_COUNTS = {
    "row_count": "rows",
    "null_rows": "null",
    "blank_rows": "blank",
    "twice_rows": "duplicate_rows",
    "twice_keys": "duplicate_keys",
}
_OF_PROBLEMS = {"ID_NULL": "null", "ID_BLANK": "blank", "ID_DUPLICATE": "duplicate_rows"}
_PROVEN = frozenset({"ID_NULL", "ID_BLANK", "ID_DUPLICATE"})


def _of_problems(found: Sequence[Problem]) -> dict[str, int]:
    counts = {one.code: one.count for one in found}
    return {name: counts.get(code, 0) for code, name in _OF_PROBLEMS.items()}


def _value(text: str | None) -> Any:
    return json.loads(text) if text else None


def _too_many_rows(rows: int, most: int) -> Finding:
    known = rule("TOO_MANY_ROWS")
    message = f"The query returns {rows:,} rows; at most {most:,} are allowed."
    return Finding("rows", "error", message, known.mend, known.code)
