"""Compare source, image, workspace, destination, ledger and report; reads files and tables only."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import sqlalchemy as sa

from crashes.story import BATCH_ROWS, IN_FLIGHT, source_rows
from rowlift.testing.fake import applied, deliveries, key_of, requests

Rows = dict[str, dict[str, Any]]

RUN_PARTS = ("unchanged", "added", "changed", "returned", "rejected")
DELIVERY_PARTS = (
    "delivered", "rejected", "suppressed", "skipped", "superseded", "pending", "in_doubt",
)  # fmt: skip
APPLY_PARTS = ("written", "rejected", "suppressed", "skipped")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a story must have come to; `poisoned` keys are refused by the destination for ever.

    `most_repeats` is how many rows were in flight when something was killed.
    """

    folder: Path
    url: str | None
    poisoned: frozenset[str]
    most_repeats: int
    source: Rows


@dataclass(frozen=True, slots=True)
class Found:
    """What the checks counted on the way."""

    extra_deliveries: int


def check(folder: Path, url: str | None, *, poisoned: frozenset[str], kills: int) -> Found:
    """Assert that nothing was lost, nothing removed wrongly and everything adds up."""
    most_repeats = kills * IN_FLIGHT * BATCH_ROWS
    expected = Expected(folder, url, poisoned, most_repeats, source_rows(folder))
    check_all(expected)
    return Found(counted(expected)[2])


def counted(expected: Expected) -> tuple[int, int, int]:
    """Return how many rows are lost, removed wrongly, and sent again after an answer."""
    there = applied(expected.folder / "crm.jsonl")
    present = {
        key: message["attributes"] for key, message in there.items() if message["op"] == "upsert"
    }
    lost = [
        key
        for key, row in expected.source.items()
        if key not in expected.poisoned and present.get(key) != row
    ]
    gone = {key for key, message in there.items() if message["op"] == "delete"}
    wrong = gone & (expected.source.keys() - expected.poisoned)
    return len(lost), len(wrong), _repeats(expected)


def check_all(expected: Expected) -> None:
    """Assert everything about a story that has ended."""
    _check_destination(expected)
    url, folder = expected.url, expected.folder
    engine = sa.create_engine(url or f"sqlite:///{folder / '.rowlift' / 'state.db'}")
    try:
        with engine.connect() as state:
            _check_workspace(state, expected)
            _check_segment(state, expected)
            check_active(state)
            check_counts(state)
            check_moment(state)
            _check_layers(state, expected)
            check_files(state, folder)
            _check_report(state, expected)
            if state.engine.dialect.name == "sqlite":
                assert state.scalar(sa.text("PRAGMA integrity_check")) == "ok"
    finally:
        engine.dispose()
    _check_silence(expected)
    _check_repeats(expected)


def _check_destination(expected: Expected) -> None:
    there = applied(expected.folder / "crm.jsonl")
    present = {
        key: message["attributes"] for key, message in there.items() if message["op"] == "upsert"
    }
    wanted = {k: row for k, row in expected.source.items() if k not in expected.poisoned}
    assert present == wanted, "the destination is not the source"
    gone = {key for key, message in there.items() if message["op"] == "delete"}
    assert gone.isdisjoint(wanted), "wrong removals"


def _check_workspace(state: sa.Connection, expected: Expected) -> None:
    people = state.execute(sa.text("SELECT id, email, attributes FROM people")).all()
    there = {one.id: {"email": one.email, **json.loads(one.attributes)} for one in people}
    assert there == expected.source, "the workspace is not the source"


def _check_segment(state: sa.Connection, expected: Expected) -> None:
    """Who is in the workspace is in the segment; each entered once, each version touched once."""
    inside = "SELECT p.id FROM segment_members m JOIN people p ON p.pid = m.pid"
    assert {*state.scalars(sa.text(inside))} == expected.source.keys(), "the segment is not whole"
    told = "SELECT e.kind, p.id, e.version FROM events e JOIN people p ON p.pid = e.pid"
    events = [tuple(row) for row in state.execute(sa.text(told))]
    entered = [who for kind, who, _ in events if kind == "segment_entered"]
    assert sorted(entered) == sorted(expected.source), "not everybody entered once"
    of_rows = [(who, version) for _, who, version in events if version is not None]
    assert len({*of_rows}) == len(of_rows), "told twice"


def check_active(state: sa.Connection) -> None:
    """Assert that no run and no delivery is open."""
    for table in ("runs", "deliveries"):
        active = state.scalar(sa.text(f"SELECT count(*) FROM {table} WHERE active = 1"))
        assert active == 0, f"{active} active rows in {table}"


def check_counts(state: sa.Connection) -> None:
    """Assert that the counts of every run and delivery add up."""
    for one in state.execute(sa.text("SELECT id, counts, image_revision FROM runs")):
        if one.image_revision is not None:
            counts = json.loads(one.counts)
            judged = counts["read"] + counts["retried"]
            told = sum(counts[part] for part in RUN_PARTS) + counts.get("undone", 0)
            assert judged == told, counts
            there = counts.get("workspace", {})
            if "due" in there:
                assert there["due"] == sum(there[part] for part in APPLY_PARTS), counts
    for one in state.execute(sa.text("SELECT id, counts FROM deliveries")):
        counts = json.loads(one.counts)
        if not counts:  # refused before it was planned
            continue
        assert counts["due"] == sum(counts[part] for part in DELIVERY_PARTS), counts


