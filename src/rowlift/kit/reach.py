"""How a source gets to its server: by name, to addresses that were checked, or through SSH."""

import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rowlift.core.errors import ConnectError
from rowlift.kit.addresses import (
    AddressGuard,
    Resolver,
    is_network,
    normal_host,
    system_resolver,
)
from rowlift.kit.drivers import load

if TYPE_CHECKING:
    from rowlift.kit.sshconfig import SshConfig
    from rowlift.kit.tunnel import Tunnel


class Reachable(Protocol):
    """The keys that say where a server is and how far connections may go."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def public_only(self) -> bool: ...
    @property
    def allow_networks(self) -> tuple[str, ...]: ...
    @property
    def ssh(self) -> "SshConfig | None": ...


@dataclass(frozen=True, slots=True)
class Way:
    """Where to connect to: the first of the addresses that answers, or wherever the name leads.

    A certificate must have the server's own name in either case.
    """

    port: int
    addresses: tuple[str, ...] = ()


class Reach:
    """The way to one server, found when it is first asked for; safe in several threads."""

    def __init__(self, config: Reachable) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._way: Way | None = None
        self._tunnel: Tunnel | None = None

    def way(self) -> Way:
        """Return where to connect to, through a new tunnel if the last one fell.

        Raises ConnectError; OSError when a name that must be looked up does not resolve.
        """
        with self._lock:
            if self._tunnel and not self._tunnel.is_open:
                self._leave()
            if self._way is None:
                self._way = self._found()
            return self._way

    def close(self) -> None:
        """Close the tunnel, if there is one."""
        with self._lock:
            self._leave()

    def _leave(self) -> None:
        if self._tunnel:
            self._tunnel.close()
        self._way = self._tunnel = None

    def _found(self) -> Way:
        config, ssh = self._config, self._config.ssh
        if ssh is None:
            return Way(config.port, self._checked(config.host, config.port))
        addresses = self._checked(ssh.host, ssh.port)
        module = load("rowlift.kit.tunnel", extra="ssh")
        self._tunnel = tunnel = module.Tunnel(ssh, addresses, config.host, config.port)
        return Way(tunnel.port, ("127.0.0.1",))

    def _checked(self, host: str, port: int) -> tuple[str, ...]:
        if not self._config.public_only:
            return ()
        return public_addresses(host, port, self._config.allow_networks)


def connected(address: str, port: int, seconds: float | None) -> socket.socket:
    """Connect to a name or address, with keep-alive; OSError when it does not answer in time."""
    found = socket.create_connection((address, port), seconds)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return found


def public_addresses(
    host: str, port: int, allow: Iterable[str] = (), resolver: Resolver = system_resolver
) -> tuple[str, ...]:
    """Resolve a host and return its addresses if every one is public or allowed.

    Whoever connects must go to these: the name may lead elsewhere a moment later. Raises
    ConnectError ADDRESS_REFUSED, or OSError when the name does not resolve.
    """
    guard = AddressGuard(allow)
    try:
        name = host if is_network(host) else normal_host(host)
    except ValueError as error:
        raise _refused(f"{host}:{port}", str(error)) from None
    found = tuple(resolver(name, port))
    for address in found:
        if reason := guard.closed(address, name):
            raise _refused(f"{host}:{port}", reason)
    return found


def _refused(what: str, reason: str) -> ConnectError:
    return ConnectError(
        "ADDRESS_REFUSED",
        f"{what} is refused: {reason}.",
        mend="Name the network or host in allow_networks, or leave public_only out.",
    )
