"""The program itself: help, streams, exit codes, documents, errors."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rowlift
from doors.cli import PROGRAM, clean_environment
from e2e.jsonschema import faults
from e2e.shop import Shop
from rowlift.cli.table import COMMANDS
from rowlift.testing.misbehaviour import status

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "json"
HEAVY = {
    "adbc_driver_postgresql", "alembic", "connectorx", "duckdb", "fastapi", "psycopg", "pyarrow",
    "pydantic", "pymysql", "ruamel", "sqlalchemy", "sqlglot", "starlette", "urllib3",
}  # fmt: skip
# What only some commands ask for; the names begin with these.
UNASKED = (
    "alembic", "argon2", "cryptography", "email_validator", "fastapi", "psycopg", "pymysql",
    "rich.progress", "rowlift.channels", "rowlift.engine.erase", "rowlift.engine.forwarding",
    "rowlift.engine.history", "rowlift.engine.ingest", "rowlift.engine.preview",
    "rowlift.operations.access", "rowlift.operations.applying", "rowlift.operations.certifying",
    "rowlift.operations.definitions", "rowlift.operations.erasing", "rowlift.operations.planning",
    "rowlift.operations.records", "rowlift.operations.retrying", "rowlift.operations.segments",
    "rowlift.operations.serving", "rowlift.operations.tracing", "rowlift.web",
    "sqlalchemy.dialects.postgresql", "starlette", "urllib3", "uvicorn",
)  # fmt: skip
CANARY = "canary-7f3e9b"


def no_traceback(result):
    assert "Traceback" not in result.stdout + result.stderr
    assert 'File "' not in result.stdout + result.stderr


def loaded(folder, *words):
    """Runs a command in an interpreter of its own; returns it and the modules that it imported."""
    code = (
        "import sys; from rowlift.cli.app import run; code = run(sys.argv[1:]); "
        "print(*sorted(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True,
        env=clean_environment(folder), cwd=folder,
    )  # fmt: skip
    return done, done.stderr.splitlines()[-1].split()


def test_help_groups_the_commands_and_loads_nothing_heavy(tmp_path):
    done, names = loaded(tmp_path, "--help")
    assert not HEAVY & {name.split(".")[0] for name in names}
    places = [done.stdout.index(f"─ {name} ─") for name in ("Start", "Build", "Run", "More")]
    assert places == sorted(places)
    for name in [entry.name for entry in COMMANDS]:
        assert f"│ {name} " in done.stdout
    assert "Exit codes: 0 done" in done.stdout


def test_what_judges_merges_and_writes_is_loaded_once_a_run_reads(tmp_path):
    doors = "rowlift.operations.running, rowlift.operations.importing"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {doors}; print(*sys.modules)"],
        capture_output=True, text=True, check=True, env=clean_environment(tmp_path), cwd=tmp_path,
    )  # fmt: skip
    names = {*done.stdout.split()}
    assert "rowlift.engine.run" in names
    later = ("arrivals", "compare", "delivery", "duck", "populate", "touching")
    assert not names & {"duckdb", *(f"rowlift.engine.{one}" for one in later)}


def test_a_plain_run_loads_what_a_run_needs(shop):
    shop.sync()
    done, names = loaded(shop.folder, "run", "traits")
    assert "✓ Completed" in done.stdout
    assert {"rowlift.operations.running", "rowlift.engine.run"} <= set(names)
    assert [name for name in names if name.startswith(UNASKED)] == []


def test_a_list_of_syncs_loads_no_engine(shop):
    shop.sync()
    done, names = loaded(shop.folder, "ls")
    assert "traits" in done.stdout
    engine = ("rowlift.engine.run", "rowlift.engine.duck", "rowlift.operations.importing")
    assert [name for name in names if name.startswith((*engine, *UNASKED))] == []


def test_python_m_rowlift_is_the_program(tmp_path):
    words = [sys.executable, "-m", "rowlift", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == f"rowlift {rowlift.__version__}\n"


@pytest.mark.parametrize("command", ["check", "runs", "ls", "run", "debug"])
def test_without_a_project_every_command_says_so(cli, command):
    done = cli(command)
    assert done.code == 2
    assert "NO_PROJECT" in done.stderr
    assert done.stdout == ""
    no_traceback(done)


@pytest.mark.parametrize("words", [["runn"], ["run", "--nope"], ["runs", "x"], ["retry"], []])
def test_wrong_usage_is_2(cli, words):
    done = cli(*words)
    assert done.code == 2
    no_traceback(done)


def test_unknown_names_are_answered_with_the_known_ones(cli, shop):
    shop.sync()
    for words in (["run", "nope"], ["preview", "nope"], ["plan", "nope"], ["state", "nope"]):
        done = cli(*words)
        assert done.code == 2
        assert "NAME_UNKNOWN" in done.stderr
        assert "traits" in done.stderr
    missing = cli("runs", "99")
    assert missing.code == 1
    assert "NOT_FOUND" in missing.stderr


def test_check_names_the_place_and_github_gets_annotations(cli, shop):
    shop.sync()
    (shop.folder / "syncs" / "bad.yml").write_text("sync: bad\nsorce: warehouse\nsql: SELECT 1\n")
    done = cli("check")
    assert done.code == 2
    assert "syncs/bad.yml:2:1: " in done.stderr
    assert 'Did you mean "source"' in done.stderr
    github = cli("check", "--github")
    assert github.code == 2
    (line, *_) = [one for one in github.stdout.splitlines() if "sorce" in one]
    assert line.startswith("::error title=KEY_UNKNOWN,file=syncs/bad.yml,line=2,col=1::")
    document = cli("check", "-o", "json").json
    places = [one["place"] for one in document["problems"]]
    assert {"path": "syncs/bad.yml", "line": 2, "column": 1} in places


def test_check_needs_no_network_and_reads_the_sql(cli, shop):
    shop.sources["far"] = {"type": "postgres", "host": "192.0.2.1", "database": "x", "user": "u"}
    shop.save()
    shop.sync("traits", "DELETE FROM people")
    done = cli("check")
    assert done.code == 2
    assert "SQL_" in done.stderr
    shop.sync()
    assert cli("check").code == 0


def test_a_source_that_cannot_be_reached_is_3(cli, shop):
    shop.sources["warehouse"] = {"type": "duckdb", "path": "gone.duckdb"}
    shop.save()
    shop.sync()
    for command in (["run", "traits"], ["preview", "traits"], ["debug"]):
        done = cli(*command)
        assert done.code == 3
        assert "FILE_MISSING" in done.stdout + done.stderr
        no_traceback(done)


def test_a_broken_query_is_1_with_a_mend(cli, shop):
    shop.sync(sql="SELECT user_id, nope FROM people")
    done = cli("run", "traits")
    assert done.code == 1
    assert "COLUMN_UNKNOWN" in done.stderr
    no_traceback(done)


def test_one_failing_sync_does_not_stop_the_others(cli, shop):
    shop.sync("a_broken", "SELECT user_id, nope FROM people")
    shop.sync("b_good")
    done = cli("run")
    assert done.code == 1
    assert "COLUMN_UNKNOWN" in done.stdout
    assert len(shop.people()) == 3


def test_documents_are_one_on_stdout_and_keep_their_schemas(cli, shop, sink):
    to = shop.webhook(sink.url)
    shop.sync("people", "SELECT user_id, email, plan FROM people", to, preset="import")
    shop.sql("INSERT INTO people VALUES ('u4', 'nobody', NULL, 1)")
    documents = [
        cli("check", "-o", "json"),
        cli("debug", "-o", "json"),
        cli("catalog", "warehouse", "-o", "json"),
        cli("preview", "people", "-o", "json"),
        cli("plan", "people", "-o", "json"),
        cli("-o", "json", "run", "people"),
        cli("runs", "-o", "json"),
        cli("runs", "1", "--errors", "-o", "json"),
        cli("ls", "-o", "json"),
        cli("state", "people", "-o", "json"),
        cli("init", "new", "-o", "json"),
        cli("run", "nope", "-o", "json"),
    ]
    kinds = []
    for done in documents:
        document = done.json
        kinds.append(document["kind"])
        schema = json.loads((SCHEMAS / f"{document['kind']}.schema.json").read_text())
        assert list(faults(document, schema)) == []
        assert document["version"] == 1
    assert kinds == [
        "check", "debug", "catalog", "preview", "plan", "run", "runs", "rejects", "ls", "state",
        "init", "error",
    ]  # fmt: skip


def test_schemas_that_are_printed_are_those_that_are_published(cli):
    printed = cli("schema", "output", "run")
    assert printed.json == json.loads((SCHEMAS / "run.schema.json").read_text())
    files = SCHEMAS.parent / "files"
    for kind in ("rowlift", "connections", "sync"):
        published = json.loads((files / f"{kind}.schema.json").read_text())
        assert cli("schema", kind).json == published
    wrong = cli("schema", "output", "nope")
    assert wrong.code == 2
    assert "rejects" in wrong.stderr


def test_init_makes_a_project_that_passes_the_check(cli, tmp_path):
    assert cli("init", "acme").code == 0
    assert (tmp_path / "acme" / "rowlift.yml").is_file()
    assert cli("-C", "acme", "check").code == 0
    (tmp_path / "acme" / "rowlift.yml").write_text("mine")
    again = cli("init", "acme")
    assert "left as it is" in again.stdout
    assert (tmp_path / "acme" / "rowlift.yml").read_text() == "mine"


def test_results_go_to_stdout_and_progress_to_stderr(cli, shop):
    shop.sync()
    done = cli("run", "traits", env={"NO_COLOR": "1"})
    assert "traits: query" in done.stderr
    assert "traits: query" not in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert cli("run", "traits", "--quiet").stderr == ""


def test_a_terminal_gets_bars_and_colours(shop):
    shop.sync()
    leader, follower = pty.openpty()
    env = clean_environment(shop.folder, {"TERM": "xterm-256color", "COLUMNS": "100"})
    running = subprocess.Popen(
        [PROGRAM, "run", "traits"], cwd=shop.folder, env=env, stdout=follower, stderr=follower
    )
    os.close(follower)
    seen = b""
    try:
        while chunk := os.read(leader, 65536):
            seen += chunk
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    assert running.wait(60) == 0
    assert "✓".encode() in seen
    assert b"\x1b[" in seen


def test_values_cannot_steer_the_terminal(cli, shop):
    shop.sql("UPDATE people SET plan = 'a' || chr(27) || ']0;owned' || chr(7) || chr(8238)")
    shop.sync(sql="SELECT user_id, plan, '[red]x[/red]' AS markup FROM people")
    seen = cli("preview", "traits", env={"COLUMNS": "160"})
    assert "\x1b" not in seen.stdout
    assert "\u202e" not in seen.stdout
    assert "\\x1b]0;owned\\x07\\u202e" in seen.stdout
    assert "[red]x[/red]" in seen.stdout


def test_a_pipe_that_is_closed_early_is_no_fault(cli, shop):
    shop.sql("CREATE TABLE many AS SELECT NULL AS id, i FROM range(50000) t(i)")
    shop.sync("many", "SELECT id, i FROM many", preset="import", identify_by="id",
              guards={"rejects": "off"})  # fmt: skip
    assert cli("run", "many").code == 1
    line = f"'{PROGRAM}' runs 1 --errors --csv | head -n 2"
    done = subprocess.run(
        ["sh", "-c", line], cwd=shop.folder, capture_output=True, text=True, check=True,
        env=clean_environment(shop.folder),
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == ""


def waiting_at(point, folder):
    """Start a run that stops itself at a point, and let it go on only after a signal waits."""
    env = clean_environment(folder, {"ROWLIFT_FAULTS": f"{point}:1:stop"})
    started = subprocess.Popen(
        [PROGRAM, "run", "traits"], cwd=folder, env=env, stderr=subprocess.PIPE, text=True
    )
    _, status = os.waitpid(started.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    return started


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_130_and_goes_on(cli, shop, sink, sent):
    shop.sync("traits", "SELECT user_id, plan FROM people", shop.webhook(sink.url))
    running = waiting_at("run.read.after_commit", shop.folder)
    os.kill(running.pid, sent)
    os.kill(running.pid, signal.SIGCONT)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "INTERRUPTED" in stderr
    assert "Traceback" not in stderr
    done = cli("run", "traits")
    assert done.code == 0
    assert len(sink.taken.records) == 3
    assert len(shop.people()) == 3


def test_an_interrupt_while_a_destination_is_away_ends_soon(cli, shop, sink):
    shop.sync("traits", "SELECT user_id, plan FROM people", shop.webhook(sink.url))
    sink.always(status(503))
    running = subprocess.Popen(
        [PROGRAM, "run", "traits"], cwd=shop.folder, env=clean_environment(shop.folder),
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert any("hook: send" in line for line in running.stderr)
    started = time.monotonic()
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    assert time.monotonic() - started < 20
    assert "Traceback" not in stderr
    sink.always(None)
    assert cli("run", "traits").code == 0
    assert sorted(sink.taken.by_key) == ["u1", "u2", "u3"]


def test_a_fault_of_ours_is_70_with_a_report_and_no_traceback(cli, shop):
    shop.sync()
    (shop.folder / ".rowlift").mkdir()
    (shop.folder / ".rowlift" / "state.db").mkdir()
    done = cli("run", "traits")
    no_traceback(done)
    assert done.code in (1, 70)
    assert "[" in done.stderr


def test_state_is_shown_and_reset_only_when_the_name_is_typed(cli, shop, sink):
    shop.sync("traits", "SELECT user_id, plan FROM people", shop.webhook(sink.url))
    assert cli("run", "traits").code == 0
    assert "3 rows present" in cli("state", "traits").stdout
    refused = cli("state", "reset", "traits", stdin="no\n")
    assert refused.code == 2
    assert "nothing was forgotten" in refused.stderr
    assert "nothing to send" in cli("run", "traits").stdout
    assert cli("state", "reset", "traits", stdin="traits\n").code == 0
    assert cli("run", "traits").code == 0
    assert len(sink.taken.records) == 6
    assert cli("state", "reset", "traits", "--target", "hook", "--yes").code == 0
    assert cli("run", "traits").code == 0
    assert len(sink.taken.records) == 9
    assert len(shop.people()) == 3


def test_retry_sends_what_a_destination_did_not_take(cli, shop, sink):
    shop.sync("traits", "SELECT user_id, plan FROM people", shop.webhook(sink.url, batch=False))
    sink.poison = {"u2"}
    done = cli("run", "traits")
    assert done.code == 1
    assert "rejected" in done.stdout
    assert sorted(sink.taken.by_key) == ["u1", "u3"]
    sink.poison = set()
    again = cli("retry", "1")
    assert again.code == 0
    assert sorted(sink.taken.by_key) == ["u1", "u2", "u3"]


def test_S25_no_secret_is_ever_shown_or_kept(cli, shop, sink):
    secrets = {"HOOK": "whsec_" + "Y2FuYXJ5LTdmM2U5Yi1jYW5hcnktN2YzZTli", "KEY": f"{CANARY}-key"}
    shop.webhook(sink.url, secret="${HOOK}", headers={"Authorization": f"Bearer {CANARY}-head"})
    shop.destinations["segment"] = {
        "type": "segment", "write_key": "${KEY}", "endpoint": "http://127.0.0.1:9/v1",
        "allow_networks": ["127.0.0.1/32"],
    }  # fmt: skip
    shop.sources["pg"] = {
        "type": "postgres", "host": "127.0.0.1", "port": 9, "database": "x", "user": "u",
        "password": "${KEY}",
    }  # fmt: skip
    shop.save()
    shop.sync("traits", "SELECT user_id, plan FROM people", "hook")
    shop.sync("broken", "SELECT 1 AS user_id, 2 AS b", source="pg")
    for words in (
        ["check"], ["debug"], ["debug", "-o", "json"], ["preview", "traits"], ["run"],
        ["run", "broken"], ["runs", "-o", "json"], ["ls"], ["state", "traits"],
        ["plan", "traits", "--out", "t.plan"], ["schema", "connections"],
    ):  # fmt: skip
        done = cli(*words, env=secrets)
        said = done.stdout + done.stderr
        assert CANARY not in said, words
        assert "Y2FuYXJ5" not in said, words
        no_traceback(done)
    for path in shop.folder.rglob("*"):
        if path.is_file() and path.name != "connections.yml":
            content = path.read_bytes()
            assert CANARY.encode() not in content, path
            assert b"Y2FuYXJ5" not in content, path


def test_S25_the_process_list_shows_no_secret(shop):
    shop.sync()
    running = waiting_at("run.read.after_commit", shop.folder)
    try:
        shown = Path(f"/proc/{running.pid}/cmdline").read_bytes()
        assert shown.split(b"\0")[-3:] == [b"run", b"traits", b""]
    finally:
        os.kill(running.pid, signal.SIGCONT)
    running.communicate(timeout=60)
    assert running.returncode == 0
    assert Shop.people(shop)
