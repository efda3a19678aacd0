"""Validate: the rules for rows as set operations over the staged file, never a loop over rows.

One pass over the whole file finds duplicates and rows that stand in the image as they are; one
over the others judges them and writes the good ones as rows of the image. Both spill; neither
holds the result in memory.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from rowlift.core.errors import GuardStop
from rowlift.core.identifiers import IDENTIFIERS
from rowlift.core.nouns import Finding, Kind, Removed
from rowlift.core.rules import rule
from rowlift.core.specs import SyncSpec
from rowlift.engine import canon
from rowlift.engine.arrivals import RAW, Arrived, arrive, key_relation
from rowlift.engine.canon import ENDED, Staged
from rowlift.engine.columns import DELETED, identifying, left_out
from rowlift.engine.duck import Duck, parquet
from rowlift.engine.duck import text as literal
from rowlift.engine.keys import Keyed, find_key
from rowlift.engine.problems import Problem, bad_rows, problems
from rowlift.engine.read import MAX_ROW_BYTES, ROW_NUMBER, filled_columns, parts, too_many_rows
from rowlift.engine.rowrules import (
    Check,
    is_deleted,
    key_checks,
    macros,
    row_checks,
)

GUARDED_FROM_ROWS = 100

Ahead = Callable[[str], None]  # is told of a relation of keys

_JUDGED = """
WITH canonical AS (
    SELECT staged.*, {identifier} AS identifier, {key} AS key, {raw} AS hashed,
        CASE WHEN {bytes} <= {most_bytes} THEN {attributes} END AS attributes
    FROM {staged} {join}
), judged AS (
    SELECT *, CASE {problems} ELSE 0 END AS problem FROM canonical
)
SELECT {row_number} AS row_number, key, problem::USMALLINT AS problem,
    {version}::BIGINT AS version, true AS present, hashed AS raw, NULL::VARCHAR AS before,
    CASE WHEN problem = 0 THEN {fp} END AS fp,
    CASE WHEN problem = 0 THEN attributes END AS attributes,
    CASE WHEN problem > 0 THEN left(identifier, 500) END AS identifier
