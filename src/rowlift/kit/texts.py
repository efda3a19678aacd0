"""Texts made safe for the formats they go into, as whole columns."""

import json
import re
from collections.abc import Sequence

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from rowlift.core.nouns import Kind
from rowlift.core.ports import Events, Rows
from rowlift.kit.arrow import run_of

_OBJECT = ("object_type", "object_id")
_ESCAPED = re.compile(rb'["\\\x00-\x1f]')
_CONTROL = r"[\x00-\x1f]"
# What makes a spreadsheet run a cell, full-width = + - @ too; a plain negative number does not.
_FORMULA = r"^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
_NUMBER = r"^-[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$"


def concat(*parts: pa.StringArray | str) -> pa.StringArray:
    """Return the parts joined row by row; a plain text is the same in every row."""
    return pc.binary_join_element_wise(*parts, "")


def json_text(texts: pa.StringArray) -> pa.StringArray:
    """Return each text as a JSON string with its quotes."""
    return concat('"', json_inner(texts), '"')


def json_inner(texts: pa.StringArray) -> pa.StringArray:
    """Return each text as it stands between the quotes of a JSON string."""
    if not _ESCAPED.search(run_of(texts)):
        return texts
    escaped = pc.replace_substring(texts, "\\", "\\\\")
    escaped = pc.replace_substring(escaped, '"', '\\"')
    if pc.any(pc.match_substring_regex(escaped, _CONTROL)).as_py():
        for code in range(0x20):
            escaped = pc.replace_substring(escaped, chr(code), json.dumps(chr(code))[1:-1])
    return escaped


def csv_cell(texts: pa.StringArray) -> pa.StringArray:
    """Return each text as a CSV cell (RFC 4180), formulas behind an apostrophe, null as nothing."""
    formula = pc.and_not(
        pc.match_substring_regex(texts, _FORMULA), pc.match_substring_regex(texts, _NUMBER)
    )
    inert = pc.if_else(formula, concat("'", texts), texts)
    quoted = concat('"', pc.replace_substring(inert, '"', '""'), '"')
    return pc.fill_null(quoted, "")


def spread(
    objects: pa.StringArray, names: Sequence[str], *, under: str = ""
) -> list[pa.StringArray]:
    """Return the named members of JSON objects as texts; null where absent or null.

    `under` is the JSON pointer of the object that has the members.
    """
    if not names:
        return []
    paths = [f"{under}/" + name.replace("~", "~0").replace("/", "~1") for name in names]
    stream = pa.table({"object": objects}).__arrow_c_stream__()  # no threads of Arrow's
    with duckdb.connect(config={"enable_external_access": "false"}) as engine:
        engine.register("objects", stream)
        values = engine.execute(
            "SELECT json_extract_string(object, $1) AS texts FROM objects", [paths]
        ).to_arrow_table()["texts"]
    lists = values.combine_chunks()
    return [pc.list_element(lists, at).cast(pa.string()) for at in range(len(names))]


def key_names(kind: Kind, match: str) -> tuple[str, ...]:
    """Return what the key of a row names: one identifier, or the parts of a joined key in order."""
    joined = {Kind.OBJECT: _OBJECT, Kind.RELATIONSHIP: (*_OBJECT, match)}
    return joined.get(kind, (match,))


def key_parts(key: str) -> int:
    """Return how many texts a key is made of; what only looks like a joined key is one text."""
    if not (key.startswith('["') and key.endswith('"]')):
        return 1
    try:
        texts = json.loads(key)
    except ValueError:
        return 1
    return len(texts) if all(isinstance(one, str) for one in texts) else 1


def change_records(rows: Rows, names: Sequence[str]) -> pa.StringArray:
    """Return changes as JSON objects with op, key (`{name: …}`), message_id and attributes.

    With several names the keys are JSON arrays of as many texts.
    """
    keys = spread(rows.keys, list(map(str, range(len(names))))) if len(names) > 1 else [rows.keys]
    named = zip(names, keys, strict=True)
    members = [concat(json.dumps(name) + ":", json_text(one)) for name, one in named]
    key = pc.binary_join_element_wise(*members, ",")
    parts = (rows.ops, '","key":{', key, '},"message_id":"', rows.message_ids)
    return concat('{"op":"', *parts, '","attributes":', rows.attributes, "}")


def event_records(events: Events) -> pa.StringArray:
    """Return events as JSON objects with type, name, key, message_id, timestamp, and their data."""
    return concat(
        '{"type":"', events.types, '","name":"', json_inner(events.names),
        '","key":{"', events.identifiers, '":"', json_inner(events.keys),
        '"},"message_id":"', json_inner(events.message_ids), '","timestamp":"', events.moments,
        '","properties":', events.properties, ',"traits":', events.traits, "}",
    )  # fmt: skip


def with_member(objects: pa.StringArray, name: str, values: pa.StringArray) -> pa.StringArray:
    """Return JSON objects with one more member in front; values are JSON already."""
    rest = pc.ascii_ltrim(objects, "{")  # a name's quote or the final brace follows the first one
    comma = pc.if_else(pc.equal(rest, "}"), "", ",")
    return concat("{" + json.dumps(name) + ":", values, comma, rest)
