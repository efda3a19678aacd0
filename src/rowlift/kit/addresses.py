"""Which addresses outgoing requests may reach; the rules against server-side request forgery."""

import re
import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import quote

import idna

from rowlift.core.errors import DestinationError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Sequence[str]]


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


# IANA's special-purpose registries of 2026; wider than ipaddress.is_global, which calls several
# forms of 127.0.0.1 global.
_NOT_PUBLIC = _networks(
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24"),
    *("192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15"),
    *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    *("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20"),
)
_GLOBAL_UNICAST = ip_network("2000::/3")
# Metadata services of clouds, link-local and multicast: no allow list opens these.
_NEVER = _networks(
    *("169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32"),
    *("224.0.0.0/4", "255.255.255.255/32"),
    *("fe80::/10", "ff00::/8", "fd00:ec2::/32", "fd20:ce::254/128"),
)
_EMBEDS_LAST_32_BITS = _networks("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^\s/?#\\@:\[\]%]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>[/?][^\s#\\]*)?(?:#\S*)?",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?!.{254})[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
_PORTS = {"https": 443, "http": 80}
_SHORTEST_TOKEN = 8
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed URL; the host is lower case and after IDNA, the path holds the query too."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        """Return the origin alone: paths may hold tokens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.is_default_port else f":{self.port}")

    @property
    def tokens(self) -> list[str]:
        """Return the parts of the path that are long enough to be secrets."""
        return [part for part in re.split(r"[/?&=]", self.path) if len(part) >= _SHORTEST_TOKEN]

    @property
    def is_default_port(self) -> bool:
        return self.port == _PORTS[self.scheme]


def target(url: str) -> Target:
    """Parse an http or https URL without credentials; ValueError never repeats the URL."""
    parts = _URL.fullmatch(url) if url.isprintable() else None
    if not parts:
        raise ValueError("must be like https://example.com/path, without user name and spaces")
    port = int(parts["port"] or _PORTS[parts["scheme"].lower()])
    if not 0 < port <= _LAST_PORT:
        raise ValueError("a port must be between 1 and 65535")
    path = parts["path"] or "/"
    path = quote(path if path[0] == "/" else f"/{path}", safe="%/:?&=+,;@!$'()*~-._[]|")
    return Target(parts["scheme"].lower(), normal_host(parts["host"]), port, path)


def normal_host(host: str) -> str:
    """Return a host as it is compared and connected to: IDNA, lower case, no final dot."""
    if host.startswith("["):
        return str(IPv6Address(host[1:-1]))
    name = host.rstrip(".").lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True, std3_rules=True).decode()
        except idna.IDNAError:
            raise ValueError("the host name is not valid") from None
    if not _NAME.fullmatch(name):
        raise ValueError("the host name is not valid")
    # 127.1, 0x7f.1 and 2130706433 are addresses to getaddrinfo; only four decimal parts are here.
    last = name.rpartition(".")[2]
    if last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last):
        return str(IPv4Address(name))
    return name


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Ask the system for all addresses of a host; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_network(text: str) -> bool:
    """Tell a CIDR or an address from a host name."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def is_within(text: str, other: str) -> bool:
    """Tell whether a network or host name is another one, or a part of it."""
    if not (is_network(text) and is_network(other)):
        return text.rstrip(".").lower() == other.rstrip(".").lower()
    inner, outer = ip_network(text, strict=False), ip_network(other, strict=False)
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


class AddressGuard:
    """Decides where a request may go, by the addresses a name resolves to, not by the name.

    Public addresses are open over https on `ports`. `allow` opens networks (CIDR) or single host
    names, with any port and plain http; metadata services stay closed.
    """

    def __init__(
        self,
        allow: Iterable[str] = (),
        ports: Collection[int] = (443,),
        resolver: Resolver = system_resolver,
    ) -> None:
        texts = tuple(allow)
        self._networks = tuple(ip_network(one, strict=False) for one in texts if is_network(one))
        self._hosts = frozenset(normal_host(one) for one in texts if not is_network(one))
        self._ports = frozenset(ports)
        self._resolver = resolver

    def target(self, url: str) -> Target:
        """Parse a URL; raises DestinationError ADDRESS_REFUSED."""
        try:
            return target(url)
        except ValueError as error:
            raise _refused("The address", str(error)) from None

    def addresses(self, wanted: Target) -> tuple[str, ...]:
        """Resolve a target once and return its addresses if every one may be reached.

        Raises DestinationError ADDRESS_REFUSED, or OSError when the name does not resolve.
        """
        found = tuple(self._resolver(wanted.host, wanted.port))
        if not found:
            raise OSError("the name has no address")
        for text in found:
            if reason := self._refusal(text, wanted):
                raise _refused(str(wanted), reason)
        return found

    def closed(self, text: str, host: str) -> str:
        """Return why an address of a host is out of reach on every port, or nothing."""
        try:
            address = ip_address(text)
        except ValueError:
            return "it resolves to something that is no address"
        if _never(address):
            return "it leads to a metadata service, a link-local or a multicast address"
        if not self._allows(address, host) and not _public(address):
            return "it leads to an address that is not public"
        return ""

    def _refusal(self, text: str, wanted: Target) -> str:
        reason = self.closed(text, wanted.host)
        if reason or self._allows(ip_address(text), wanted.host):
            return reason
        if wanted.scheme != "https":
            return "plain http is only for allowed networks"
        return "" if wanted.port in self._ports else f"port {wanted.port} is not allowed"

    def _allows(self, address: Address, host: str) -> bool:
        return host in self._hosts or any(address in network for network in self._networks)


def _refused(what: str, reason: str) -> DestinationError:
    return DestinationError(
        "ADDRESS_REFUSED",
        f"{what} is refused: {reason}",
        mend="Use a public https address, or name the network or host in allow_networks.",
    )


def _public(address: Address) -> bool:
    if address.version == 6 and (address not in _GLOBAL_UNICAST or address.scope_id):  # noqa: PLR2004
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def _never(address: Address) -> bool:
    forms = (address, *_embedded(address))
    return any(form in network for form in forms for network in _NEVER)


def _embedded(address: Address) -> Iterable[IPv4Address]:
    if isinstance(address, IPv4Address):
        return
    if any(address in network for network in _EMBEDS_LAST_32_BITS):
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
