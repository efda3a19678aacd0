"""The folder where one pytest run keeps its servers, and how a server gets started once in it."""

import contextlib
import json
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import trustme
from filelock import FileLock

START_SECONDS = 100
KEEPER = Path(__file__).with_name("keeper.py")


@dataclass(frozen=True, slots=True)
class Launched:
    """What a worker must know to reach a server that another worker may have started."""

    keeper_pid: int
    port: int
    folder: str


@dataclass(frozen=True, slots=True)
class Room:
    """One per pytest run, open to other users since servers refuse to run as root."""

    path: Path
    owner_pid: int

    @classmethod
    def open(cls) -> "Room":
        path = Path(tempfile.mkdtemp(prefix="rowlift-servers-"))
        path.chmod(0o755)
        return cls(path, os.getpid())

    def once(self, name: str, launch: Callable[[Path], Launched]) -> Launched:
        """The server called `name`, launched by the first worker to ask."""
        note = self.path / f"{name}.json"
        with FileLock(self.path / f"{name}.lock"):
            if not note.exists():
                folder = self.path / name
                folder.mkdir()
                launched = launch(folder)
                note.write_text(json.dumps(asdict(launched)))
            return Launched(**json.loads(note.read_text()))

    def certificates(self) -> "Certificates":
        with FileLock(self.path / "certificates.lock"):
            return Certificates.in_folder(self.path)

    def keep(self, folder: Path, command: Sequence[str], stop_signal: signal.Signals) -> int:
        """Starts `command` under a keeper in a session of its own and returns the keeper's pid."""
        words = [sys.executable, str(KEEPER), str(self.owner_pid), str(int(stop_signal))]
        keeper = subprocess.Popen(
            [*words, str(folder), *command], stdin=subprocess.DEVNULL, start_new_session=True
        )
        keeper.returncode = 0  # it outlives this worker on purpose: nobody waits for it here
        return keeper.pid

    def close(self) -> None:
        """Stops every server by its keeper's pid and removes the folder."""
        for note in self.path.glob("*.json"):
            stop(Launched(**json.loads(note.read_text())).keeper_pid)
        shutil.rmtree(self.path)


@dataclass(frozen=True, slots=True)
class Certificates:
    """An authority, its certificate for localhost and 127.0.0.1, and a stranger's authority."""

    ca_file: Path
    untrusted_ca_file: Path
    cert_file: Path
    key_file: Path

    @classmethod
    def in_folder(cls, folder: Path) -> "Certificates":
        names = ("ca.pem", "untrusted-ca.pem", "server.pem", "server.key")
        made = cls(*(folder / name for name in names))
        if not made.ca_file.exists():
            authority = trustme.CA(organization_name="Rowlift tests")
            certificate = authority.issue_cert("localhost", "127.0.0.1")
            made.key_file.write_bytes(certificate.private_key_pem.bytes())
            made.cert_file.write_bytes(b"".join(p.bytes() for p in certificate.cert_chain_pems))
            trustme.CA().cert_pem.write_to_path(made.untrusted_ca_file)
            authority.cert_pem.write_to_path(made.ca_file)
        return made


def server_user(name: str) -> str | None:
    """The unprivileged account a server runs as, or None when we are not root."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(name).pw_name
    return "nobody"


def unique_name() -> str:
    return f"t_{uuid.uuid4().hex[:16]}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def program(name: str, places: Sequence[Path], package: str) -> Path:
    """Where `name` is. A test server that is not installed is an error, never a skip."""
    for place in places:
        if (place / name).exists():
            return place / name
    raise pytest.UsageError(
        f"{name} is not installed, and tests run against real servers. Run: "
        f"apt-get install --no-install-recommends {package}"
    )


def wait_until_ready(
    keeper_pid: int, folder: Path, connect: Callable[[], None], refused: type[Exception]
) -> None:
    """Returns when `connect` succeeds; fails with the server's log when it died or is late."""
    deadline = time.monotonic() + START_SECONDS
    reason: Exception | None = None
    while time.monotonic() < deadline and alive(keeper_pid):
        try:
            return connect()
        except refused as error:
            reason = error
            time.sleep(0.05)
    log = folder / "server.log"
    text = log.read_text(errors="replace")[-3000:] if log.exists() else "it left no log"
    stop(keeper_pid)
    raise RuntimeError(f"the server in {folder} did not start: {reason}\n{text}")


def alive(pid: int) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([handle], [], [], 0)[0]
    finally:
        os.close(handle)


def stop(pid: int) -> None:
    """Asks the process to end and waits until it has."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(handle, signal.SIGTERM)
            select.select([handle], [], [], 30)
        finally:
            os.close(handle)
