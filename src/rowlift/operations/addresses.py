"""From which addresses connections come, for the allow list of whoever has a firewall."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rowlift.operations.home import Home

# Somewhere beyond every own network; nothing is sent there.
_ELSEWHERE = ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET6, "2001:db8::1"))
_DECLARED = "The settings of the workspace name them."
_OWN = (
    "They are this machine's own. Behind a gateway others see the gateway's: name those in "
    "rowlift.yml as addresses of the workspace."
)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses and networks to put on an allow list, and how they are known.

    Unless they are declared they are the machine's own, which others may not see.
    """

    addresses: Sequence[str]
    is_declared: bool
    note: str


def addresses(home: Home) -> Addresses:
    """Return what the settings name, else the addresses that this machine would connect from."""
    declared = home.project.workspace.addresses
    if declared:
        return Addresses(declared, is_declared=True, note=_DECLARED)
    return Addresses([*_own()], is_declared=False, note=_OWN)


def _own() -> Iterator[str]:
    for family, elsewhere in _ELSEWHERE:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as unsent:
            unsent.connect((elsewhere, 9))
            yield str(unsent.getsockname()[0])