FROM judged
"""

_VALID = """
SELECT key, version, present, fp, raw, attributes, before, row_number
FROM {judged} WHERE problem = 0
"""

_REJECTED = """
SELECT row_number, identifier, code, reason FROM {judged}
JOIN (VALUES {reasons}) AS reasons(problem, code, reason) USING (problem)
"""


def nobody(_keys: str) -> None:
    """Do nothing about rows that are to be judged."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A file of judged rows; a problem is the position, from 1, of the check that a row broke.

    The first `of_key` checks are those of the identifier.
    """

    path: Path
    checks: Sequence[Check]
    of_key: int

    @property
    def relation(self) -> str:
        """Return all rows, with their problems."""
        return parquet([self.path])

    def valid_sql(self, rows: str) -> str:
        """Return the query of the good ones of some rows, as rows of the image."""
        return _VALID.format(judged=rows)

    def rejected_sql(self, rows: str) -> str:
        """Return the query of the bad ones of some rows."""
        reasons = ", ".join(
            f"({at}, {literal(one.code)}, {literal(one.reason)})"
            for at, one in enumerate(self.checks, 1)
        )
        return _REJECTED.format(judged=rows, reasons=reasons)


@dataclass(frozen=True, slots=True)
class Validated:
    """What validation found; its rows stand in the relations valid and rejected.

    valid has the columns of an image's rows, without the `known` rows, which stand in the image as
    they are; rejected(row_number, identifier, code, reason) is in the order of the source.
    """

    read: int
    known: int
    rejected: int
    judged: Judged
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Finding, ...] = ()

    @property
    def valid(self) -> int:
        """Return the number of good rows, known ones included."""
        return self.read - self.rejected

    @property
    def codes(self) -> Mapping[str, int]:
        """Return the number of rejected rows of each code."""
        return {problem.code: problem.count for problem in self.problems}


def validate(
    duck: Duck,
    staged: Path,
    spec: SyncSpec,
    *,
    full: bool = True,
    version: int = 0,
    first: bool = True,
    ahead: Ahead = nobody,
) -> Validated:
    """Judge every row of a staged file whose columns are right.

    `full` says that the query returns everything: only then is a constant trait worth a warning.
    `version` is what good rows get in the image; unless `first`, rows that the view `image` knows
    are not judged again, and `ahead` hears of the others before they are.
    Raises GuardStop TOO_MANY_ROWS, BAD_ROWS (on_bad_rows: stop) or MASS_REJECT, nothing changed.
    """
    if pq.read_metadata(staged).num_rows > spec.limits.rows:
        raise too_many_rows(spec.limits.rows)
    validated = judge(duck, staged, spec, full=full, version=version, first=first, ahead=ahead)
    if validated.rejected and spec.on_bad_rows == "stop":
        raise bad_rows(validated.problems, validated.read)
    _guard_rejects(validated, spec)
    return validated


def judge(
    duck: Duck,
    staged: Path,
    spec: SyncSpec,
    *,
    full: bool = True,
    version: int = 0,
    first: bool = True,
    ahead: Ahead = nobody,
) -> Validated:
    """Judge every row and say what was found, without stopping at anything."""
    read = pq.read_metadata(staged).num_rows
    canon.install(duck)
    duck.prepare(macros())
    columns = canon.staged_columns(pq.read_schema(staged), filled_columns(staged))
    keyed = find_key(duck, staged, columns, spec)
    arrived = arrive(duck, keyed.path, keyed.columns, keyed.key, spec, first=first)
    judged = _judge_rows(duck, arrived, keyed, spec, version, nobody if first else ahead)
    publish(duck, [judged.valid_sql(judged.relation)], [judged.rejected_sql(judged.relation)])
    found = problems(duck, keyed.label)
    rejected = sum(problem.count for problem in found)
    warnings = constant_traits(staged, spec) if full else ()
    return Validated(read, arrived.known, rejected, judged, found, warnings)


def publish(duck: Duck, valid: Iterable[str], rejected: Iterable[str]) -> None:
    """Create the views `valid` and `rejected` of the rows of some queries."""
    duck.run(f"CREATE OR REPLACE TEMP VIEW valid AS {' UNION ALL '.join(valid)}")
    all_rejected = " UNION ALL ".join(rejected)
    duck.run(f"CREATE OR REPLACE TEMP VIEW rejected AS {all_rejected} ORDER BY row_number")


def constant_traits(staged: Path, spec: SyncSpec) -> tuple[Finding, ...]:
    """Warn of traits that are the same in every row while leavers keep theirs."""
    metadata = pq.read_metadata(staged)
    if spec.removed is not Removed.KEEP or metadata.num_rows < 2:  # noqa: PLR2004
        return ()
    whole = metadata.schema.to_arrow_schema().names
    no_traits = {ROW_NUMBER, *left_out(whole, spec), *IDENTIFIERS}
    held = {
        name: at for name, at in zip(whole, parts(metadata), strict=True) if name not in no_traits
    }
    constant = [name for name, at in held.items() if any(_is_constant(metadata, one) for one in at)]
    if not constant:
        return ()
    known = rule("CONSTANT_TRAIT")
    message = f"{known.title}: {', '.join(constant)}."
    return (Finding("rows", "warning", message, known.mend, known.code),)


def _judge_rows(
    duck: Duck, arrived: Arrived, keyed: Keyed, spec: SyncSpec, version: int, ahead: Ahead
) -> Judged:
    key = keyed.key
    ours = (RAW, key) if keyed.parts else (RAW,)
    columns = [column for column in arrived.columns if column not in ours]
    named = {column.name: column for column in columns}
    others = [named[name] for name in identifying(list(named), spec)]
    beside = [] if keyed.parts else others
    staged = canon.staged_sql(arrived.path, arrived.columns)
    expression, join, odd = key_relation(duck, key, others, staged)
    ahead(f"(SELECT {expression} AS key FROM {staged} {join})")
    of_key = key_checks(keyed, odd_emails=odd)
    of_rest = [
        check
        for check in row_checks(keyed, beside, columns, spec, odd_emails=odd)
        if arrived.duplicates or check.code != "ID_DUPLICATE"
    ]
    rules = [*of_key, *of_rest]
    judged = duck.scratch_file("judged")
    sql = _JUDGED.format(
        staged=staged,
        key=expression,
        join=join,
        identifier=canon.key_sql(key),
        raw=arrived.raw,
        bytes=_bytes(columns),
        most_bytes=MAX_ROW_BYTES,
        attributes=_attributes(columns, spec),
        fp=canon.fingerprint("attributes"),
        problems=" ".join(f"WHEN {one.predicate} THEN {at}" for at, one in enumerate(rules, 1)),
        row_number=named[ROW_NUMBER].sql,
        version=version,
    )
    duck.write(sql, judged)
    return Judged(judged, rules, len(of_key))


def _attributes(columns: Sequence[Staged], spec: SyncSpec) -> str:
    names = [column.name for column in columns]
    attributes = canon.attributes_sql(columns, left_out(names, spec), spec)
    if spec.kind is not Kind.RELATIONSHIP or DELETED not in names:
        return attributes
    gone = is_deleted(next(column for column in columns if column.name == DELETED))
    return f"CASE WHEN {gone} THEN '{ENDED}' ELSE {attributes} END"


def _bytes(columns: Sequence[Staged]) -> str:
    variable = [
        f"coalesce({'strlen' if column.is_text else 'octet_length'}({column.alias}), 0)"
        for column in columns
        if column.is_text or column.value_type in ("text", "binary")
    ]
    return " + ".join(variable) or "0"


def _guard_rejects(validated: Validated, spec: SyncSpec) -> None:
    threshold = spec.guards.rejects
    if threshold is None:
        return
    most = threshold.rows
    if threshold.percent is not None and validated.read >= GUARDED_FROM_ROWS:
        most = max(most or 0, int(validated.read * threshold.percent / 100))
    if most is not None and validated.rejected > most:
        listed = "\n".join(f"  {problem}" for problem in validated.problems)
        raise GuardStop(
            "MASS_REJECT",
            f"{validated.rejected:,} of {validated.read:,} rows break the rules; "
            f"at most {most:,} may. Nothing was changed or sent.\n{listed}",
            mend="Mend the SQL, or raise guards.rejects.",
        )


def _is_constant(metadata: pq.FileMetaData, column: int) -> bool:
    groups = range(metadata.num_row_groups)
    found = [metadata.row_group(at).column(column).statistics for at in groups]
    if not all(one is not None and one.has_min_max and one.null_count == 0 for one in found):
        return False
    return len({value for one in found for value in (one.min, one.max)}) == 1
