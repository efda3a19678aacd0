"""Compare source, workspace, destination, ledger and report; reads files and tables only."""

import json
from collections import Counter
from pathlib import Path

import sqlalchemy as sa

from crashes.story import source_rows
from rowlift.testing.fake import applied, deliveries, key_of, requests

POISONED = "p5"


def check(folder: Path, url: str | None, *, killed_batches: int = 2) -> None:
    """Assert that nothing was lost, nothing removed wrongly and everything adds up."""
    expected = source_rows(folder)
    _check_destination(folder, expected)
    engine = sa.create_engine(url or f"sqlite:///{folder / '.rowlift' / 'state.db'}")
    with engine.connect() as state:
        _check_workspace(state, expected)
        _check_state(state)
    engine.dispose()
    _check_repeats(folder, killed_batches)


def _check_destination(folder: Path, expected: dict[str, dict[str, object]]) -> None:
    there = applied(folder / "crm.jsonl")
    present = {
        key: message["attributes"] for key, message in there.items() if message["op"] == "upsert"
    }
    wanted = {key: row for key, row in expected.items() if key != POISONED}
    assert present == wanted
    gone = {key for key, message in there.items() if message["op"] == "delete"}
    assert gone.isdisjoint(expected)


def _check_workspace(state: sa.Connection, expected: dict[str, dict[str, object]]) -> None:
    people = state.execute(sa.text("SELECT id, email, attributes FROM people")).all()
    there = {one.id: {"email": one.email, **json.loads(one.attributes)} for one in people}
    assert there == expected


def _check_state(state: sa.Connection) -> None:
    for table in ("runs", "deliveries"):
        active = state.scalar(sa.text(f"SELECT count(*) FROM {table} WHERE active = 1"))
        assert active == 0, f"{active} active rows in {table}"
    status, counts = state.execute(
        sa.text("SELECT status, counts FROM deliveries ORDER BY id DESC LIMIT 1")
    ).one()
    assert status == "Some rows failed"
    found = json.loads(counts)
    assert (found["rejected"], found["due"]) == (1, 1)
    if state.engine.dialect.name == "sqlite":
        assert state.scalar(sa.text("PRAGMA integrity_check")) == "ok"


def _check_repeats(folder: Path, killed_batches: int) -> None:
    """What arrived more than once has one message id a version and fits the batches in flight."""
    log = folder / "crm.jsonl"
    ids = Counter(message["message_id"] for message in deliveries(log))
    versions = Counter(key_of(message) for message in first_of_each(log))
    assert max(versions.values()) <= 2
    answered = {request["batch"] for request in requests(log) if request["messages"]}
    assert answered
    assert max(ids.values()) <= 2 + killed_batches + 4  # a lost reply is tried five times at most


def first_of_each(log: Path) -> list[dict[str, object]]:
    seen: dict[str, dict[str, object]] = {}
    for message in deliveries(log):
        seen.setdefault(message["message_id"], message)
    return list(seen.values())
