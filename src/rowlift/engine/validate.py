"""Validate: the rules for rows as set operations over the staged file, never a loop over rows.

One pass over the keys finds the duplicates, one pass over the whole file judges every row and
writes the good ones in their canonical form. Both spill; neither holds the result in memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rowlift.core.errors import GuardStop
from rowlift.core.identifiers import email_key, email_valid
from rowlift.core.nouns import Finding, Removed
from rowlift.core.rules import rule
from rowlift.core.specs import SyncSpec
from rowlift.engine import canon
from rowlift.engine.canon import Staged
from rowlift.engine.columns import key_column, other_identifiers
from rowlift.engine.duck import Duck, parquet
from rowlift.engine.duck import text as literal
from rowlift.engine.jsontext import prepared
from rowlift.engine.read import ROW_NUMBER, too_many_rows
from rowlift.engine.rowrules import MAX_ROW_BYTES, Check, checks, macros, odd_emails_sql

EXAMPLES = 5
SHOWN = 80
GUARDED_FROM_ROWS = 100

_ODD_EMAIL = pa.schema([("address", pa.string()), ("folded", pa.string()), ("valid", pa.bool_())])

_KEYS = """
CREATE OR REPLACE TEMP VIEW keys AS SELECT {key} AS key FROM {staged} {odd}
"""

# Numbers first: grouping ten million texts would cost five times the memory.
_TWICE = """
CREATE OR REPLACE TEMP TABLE twice AS
SELECT hashed FROM (SELECT hash(key) AS hashed FROM keys WHERE key IS NOT NULL)
GROUP BY hashed HAVING count(*) > 1
"""

_DUPLICATE = """
CREATE OR REPLACE TEMP TABLE duplicate AS
SELECT key FROM keys WHERE hash(key) IN (SELECT hashed FROM twice)
GROUP BY key HAVING count(*) > 1
"""

_JUDGED = """
WITH canonical AS (
    SELECT staged.*, {identifier} AS identifier, {key} AS key,
        CASE WHEN {bytes} <= {most_bytes} THEN {attributes} END AS attributes
    FROM {staged} {odd}
), judged AS (
    SELECT *, CASE {problems} ELSE 0 END AS problem FROM canonical
)
SELECT {row_number} AS row_number, key, problem::USMALLINT AS problem,
    CASE WHEN problem = 0 THEN md5_number_lower(attributes) END AS fp,
    CASE WHEN problem = 0 THEN attributes END AS attributes,
    CASE WHEN problem > 0 THEN left(identifier, 500) END AS identifier
