"""Slack, Teams and PagerDuty as apprise speaks to them: by their names, over TLS, on this machine.

In a mount namespace the names of the vendors lead to a server of the test's, whose authority is
trusted there; nothing of the program is replaced.
"""

import json
import os
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import certifi
import pytest
import trustme

from doors.cli import CliResult, run_cli
from faults.disks import needs_root
from world import World

ADDRESS = f"127.{os.getpid() >> 16 & 127}.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
TOKEN = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
URLS = {
    "slack": f"slack://{TOKEN}",
    "teams": "workflows://prod-1.westeurope.logic.azure.com:443/643e69f83c8944/KPJkx_canary",
    "pager": "pagerduty://0123456789abcdef0123456789abcdef@canary-key",
}
HOSTS = {
    "hooks.slack.com": "slack", "prod-1.westeurope.logic.azure.com": "teams",
    "events.pagerduty.com": "pager",
}  # fmt: skip
SECRETS = ("TIiajkdnlazkcOXrIdevi7FQ", "KPJkx_canary", "0123456789abcdef", "canary-key")
# A changed root, as of a container's, is no mount of its own and cannot be made private.
INSIDE = (
    "mount --make-rprivate / 2>/dev/null; "
    'mount --bind "$0" /etc/hosts && mount --bind "$1" "$2" && shift 2 && exec "$@"'
)


class Vendor(BaseHTTPRequestHandler):
    """Takes whatever is posted, as each vendor says that it did."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        name = HOSTS[self.headers["host"].partition(":")[0]]
        self.server.heard.append((name, json.loads(body)))  # type: ignore[attr-defined]
        answer = b"ok" if name == "slack" else b'{"status":"success"}'
        self.send_response(200 if name == "slack" else 202)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[list[tuple[str, Any]]]:
    """What each vendor heard, in order."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    lines = [f"{ADDRESS} {name}" for name in HOSTS]
    (tmp_path / "hosts").write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*HOSTS).configure_cert(context)
    with ThreadingHTTPServer((ADDRESS, 443), Vendor) as server:
        server.heard = []  # type: ignore[attr-defined]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.heard  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join(60)


@needs_root
@pytest.mark.door("cli")
def test_B16_S20_slack_teams_and_pagerduty_hear_once_and_again_when_it_is_over(
    tmp_path: Path, heard: list[tuple[str, Any]]
) -> None:
    world = World(tmp_path / "acme")
    world.env = {name.upper(): url for name, url in URLS.items()}
    own = ("unshare", "--mount", "--propagation", "unchanged")
    inside = (*own, "sh", "-c", INSIDE, tmp_path / "hosts", tmp_path / "ca.pem")
    before = (*map(str, inside), certifi.where())

    def told(*words: str, networks: list[str], rows: tuple[object, ...]) -> tuple[str, CliResult]:
        """Run a command; returns the vendors that heard something by it, and its result."""
        for name in URLS:
            url = f"${{{name.upper()}}}"
            world.channels[name] = {"type": "apprise", "url": url, "allow_networks": networks}
        world.rows(("1", "free"), rows)
        world.save()
        heard.clear()
        done = run_cli(*words, cwd=world.folder, env=world.env, before=before)
        assert not [one for one in SECRETS if one in done.stdout + done.stderr]
        return " ".join(sorted(name for name, _ in heard)), done

    bad, good, here = ("", "pro"), ("2", "pro"), ["127.0.0.0/8"]
    closed = told("alerts", "test", "slack", networks=[], rows=bad)
    assert (closed[0], "CHANNEL_FAILED" in closed[1].stderr) == ("", True)
    assert told("alerts", "test", "pager", networks=here, rows=bad)[0] == "pager"
    assert told("run", "people", networks=here, rows=bad)[0] == "pager slack teams"
    said = {name: json.dumps(body) for name, body in heard}
    assert all("1 of 2 rows failed [ID_NULL]" in one for one in said.values()), said
    with closing(sqlite3.connect(world.folder / ".rowlift" / "state.db")) as state, state:
        state.execute("UPDATE alert_messages SET created_at = created_at - 61")
    assert told("run", "people", networks=here, rows=bad)[0] == "", "it is as it was"
    assert told("run", "people", networks=here, rows=good)[0] == "pager slack teams"
    assert all("recovered" in json.dumps(body) for _, body in heard)
