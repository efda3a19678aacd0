"""Preview: a hundred rows at once, then the rules and the marks over the whole result.

The warehouse counts; only identifiers leave it beyond the sample, for whom they meet in the
workspace, and nothing is changed anywhere.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rowlift.core.estimates import Estimate
from rowlift.core.nouns import Column, Finding, Kind
from rowlift.core.ports import Source
from rowlift.core.rules import rule
from rowlift.core.specs import LimitSpec, SyncSpec
from rowlift.engine import canon, proof
from rowlift.engine.arrivals import with_canonical_json
from rowlift.engine.columns import DELETED, identifying, judge_columns, key_names
from rowlift.engine.describe import unread
from rowlift.engine.duck import Duck
from rowlift.engine.marks import Known, Mark, load_known, marked_counts, marked_rows
from rowlift.engine.mistakes import explained
from rowlift.engine.preflight import Met, look_ahead, meet, mostly_unknown
from rowlift.engine.problems import Problem
from rowlift.engine.read import ROW_NUMBER, row_numbers, staged_columns
from rowlift.engine.validate import judge
from rowlift.kit.html import table
from rowlift.kit.sqlguard import guard, render
from rowlift.workspace.workspace import Workspace

SAMPLE_ROWS = 100
_ENVELOPE = 200  # bytes that a message has beside its record, about


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

    Counts: rows, null, blank, duplicate_rows, duplicate_keys, known, unknown, own. `met` tells what
    the workspace would do with the rows that break no rule. `largest` is about how many bytes the
    largest record of the sample has.
    """

    sync: str
    columns: tuple[Column, ...]
    key: str | None
    rows: tuple[PreviewRow, ...]
    whole: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    met: tuple[Met, ...] = ()
    problems: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    strict: bool = True  # bad rows stop the run
    estimate: Estimate | None = None  # of the sync's own query
    limits: LimitSpec | None = None
    largest: int = 0

    @property
    def stops(self) -> bool:
        """Tell whether a run would refuse, as far as this preview looked."""
        wrong = any(one.level == "error" for one in self.findings)
        return wrong or (self.strict and bool(self.problems))

    @property
    def good(self) -> bool:
        """Tell whether no rule is broken as far as this preview looked."""
        return not self.problems and all(one.level != "error" for one in self.findings)

    def _repr_html_(self) -> str:
        title = f"{self.sync}: the first {len(self.rows)} rows"
        columns = ("row", "identifier", "mark", "problem", *(one.name for one in self.columns))
        rows = (
            (one.number, one.identifier, one.mark.value, one.problem, *one.values)
            for one in self.rows
        )
        return table(title, columns, rows)


@dataclass(frozen=True, slots=True)
class Meeting:
    """The workspace that rows would meet, and whether its guard looks at who is unknown.

    The rows of the query `before`, if there is one, count as written already.
    """

    workspace: Workspace
    is_guarded: bool = False
    before: SyncSpec | None = None


def preview(  # noqa: PLR0913 - each is one choice of a door
    source: Source,
    spec: SyncSpec,
    *,
    scratch: Path,
    identifiers: Sequence[str] = ("id", "email"),
    known: Known | None = None,
    meeting: Meeting | None = None,
    sync_uid: str = "",
    last_sync_time: int = 0,
    sample: bool = False,
    on_sample: Callable[[Preview], None] | None = None,
) -> Preview:
    """Run the query, hand the first rows to `on_sample`, then prove the rules over the result.

    `identifiers` is the workspace's setting; without `known` no row has a mark, and without
    `meeting` nobody is met. Raises SourceError and ConnectError as the source does; broken rules
    are values of the preview.
    """
    if not spec.workspace:
        known, meeting = None, None
    with Duck(scratch) as duck:
        query = _Query(source, spec, last_sync_time, duck)
        look = _Look(query, duck, known, meeting, sync_uid)
        first = look.at_sample(identifiers)
        if on_sample:
            on_sample(first)
        if sample or first.key is None:
            return first
        before = meeting.before if meeting else None
        return look.at_whole(
            first, _Query(source, before, last_sync_time, duck) if before else None
        )


class _Query:
    """One query of a source: its first rows, or the identifiers of all."""

    def __init__(self, source: Source, spec: SyncSpec, last_sync_time: int, duck: Duck) -> None:
        self.source = source
        self.spec = spec
        guarded = guard(render(spec.sql, last_sync_time, source.dialect), source.dialect)
        self.sql = guarded.sql
        self.findings = tuple(unread(guarded))
        self._duck = duck

    def sample(self) -> Path:
        with explained(self.source, self.spec.sql, self.sql):
            return self._staged(self.sql, "sample", SAMPLE_ROWS)

    def identifiers(self, columns: Sequence[Column]) -> Path:
        names = [column.name for column in columns]
        wanted = [*key_names(names, self.spec), *identifying(names, self.spec)]
        if self.spec.kind is Kind.RELATIONSHIP and DELETED in names:
            wanted.append(DELETED)
        sql = proof.keys_sql(self.sql, self.source.dialect, list(dict.fromkeys(wanted)))
        return self._staged(sql, "keys", None)

    def _staged(self, sql: str, stem: str, limit: int | None) -> Path:
        path = self._duck.scratch_file(stem)
        reader = self.source.query(sql, limit=limit)
        schema = reader.schema.append(pa.field(ROW_NUMBER, pa.int64(), nullable=False))
        rows = 0
        with pq.ParquetWriter(path, schema) as out:
            for batch in reader:
                whole = [*batch.columns, row_numbers(rows, len(batch))]
                out.write_batch(pa.RecordBatch.from_arrays(whole, schema=schema))
                rows += len(batch)
        return path


