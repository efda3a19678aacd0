"""20,000 people with every kind of value, from real servers to wherever they can go."""

import csv
import hashlib
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from e2e.jobs import (
    Job,
    PostgresWarehouse,
    Warehouse,
    mariadb_warehouse,
    postgres_warehouse,
    verified,
)
from rowlift.testing.sink import Sink
from servers import MariaDbServer, PostgresDatabase, PostgresServer
from servers.room import unique_name

ROWS = 20_000
NOTE = "Zoë 用户 \N{COMBINING ACUTE ACCENT} 👩‍👩‍👧 #"
START = datetime(2026, 3, 29, tzinfo=UTC)
WIDE = 12345678901234567890123456789012300000  # 38 digits
LAST_DAY = date(1970, 1, 1)

POSTGRES = f"""
CREATE TABLE people (
    id text, email text, plan text, seats int, big bigint, balance numeric(12,2),
    wide numeric(38,0), score float8, active boolean, born date, seen timestamptz,
    local timestamp, opens time, tags text[], profile jsonb, doc json, uid uuid, raw bytea,
    note text
);
INSERT INTO people SELECT
    'p' || i, 'P' || i || '@Example.com', (ARRAY['free', 'pro', 'team'])[i % 3 + 1], i % 50,
    9007199254740992 + i, i / 4.0, {WIDE} + i, i / 7::float8, i % 2 = 0,
    date '1970-01-01' + i, timestamptz '2026-03-29 00:00:00+00' + i * interval '1 second',
    timestamp '2026-03-29 00:00:00' + i * interval '1.5 second',
    time '00:00:00' + i * interval '1 second',
    ARRAY['a', i::text, NULL], jsonb_build_object('n', i, 'deep', jsonb_build_object('é', NULL)),
    '{{"b": [1.10, true], "a": "x"}}',
    overlay(overlay(md5(i::text) placing '4' from 13) placing '8' from 17)::uuid,
    decode(md5(i::text), 'hex'), '{NOTE}' || i
FROM generate_series(1, {ROWS - 7}) i;
INSERT INTO people (id) VALUES ('only nulls');
INSERT INTO people (id, plan, note, tags, profile, raw) VALUES
    ('empty', '', '', '{{}}', '{{}}', '');
INSERT INTO people (id, born, seen, local, balance, score) VALUES
    ('infinite', 'infinity', '-infinity', 'infinity', 'NaN', '-Infinity'),
    ('before', '0044-03-15 BC', '0044-03-15 12:00:00+00 BC', '0001-01-01 BC', -0.10, '-0'),
    ('far', '10000-01-01', '10000-01-01 00:00:00+00', '12345-06-07 08:09:10', 0.00, 'NaN');
INSERT INTO people (id, wide, big, profile, tags, note) VALUES
    ('digits', 99999999999999999999999999999999999999, -9223372036854775808,
     '{{"n": 12345678901234567890, "x": 1e2}}', '{{{{1,2}},{{3,NULL}}}}', E'a\\r\\n\\t"b"\\\\');
INSERT INTO people (id, note) VALUES ('formula', '=1+1');
"""

MARIADB = """
CREATE TABLE people (
    id varchar(40), email varchar(80), plan varchar(20), seats int, big bigint unsigned,
    balance decimal(12,2), wide decimal(38,0), score double, active bit(1), born date,
    seen timestamp(6) NULL, local datetime(6), opens time(6), tags longtext, profile json,
    doc longtext, uid uuid, raw varbinary(64), note text
) CHARACTER SET utf8mb4
"""
MARIADB_ROWS = (
    f"""
INSERT INTO people SELECT
    concat('p', seq), concat('P', seq, '@Example.com'), elt(seq % 3 + 1, 'free', 'pro', 'team'),
    seq % 50, 9007199254740992 + seq, seq / 4, {WIDE} + seq, seq / 7e0, seq % 2 = 0,
    date '1970-01-01' + interval seq day, timestamp '2026-03-29 00:00:00' + interval seq second,
    timestamp '2026-03-29 00:00:00' + interval seq * 1500000 microsecond,
    sec_to_time(seq), NULL, json_object('n', seq), '{{"b": 1}}',
    insert(insert(md5(seq), 13, 1, '4'), 17, 1, '8'), unhex(md5(seq)), concat('{NOTE}', seq)
FROM seq_1_to_{ROWS - 6}
""",
    "INSERT INTO people (id) VALUES ('only nulls')",
    "INSERT INTO people (id, plan, note, raw) VALUES ('empty', '', '', '')",
    """
INSERT INTO people (id, born, local, opens) VALUES
    ('zero', '0000-00-00', '0000-00-00 00:00:00', '-838:59:59')
""",
    """
INSERT INTO people (id, born, local, balance, score) VALUES
    ('far', '9999-12-31', '9999-12-31 23:59:59.999999', -0.10, -0e0)
""",
    r"""
INSERT INTO people (id, wide, big, score, note) VALUES
    ('digits', 99999999999999999999999999999999999999, 18446744073709551615, 5e-324,
     'a\r\n\t"b"\\')
""",
    "INSERT INTO people (id, note) VALUES ('formula', '=1+1')",
)

