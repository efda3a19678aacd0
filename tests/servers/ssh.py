"""An SSH server in this process that forwards to wherever it is asked to."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

USER = "tunnel"
PASSWORD = "canary-ssh"
PASSPHRASE = "canary-phrase"


@dataclass
class SshServer:
    """Where it listens, the files a client needs, and the connections it has."""

    folder: Path
    port: int = 0
    asked: list[tuple[str, int]] = field(default_factory=list)
    connections: set[asyncssh.SSHServerConnection] = field(default_factory=set)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def keys(self) -> dict[str, object]:
        """Return the keys of `ssh:` with which one gets in by password."""
        return {
            "host": "localhost", "port": self.port, "user": USER, "password": PASSWORD,
            "known_hosts": str(self.folder / "known_hosts"),
        }  # fmt: skip

    @property
    def by_key(self) -> dict[str, object]:
        """Return those with which one gets in by a locked key."""
        key = {"private_key": str(self.folder / "user_key"), "passphrase": PASSPHRASE}
        return {**{k: v for k, v in self.keys.items() if k != "password"}, **key}

    def drop(self) -> None:
        """Cut every connection."""
        for connection in list(self.connections):
            self.loop.call_soon_threadsafe(connection.abort)


class _Door(asyncssh.SSHServer):
    def __init__(self, server: SshServer) -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._server.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self._connection)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        self._server.asked.append((dest_host, dest_port))
        return True


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """Serve until the end of the block."""
    server = SshServer(folder)
    host_key, user_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    user_key.write_private_key(folder / "user_key", passphrase=PASSPHRASE)
    user_key.write_public_key(folder / "authorized_keys")

    async def serve() -> None:
        async with asyncssh.listen(
            "127.0.0.1", 0, server_factory=lambda: _Door(server), server_host_keys=[host_key],
            authorized_client_keys=str(folder / "authorized_keys"),
        ) as acceptor:  # fmt: skip
            opened.set_result(acceptor.get_port())
            await server.leaving.wait()
            for connection in list(server.connections):
                connection.abort()
                await connection.wait_closed()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: server.loop) as runner:
            runner.run(serve())

    opened: Future[int] = Future()
    thread = threading.Thread(target=run)
    thread.start()
    server.port = opened.result()
    public = host_key.export_public_key().decode()
    (folder / "known_hosts").write_text(f"[localhost]:{server.port} {public}")
    try:
        yield server
    finally:
        server.loop.call_soon_threadsafe(server.leaving.set)
        thread.join()