FROM judged
"""

_VALID = """
CREATE OR REPLACE TEMP VIEW valid AS
SELECT row_number, key, fp, attributes FROM {judged} WHERE problem = 0
"""

_REJECTED = """
CREATE OR REPLACE TEMP VIEW rejected AS
SELECT row_number, identifier, code, reason FROM {judged}
JOIN (VALUES {reasons}) AS reasons(problem, code, reason) USING (problem)
ORDER BY row_number
"""

_HELD = """
CREATE OR REPLACE TEMP VIEW held AS
SELECT DISTINCT key FROM {judged} WHERE problem > 0 AND key IS NOT NULL
"""

_EXAMPLES = """
SELECT code, identifier, any_value(reason), count(*), min(row_number) FROM rejected
WHERE code = {code} GROUP BY code, identifier ORDER BY min(row_number) LIMIT {most}
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule: how many rows, the first examples and how to mend it."""

    code: str
    title: str
    count: int
    examples: tuple[str, ...]
    mend: str

    def __str__(self) -> str:
        rows = "row" if self.count == 1 else "rows"
        shown = f" ({'; '.join(self.examples)})" if self.examples else ""
        return f"{self.code}: {self.title} in {self.count:,} {rows}{shown}."


@dataclass(frozen=True, slots=True)
class Validated:
    """What validation found; its rows stand in the relations valid, rejected and held.

    valid(row_number, key, fp, attributes); rejected(row_number, identifier, code, reason) in the
    order of the source; held(key): keys of rejected rows, which are still in the source.
    """

    read: int
    valid: int
    rejected: int
    key: str
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Finding, ...] = ()

    @property
    def codes(self) -> Mapping[str, int]:
        """Return the number of rejected rows of each code."""
        return {problem.code: problem.count for problem in self.problems}


def validate(duck: Duck, staged: Path, spec: SyncSpec, *, full: bool = True) -> Validated:
    """Judge every row of a staged file whose columns are right.

    `full` says that the query returns everything: only then is a constant trait worth a warning.
    Raises GuardStop TOO_MANY_ROWS, BAD_ROWS (on_bad_rows: stop) or MASS_REJECT, nothing changed.
    """
    validated = judge(duck, staged, spec, full=full)
    if validated.rejected and spec.on_bad_rows == "stop":
        raise bad_rows(validated.problems, validated.read)
    _guard_rejects(validated, spec)
    return validated


def judge(duck: Duck, staged: Path, spec: SyncSpec, *, full: bool = True) -> Validated:
    """Judge every row and say what was found, without stopping at bad ones.

    Raises GuardStop TOO_MANY_ROWS.
    """
    read = pq.read_metadata(staged).num_rows
    if read > spec.limits.rows:
        raise too_many_rows(spec.limits.rows)
    canon.install(duck)
    for macro in macros():
        duck.run(f"CREATE OR REPLACE TEMP MACRO {macro}")
    source = prepared(staged, lambda: duck.scratch_file("json"))
    columns = canon.staged_columns(pq.read_schema(source))
    key = key_column([column.name for column in columns], spec)
    if key is None:
        raise GuardStop("NO_IDENTIFIER", "The result has no identifier column.")
    _judge_rows(duck, source, columns, key, spec)
    problems = _problems(duck, key)
    rejected = sum(problem.count for problem in problems)
    warnings = constant_traits(staged, key, spec) if full else ()
    return Validated(read, read - rejected, rejected, key, problems, warnings)


def bad_rows(problems: Sequence[Problem], read: int) -> GuardStop:
    """Return the refusal that lists each broken rule."""
    count = sum(problem.count for problem in problems)
    listed = "\n".join(f"  {problem}\n    {problem.mend}" for problem in problems)
    return GuardStop(
        "BAD_ROWS",
        f"{count:,} of {read:,} rows break the rules; nothing was changed or sent.\n{listed}",
        mend=rule("BAD_ROWS").mend,
        examples=tuple(example for problem in problems for example in problem.examples),
    )


def constant_traits(staged: Path, key: str, spec: SyncSpec) -> tuple[Finding, ...]:
    """Warn of traits that are the same in every row while leavers keep theirs."""
    metadata = pq.read_metadata(staged)
    if spec.removed is not Removed.KEEP or metadata.num_rows < 2:  # noqa: PLR2004
        return ()
    left_out = {key, ROW_NUMBER, *canon.IDENTIFIERS}
    names = [name for name in metadata.schema.names if name not in left_out]
    constant = [name for name in names if _is_constant(metadata, metadata.schema.names.index(name))]
    if not constant:
        return ()
    known = rule("CONSTANT_TRAIT")
    message = f"{known.title}: {', '.join(constant)}."
    return (Finding("rows", "warning", message, known.mend, known.code),)


def _judge_rows(
    duck: Duck, source: Path, columns: Sequence[Staged], key: str, spec: SyncSpec
) -> None:
    named = {column.name: column for column in columns}
    others = [named[name] for name in other_identifiers(list(named), key)]
    staged = canon.staged_sql(source, columns)
    emails = [column for column in (named[key], *others) if column.name == "email"]
    odd = _odd_emails(duck, emails, staged) if emails else 0
    identifier = canon.key_sql(named[key])
    folded = key == "email"
    parts = {
        "staged": staged,
        "key": _folded(identifier, odd=bool(odd)) if folded else identifier,
        "odd": f"LEFT JOIN odd_email ON odd_email.address = {identifier}" if folded and odd else "",
    }
    duplicates = _duplicates(duck, parts)
    rules = [
        check
        for check in checks(named[key], others, columns, odd_emails=bool(odd))
        if duplicates or check.code != "ID_DUPLICATE"
    ]
    judged = duck.scratch_file("judged")
    sql = _JUDGED.format(
        **parts,
        identifier=identifier,
        bytes=_bytes(columns),
        most_bytes=MAX_ROW_BYTES,
        attributes=canon.attributes_sql(columns, key, spec),
        problems=" ".join(f"WHEN {one.predicate} THEN {at}" for at, one in enumerate(rules, 1)),
        row_number=named[ROW_NUMBER].sql,
    )
    duck.write(sql, judged)
    _publish(duck, parquet([judged]), rules)


def _folded(identifier: str, *, odd: bool) -> str:
    other = "odd_email.folded" if odd else "NULL"
    return (
        f"CASE WHEN strlen({identifier}) = length({identifier}) THEN lower({identifier})"
        f" ELSE coalesce({other}, {identifier}) END"
    )


def _odd_emails(duck: Duck, columns: Sequence[Staged], staged: str) -> int:
    path = duck.scratch_file("emails")
    with pq.ParquetWriter(path, _ODD_EMAIL) as out:
        for batch in duck.reader(odd_emails_sql(columns, staged)):
            addresses = batch.column(0).to_pylist()
            keys, valid = map(email_key, addresses), map(email_valid, addresses)
            out.write_batch(
                pa.record_batch(
                    [batch.column(0), pa.array(list(keys)), pa.array(list(valid), pa.bool_())],
                    schema=_ODD_EMAIL,
                )
            )
    duck.run(f"CREATE OR REPLACE TEMP VIEW odd_email AS SELECT * FROM {parquet([path])}")
    return duck.count("odd_email")


def _duplicates(duck: Duck, parts: Mapping[str, str]) -> int:
    duck.run(_KEYS.format(**parts))
    duck.run(_TWICE)
    if not duck.count("twice"):
        return 0
    duck.run(_DUPLICATE)
    return duck.count("duplicate")


def _bytes(columns: Sequence[Staged]) -> str:
    variable = [
        f"coalesce({'strlen' if column.is_text else 'octet_length'}({column.alias}), 0)"
        for column in columns
        if column.is_text or column.value_type in ("text", "binary")
    ]
    return " + ".join(variable) or "0"


def _publish(duck: Duck, judged: str, rules: Sequence[Check]) -> None:
    reasons = ", ".join(
        f"({at}, {literal(one.code)}, {literal(one.reason)})" for at, one in enumerate(rules, 1)
    )
    duck.run(_VALID.format(judged=judged))
    duck.run(_REJECTED.format(judged=judged, reasons=reasons))
    duck.run(_HELD.format(judged=judged))


def _problems(duck: Duck, key: str) -> tuple[Problem, ...]:
    counted = duck.rows("SELECT code, count(*) FROM rejected GROUP BY code ORDER BY code")
    return tuple(
        Problem(
            code,
            rule(code).title,
            count,
            tuple(_examples(duck, code)),
            rule(code).mend.replace("user_id", key),
        )
        for code, count in counted
    )


def _examples(duck: Duck, code: str) -> list[str]:
    rows = duck.rows(_EXAMPLES.format(code=literal(code), most=EXAMPLES))
    return [_example(identifier, count, row) for _, identifier, _, count, row in rows]


def _example(identifier: str | None, count: int, row: int) -> str:
    shown = "null" if identifier is None else repr(identifier[:SHOWN])
    return f"{shown} in {count:,} rows" if count > 1 else f"{shown} in row {row:,}"


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