SPECIAL_POSTGRES: dict[str, dict[str, Any]] = {
    "only nulls": {},
    "empty": {"plan": "", "note": "", "tags": [], "profile": {}, "raw": ""},
    "infinite": {"born": "infinity", "seen": "-infinity", "local": "infinity", "balance": "NaN",
                 "score": "-Infinity"},
    "before": {"born": "0044-03-15 BC", "seen": "0044-03-15 12:00:00+00 BC",
               "local": "0001-01-01 00:00:00 BC", "balance": -0.1, "score": 0},
    "far": {"born": "10000-01-01", "seen": "10000-01-01 00:00:00+00",
            "local": "12345-06-07 08:09:10", "balance": 0, "score": "NaN"},
    "digits": {"wide": "9" * 38, "big": "-9223372036854775808",
               "profile": {"n": "12345678901234567890", "x": 100},
               "tags": [["1", "2"], ["3", None]], "note": 'a\r\n\t"b"\\'},
    "formula": {"note": "=1+1"},
}  # fmt: skip
SPECIAL_MARIADB: dict[str, dict[str, Any]] = {
    "only nulls": {},
    "empty": {"plan": "", "note": "", "raw": ""},
    "zero": {"born": "0000-00-00", "local": "0000-00-00 00:00:00.000000", "opens": "-838:59:59"},
    "far": {"born": "9999-12-31", "local": "9999-12-31T23:59:59.999999", "balance": -0.1,
            "score": 0},
    "digits": {"wide": "9" * 38, "big": "18446744073709551615", "score": 5e-324,
               "note": 'a\r\n\t"b"\\'},
    "formula": {"note": "=1+1"},
}  # fmt: skip


