"""A terminal, an environment and a command line that are not as they should be."""

import json
import subprocess

import pytest

from doors.cli import PROGRAM, clean_environment

PLAIN = {"LANG": "C", "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def shell(folder, line, **env):
    """Run a line of shell in which $R is the program."""
    return subprocess.run(
        ["sh", "-c", line], cwd=folder, capture_output=True, timeout=60, check=False,
        env=clean_environment(folder, {"R": str(PROGRAM), **env}), text=True,
    )  # fmt: skip


def quiet(done):
    assert "Traceback" not in done.stdout + done.stderr
    assert "INTERNAL" not in done.stdout + done.stderr


@pytest.mark.parametrize("width", ["abc", "0", "-5", "", "99999999999"])
def test_a_senseless_width_is_ignored(cli, shop, width):
    shop.sync()
    done = cli("ls", env={"COLUMNS": width})
    assert (done.code, done.stderr) == (0, "")
    assert "traits" in done.stdout


def test_a_terminal_without_unicode_gets_plain_signs_and_json_stays_utf8(cli, shop):
    shop.sync("traits", "SELECT 'ü' AS user_id, 'ß' AS plan")
    text = cli("preview", "traits", env=PLAIN)
    assert text.code == 0
    assert "+ No rule is broken." in text.stdout
    document = cli("preview", "traits", "-o", "json", env=PLAIN).json
    assert document["preview"]["rows"][0]["values"] == ["ü", "ß"]


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_closed_stream_ends_nothing(shop, closed):
    shop.sync()
    done = shell(shop.folder, f'"$R" run traits {closed}')
    assert done.returncode == 0
    quiet(done)
    assert len(shop.people()) == 3


def test_a_closed_input_confirms_nothing(shop):
    shop.sync()
    done = shell(shop.folder, '"$R" state reset traits <&-')
    assert done.returncode == 2
    assert "nothing was forgotten" in done.stderr


@pytest.mark.parametrize(
    "words", ["ls", "ls -o json", "run -q", "--help", "schema", "--version", "check"]
)
def test_a_full_disk_behind_the_output_is_said_once(shop, words):
    shop.sync()
    done = shell(shop.folder, f'"$R" {words} >/dev/full')
    assert done.returncode == 1
    assert done.stderr.count("[OUTPUT_LOST]") == 1
    quiet(done)


def test_progress_that_cannot_be_written_breaks_off_no_run(shop):
    shop.sync()
    done = shell(shop.folder, '"$R" run traits 2>/dev/full')
    assert done.returncode == 0
    assert "Completed" in done.stdout


def test_a_reader_that_leaves_early_breaks_off_no_run(shop):
    shop.sync()
    done = shell(shop.folder, '"$R" run traits 2>&1 | true')
    quiet(done)
    assert len(shop.people()) == 3


@pytest.mark.parametrize(
    "words",
    [
        ["runn"], ["run", "--nope"], ["runs", "x"], ["retry"], [], ["preview"], ["ls", "extra"],
        ["runs", "--limit", "0"], ["retry", "-1"], ["runs", "9" * 23], ["retry", "9" * 23],
        ["preview", "traits", "--rows", "0"], ["--output", "yaml", "ls"], ["runs", "1", "--csv"],
        ["state", "reset"], ["state", "a", "b", "c"], ["run", ""], ["init"],
        ["run", "traits", "--plan", "x"],
    ],
)  # fmt: skip
def test_wrong_usage_has_a_code_and_a_document(cli, shop, words):
    shop.sync()
    done = cli("-o", "json", *words)
    assert done.code == 2
    assert done.json["kind"] == "error"
    error = done.json["error"]
    assert error["code"] in {"USAGE", "VALUE_WRONG", "NAME_UNKNOWN"}
    assert error["mend"]
    assert f"[{error['code']}]" in done.stderr
    by_variable = cli(*words, env={"ROWLIFT_OUTPUT": "json"})
    assert json.loads(by_variable.stdout)["error"] == error


@pytest.mark.parametrize(
    "url",
    [
        "nonsense", "mysql://u:canary7@h/x", "postgres://u:canary7@h/x", "http://x:canary7@y",
        "postgresql://u:canary7@h:port/x", "postgresql://u:canary7@[::1/x", "sqlite://canary7",
        "sqlite:///x.db?key=canary7",
    ],
)  # fmt: skip
def test_a_state_url_of_another_kind_is_refused(cli, shop, url):
    shop.sync()
    done = cli("ls", env={"ROWLIFT_STATE_URL": url})
    assert done.code == 2
    assert "ROWLIFT_STATE_URL is not the address of a state database. [VALUE_WRONG]" in done.stderr
    assert "canary7" not in done.stderr


def test_an_option_that_the_driver_does_not_know_is_told_without_the_password(cli, shop):
    shop.sync()
    url = "postgresql://u:canary7@127.0.0.1:1/x?nonsense=1"
    done = cli("ls", env={"ROWLIFT_STATE_URL": url, "ROWLIFT_DEBUG": "1"})
    assert done.code == 1
    assert "[STATE_UNREACHABLE]" in done.stderr
    assert "canary7" not in done.stderr


@pytest.mark.parametrize("faults", ["nonsense", "a:b:c", "point:0:kill", "point:1:sleep", "::"])
def test_faults_that_are_none_are_told(cli, faults):
    done = cli("ls", env={"ROWLIFT_FAULTS": faults}, before=["env"])
    assert done.code == 2
    assert "ROWLIFT_FAULTS is not a fault to be armed. [VALUE_WRONG]" in done.stderr


def test_a_plan_that_cannot_be_written_is_refused_before_the_query(cli, shop):
    shop.sync(sql="SELECT user_id, error('the query ran') AS plan FROM people")
    for out in ("syncs", "rowlift.yml/x.plan", "/proc/none/x.plan"):
        done = cli("plan", "traits", "--out", out)
        assert done.code == 2
        assert f"cannot be written to {out}: " in done.stderr
        assert "[FILE_UNREADABLE]" in done.stderr


@pytest.mark.parametrize("folder", ["rowlift.yml", "/proc/x"])
def test_a_demo_that_cannot_be_written_says_where(cli, shop, folder):
    done = cli("demo", folder)
    assert done.code == 2
    assert f"The demo cannot be written to {folder}: " in done.stderr
    assert shop.folder.joinpath("rowlift.yml").is_file()


def test_a_sync_named_twice_runs_once(cli, shop):
    shop.sync()
    done = cli("run", "traits", "traits")
    assert done.stdout.count("Completed") == 1
    near = cli("run", "trait")
    assert 'There is no sync "trait". Did you mean "traits"?' in near.stderr
