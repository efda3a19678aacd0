"""Ledger: what each target acknowledged, and so which rows of the image are due for it."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shutil import copyfile

from rowlift.core import faults
from rowlift.core.nouns import Kind, Op, Removed
from rowlift.core.specs import UseSpec
from rowlift.engine.canon import ENDED, fingerprint
from rowlift.engine.duck import Duck, parquet, text
from rowlift.engine.suppress import find_suppressed

LEDGER_FILES = ("ledger_base", "ledger_delta")

KEPT_OUT = 2**64 - 1  # in the place of a fingerprint: the target was told to suppress the person

_COLUMNS = "key, version, present, fp, epoch, doubt, seq"

_EMPTY = """
CREATE OR REPLACE TEMP VIEW ledger AS
SELECT ''::VARCHAR AS key, 0::BIGINT AS version, false AS present,
    0::UBIGINT AS fp, 0::INTEGER AS epoch, NULL::BIGINT AS doubt, 0::BIGINT AS seq WHERE false
"""

_LAYERED = """
CREATE OR REPLACE TEMP VIEW ledger AS
WITH newest AS (SELECT {columns} FROM {deltas} {newest})
SELECT {columns} FROM {base} base ANTI JOIN newest ON newest.key = base.key
UNION ALL SELECT {columns} FROM newest
"""
_NEWEST = "QUALIFY row_number() OVER (PARTITION BY key ORDER BY seq DESC) = 1"

# Rows the target may be behind on; whether they are due is decided on their mapped form.
_BEHIND_KEYS = """
CREATE OR REPLACE TEMP TABLE behind_keys AS
SELECT i.key AS key, coalesce(l.present, false) AS had, l.fp AS had_fp,
    l.doubt IS NOT NULL OR coalesce(l.epoch < {restored}, false) AS doubt,
    i.version IS DISTINCT FROM l.version AS moved, {again} AND l.epoch <> {epoch} AS again
FROM (SELECT key, version, present FROM image {newer}) i
LEFT JOIN ledger l ON l.key = i.key
WHERE (l.key IS NULL AND i.present)
   OR (l.key IS NOT NULL
       AND (i.version <> l.version OR l.epoch <> {epoch} OR l.doubt IS NOT NULL))
"""
_BEHIND = """
SELECT i.* RENAME (fp AS image_fp), b.had, b.had_fp, b.doubt, b.moved, b.again
FROM (FROM image {newer}) i JOIN behind_keys b ON b.key = i.key
"""
_ALL_BEHIND = """
SELECT i.* RENAME (fp AS image_fp), false AS had, NULL::UBIGINT AS had_fp, false AS doubt,
    true AS moved, false AS again
FROM image i WHERE i.present
"""

# A removal is due only while its version is not acknowledged: a row that was kept when it left is
# not removed years later because a setting was edited.
_DUE = """
CREATE OR REPLACE TEMP VIEW due AS
WITH behind AS ({behind}),
mapped AS (SELECT *, {mapped} AS wanted FROM behind),
judged AS (
    SELECT *, {fp} AS fp,
        CASE WHEN {suppressed} THEN '{suppression}' WHEN {kept_out} THEN 'unsuppress'
             WHEN {ended} THEN 'delete'
             WHEN present OR {keep} THEN 'upsert' ELSE '{removal}' END AS op,
        {suppressed} AS suppressed
    FROM mapped
)
SELECT key, version, present, row_number, doubt, fp, op, had, had_fp, suppressed,
    CASE op WHEN 'upsert' THEN wanted WHEN 'clear' THEN {cleared} ELSE '{{}}' END AS attributes,
    CASE WHEN suppressed THEN (had OR doubt) AND '{suppression}' <> ''
         WHEN doubt THEN true
         WHEN op = 'unsuppress' THEN true
         WHEN present THEN NOT had OR had_fp IS DISTINCT FROM fp OR again
         ELSE had AND moved AND NOT {keep} END AS is_due,
    md5(concat({salt}, CASE op WHEN 'unsuppress' THEN 'un:' ELSE '' END, version, ':', key))
        AS message_id
