"""Hostile addresses through the program: none is reached, whatever a project's files say."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus import FOLDER
from e2e.shop import Shop

LINES = (FOLDER / "ssrf_urls.txt").read_text(encoding="utf-8").split("\n")
# Those behind an arrow need a resolver that lies; they are tried on the client itself.
URLS = [line for line in LINES if line and not line.startswith("#") and " -> " not in line]


@pytest.fixture
def listener() -> Iterator[tuple[int, list[object]]]:
    """Counts connections on every address of this machine."""
    reached: list[object] = []
    server = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)

    def accept() -> None:
        while True:
            try:
                connection, address = server.accept()
            except OSError:
                return
            connection.close()
            reached.append(address)

    thread = threading.Thread(target=accept)
    thread.start()
    yield server.getsockname()[1], reached
    server.shutdown(socket.SHUT_RDWR)
    thread.join()
    server.close()


@pytest.mark.door("cli")
def test_S20_no_address_in_a_project_leads_inside(cli, tmp_path: Path, listener) -> None:
    port, reached = listener
    shop = Shop(tmp_path)
    hooks = {
        f"hook_{number}": {"type": "webhook", "url": url.replace("{port}", str(port))}
        for number, url in enumerate(URLS)
    }
    shop.destinations = hooks
    shop.save()
    checked = cli("check", "-o", "json")
    assert checked.code == 2
    lines = (tmp_path / "connections.yml").read_text(encoding="utf-8").split("\n")
    refused = {one["place"]["line"]: one["code"] for one in checked.json["problems"]}
    assert set(refused.values()) == {"VALUE_WRONG"}
    broken = {name for name, one in hooks.items() if is_refused(lines, name, refused)}
    shop.destinations = {name: one for name, one in hooks.items() if name not in broken}
    assert len(shop.destinations) >= 30
    shop.save()
    shop.sync("people", "SELECT user_id, plan FROM people", *shop.destinations)
    done = cli("run", "people", "-o", "json", timeout=300)
    assert done.code == 1
    deliveries = done.json["runs"][0]["deliveries"]
    assert {one["reason_code"] for one in deliveries} == {"ADDRESS_REFUSED"}
    assert len(deliveries) == len(shop.destinations)
    debugged = cli("debug", "-o", "json", timeout=300)
    assert debugged.code != 0
    assert reached == []
    assert "Traceback" not in done.stderr + debugged.stderr


def is_refused(lines: list[str], name: str, refused: dict[int, str]) -> bool:
    """Tell whether a problem stands between a connection's first and last line."""
    first = next(at for at, line in enumerate(lines, 1) if line.strip() == f'"{name}": {{')
    last = next(at for at in range(first, len(lines)) if lines[at].strip() in ("}", "},"))
    return any(first <= line <= last + 1 for line in refused)
