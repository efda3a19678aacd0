"""Channels: real services on this machine, tests, secrets, and addresses that stay closed."""

import json
import os
import re
import socket
import socketserver
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import rowlift
from doors.api import serving
from doors.cli import run_cli
from rowlift.core.errors import RowliftError
from rowlift.core.nouns import Status
from rowlift.core.rights import Role
from rowlift.operations.opening import found
from rowlift.state.definitions import Author
from rowlift.testing.misbehaviour import status
from rowlift.testing.sink import Sink
from world import World

DOCS = Path(__file__).parents[2] / "docs" / "alerts.md"
SECRET = "whsec_" + "QUJD" * 8
CANARY = "canary-5b1e"


@pytest.fixture
def sink():
    with Sink() as opened:
        yield opened


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "acme")
    made.rows(("1", "free"), ("", CANARY))
    made.env |= {"HOOK": SECRET}
    return made


def hook(sink, **more):
    return {
        "type": "webhook", "url": f"{sink.url}/in/{CANARY}", "secret": "${HOOK}",
        "allow_networks": ["127.0.0.1"], **more,
    }  # fmt: skip


class Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs to hand over one message."""

    def handle(self):
        self._say("220 mailbox")
        while line := self.rfile.readline().decode().strip():
            if line.upper() == "DATA":
                self._say("354 go on")
                text = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.letters.append(text.decode())
            self._say("221 bye" if line.upper() == "QUIT" else "250 ok")
            if line.upper() == "QUIT":
                return

    def _say(self, words):
        self.wfile.write(f"{words}\r\n".encode())


@contextmanager
def mailbox():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        server.letters = []
        server.timeout = 30
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(30)


@pytest.mark.door("python")
def test_B16_an_e_mail_and_a_chat_hear_of_failed_rows(world, sink):
    with mailbox() as mail:
        port = mail.server_address[1]
        world.env["MAIL"] = f"mailto://127.0.0.1:{port}?from=us@example.com&to=ann@example.com"
        world.env["CHAT"] = f"json://127.0.0.1:{sink.port}/chat"
        for name in ("MAIL", "CHAT"):
            world.channels[name.lower()] = {
                "type": "apprise", "url": f"${{{name}}}", "allow_networks": ["127.0.0.1"],
            }  # fmt: skip
        with world.project() as project:
            (run,) = project.run()
            assert run.status is Status.SOME_ROWS_FAILED
            assert [one.problem for one in project.alerts.channels()] == ["", ""]
    (letter,) = mail.letters
    (said,) = [json.loads(one.body) for one in sink.requests]
    assert said["title"] == (
        "Rowlift acme: ✗ people: 1 of 2 rows failed [ID_NULL] (run 1)"
    )  # fmt: skip
    assert said["type"] == "failure"
    assert "ann@example.com" in letter
    assert CANARY not in letter + str(said)


@pytest.mark.door("python")
def test_S20_S9_a_channel_reaches_no_address_that_is_closed(world, sink):
    world.env["CHAT"] = f"json://user:{CANARY}@127.0.0.1:{sink.port}/chat"
    for number, host in enumerate(("127.0.0.1", "localhost", "2130706433", "[::1]")):
        world.env[f"CHAT{number}"] = f"json://user:{CANARY}@{host}:{sink.port}/chat"
        world.channels[f"chat{number}"] = {"type": "apprise", "url": f"${{CHAT{number}}}"}
    world.channels["desk"] = hook(sink, allow_networks=[])
    with world.project() as project:
        for name in world.channels:
            with pytest.raises(RowliftError) as refused:
                project.alerts.test(name)
            assert refused.value.code == "CHANNEL_FAILED"
            assert CANARY not in str(refused.value)
            assert SECRET not in str(refused.value)
    assert sink.connections == 0


@pytest.mark.door("python")
def test_S20_apprise_sends_no_packet_to_an_address_that_is_closed(world):
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as log:
        log.bind(("127.0.0.1", 0))
        log.setblocking(False)
        world.env["LOG"] = f"rsyslog://127.0.0.1:{log.getsockname()[1]}/user"
        world.channels["log"] = {"type": "apprise", "url": "${LOG}"}
        with world.project() as project, pytest.raises(RowliftError, match="CHANNEL_FAILED"):
            project.alerts.test("log")
        with pytest.raises(BlockingIOError):
            log.recv(1)
        world.channels["log"]["allow_networks"] = ["127.0.0.1"]
        with world.project() as project:
            project.alerts.test("log")
        assert b"test" in log.recv(1000)


@pytest.mark.door("cli")
def test_B16_a_channel_is_tested_from_the_command_line(world, sink):
    world.channels["ops"] = hook(sink)
    world.save()
    good = run_cli("alerts", "test", "ops", cwd=world.folder, env=world.env)
    assert (good.code, good.stdout) == (0, "✓ ops took the test\n")
    sink.always(status(401, CANARY.encode()))
    bad = run_cli("alerts", "test", "ops", cwd=world.folder, env=world.env)
    assert bad.code == 1
    assert "CHANNEL_FAILED" in bad.stderr
    assert CANARY not in bad.stderr + bad.stdout
    unknown = run_cli("alerts", "test", "opps", cwd=world.folder, env=world.env)
    assert unknown.code == 2
    assert 'Did you mean "ops"?' in unknown.stderr
    told = run_cli("alerts", "-o", "json", cwd=world.folder, env=world.env)
    assert [one["name"] for one in told.json["channels"]] == ["ops"]


@pytest.mark.door("cli")
def test_a_channel_nobody_declares_and_a_secret_in_a_file_are_found_offline(world, sink):
    world.channels["ops"] = hook(sink, secret=SECRET)
    world.alerts = {"to": ["opps"]}
    world.sync["alerts"] = {"to": ["nobody"], "slower": 1, "rows_failed": "101%"}
    world.save()
    found = run_cli("check", "-o", "json", cwd=world.folder, env=world.env)
    wrong = {(one["code"], one["place"]["path"]) for one in found.json["problems"]}
    assert wrong >= {
        ("SECRET_IN_FILE", "connections.yml"),
        ("NAME_UNKNOWN", "rowlift.yml"),
        ("VALUE_WRONG", "syncs/people.yml"),
    }
    assert SECRET not in found.stdout + found.stderr


SHARED = {"ROWLIFT_SHARED_NETWORKS": "127.0.0.1"}


@pytest.mark.door("api")
def test_C11_a_channel_made_over_the_api_keeps_its_secret(tmp_path, sink):
    found(tmp_path, {}, "acme", Author("console", "cli"))
    document = hook(sink, secret=SECRET)
    with serving(tmp_path, **SHARED) as api, api.as_user(Role.EDITOR) as editor:
        made = editor.post("/definitions/channel", json={"name": "ops", "document": document})
        assert made.status_code == 201, made.text
        assert SECRET not in made.text + editor.get("/definitions/channel/ops").text
        assert editor.post("/channels/ops/test").status_code == 204
        (heard,) = sink.requests
        assert json.loads(heard.body)["alerts"][0]["rule"] == "test"
        sink.always(status(401, CANARY.encode()))
        deaf = editor.post("/channels/ops/test")
        assert (deaf.status_code, deaf.json()["code"]) == (502, "CHANNEL_FAILED")
        assert CANARY not in deaf.text
        moved = {"document": made.json()["document"] | {"url": "https://elsewhere.example.com"}}
        refused = editor.put("/definitions/channel/ops", json=moved, headers={"if-match": '"1"'})
        assert refused.json()["code"] == "SECRET_AGAIN"
        assert [one["name"] for one in editor.get("/channels").json()["items"]] == ["ops"]
        with api.as_user(Role.VIEWER) as viewer:
            assert viewer.post("/channels/ops/test").json()["code"] == "RIGHT_MISSING"
            assert viewer.get("/alerts").json()["items"] == []
        tests = [editor.post("/channels/ops/test").status_code for _ in range(12)]
        assert tests[-1] == 429


@pytest.mark.door("python")
def test_B16_a_channel_whose_secret_is_not_set_fails_alone(world, sink):
    world.channels |= {"desk": hook(sink, secret="${NOT_SET}"), "ops": hook(sink)}
    with world.project() as project:
        project.run()
        desk, ops = project.alerts.channels()
    assert (desk.failing, desk.code) == (True, "VARIABLE_UNSET")
    assert not ops.failing
    assert len(sink.requests) == 1


@pytest.mark.door("api")
def test_C11_a_channel_that_rules_name_stays(tmp_path, sink):
    found(tmp_path, {}, "acme", Author("console", "cli"))
    rules = {"version": 1, "workspace": {"name": "acme"}, "alerts": {"to": ["ops"]}}
    with serving(tmp_path, **SHARED) as api, api.as_user(Role.EDITOR) as editor:

        def edit(document):
            tag = editor.get("/definitions/workspace/acme").headers["etag"]
            path, body = "/definitions/workspace/acme", {"document": document}
            return editor.put(path, json=body, headers={"if-match": tag})

        assert edit(rules).json()["code"] == "IN_USE"
        document = hook(sink, secret=SECRET)
        editor.post("/definitions/channel", json={"name": "ops", "document": document})
        assert edit(rules).status_code == 200
        path, tag = "/definitions/channel/ops", {"if-match": '"1"'}
        assert editor.delete(path, headers=tag).json()["code"] == "IN_USE"
        assert edit(rules | {"alerts": {}}).status_code == 200
        assert editor.delete(path, headers=tag).status_code == 200


@pytest.mark.door("cli")
def test_without_its_extra_a_channel_says_which_one_it_needs(world):
    world.channels["chat"] = {"type": "apprise", "url": "${HOOK}"}
    world.save()
    code = (
        "import sys; sys.modules['apprise'] = None\n"
        "from rowlift.cli.app import run\n"
        "run(['check', '-q']); sys.exit(run(['alerts', 'test', 'chat']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=world.folder, env=world.env | {"PATH": os.defpath},
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 2
    assert "DRIVER_MISSING" in done.stderr
    assert 'pip install "rowlift[alerts]"' in done.stderr


def test_the_documented_check_of_a_signature_takes_ours_and_nothing_else(world, sink):
    world.channels["ops"] = hook(sink)
    world.run()
    (one,) = sink.requests
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    said = {}
    exec(code, said)
    is_ours, seen = said["is_ours"], set()
    assert not is_ours(SECRET, one.headers, one.body + b" ", seen)
    assert not is_ours("whsec_" + "QUJE" * 8, one.headers, one.body, seen)
    late = int(one.headers["webhook-timestamp"]) + 301
    assert not is_ours(SECRET, one.headers, one.body, seen, now=late)
    assert is_ours(SECRET, one.headers, one.body, seen)
    assert not is_ours(SECRET, one.headers, one.body, seen), "a repeat"


def test_what_the_documents_say_of_rules_is_what_holds(world):
    blocks = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    (rules,) = [one for one in blocks if one.startswith("alerts:")]
    world.channels = {"team": {"type": "apprise", "url": "${CHAT}"}}
    world.save()
    settings = "version: 1\nworkspace: {name: acme}\n" + rules
    (world.folder / "rowlift.yml").write_text(settings)
    with rowlift.Project(world.folder, env=world.env) as project:
        assert [str(one) for one in project.check()] == []