def fraction(moment: datetime, zone: str = "") -> str:
    """The canonical text of a moment: no fraction where it is zero, no zeros at its end."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return text + zone


def person(i: int, kind: str) -> dict[str, Any]:
    """What the canonical form makes of row i, worked out without the engine."""
    digest = hashlib.md5(str(i).encode()).hexdigest()
    found = {
        "email": f"P{i}@Example.com",
        "plan": ("free", "pro", "team")[i % 3],
        "seats": i % 50,
        "big": str(9007199254740992 + i),
        "balance": i / 4,
        "wide": str(WIDE + i),
        "score": i / 7,
        "active": i % 2 == 0,
        "born": (LAST_DAY + timedelta(days=i)).isoformat(),
        "seen": fraction(START + timedelta(seconds=i), "Z"),
        "local": fraction(START + timedelta(seconds=1.5 * i)),
        "opens": (START + timedelta(seconds=i)).strftime("%H:%M:%S"),
        "profile": {"n": i},
        "uid": str(uuid.UUID(f"{digest[:12]}4{digest[13:16]}8{digest[17:]}")),
        "raw": digest,
        "note": f"{NOTE}{i}",
    }
    if kind == "postgres":
        return found | {
            "tags": ["a", str(i), None],
            "profile": {"n": i, "deep": {"é": None}},
            "doc": {"b": [1.1, True], "a": "x"},
        }
    return found | {"profile": f'{{"n": {i}}}', "doc": '{"b": 1}'}


def everybody(kind: str) -> dict[str, dict[str, Any]]:
    special = SPECIAL_POSTGRES if kind == "postgres" else SPECIAL_MARIADB
    regular = range(1, ROWS - len(special) + 1)
    return {f"p{i}": person(i, kind) for i in regular} | special


@pytest.fixture
def postgres_people(postgres_server: PostgresServer) -> Iterator[Warehouse]:
    with postgres_warehouse(postgres_server) as warehouse:
        warehouse.execute(POSTGRES)
        yield warehouse


@pytest.fixture
def mariadb_people(mariadb_server: MariaDbServer) -> Iterator[Warehouse]:
    with mariadb_warehouse(mariadb_server) as warehouse:
        warehouse.execute("SET sql_mode = ''", MARIADB, *MARIADB_ROWS)
        yield warehouse


def due(report: dict[str, Any]) -> dict[str, int]:
    return {one["destination"]: one["counts"]["due"] for one in report["deliveries"]}


def test_from_postgresql_with_state_on_sqlite(
    postgres_people: Warehouse, tmp_path: Path, sink: Sink
) -> None:
    the_main_job(Job(tmp_path, postgres_people), sink)


def test_from_mariadb_with_state_on_postgresql(
    mariadb_people: Warehouse, tmp_path: Path, sink: Sink, postgres_database: PostgresDatabase
) -> None:
    the_main_job(Job(tmp_path, mariadb_people, {"ROWLIFT_STATE_URL": postgres_database.url}), sink)


def the_main_job(here: Job, sink: Sink) -> None:
    """What arrives everywhere is the canonical form; then nothing; then exactly the change."""
    with Sink() as signed:
        names = ["segment", "hook", "lines", "cells", "columns"]
        here.segment(sink.url)
        here.signed(signed.url)
        here.files("lines", path="out/lines")
        here.files("cells", path="out/cells", format="csv")
        here.files("columns", path="out/columns", format="parquet")
        here.imported("SELECT * FROM people ORDER BY id", *names, removed="clear")
        first = here.run()
        assert due(first) == dict.fromkeys(names, ROWS)
        expected = everybody(here.warehouse.kind)
        assert (
            differing({k: call["traits"] for k, call in sink.taken.by_key.items()}, expected) == {}
        )
        came = {key: one["attributes"] for key, one in signed.taken.by_key.items()}
        assert differing(came, expected) == {}
        assert all(verified(request) for request in signed.requests)
        assert differing(here.people(), expected) == {}
        look_at_files(here.folder / "out", expected)

        second = here.run()
        assert due(second) == dict.fromkeys(names, 0)
        assert second["counts"]["unchanged"] == ROWS
        assert sink.taken.rows == signed.taken.rows == ROWS

        here.sql(
            "UPDATE people SET plan = 'max' WHERE id IN ('p1', 'p2')",
            "UPDATE people SET note = NULL WHERE id = 'formula'",
            "DELETE FROM people WHERE id = 'p3'",
            "INSERT INTO people (id, plan) VALUES ('new', 'pro')",
        )
        third = here.run()
        assert {name: third["counts"][name] for name in ("added", "changed", "removed")} == {
            "added": 1, "changed": 3, "removed": 1
        }  # fmt: skip
        assert due(third) == dict.fromkeys(names, 5)
        changed = {
            "p1": expected["p1"] | {"plan": "max"},
            "p2": expected["p2"] | {"plan": "max"},
            "p3": dict.fromkeys(expected["p3"]),
            "formula": {},  # empty values are ignored by default
            "new": {"plan": "pro"},
        }
        sent = list(sink.taken.records.values())[ROWS:]
        assert {call["userId"]: call["traits"] for call in sent} == changed
        assert sink.taken.repeats == signed.taken.repeats == 0


def differing(came: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """The values that differ, of at most three people; keys that only one side has."""
    assert came.keys() == expected.keys()
    wrong = [key for key in expected if came[key] != expected[key]][:3]
    return {
        key: {
            name: (came[key].get(name), expected[key].get(name))
            for name in came[key].keys() | expected[key].keys()
            if came[key].get(name) != expected[key].get(name)
        }
        for key in wrong
    }


def look_at_files(out: Path, expected: dict[str, dict[str, Any]]) -> None:
    """CSV and Parquet hold the same people as texts; a formula is inert in CSV alone."""
    (cells,) = (out / "cells" / "people").glob("*.csv")
    with cells.open(encoding="utf-8", newline="") as file:
        rows = {row["key"]: row for row in csv.DictReader(file)}
    (columns,) = (out / "columns" / "people").glob("*.parquet")
    records = {row["key"]: row for row in pq.read_table(columns).to_pylist()}
    assert rows.keys() == records.keys() == expected.keys()
    for key in ("p7", "empty", "digits", "only nulls"):
        for name, value in expected[key].items():
            if isinstance(value, str):
                assert rows[key][name] == records[key][name] == value
        assert {name for name, value in records[key].items() if value is not None} == {
            "op", "key", "message_id", *expected[key]
        }  # fmt: skip
    assert (rows["formula"]["note"], records["formula"]["note"]) == ("'=1+1", "=1+1")


def test_texts_that_are_not_utf_8_arrive_in_hexadecimal(
    tmp_path: Path, sink: Sink, postgres_server: PostgresServer
) -> None:
    """PostgreSQL without a character set gives the bytes in hexadecimal."""
    name = unique_name()
    with postgres_server.connect() as admin:
        admin.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0".encode())
    raw = PostgresWarehouse(PostgresDatabase(postgres_server, name))
    raw.execute(
        "CREATE TABLE people (id text, note text)",
        "INSERT INTO people VALUES ('bad', convert_from('\\x61ff', 'SQL_ASCII')), ('ok', 'é')",
    )
    here = Job(tmp_path, raw)
    here.imported("SELECT * FROM people", here.segment(sink.url))
    try:
        assert here.run()["status"] == "Completed"
    finally:
        raw.drop()
    assert {key: one["traits"] for key, one in sink.taken.by_key.items()} == {
        "bad": {"note": "\\x61ff"}, "ok": {"note": "é"}
    }  # fmt: skip
