"""A port of this machine that leads to a server which only an SSH server reaches."""

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import asyncssh

from rowlift.core.errors import ConnectError
from rowlift.core.rules import rule
from rowlift.kit.sshconfig import SshConfig

KEEPALIVE_SECONDS = 15
KEEPALIVES = 3  # unanswered ones, until the connection counts as lost


class Tunnel:
    """Opened at once and kept alive until closed; raises ConnectError.

    `addresses` are those to connect to, none where the SSH server's name may be looked up. The
    server's key must stand in known_hosts under its name. Neither ~/.ssh/config nor an agent has a
    say.
    """

    def __init__(self, config: SshConfig, addresses: tuple[str, ...], host: str, port: int) -> None:
        self._config = config
        self._addresses = addresses or (config.host,)
        self._to = (host, port)
        self._shown: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._leaving = asyncio.Event()
        opened: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=[opened], name="ssh", daemon=True)
        self._thread.start()
        self.port = opened.result()

    @property
    def is_open(self) -> bool:
        """Tell whether the SSH connection still stands, as far as is known."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Hang up, and with it what goes through."""
        with suppress(RuntimeError):  # it fell before
            self._loop.call_soon_threadsafe(self._leaving.set)
        self._thread.join()

    def _run(self, opened: Future[int]) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._carry(opened))
            except (ConnectError, asyncssh.Error, OSError) as error:
                if not opened.done():
                    opened.set_exception(error)

    async def _carry(self, opened: Future[int]) -> None:
        async with await self._connected() as connection:
            listener = await connection.forward_local_port("127.0.0.1", 0, *self._to)
            opened.set_result(listener.get_port())
            ends = [self._leaving.wait(), connection.wait_closed()]
            _, left = await asyncio.wait(
                map(asyncio.ensure_future, ends), return_when=asyncio.FIRST_COMPLETED
            )
            for one in left:
                one.cancel()

    async def _connected(self) -> asyncssh.SSHClientConnection:
        *others, last = self._addresses
        for address in others:
            try:
                return await self._connect(address)
            except OSError:
                continue
        try:
            return await self._connect(last)
        except asyncssh.HostKeyNotVerifiable:
            shown = f": {self._shown[-1]}" if self._shown else ""
            what = f"has a key that is not known{shown}"
            raise self._failed("SSH_HOST_UNKNOWN", what) from None
        except asyncssh.PermissionDenied:
            raise self._failed("SSH_LOGIN_FAILED", "refused the login") from None
        except (OSError, asyncssh.Error):
            raise self._failed("CONNECT_FAILED", "cannot be reached") from None

    async def _connect(self, address: str) -> asyncssh.SSHClientConnection:
        config = self._config
        secret = config.password.get_secret_value()
        return await asyncssh.connect(
            address,
            config.port,
            client_factory=lambda: _Client(self._shown),
            host_key_alias=config.host,
            known_hosts=self._known_hosts(),
            username=config.user,
            password=secret or None,
            client_keys=self._keys(),
            agent_path=None,
            config=None,
            connect_timeout=config.connect_timeout,
            login_timeout=config.connect_timeout,
            keepalive_interval=KEEPALIVE_SECONDS,
            keepalive_count_max=KEEPALIVES,
        )

    def _known_hosts(self) -> asyncssh.SSHKnownHosts:
        path = self._config.known_hosts or Path.home() / ".ssh" / "known_hosts"
        try:
            return asyncssh.read_known_hosts(str(path))
        except (OSError, ValueError):
            what = f"cannot be trusted: {path} cannot be read"
            raise self._failed("SSH_HOST_UNKNOWN", what) from None

    def _keys(self) -> list[asyncssh.SSHKey]:
        path = self._config.private_key
        if path is None:
            return []
        try:
            return [asyncssh.read_private_key(path, self._config.passphrase.get_secret_value())]
        except (OSError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise ConnectError(
                "SSH_LOGIN_FAILED",
                f"The private key {path} cannot be used: {error}.",
                mend="Give ssh.private_key a file in OpenSSH's or PEM form, and its passphrase.",
            ) from None

    def _failed(self, code: str, what: str) -> ConnectError:
        where = f"{self._config.host}:{self._config.port}"
        return ConnectError(code, f"The SSH server {where} {what}.", mend=rule(code).mend)


class _Client(asyncssh.SSHClient):
    """Trusts no key that known_hosts does not hold, but notes its fingerprint."""

    def __init__(self, shown: list[str]) -> None:
        self._shown = shown

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        self._shown.append(f"{key.get_algorithm()} {key.get_fingerprint()}")
        return False
