"""The audit log: what is changed behind its back shows, what is old goes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from doors.cli import run_cli
from rowlift.db import Database
from rowlift.state.audit import AuditLog, AuditRecord
from rowlift.state.store import Store
from world import World


@pytest.fixture
def database(tmp_path: Path, state_url: str) -> Iterator[Database]:
    store = Store.open(tmp_path / "data", state_url)
    yield store.database
    store.close()


def written(database: Database, *moments: float, workspace: int = 1) -> AuditLog:
    log = AuditLog(database, workspace)
    for at in moments:
        log.add(AuditRecord(at, "ann", "", "login", f"at {at}", {}, {"né": [1.5, None]}))
    return log


TAMPERING = {
    "a changed actor": "UPDATE audit SET actor = 'eve' WHERE id = 3",
    "a changed moment": "UPDATE audit SET at = at + 1 WHERE id = 3",
    "a changed value": "UPDATE audit SET after = '{}' WHERE id = 3",
    "a dropped line": "DELETE FROM audit WHERE id = 2",
    "a moved line": "UPDATE audit SET id = 99 WHERE id = 2",
    "a hash put right": "UPDATE audit SET actor = 'eve', hash = 'x' WHERE id = 3",
}


@pytest.mark.parametrize("statement", TAMPERING.values(), ids=TAMPERING)
def test_S36_a_line_that_was_changed_behind_its_back_shows(
    database: Database, statement: str
) -> None:
    log = written(database, 1.0, 2.25, 3.1, 4.0, 5.0)
    written(database, 1.0, workspace=2)
    before = log.prove()
    assert (before.lines, before.broken_at, before.knows) == (5, None, None)
    with database.transaction("test") as connection:
        connection.execute(sa.text(statement))
    assert log.prove().broken_at == 3
    assert written(database, workspace=2).prove().broken_at is None


def test_S36_a_log_that_was_cut_or_written_anew_does_not_know_what_was_noted(
    database: Database,
) -> None:
    log = written(database, 1.0, 2.0, 3.0)
    noted = log.prove().head
    written(database, 4.0)
    assert log.prove(noted).knows is True
    with database.transaction("test") as connection:
        connection.execute(sa.text("DELETE FROM audit WHERE id >= 3"))
    cut = log.prove(noted)
    assert (cut.broken_at, cut.knows) == (None, False)
    assert log.prove("").knows is True


def test_S35_old_lines_go_and_the_chain_goes_on(database: Database) -> None:
    log = written(database, 1.0, 2.0, 9.0, 3.0, 4.0)
    other = written(database, 1.0, workspace=2)
    noted = log.prove().head
    assert log.forget(before=8.0) == 2, "only what stands before all that is kept"
    assert log.forget(before=8.0) == 0
    assert [one.at for one in log.page(9)] == [4.0, 3.0, 9.0]
    assert log.prove(noted).knows is True
    assert log.forget(before=100.0) == 2
    written(database, 10.0)
    kept = log.prove()
    assert (kept.lines, kept.broken_at) == (2, None)
    assert other.prove().lines == 1
    with database.transaction("test") as connection:
        connection.execute(sa.text("DELETE FROM audit WHERE at = 4.0"))
    assert log.prove().broken_at == log.page(1)[0].id


@pytest.mark.door("cli")
def test_S36_the_command_tells_whether_the_log_holds(tmp_path: Path) -> None:
    world = World(tmp_path / "acme")
    world.save()
    password = world.folder / "password"
    password.write_text("a sentence of her own\n")
    words = ("users", "add", "ann@example.com", "--role", "admin", "--password-file", "password")
    assert run_cli(*words, cwd=world.folder).code == 0
    assert "user.create" in run_cli("audit", cwd=world.folder).stdout
    proof = run_cli("audit", "verify", "-o", "json", cwd=world.folder)
    head = proof.json["proof"]["head"]
    assert (proof.code, proof.json["proof"]["lines"]) == (0, 1)
    assert run_cli("audit", "verify", head, cwd=world.folder).code == 0
    assert run_cli("audit", "verify", "0" * 64, cwd=world.folder).code == 1
    assert run_cli("audit", "verify", head, "more", cwd=world.folder).code == 2
    engine = sa.create_engine(f"sqlite:///{world.folder}/.rowlift/state.db")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE audit SET actor = 'nobody'"))
    engine.dispose()
    broken = run_cli("audit", "verify", cwd=world.folder)
    assert (broken.code, "line 1 was changed" in broken.stdout) == (1, True)
