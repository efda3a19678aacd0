"""A stand-in for SQL Server in a process of its own: passwords, TLS, one DuckDB per database."""

import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

from servers.room import Launched, Room, free_port
from servers.room import wait_until_ready as wait

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class TdsServer:
    """Its certificate is for localhost and 127.0.0.1; it also answers at `wrong_host`."""

    port: int
    folder: Path
    ca_file: Path
    untrusted_ca_file: Path
    host: str = "127.0.0.1"
    wrong_host: str = "127.0.0.2"

    def ask(self, name: str, *given: Any, **named: Any) -> Any:
        """Has the server's `World` do something."""
        with Client(str(self.folder / "control"), "AF_UNIX") as door:
            door.send((name, given, named))
            done, answer = door.recv()
        assert done, answer
        return answer


@dataclass(frozen=True, slots=True)
class TdsDatabase:
    """One database of the server; it has a table `numbers` (i) of 0 to 199,999."""

    server: TdsServer
    name: str

    def execute(self, script: str) -> None:
        """Runs statements in DuckDB's SQL."""
        self.server.ask("execute", self.name, script)

    def admit(self, user: str, password: str, *, rights: Sequence[str] = (), **about: Any) -> None:
        """Lets somebody read; `rights` is what else HAS_PERMS_BY_NAME says of them."""
        about |= {"password": password, "rights": list(rights)}
        self.server.ask("admit", user, database=self.name, **about)


def launch(room: Room, folder: Path) -> Launched:
    certificates = room.certificates()
    port = free_port()
    program = ["env", f"PYTHONPATH={TESTS}", sys.executable, "-m", "servers.tds"]
    files = [str(certificates.cert_file), str(certificates.key_file)]
    keeper_pid = room.keep(folder, [*program, str(port), str(folder), *files], signal.SIGTERM)

    def connect() -> None:
        socket.create_connection(("127.0.0.1", port)).close()
        Client(str(folder / "control"), "AF_UNIX").close()

    wait(keeper_pid, folder, connect, OSError)
    return Launched(keeper_pid, port, str(folder))


def at_port(room: Room, launched: Launched) -> TdsServer:
    certificates = room.certificates()
    folder = Path(launched.folder)
    return TdsServer(launched.port, folder, certificates.ca_file, certificates.untrusted_ca_file)
