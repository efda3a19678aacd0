"""What the workspace holds, read back: records under the keys by which a sync knows them."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from rowlift.core.nouns import Kind
from rowlift.kit.texts import concat, json_text
from rowlift.workspace.contributions import contribution
from rowlift.workspace.rows import fetch, is_sqlite
from rowlift.workspace.workspace import Workspace

_NAMES = ("key", "attributes", "wrote")
_IDENTIFIERS = ("known_id", "known_email", "known_anonymous")

_RECORD = """t.attributes, t.origins, t.sync_uid, t.run_id,
    CASE WHEN replace(t.contributors, :own, '') <> t.contributors THEN 1 ELSE 0 END AS ours"""
_PERSON = {
    "id": "p.id",
    "user_id": "p.id",
    "email": "p.email_key",
    "anonymous_id": "a.anonymous_id",
}
_JOINED = {"anonymous_id": "JOIN anonymous_ids a ON a.pid = p.pid"}
_PEOPLE = f"""
SELECT {{key}}, {_RECORD.replace("t.", "p.")} {{known}} FROM people p {{join}}
WHERE p.workspace_id = :workspace AND {{key}} IS NOT NULL
"""
_KNOWN = """, p.id AS known_id, p.email AS known_email, (
    SELECT coalesce(CAST({list}(b.anonymous_id) AS text), '[]') FROM anonymous_ids b
    WHERE b.pid = p.pid
) AS known_anonymous"""
_OBJECTS = f"""
SELECT t.object_type, t.object_id, {_RECORD} FROM objects t WHERE t.workspace_id = :workspace
"""
_RELATIONSHIPS = f"""
SELECT o.object_type, o.object_id, {{key}}, {_RECORD} FROM relationships t
JOIN objects o ON o.pid = t.object_pid JOIN people p ON p.pid = t.person_pid
WHERE t.workspace_id = :workspace AND {{key}} IS NOT NULL
"""


def holdings(
    workspace: Workspace,
    kind: Kind,
    identify_by: str,
    sync_uid: str,
    *,
    with_identifiers: bool = False,
) -> Iterator[pa.RecordBatch]:
    """Yield key, attributes and who wrote them: a JSON object of sync, run, origins and ours.

    Ours are the records that the sync has contributed to. Of people it may also have `known`: id,
    email and anonymous_ids.
    """
    person = _PERSON.get(identify_by, "p.id")
    with_identifiers = with_identifiers and kind is Kind.PERSON
    keys, sql = 1, _PEOPLE.format(key=person, join=_JOINED.get(identify_by, ""), known="{known}")
    if kind in {Kind.ACCOUNT, Kind.OBJECT}:
        keys, sql = 2, _OBJECTS
    elif kind is Kind.RELATIONSHIP:
        keys, sql = 3, _RELATIONSHIPS.format(key=person)
    given = {"workspace": workspace.id, "own": contribution(sync_uid)}
    with workspace.database.read() as connection:
        as_list = "json_group_array" if is_sqlite(connection) else "json_agg"
        known = _KNOWN.format(list=as_list) if with_identifiers else ""
        schema = _schema(keys, with_identifiers=with_identifiers)
        for batch in fetch(connection, sql.replace("{known}", known), given, schema):
            if kind is Kind.ACCOUNT:
                accounts = batch.filter(pc.equal(batch.column(0), "1"))
                yield _held(accounts.column(1), accounts)
            else:
                yield _held(batch.column(0) if keys == 1 else _array(batch, keys), batch)


def _schema(keys: int, *, with_identifiers: bool) -> pa.Schema:
    fields: Mapping[str, pa.DataType] = {
        **{f"key_{at}": pa.string() for at in range(keys)},
        "attributes": pa.string(), "origins": pa.string(), "sync_uid": pa.string(),
        "run_id": pa.int64(), "ours": pa.int64(),
    }  # fmt: skip
    if with_identifiers:
        fields = {**fields, **dict.fromkeys(_IDENTIFIERS, pa.string())}
    return pa.schema(list(fields.items()))


def _array(batch: pa.RecordBatch, keys: int) -> pa.Array:
    texts = [json_text(batch.column(at)) for at in range(keys)]
    return concat("[", pc.binary_join_element_wise(*texts, ","), "]")


def _held(keys: pa.Array, batch: pa.RecordBatch) -> pa.RecordBatch:
    named = {name: batch.column(name) for name in batch.schema.names}
    ours = pc.if_else(pc.equal(named["ours"], 1), "true", "false")
    wrote = concat(
        '{"sync":"', named["sync_uid"], '","run":', named["run_id"].cast(pa.string()),
        ',"ours":', ours, ',"origins":', named["origins"], *_known(named), "}",
    )  # fmt: skip
    return pa.RecordBatch.from_arrays([keys, named["attributes"], wrote], [*_NAMES])


def _known(named: Mapping[str, pa.Array]) -> Sequence[pa.Array | str]:
    if "known_id" not in named:
        return ()
    own, email, anonymous = (named[one] for one in _IDENTIFIERS)
    singles = [pc.coalesce(json_text(one), "null") for one in (own, email)]
    return (
        ',"known":{"id":', singles[0], ',"email":', singles[1], ',"anonymous_ids":', anonymous, "}",
    )  # fmt: skip
