"""Erase one person from stored files: rows of theirs go, texts that name them are blanked.

A row is a person's if its key or one of its identifiers names them. Rejects stay without their
identifier, so that the counts of their run still add up.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow.parquet as pq

from rowlift.engine.duck import Duck, name, parquet, text
from rowlift.engine.held import HELD, Picked, fill_held
from rowlift.engine.layers import open_image
from rowlift.engine.ledger import LEDGER_FILES
from rowlift.engine.read import ROW_NUMBER
from rowlift.engine.verify import VERIFICATION
from rowlift.state.files import PINS, KeptFile, StoredFile
from rowlift.state.store import Store

REJECT_FILES = ("rejects", "apply_rejects", "delivery_rejects")
ERASED = "(erased)"

_KINDS = {"id": "id", "user_id": "id", "email": "email", "anonymous_id": "anonymous_id"}
# What stands before an identifier where our texts name somebody by it.
_ANNOUNCED = r"(?:\bid |'|row of |nobody as )"

_ROWS = "SELECT key, attributes, before FROM {file}"
_NO_ROWS = "SELECT '' AS key, '' AS attributes, '' AS before WHERE false"
_KEYS = "CREATE OR REPLACE TEMP TABLE erased_keys AS SELECT DISTINCT key FROM ({rows}) WHERE {mine}"
_CURRENT = """
SELECT count(*), count(*) FILTER (WHERE present) FROM image WHERE key IN (FROM erased_keys)
"""
_LEFT = "SELECT * FROM {file} WHERE key NOT IN (FROM erased_keys)"
_HELD_LEFT = "SELECT {number} AS number FROM {file} WHERE NOT {mine} ORDER BY number"
_BLANKED = """
SELECT * REPLACE (CASE WHEN {mine} THEN NULL ELSE identifier END AS identifier,
    regexp_replace(reason, {pattern}, {erased}, 'gi') AS reason {row})
FROM {file}
"""
_BLANKED_ROW = ", CASE WHEN NOT ({mine} OR {given}) THEN source_row END AS source_row"

Identifiers = Mapping[str, Sequence[str]]  # of one person, by kind; addresses case-folded


@dataclass(frozen=True, slots=True)
class Keyed:
    """A part and the kind of identifier that its keys are; empty where they are joined."""

    uid: str
    kind: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """A file, what is to replace it if anything, and how many of its rows named the person."""

    old: KeptFile
    new: StoredFile | None
    rows: int


@dataclass(frozen=True, slots=True)
class Erased:
    """A part without the person: new files, and by how much the image's counts fall."""

    uid: str
    replacements: tuple[Replacement, ...]
    rows: int
    present: int


def pattern(identifiers: Identifiers) -> str:
    """Return the regular expression, for Python and DuckDB, of what names a person in a text.

    An address counts wherever it stands, any other identifier where words announce it, because it
    may be as short as a digit.
    """
    addresses = [_escaped(one) for one in identifiers["email"]]
    others = [_escaped(one) for kind in ("id", "anonymous_id") for one in identifiers[kind]]
    return "|".join([*addresses, *(f"{_ANNOUNCED}{one}" for one in others)])


def _escaped(value: str) -> str:
    """Escape a text; where it begins or ends with a letter or digit, so must the word."""
    before, after = (r"\b" if re.match(r"[A-Za-z0-9]", end) else "" for end in (value, value[-1]))
    return f"{before}{re.escape(value)}{after}"


def erase_part(
    duck: Duck, store: Store, keyed: Keyed, files: Sequence[KeptFile], identifiers: Identifiers
) -> Erased:
    """Write anew those files of a part that name a person; none of them counts yet."""
    named = _Named(keyed, identifiers)
    files = [one for one in files if one.state == "live" or one.kind == "image_delta"]
    rows = [_ROWS.format(file=parquet([one.stored.path])) for one in files if _is_image(one)]
    duck.run(_KEYS.format(rows=" UNION ALL ".join(rows) or _NO_ROWS, mine=named.rows()))
    for key in named.own_keys():
        duck.run(f"INSERT INTO erased_keys VALUES ({text(key)})")
    open_image(duck, store, keyed.uid)
    known, present = duck.one(_CURRENT)
    replaced = [one for file in files for one in _replaced(duck, store, file, named)]
    return Erased(keyed.uid, tuple(replaced), known, present)


