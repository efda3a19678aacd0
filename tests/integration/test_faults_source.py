"""Columns that change, rows that vanish and late errors on a PostgreSQL source.

Each fault is healed, two clean runs follow, and everything is compared (faults/proof.py).
"""

from pathlib import Path

import pytest

from faults.arena import NOBODY, QUERY, Arena, some_rows
from faults.proof import prove
from faults.shops import postgres_shop
from rowlift.testing.fake import deliveries
from servers import PostgresServer
from servers.room import unique_name


@pytest.fixture
def arena(tmp_path: Path, postgres_server: PostgresServer) -> Arena:
    """A project after its first run."""
    folder = tmp_path / "acme"
    folder.mkdir()
    made = Arena(folder, postgres_shop(postgres_server, unique_name()))
    made.write()
    made.replace(some_rows())
    made.run()
    return made


def sent_by(arena: Arena, statement: str) -> int:
    """Change the shop, run, and count what was sent."""
    before = len(deliveries(arena.log))
    arena.shop.execute(statement)
    arena.run()
    return len(deliveries(arena.log)) - before


def test_F35_a_number_that_becomes_text_sends_what_looks_different_and_no_more(
    arena: Arena,
) -> None:
    wider = "ALTER TABLE people ALTER orders TYPE {0} USING orders::{0}"
    assert sent_by(arena, wider.format("bigint")) == 0
    assert sent_by(arena, wider.format("numeric(20, 4)")) == 0
    assert sent_by(arena, wider.format("double precision")) == 0
    assert sent_by(arena, wider.format("text")) == 11, "all but the refused one"
    assert sent_by(arena, wider.format("integer")) == 11
    prove(arena, deaths=0)


def test_F35_a_longer_text_and_another_kind_of_text_send_nothing(arena: Arena) -> None:
    for kind in ("varchar(100)", "text", "varchar(40)"):
        assert sent_by(arena, f"ALTER TABLE people ALTER plan TYPE {kind}") == 0
    prove(arena, deaths=0)


def test_F36_columns_that_come_and_change_places_send_nothing(arena: Arena) -> None:
    assert sent_by(arena, "ALTER TABLE people ADD note text") == 0
    before = len(deliveries(arena.log))
    arena.sql = "SELECT orders, plan, email, user_id FROM people"
    arena.write()
    arena.run()
    assert len(deliveries(arena.log)) == before
    prove(arena, deaths=0)


@pytest.mark.parametrize("column", ["orders", "user_id"])
def test_F36_a_column_that_is_gone_or_renamed_stops_and_removes_nothing(
    arena: Arena, column: str
) -> None:
    before = arena.log.read_bytes()
    arena.shop.execute(f"ALTER TABLE people RENAME {column} TO another")
    done = arena.cli("run", "people")
    assert done.code == 1
    assert column in done.stderr
    assert arena.log.read_bytes() == before
    arena.shop.execute(f"ALTER TABLE people RENAME another TO {column}")
    prove(arena, deaths=0)


def test_F37_F38_a_result_that_lost_its_rows_removes_nobody(arena: Arena) -> None:
    many = some_rows(240)
    arena.replace(many)
    arena.run()
    before = arena.log.read_bytes()
    arena.replace([])
    assert arena.refused() == "EMPTIED"
    arena.replace(many[:120])
    assert arena.refused() == "MASS_REMOVAL"
    assert not any('"delete"' in line for line in arena.log.read_text().splitlines())
    assert len(deliveries(arena.log)) == before.count(b'"op"')
    arena.replace(many)
    prove(arena, deaths=0)


def test_F39_an_error_in_a_late_row_changes_nothing(arena: Arena) -> None:
    arena.replace([*some_rows()[:-1], ("p13", "p13@example.com", "free", 0), NOBODY])
    arena.sql = QUERY.replace("orders FROM", "7 / (13 - row_number() OVER ()) AS orders FROM")
    arena.write()
    before = len(deliveries(arena.log))
    assert arena.refused() == "QUERY_FAILED"
    assert len(deliveries(arena.log)) == before
    arena.sql = QUERY
    arena.write()
    prove(arena, deaths=0)
