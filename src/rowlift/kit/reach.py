"""Where a source that is held to public addresses may connect to."""

from collections.abc import Iterable

from rowlift.core.errors import ConnectError
from rowlift.kit.addresses import (
    AddressGuard,
    Resolver,
    is_network,
    normal_host,
    system_resolver,
)


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