def check_moment(state: sa.Connection) -> None:
    """Assert that last_sync_time is the time of the last whole run that completed, or 0."""
    whole = "retry_of IS NULL AND undo_of IS NULL AND first_rows IS NULL"
    completed = f"status = 'Completed' AND {whole}"
    moved = f"SELECT max(source_time) FROM runs WHERE {completed}"
    known = state.scalar(sa.text("SELECT max(last_sync_time) FROM sync_state"))
    assert (known or 0) == (state.scalar(sa.text(moved)) or 0), "last_sync_time is wrong"


def _check_layers(state: sa.Connection, expected: Expected) -> None:
    """The image is the source; each ledger has acknowledged exactly the image."""
    image = layers(state, expected.folder, "image", "")
    present = {key: json.loads(row["attributes"]) for key, row in image.items() if row["present"]}
    assert present == expected.source, "the image is not the source"
    targets = state.scalars(sa.text("SELECT target FROM ledgers")).all()
    assert len(targets) == 2
    for target in targets:
        refused = frozenset() if target == "workspace" else expected.poisoned
        _check_ledger(image, layers(state, expected.folder, "ledger", target), refused)


def _check_ledger(image: Rows, ledger: Rows, refused: frozenset[str]) -> None:
    for key, row in image.items():
        if key in refused:
            continue
        known = ledger.get(key)
        if known is None:
            assert not row["present"], f"{key} was never acknowledged"
            continue
        assert known["doubt"] is None, f"{key} is still in doubt"
        assert (known["version"], known["present"]) == (row["version"], row["present"]), key
    assert ledger.keys() <= image.keys()


def layers(state: sa.Connection, folder: Path, noun: str, target: str) -> Rows:
    """Return the current rows of an image or a ledger, read from its files by key."""
    order = {"image": "version", "ledger": "seq"}[noun]
    current: Rows = {}
    for path in _live(state, folder, f"{noun}_base", target):
        current |= {row["key"]: row for row in _rows(path)}
    for path in _live(state, folder, f"{noun}_delta", target):
        for row in _rows(path):
            known = current.get(row["key"])
            if known is None or known[order] < row[order]:
                current[row["key"]] = row
    return current


def _live(state: sa.Connection, folder: Path, kind: str, target: str) -> Iterator[Path]:
    found = state.scalars(
        sa.text(
            "SELECT path FROM files WHERE kind = :kind AND target = :target AND state = 'live'"
            " ORDER BY id"
        ),
        {"kind": kind, "target": target},
    ).all()
    if kind.endswith("_base"):
        assert len(found) <= 1, f"{len(found)} live files of kind {kind}"
    return (folder / ".rowlift" / "files" / path for path in found)


def _rows(path: Path) -> list[dict[str, Any]]:
    return list(pq.ParquetFile(path).read().to_pylist())


def check_files(state: sa.Connection, folder: Path) -> None:
    """Every live file is there, and every file that is there is known."""
    root = folder / ".rowlift" / "files"
    known = {one.path: one.state for one in state.execute(sa.text("SELECT path, state FROM files"))}
    there = {str(path.relative_to(root)) for path in root.rglob("*.parquet")}
    missing = {path for path, status in known.items() if status == "live"} - there
    assert not missing, f"live files are missing: {missing}"
    assert there <= known.keys(), f"files nobody knows: {there - known.keys()}"


def _check_report(state: sa.Connection, expected: Expected) -> None:
    report: Mapping[str, Any] = json.loads((expected.folder / "report.json").read_text())
    refused = len(expected.poisoned & expected.source.keys())
    counts = report["counts"]
    assert counts["read"] == len(expected.source) + 1
    assert (counts["rejected"], counts["unchanged"]) == (1, len(expected.source))
    assert counts["present"] == len(expected.source)
    assert [one["destination"] for one in report["deliveries"]] == ["crm"]
    delivery = report["deliveries"][0]["counts"]
    assert (delivery["due"], delivery["rejected"]) == (refused, refused)
    status, written = state.execute(
        sa.text("SELECT status, counts FROM runs WHERE id = :id"), {"id": report["id"]}
    ).one()
    assert (status, json.loads(written)) == (report["status"], counts)


def _check_silence(expected: Expected) -> None:
    """The last run sent nothing but another try of what the destination refuses."""
    size = int((expected.folder / "log.size").read_text())
    late = (expected.folder / "crm.jsonl").read_bytes()[size:].splitlines()
    sent = [json.loads(line) for line in late]
    assert len(sent) == len(expected.poisoned), sent
    assert not any(request["messages"] for request in sent), "an unchanged run sent rows"


def _check_repeats(expected: Expected) -> None:
    """Repeats have equal ids and fit the batches in flight; no key ever goes back."""
    check_order(expected.folder / "crm.jsonl")
    extra, most = _repeats(expected), expected.most_repeats
    assert extra <= most, f"{extra} extra deliveries, {most} rows were in flight"


def _repeats(expected: Expected) -> int:
    log = expected.folder / "crm.jsonl"
    answered = Counter(
        message["message_id"]
        for request in requests(log)
        if request["answered"]
        for message in request["messages"]
    )
    return sum(times - 1 for times in answered.values())


def check_order(log: Path) -> None:
    """Assert that no key got an id again after a later one."""
    seen: dict[str, list[str]] = {}
    for message in deliveries(log):
        ids = seen.setdefault(key_of(message), [])
        if not ids or ids[-1] != message["message_id"]:
            assert message["message_id"] not in ids, f"{key_of(message)} went back"
            ids.append(message["message_id"])