FROM judged
"""

_MARK = f"{KEPT_OUT}::UBIGINT"
_IS_KEPT_OUT = f"coalesce(had_fp = {_MARK}, false)"
_WATCHED = f"present OR {_IS_KEPT_OUT}"

# Who was unsuppressed stands at version 0, so that their values are due next.
_ROWS = """
CREATE OR REPLACE TEMP VIEW ledger_rows AS
SELECT s.key,
    CASE WHEN s.verdict = 'in_doubt' THEN coalesce(l.version, 0)
         WHEN {is_lifted} THEN 0 ELSE s.version END AS version,
    CASE WHEN s.verdict = 'delivered' AND s.op <> 'unsuppress' THEN s.op = 'upsert'
         ELSE coalesce(l.present, false) END AS present,
    CASE WHEN {is_lifted} THEN 0
         WHEN s.op = 'suppress' AND s.verdict IN ('delivered', 'in_doubt') THEN {kept_out}
         WHEN s.verdict = 'delivered' AND l.fp IS DISTINCT FROM {kept_out} THEN s.fp
         ELSE coalesce(l.fp, 0) END AS fp,
    CASE s.verdict WHEN 'in_doubt' THEN coalesce(l.epoch, {epoch}) ELSE {epoch} END AS epoch,
    CASE s.verdict WHEN 'in_doubt' THEN s.version END AS doubt,
    {seq}::BIGINT AS seq
FROM settled s LEFT JOIN ledger l ON l.key = s.key
WHERE s.verdict IN ('delivered', 'in_doubt', 'rolled', 'suppressed')
"""
_IS_LIFTED = "s.op = 'unsuppress' AND s.verdict = 'delivered'"

_OTHERS = """
UNION ALL SELECT {columns} FROM ledger ANTI JOIN {settled} s ON s.key = ledger.key
"""
_REMOVALS = {Removed.DELETE: Op.DELETE, Removed.LEAVE_SEGMENT: Op.LEAVE}

_CLEARED = """
'{' || array_to_string(list_transform(list_filter(json_keys(wanted), name -> name NOT IN (KEPT)),
    name -> to_json(name)::VARCHAR || ':null'), ',') || '}'
