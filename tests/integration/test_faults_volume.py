"""Many rows, wide rows, large records and huge cells, from a query that needs no table."""

import csv
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from bench.processes import peak_mb

from doors.cli import PROGRAM, clean_environment
from faults.samples import cases
from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Status
from rowlift.testing.folder import Folder
from rowlift.testing.sink import Sink

COLUMNS = 10
BATCH = 50_000  # rows of the destination of files
ENVELOPE = len('{"batch":[]}')
KILLED = -9
EVERY_SECONDS = 0.05  # memory is looked at
PEAK_OF_MANY = 1000  # MB, for 10,000,000 rows
PEAK_OF_ERRORS = 250  # MB


@pytest.fixture
def warehouse(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "warehouse.duckdb"
    duckdb.connect(path).close()
    return {"type": "duckdb", "path": str(path)}


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process left, and the most memory it ever had in MB."""

    code: int
    said: str
    peak: float


def program(folder: Folder, *words: str, **env: str) -> Ended:
    """Run the program, whose memory is to be measured, in a process of its own."""
    with (folder.path / "said.txt").open("w+") as said:
        started = subprocess.Popen(
            [PROGRAM, *words], cwd=folder.path, env=clean_environment(folder.path, env),
            stdout=said, stderr=said,
        )  # fmt: skip
        peak = 0.0
        while started.poll() is None:
            peak = max(peak, peak_mb(started.pid))
            time.sleep(EVERY_SECONDS)
        said.seek(0)
        return Ended(started.returncode, said.read(), peak)


def many(rows: int, columns: int) -> str:
    """Return a query of so many rows."""
    others = [f"'{number} of ' || n AS c{number}" for number in range(1, columns)]
    return f"SELECT 'u' || n AS user_id, {', '.join(others)} FROM range({rows}) AS t(n)"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("rows", cases(100_000, 10_000_000))
def test_F58_many_rows_go_on_from_the_middle_in_bounded_memory(
    tmp_path: Path, warehouse: Mapping[str, Any], rows: int
) -> None:
    files = {"type": "files", "path": str(tmp_path / "out")}
    folder = Folder(tmp_path / "acme", warehouse, files, sql=many(rows, COLUMNS), workspace="none")
    half = f"deliver.after_send:{rows // BATCH // 2}:kill"
    killed = program(folder, "run", ROWLIFT_FAULTS=half)
    assert killed.code == KILLED, killed
    before = written(tmp_path / "out")
    done = program(folder, "run")
    assert done.code == 0, done
    after = written(tmp_path / "out")
    repeated = [path for path, inode in before.items() if after[path] != inode]
    assert len(repeated) <= 1, "more than the batch that was in flight"
    assert arrived(tmp_path / "out") == (rows, rows)
    assert max(killed.peak, done.peak) < PEAK_OF_MANY


def written(out: Path) -> dict[Path, int]:
    return {path: path.stat().st_ino for path in out.rglob("*.jsonl")}


def arrived(out: Path) -> tuple[int, int] | None:
    """Return how many records there are, and of how many people."""
    counts = f"SELECT count(*), count(DISTINCT key.user_id) FROM '{out}/*/*.jsonl'"
    return duckdb.sql(counts).fetchone()


@pytest.mark.door("python")
def test_B24_F59_300_columns_arrive_and_301_are_refused_before_a_row_is_read(
    tmp_path: Path, warehouse: Mapping[str, Any]
) -> None:
    log = tmp_path / "sent.jsonl"
    sandbox = {"type": "sandbox", "path": str(log)}
    folder = Folder(tmp_path / "acme", warehouse, sandbox, sql=many(3, 301), workspace="none")
    with folder.project() as project:
        for refused in (project.run, lambda: project.plan("people", tmp_path / "plan")):
            with pytest.raises(GuardStop, match="301 columns") as caught:
                refused()
            assert caught.value.code == "TOO_MANY_COLUMNS"
    assert not log.exists()
    folder.edit(sql=many(3, 300))
    assert folder.run().deliveries[0].counts["delivered"] == 3
    (request,) = map(json.loads, log.read_text().splitlines())
    assert [len(one["attributes"]) for one in request["messages"]] == [299] * 3


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as one:
        yield one


@pytest.mark.door("python")
@pytest.mark.parametrize(
    ("preset", "most", "letter"),
    [("traits", 16_384, "x"), ("traits", 16_384, "😀"), ("import", 32_768, "é")],
)
def test_F60_a_record_may_have_so_many_bytes_and_not_one_more(
    tmp_path: Path, warehouse: Mapping[str, Any], sink: Sink, preset: str, most: int, letter: str
) -> None:
    """The size is that of the encoded message, in bytes of UTF-8."""
    segment = {
        "type": "segment", "write_key": "k", "endpoint": f"{sink.url}/v1",
        "allow_networks": ["127.0.0.0/8"],
    }  # fmt: skip
    folder = Folder(
        tmp_path / "acme", warehouse, segment, sql=people(""), preset=preset, workspace="none"
    )
    folder.run()
    room = most - (len(sink.requests[0].body) - ENVELOPE)
    size = len(letter.encode())
    fitting = letter * (room // size) + "y" * (room % size)
    folder.edit(sql=people(fitting))
    assert folder.run().deliveries[0].counts["delivered"] == 1
    assert len(sink.requests[-1].body) - ENVELOPE == most
    folder.edit(sql=people(f"{fitting}y"))
    report = folder.run()
    assert (report.deliveries[0].counts["rejected"], len(sink.requests)) == (1, 2)
    with folder.project() as project:
        (reject,) = project.rejects(report.id)
    assert (reject["code"], reject["reason"]) == (
        "RECORD_TOO_LARGE", f"The encoded record has {most + 1} bytes.",
    )  # fmt: skip


def people(name: str) -> str:
    return f"SELECT 'ann' AS user_id, '{name}' AS name"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("size", cases(50_000_000, 1_000_000_000))
def test_F61_a_huge_cell_rejects_its_row_alone(
    tmp_path: Path, warehouse: Mapping[str, Any], size: int
) -> None:
    sandbox = {"type": "sandbox", "path": str(tmp_path / "sent.jsonl")}
    sql = f"SELECT '1' AS user_id, repeat('x', {size}) AS plan UNION ALL SELECT '2', 'free'"
    folder = Folder(tmp_path / "acme", warehouse, sandbox, sql=sql, workspace="none")
    report = folder.run()
    assert (report.status, report.counts["rejected"]) == (Status.SOME_ROWS_FAILED, 1)
    assert report.deliveries[0].counts["delivered"] == 1
    with folder.project() as project:
        (reject,) = project.rejects(report.id)
    assert (reject["identifier"], reject["code"]) == ("1", "RECORD_TOO_LARGE")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("rows", cases(20_000, 1_000_000))
def test_F68_a_list_of_many_rejects_is_streamed(
    tmp_path: Path, warehouse: Mapping[str, Any], rows: int
) -> None:
    sandbox = {"type": "sandbox", "path": str(tmp_path / "sent.jsonl")}
    sql = f"SELECT NULL::VARCHAR AS user_id, n AS visits FROM range({rows}) AS t(n)"
    folder = Folder(
        tmp_path / "acme", warehouse, sandbox, sql=sql, workspace="none",
        guards={"rejects": "100%"},
    )  # fmt: skip
    assert folder.run().counts["rejected"] == rows
    listed = program(folder, "runs", "1", "--errors", "--csv")
    assert listed.code == 0, listed.said[-500:]
    head, *lines = csv.reader(listed.said.splitlines())
    assert len(lines) == rows
    assert {line[head.index("code")] for line in lines} == {"ID_NULL"}
    assert listed.peak < PEAK_OF_ERRORS, listed.peak
