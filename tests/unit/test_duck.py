"""DuckDB, where the engine's and a source's differ from one that anybody opens."""

import subprocess
import sys
import time

import duckdb
import pyarrow.parquet as pq

from rowlift.engine.duck import Duck
from rowlift.kit.duckread import INTERRUPT_EVERY, Running

OPENED = """
import sys
from pathlib import Path
from rowlift.engine.duck import Duck
with Duck(Path(sys.argv[1])) as duck:
    print(duck.one("SELECT current_setting('enable_progress_bar')"))
"""


def test_a_python_without_a_main_file_gets_no_bars_on_its_standard_output(tmp_path):
    words = [sys.executable, "-c", OPENED, str(tmp_path / "scratch")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "(False,)\n"


def test_a_query_that_is_stopped_while_its_source_closes_ends_quietly():
    with duckdb.connect() as instance:
        running = Running(instance.cursor(), seconds=60)
        running.watch()
        running.cursor.close()
        running.stop("QUERY_CANCELLED")
        time.sleep(3 * INTERRUPT_EVERY)  # pytest fails a test whose thread broke
        running.end()


def test_wide_rows_are_sorted_and_written_few_at_a_time(tmp_path):
    path = tmp_path / "wide.parquet"
    with Duck(tmp_path / "scratch") as duck:
        assert duck.has_room_to_sort(100_000)
        duck.make_room(6_000)
        assert duck.has_room_to_sort(6_666)
        assert not duck.has_room_to_sort(6_667)
        duck.write("SELECT repeat('x', 6000) AS x FROM range(5000)", path)
    groups = pq.ParquetFile(path).metadata
    assert [groups.row_group(at).num_rows for at in range(3)] == [2048, 2048, 904]
