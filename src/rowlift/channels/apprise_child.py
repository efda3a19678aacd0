"""Run as a program by Apprise: sends one message, to addresses that are allowed only."""

import json
import socket
import sys
from collections.abc import Iterable
from typing import Any

import apprise

from rowlift.kit.addresses import AddressGuard

SENT, NOT_SENT, UNKNOWN_URL = range(3)
_OF_THIS_MACHINE = ("dbus", "kde", "qt", "glib", "gnome", "macosx", "syslog", "windows")


def main() -> int:
    """Answer the one request: url, title, body, kind and allow (networks and host names)."""
    request = json.load(sys.stdin)
    _refuse_closed_addresses(request["allow"])
    manager: Any = apprise.manager_plugins.NotificationManager
    manager().disable(*_OF_THIS_MACHINE)
    plain = apprise.AppriseAsset(
        app_id="Rowlift", app_desc="Rowlift alerts", app_url="", image_url_mask=None,
        async_mode=False, storage_mode=apprise.PersistentStoreMode.MEMORY,
    )  # fmt: skip
    channel = apprise.Apprise(asset=plain)
    if not channel.add(request["url"]):
        return UNKNOWN_URL
    is_sent = channel.notify(
        title=request["title"], body=request["body"], notify_type=request["kind"],
        body_format=apprise.NotifyFormat.TEXT,
    )  # fmt: skip
    return SENT if is_sent else NOT_SENT


def _refuse_closed_addresses(allow: Iterable[str]) -> None:
    """Let names resolve to allowed addresses only, whichever library of apprise's asks."""
    guard, look_up = AddressGuard(allow), socket.getaddrinfo

    def checked(host: Any, *args: Any, **options: Any) -> Any:
        found = look_up(host, *args, **options)
        name = host.decode() if isinstance(host, bytes) else str(host)
        if any(guard.closed(str(one[4][0]), name) for one in found):
            raise OSError("the address is not allowed")
        return found

    socket.getaddrinfo = checked


if __name__ == "__main__":
    sys.exit(main())
