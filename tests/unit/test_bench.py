"""The benchmarks measure what they say they do."""

import json
import subprocess
import sys
import time
import urllib.request

import pytest
from bench import goals, measure, people, processes, results
from bench.measure import Cost, Surroundings
from bench.page import page
from bench.results import Figures, Result
from bench.stage import Sample, sink, took

BURN = "import time\nwhile time.process_time() < 0.3: pass"
LITTLE = Cost(wall=1, cpu=2, served=0.5, others=0, peak_mb=100, children_mb=20, together_mb=120)


def python(*lines):
    return [sys.executable, "-c", "\n".join(lines)]


def figures(rows=1_000_000, messages=None, **seconds):
    return Figures.of([Sample("", rows, Cost(**{**cost(), **seconds}), messages)])


def cost():
    return {name: getattr(LITTLE, name) for name in Cost.__slots__}


def result(name, steps):
    return Result(name, f"Title of {name}", "2026-01-02 03:04 UTC", "abc", 0.5, 1, ["x 1"], steps)


def test_cpu_seconds_are_those_of_children_too(tmp_path):
    words = python("import subprocess, sys", f"subprocess.run([sys.executable, '-c', {BURN!r}])")
    assert measure.run(words, tmp_path, {}).cpu >= 0.25


def test_a_server_works_in_children_living_and_gone_and_in_no_other_process(tmp_path):
    child = f"[sys.executable, '-c', {BURN!r}]"
    ends = f"subprocess.run({child})"
    lives = f"subprocess.Popen([sys.executable, '-c', {BURN + chr(10) + 'time.sleep(60)'!r}])"
    told = ("print('ready', flush=True)", "input()", "kept.kill()")
    words = python("import subprocess, sys", ends, f"kept = {lives}", *told)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        server.stdout.readline()
        deadline = time.monotonic() + 60
        while not rests_after(0.5, server.pid):
            assert time.monotonic() < deadline
        burnt = processes.spent(server.pid)
        idle = measure.run(python("pass"), tmp_path, {}, Surroundings([server.pid]))
        server.communicate(b"\n")
    assert burnt < 2
    assert idle.served < 0.2


def rests_after(seconds, pid):
    before = processes.spent(pid)
    time.sleep(0.3)  # to be at rest is to spend nothing for a while; /proc cuts to 10 ms
    return seconds <= before == processes.spent(pid)


def test_memory_of_the_process_and_of_its_children_stand_apart(tmp_path):
    child = "x = bytearray(150_000_000); import time; time.sleep(1)"
    words = python(
        "import subprocess, sys, time", "x = bytearray(60_000_000)", "del x",
        f"subprocess.run([sys.executable, '-c', {child!r}])",
    )  # fmt: skip
    found = measure.run(words, tmp_path, {})
    assert 60 < found.peak_mb < 110
    assert 143 < found.children_mb < 190
    assert found.together_mb == pytest.approx(found.peak_mb + found.children_mb)


def test_memory_that_was_never_held_at_once_is_not_added(tmp_path):
    child = "x = bytearray(100_000_000); import time; time.sleep(1)"
    words = python(
        "import subprocess, sys, time", f"subprocess.run([sys.executable, '-c', {child!r}])",
        "x = bytearray(250_000_000)", "time.sleep(1)",
    )  # fmt: skip
    found = measure.run(words, tmp_path, {})
    assert found.children_mb > 95
    assert found.peak_mb <= found.together_mb < found.peak_mb + 50


def test_a_command_that_fails_is_no_measurement(tmp_path):
    with pytest.raises(measure.WrongResult, match="no such thing"):
        measure.run(python("raise SystemExit('no such thing')"), tmp_path, {})


def test_figures_are_medians():
    walls = (3, 1, 2)
    samples = [Sample("a", 10, Cost(**{**cost(), "wall": wall}), 10) for wall in walls]
    found = Figures.of(samples)
    assert (found.wall, found.walls, found.messages) == (2, [3, 1, 2], 10)
    assert (found.all_cpu, found.together_mb) == (2.5, 120)


def test_kept_results_come_back_and_those_of_another_machine_do_not(tmp_path):
    file = tmp_path / "kept.json"
    kept = {"segment-1m": result("segment-1m", {"floor": figures()})}
    assert results.load(file) == {}
    results.save(file, kept)
    assert results.load(file) == kept
    other = json.loads(file.read_text())
    other["machine"]["cores"] = 1000
    file.write_text(json.dumps(other))
    with pytest.raises(results.OtherMachine):
        results.load(file)


def judged(name, **steps):
    named = {step.replace("_", " "): one for step, one in steps.items()}
    return {one.what: one.met for one in goals.verdicts(result(name, named))}


@pytest.mark.parametrize(("applied", "changed", "why"), [(20, 5, 1), (20.1, 5.1, 1.1)])
def test_what_comes_after_a_first_import_is_judged_at_a_million_people(applied, changed, why):
    is_met = applied == 20
    steps = {
        people.FIRST: figures(),
        people.APPLIED: figures(wall=applied),
        people.FULL: figures(wall=changed),
        people.ALONE: figures(wall=changed, rows=100_000),
        people.PERSON: figures(wall=0.05, rows=0),
        people.WHY: figures(wall=why, rows=0),
        people.SEARCHED: figures(wall=why, rows=0),
    }
    judged = [one.met for one in goals.verdicts(result("known-1m", steps))]
    assert judged == [is_met, is_met, is_met, True, is_met, is_met, True]
    few = {step: figures(rows=500) for step in steps}
    assert not list(goals.verdicts(result("known-500", few)))