class _Look:
    def __init__(
        self,
        query: _Query,
        duck: Duck,
        known: Known | None,
        meeting: Meeting | None,
        sync_uid: str,
    ) -> None:
        self._query = query
        self._spec = query.spec
        self._duck = duck
        self._known = known
        self._meeting = meeting
        self._elsewhere = load_known(duck, known, sync_uid) if known else False

    def at_sample(self, identifiers: Sequence[str]) -> Preview:
        staged = self._query.sample()
        columns = staged_columns(staged)
        findings = [*judge_columns(columns, self._spec, identifiers), *self._query.findings]
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
            limits=self._spec.limits,
            largest=_largest(columns, rows),
        )  # fmt: skip

    def at_whole(self, first: Preview, before: _Query | None) -> Preview:
        if before:
            self._meet_before(before)
        key = next((column for column in first.columns if column.name == first.key), None)
        if self._spec.kind in (Kind.OBJECT, Kind.RELATIONSHIP):
            key = None
        pulls = key is None or self._known or self._meeting
        keys = self._query.identifiers(first.columns) if pulls else None
        counts, broken = self._proven(key, keys)
        met = self._met(ahead=before is not None)
        findings = [*first.findings, *_too_many_rows(counts["rows"], self._spec.limits.rows)]
        if self._known and keys:
            marks = marked_counts(self._duck, keys, self._spec)
            counts |= {mark.value: count for mark, count in marks.items()}
            findings += self._unknown(str(first.key), marks)
        proven = {one.code for one in broken} | _PROVEN
        broken += [one for one in first.problems if one.code not in proven]
        return replace(
            first, whole=True, counts=counts, met=met, problems=tuple(broken),
            findings=tuple(findings), notes=(proof.not_proven(has_identifiers=keys is not None),),
        )  # fmt: skip

    def _proven(
        self, key: Column | None, keys: Path | None
    ) -> tuple[dict[str, int], list[Problem]]:
        """Judge the identifiers that were pulled, and let the warehouse count what it can."""
        counts: dict[str, int] = {}
        broken: list[Problem] = []
        if keys:
            judged = judge(self._duck, keys, self._spec, full=False)
            counts, broken = {"rows": judged.read}, list(judged.problems)
            counts |= _of_problems(broken)
        if key:
            query = self._query
            counted = proof.count_rows(query.source, query.sql, key)
            counts = {_COUNTS[name]: count for name, count in counted.items()}
            beside = [one for one in broken if one.code not in _PROVEN]
            broken = [*proof.broken(query.source, query.sql, key, counted), *beside]
        return counts, broken

    def _meet_before(self, before: _Query) -> None:
        """Meet the rows of the first query, so that those of the second find whom they would."""
        if self._meeting is None:
            return
        keys = before.identifiers(before.source.describe(before.sql))
        judge(self._duck, keys, before.spec, full=False)
        meet(self._duck, self._meeting.workspace, before.spec)
        look_ahead(self._duck, before.spec.kind)

    def _met(self, *, ahead: bool) -> tuple[Met, ...]:
        if self._meeting is None:
            return ()
        return meet(self._duck, self._meeting.workspace, self._spec, ahead=ahead)

    def _unknown(self, key: str, marks: Mapping[Mark, int]) -> Iterator[Finding]:
        """Yield what speaks for a wrong identifier, where the workspace holds others."""
        unknown, rows = marks[Mark.UNKNOWN], sum(marks.values())
        if not self._elsewhere or not unknown:
            return
        veto = mostly_unknown(marks, self._spec)
        if veto and self._meeting and self._meeting.is_guarded:
            yield Finding("rows", "error", veto.message, veto.mend, veto.code)
        elif unknown == rows:
            message = (
                f"None of the {unknown:,} rows is known in the workspace, which holds people from "
                f"elsewhere. Either {key} holds other identifiers than the rest of your data, or "
                "all of these people are really new."
            )
            mend = (
                f"Compare a few values of {key} with people of the workspace; if they are new, go "
                "on."
            )
            yield Finding("rows", "warning", message, mend, "ALL_UNKNOWN")

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


def _largest(columns: Sequence[Column], rows: Sequence[PreviewRow]) -> int:
    names = [one.name for one in columns]
    records = (dict(zip(names, row.values, strict=True)) for row in rows)
    texts = (json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in records)
    return max((len(one.encode()) for one in texts), default=-_ENVELOPE) + _ENVELOPE


def _value(text: str | None) -> Any:
    return json.loads(text) if text else None


def _too_many_rows(rows: int, most: int) -> Iterator[Finding]:
    if rows > most:
        known = rule("TOO_MANY_ROWS")
        message = f"The query returns {rows:,} rows; the limit is {most:,}."
        yield Finding("rows", "error", message, known.mend, known.code)