@dataclass(frozen=True, slots=True)
class _Named:
    """The conditions under which a row is the person's."""

    keyed: Keyed
    identifiers: Identifiers

    def own_keys(self) -> Sequence[str]:
        return self.identifiers[self.keyed.kind] if self.keyed.kind else ()

    def rows(self, columns: Sequence[str] = ("attributes", "before")) -> str:
        if not self.keyed.kind:
            return self._is_any("key->>2")
        members = (
            self._is(f"json_extract_string({column}, '/{member}')", kind)
            for column in columns
            for member, kind in _KINDS.items()
        )
        return " OR ".join([self._is("key", self.keyed.kind), *members])

    def rejects(self) -> str:
        if self.keyed.kind:
            mine = self._is("identifier", self.keyed.kind)
        else:
            mine = self._is_any("CASE WHEN json_valid(identifier) THEN identifier->>2 END")
        return f"(identifier IN (FROM erased_keys) OR {mine})"

    def given(self) -> str:
        named = (
            self._is(f"json_extract_string(source_row, '/{member}')", kind)
            for member, kind in _KINDS.items()
        )
        told = (
            f"coalesce(regexp_matches(source_row, {text(pattern(self.identifiers))}, 'i'), false)"
        )
        return " OR ".join([told, *named])

    def staged(self, columns: Sequence[str]) -> str:
        conditions = [
            self._is(f"{name(column)}::VARCHAR", kind)
            for column, kind in _KINDS.items()
            if column in columns
        ]
        return f"({' OR '.join(conditions) or 'false'})"

    def _is_any(self, value: str) -> str:
        return " OR ".join(self._is(value, kind) for kind in self.identifiers)

    def _is(self, value: str, kind: str) -> str:
        listed = ", ".join(map(text, self.identifiers[kind])) or "NULL"
        folded = f"lower({value})" if kind == "email" else value
        return f"coalesce(trim({folded}) IN ({listed}), false)"


def _is_image(file: KeptFile) -> bool:
    """Tell whether a file has rows of the image, with what was before them; pins are such."""
    return file.kind in ("image_base", "image_delta", PINS)


def _replaced(duck: Duck, store: Store, file: KeptFile, named: _Named) -> Iterator[Replacement]:
    """Yield what becomes of a file, if it names the person."""
    path = parquet([file.stored.path])
    if file.kind == HELD:
        yield from _without_held(duck, store, file, named)
    elif _is_image(file) or file.kind in LEDGER_FILES:
        rows = duck.count(f"{path} WHERE key IN (FROM erased_keys)")
        if rows:
            yield _written(duck, store, file, _LEFT.format(file=path), rows)
    elif file.kind == VERIFICATION:
        gone = f"key IN (FROM erased_keys) OR {named.rows(('ours', 'theirs'))}"
        rows = duck.count(f"{path} WHERE {gone}")
        if rows:
            yield _written(duck, store, file, f"SELECT * FROM {path} WHERE NOT ({gone})", rows)
    elif file.kind in REJECT_FILES:
        yield from _without_texts(duck, store, file, named)


def _without_texts(
    duck: Duck, store: Store, file: KeptFile, named: _Named
) -> Iterator[Replacement]:
    """Blank what a list of rejects tells of the person; its rows stay."""
    path = parquet([file.stored.path])
    mine, told = named.rejects(), text(pattern(named.identifiers))
    has_rows = file.kind == "rejects"
    given = named.given() if has_rows else "false"
    rows = duck.count(f"{path} WHERE {mine} OR {given} OR regexp_matches(reason, {told}, 'i')")
    if rows:
        row = _BLANKED_ROW.format(mine=mine, given=given) if has_rows else ""
        blanked = _BLANKED.format(file=path, mine=mine, pattern=told, erased=text(ERASED), row=row)
        yield _written(duck, store, file, blanked, rows)


def _written(duck: Duck, store: Store, file: KeptFile, sql: str, rows: int) -> Replacement:
    new = store.files.write(file.kind, file.owner, partial(duck.write, sql))
    return Replacement(file, new, rows)


def _without_held(duck: Duck, store: Store, file: KeptFile, named: _Named) -> Iterator[Replacement]:
    """Keep the shape of staged rows to the last type: they are copied, not written anew."""
    path = file.stored.path
    mine = named.staged(pq.read_schema(path).names)
    left = _HELD_LEFT.format(number=name(ROW_NUMBER), file=parquet([path]), mine=mine)
    numbers = duck.table(left).column(0).combine_chunks()
    if len(numbers) == file.stored.rows:
        return
    new = None
    if len(numbers):
        fill = partial(fill_held, [Picked(path, numbers)])
        new = store.files.write(HELD, file.owner, fill)
    yield Replacement(file, new, file.stored.rows - len(numbers))