@pytest.mark.parametrize(("cpu", "wall", "mb"), [(2, 24, 1000), (2.5, 24.1, 1001)])
def test_what_is_switched_on_and_many_columns_are_judged(cpu, wall, mb):
    is_met = cpu == 2
    whole = {
        people.PLAIN: figures(),
        people.SUPPRESS: figures(rows=100_000),
        people.LEFT_OUT: figures(cpu=cpu),
        people.WHOLE: figures(wall=wall),
    }
    judged = [one.met for one in goals.verdicts(result("whole-1m", whole))]
    assert judged == [is_met, is_met, True]
    columns = {people.INTO_SEGMENT: figures(rows=100_000, together_mb=mb)}
    assert [one.met for one in goals.verdicts(result("columns-100k", columns))] == [is_met]


@pytest.mark.parametrize(
    ("rows", "wall", "met"),
    [
        (100_000, 2.6, [True]),
        (100_000, 2.7, [False]),
        (250_000, 6.3, [True]),
        (1_000_000, 24, [True, True, True]),
        (1_000_000, 24.2, [True, False, True]),
        (1_000_000, 24.5, [False, False, True]),
        (123, 0.1, []),
    ],
)
def test_imports_are_judged_against_the_hosted_figures(rows, wall, met):
    assert list(judged("mariadb-1", fast_reader=figures(rows, wall=wall)).values()) == met


def test_deliveries_are_judged_against_the_script_of_the_same_call():
    steps = {
        "plain_script": figures(cpu=20, served=5, wall=40),
        "first_sync": figures(cpu=9, served=0.9, wall=17, messages=1_000_000),
        "unchanged": figures(cpu=4, served=1.1, messages=3),
        "1_%_changed": figures(cpu=4, served=1, messages=10_000),
    }
    assert judged("segment-1m", **steps) == {
        "1,000,000 rows to Segment: CPU seconds": True,
        "1,000,000 rows to Segment: wall seconds": False,
        "1,000,000 rows to Segment, unchanged: CPU seconds": False,
        "1,000,000 rows to Segment, unchanged": False,
        "1,000,000 rows to Segment, 1 % changed": True,
        "peak memory at 1,000,000 rows": True,
    }


def test_memory_is_judged_with_children_and_without_what_is_not_ours():
    ours, script = figures(peak_mb=450, together_mb=510), figures(together_mb=900)
    others = {"plain script": script, "floor": script, "dlt 1.0.0, 100 rows a call": script}
    assert judged("mariadb-1m", fast_reader=ours, **others) == {
        "1,000,000 rows from MariaDB into the workspace, against the hosted service": True,
        "1,000,000 rows from MariaDB into the workspace": True,
        "peak memory at 1,000,000 rows": False,
    }


def test_latency_and_flat_memory_and_starting_are_judged():
    assert list(judged("latency-1m", first_sync=figures(wall=31)).values()) == [False]
    twice = figures(2_000_000, together_mb=145)
    memory = {"first_sync": figures(), "first_sync_of_twice_the_rows": twice}
    assert list(judged("memory-1m", **memory).values()) == [False]
    assert list(judged("start", **{"rowlift_--help": figures(0, cpu=0.39)}).values()) == [True]
    assert list(judged("demo", rowlift_demo=figures(0, wall=61)).values()) == [False]


@pytest.mark.parametrize(
    ("loaded", "told", "is_met"),
    [
        (3.0, "1.50 of the driver's alone; 2.00 with the start of both", True),
        (3.2, "1.60 of the driver's alone; 2.00 with the start of both", False),
        (None, "2.00 of the driver's alone", False),
    ],
)
def test_reading_is_judged_once_loaded_and_by_processes_where_no_more_is_known(
    loaded, told, is_met
):
    found = {"x": 6.0, "x, its driver alone": 3.0}
    if loaded:
        found |= {"x, once loaded": loaded, "x, its driver alone, once loaded": 2.0}
    steps = {step: figures(cpu=cpu) for step, cpu in found.items()}
    (one,) = goals.verdicts(result("driver-x-1m", steps))
    assert (one.figure, one.met) == (told, is_met)


def test_the_page_shows_multiples_of_the_hosted_service_and_what_is_missing():
    steps = {"fast reader": figures(wall=20), "base install": figures(wall=60)}
    names = ["segment-1m", "mariadb-1m"]
    text = page({"mariadb-1m": result("mariadb-1m", steps)}, names)
    assert "| 1,000,000 | 40:39 | 20.0 s | 122 | 60.0 s | 41 |" in text
    assert "Not measured yet: segment-1m." in text


def test_shares_of_the_script_stand_only_beside_as_many_rows():
    steps = {"plain script": figures(10, cpu=9.5), "few": figures(10), "more": figures(99)}
    lines = page({"x": result("x", steps)}, []).splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines]
    shares = {line[0]: line[5] for line in cells if line[0] in steps}
    assert shares == {"plain script": "1.00", "few": "0.25", "more": ""}


def test_the_sink_counts_messages_since_it_was_asked_and_answers_late():
    body = b'{"batch":[{"messageId":"a"},{"messageId":"b"}]}'
    with sink(latency_ms=150) as receiver:
        start = time.monotonic()
        with urllib.request.urlopen(f"{receiver.url}/v1/batch", data=body) as answer:
            assert answer.status == 200
        assert time.monotonic() - start >= 0.15
        assert (receiver.took(), receiver.took()) == (2, 0)
        with pytest.raises(measure.WrongResult, match="the sink took 0 messages, not 2"):
            took(receiver, 2)
