"""DuckDB, where the engine's and a source's differ from one that anybody opens."""

import os
import subprocess
import sys
import time

import duckdb
import pyarrow.parquet as pq

from rowlift.engine.duck import Duck, text
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


def test_any_text_can_be_a_literal(tmp_path):
    texts = ["", "it's", "a\0b", "\0", "'\0'", "\\0", "chr(0) || '"]
    with Duck(tmp_path) as duck:
        (found,) = duck.rows(f"SELECT {', '.join(map(text, texts))}")
    assert [*found] == texts


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


def test_work_that_begins_small_takes_all_threads_once_it_meets_many_rows(tmp_path):
    def threads():
        return duck.one("SELECT current_setting('threads')")[0]

    def write(rows):
        duck.write(f"SELECT range FROM range({rows})", tmp_path / "written.parquet")

    with Duck(tmp_path / "written", threads=3, begins_small=True) as duck:
        duck.expect(20_480)
        write(20_480)
        with duck.one_thread():
            assert threads() == 1
        assert threads() == 1
        write(20_481)
        assert threads() == 3
        with duck.one_thread():
            assert threads() == 1
        assert threads() == 3
    with Duck(tmp_path / "expected", threads=3, begins_small=True) as duck:
        assert threads() == 1
        duck.expect(20_481)
        assert threads() == 3
    with Duck(tmp_path / "wide", threads=3, begins_small=True) as duck:
        duck.expect(1_000)
        before = duck.one("SELECT current_setting('memory_limit')")
        duck.make_room(5_000)
        assert (threads(), duck.one("SELECT current_setting('memory_limit')")) == (1, before)
        duck.make_room(5_001)
        assert threads() == 3
        assert duck.one("SELECT current_setting('memory_limit')") != before
    with Duck(tmp_path / "usual", threads=2) as duck:
        assert threads() == 2


def test_a_database_that_waits_for_work_is_empty_and_as_good_as_new(tmp_path):
    with Duck(tmp_path / "first") as duck:
        duck.run("CREATE TEMP TABLE people AS SELECT 'anna@example.com' AS email")
        duck.run("CREATE TEMP VIEW emails AS SELECT email FROM people")
        duck.make_room(1_000_000)
        duck.prepare(["double(x) AS 2 * x"])
        before = duck.one("SELECT current_setting('memory_limit')")
    with Duck(tmp_path / "second") as duck:
        assert duck.rows("SELECT table_name FROM duckdb_tables()") == []
        assert duck.rows("SELECT view_name FROM duckdb_views() WHERE NOT internal") == []
        assert duck.one("SELECT double(21)") == (42,)
        assert duck.one("SELECT current_setting('memory_limit')") != before
        assert duck.one("SELECT current_setting('temp_directory')") == (str(tmp_path / "second"),)
        duck.prepare(["double(x) AS x || x"])
        assert duck.one("SELECT double('a')") == ("aa",)


def test_work_that_spilled_leaves_its_place_to_nobody(tmp_path):
    larger = (
        "CREATE TEMP TABLE larger AS SELECT range, md5(range::VARCHAR) AS x FROM range(2000000)"
    )
    for name in ("first", "second"):
        with Duck(tmp_path / name, memory_mb=60) as duck:
            duck.run(larger)
            assert list((tmp_path / name).iterdir())
        assert not (tmp_path / name).exists()


def test_databases_used_at_once_have_nothing_in_common(tmp_path):
    with Duck(tmp_path / "one") as one, Duck(tmp_path / "other") as other:
        for number, duck in enumerate((one, other)):
            duck.run(f"CREATE TEMP TABLE mine AS SELECT {number} AS number")
            duck.prepare([f"number() AS {number}"])
        for number, duck in enumerate((one, other)):
            assert duck.one("SELECT number(), number FROM mine") == (number, number)
        one.close()
        one.close()
        assert other.one("SELECT number()") == (1,)


def test_a_child_that_is_forked_can_begin_and_end_with_work_of_its_own(tmp_path):
    with Duck(tmp_path / "parent") as duck:
        duck.run("SELECT 1")
    if (child := os.fork()) == 0:
        with Duck(tmp_path / "child") as duck:
            os._exit(duck.one("SELECT sum(range)::INTEGER FROM range(3)")[0])
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