"""


@dataclass(frozen=True, slots=True)
class Mapping:
    """How rows look to one target; editing any of it makes all rows be looked at again."""

    match: str
    removed: Removed
    fields: tuple[tuple[str, str], ...] | None = (
        None  # column → trait in order; None is as they are
    )

    def to_json(self) -> str:
        """Return the text that is compared with what the ledger was written with."""
        return json.dumps([self.match, self.removed.value, self.fields])

    def is_for_same_keys(self, written: str) -> bool:
        """Tell whether a ledger written with another mapping speaks of the same identifiers."""
        return not written or json.loads(written)[0] == self.match


def mapping_of(use: UseSpec, columns: Sequence[str]) -> Mapping:
    """Return the mapping of a use over a sync's trait columns."""
    if not (use.fields or use.only or use.exclude):
        return Mapping(use.match, use.removed)
    chosen = [
        name
        for name in columns
        if (not use.only or name in use.only or name in use.fields) and name not in use.exclude
    ]
    pairs = sorted(((name, use.fields.get(name, name)) for name in chosen), key=lambda p: p[1])
    return Mapping(use.match, use.removed, tuple(pairs))


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked what is due for it: what its rows are, how they look there, in which epoch.

    `salt` starts each message id. With `again` rows of an earlier epoch are due whatever they look
    like; rows of epochs before `restored` are in doubt. Up to the version `settled` nothing is due.
    `suppression` is the op for somebody suppressed whom the target has, empty if there is none for
    it; None where nobody is suppressed.
    """

    mapping: Mapping
    kind: Kind
    identify_by: str
    epoch: int
    salt: str = ""
    again: bool = False
    settled: int = 0
    restored: int = 0
    suppression: str | None = None


def salt_of(sync_uid: str, target_uid: str, reset_epoch: int, epoch: int) -> str:
    """Return what the message ids of an epoch begin with before they are hashed.

    Nobody can guess the uids, nor so find keys whose ids collide. With a key of 25 characters it is
    one block of MD5, which takes 55 bytes.
    """
    text = f"{sync_uid}:{target_uid}:{reset_epoch}:{epoch}"
    return urlsafe_b64encode(sha256(text.encode()).digest()[:12]).decode()


def load_ledger(duck: Duck, base: Path | None, deltas: Sequence[Path]) -> None:
    """Create the view `ledger` with the current row of each key."""
    if base is None:
        duck.run(_EMPTY)
    elif deltas:
        newest = _NEWEST if len(deltas) > 1 else ""  # a delta has each key once
        parts = {"base": parquet([base]), "deltas": parquet(deltas), "newest": newest}
        duck.run(_LAYERED.format(columns=_COLUMNS, **parts))
    else:
        duck.run(f"CREATE OR REPLACE TEMP VIEW ledger AS SELECT {_COLUMNS} FROM {parquet([base])}")


def find_due(duck: Duck, target: Target) -> None:
    """Create the view `due` over `image` and `ledger`.

    Rows with `is_due` false only have to be rolled forward.
    """
    mapping, kind = target.mapping, target.kind
    new = not duck.rows("SELECT key FROM ledger LIMIT 1")
    # A condition that all rows meet would make DuckDB take the image for the smaller side.
    newer = f"WHERE version > {target.settled}" if target.settled else ""
    if not new:
        duck.run(
            _BEHIND_KEYS.format(
                epoch=target.epoch, restored=target.restored, again=target.again, newer=newer
            )
        )
    behind = _ALL_BEHIND if new else _BEHIND.format(newer=newer)
    hides = target.suppression is not None
    if hides:
        rows = f"SELECT key, attributes FROM ({behind}) WHERE {_WATCHED}"
        find_suppressed(duck, rows, kind, target.identify_by)
    duck.run(
        _DUE.format(
            behind=behind,
            suppressed=f"({_WATCHED}) AND key IN (FROM suppressed_keys)" if hides else "false",
            kept_out=_IS_KEPT_OUT,
            suppression=target.suppression or "",
            mapped=mapped_sql(mapping),
            fp="image_fp" if mapping.fields is None else fingerprint("wanted"),
            keep="true" if mapping.removed is Removed.KEEP else "false",
            ended=f"attributes = {text(ENDED)}" if kind is Kind.RELATIONSHIP else "false",
            removal=_REMOVALS.get(mapping.removed, Op.CLEAR),
            cleared=_CLEARED.replace("KEPT", text("email") if _keeps_email(target) else "''"),
            salt=text(target.salt),
        )
    )


def _keeps_email(target: Target) -> bool:
    """Tell whether a clear must leave the address alone because it identifies."""
    return target.identify_by == "email"


def mapped_sql(mapping: Mapping) -> str:
    """Return the expression of a row's attributes as a target gets them."""
    if mapping.fields is None:
        return "attributes"
    members = ", ".join(
        f"{text(json.dumps(trait, ensure_ascii=False) + ':')}"
        f" || json_extract(attributes, {text(pointer(column))})::VARCHAR"
        for column, trait in mapping.fields
    )
    return f"'{{' || concat_ws(',', {members}) || '}}'" if members else "'{}'"


def pointer(member: str) -> str:
    """Return the JSON pointer of a member of an object."""
    return "/" + member.replace("~", "~0").replace("/", "~1")


def fold_settled(duck: Duck, epoch: int, seq: int) -> bool:
    """Create the view `ledger_rows` of `settled` and `ledger`.

    Tells whether somebody was unsuppressed, whose values are due now.
    """
    duck.run(_ROWS.format(is_lifted=_IS_LIFTED, kept_out=_MARK, epoch=epoch, seq=seq))
    return bool(duck.rows(f"SELECT s.key FROM settled s WHERE {_IS_LIFTED} LIMIT 1"))


def write_ledger(duck: Duck, path: Path, settled: str, *, whole: bool) -> int:
    """Write the settled rows as a delta, or everything current as a new base."""
    query = f"SELECT {_COLUMNS} FROM {settled}"
    if whole and duck.count("ledger"):
        query += _OTHERS.format(columns=_COLUMNS, settled=settled)
    return duck.write(query, path)


def link_settled(path: Path, settled: Path, rows: int) -> int:
    """Make a scratch file of settled rows, so many of them, a file of the ledger as it stands.

    Where a disk knows no links, or another one holds the scratch files, it is copied.
    """
    faults.point("ledger.before_link")
    try:
        path.hardlink_to(settled)
    except OSError:
        copyfile(settled, path)
    return rows
