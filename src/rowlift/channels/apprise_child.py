"""Run as a program by Apprise: sends one message, to addresses that are allowed only."""

import json
import socket
import sys
from collections.abc import Iterable
from typing import Any

import apprise

from rowlift.kit.addresses import AddressGuard

SENT, NOT_SENT, UNKNOWN_URL = range(3)
_SENDING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_PROGRAMS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"})
_OF_THIS_MACHINE = ("dbus", "kde", "qt", "glib", "gnome", "macosx", "syslog", "windows")


def main() -> int:
    """Answer the one request: url, title, body, kind and allow (networks and host names)."""
    request = json.load(sys.stdin)
    _confine(request["allow"])
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


def _confine(allow: Iterable[str]) -> None:
    """Let nothing of apprise's reach an address that is not allowed, or begin a program.

    A name is judged where it is looked up, whichever library asks; what connects must go to an
    address that came of it, or that is open by itself.
    """
    guard, look_up, opened = AddressGuard(allow), socket.getaddrinfo, set[str]()

    def checked(host: Any, *args: Any, **options: Any) -> Any:
        found = look_up(host, *args, **options)
        name = host.decode() if isinstance(host, bytes) else str(host)
        if any(guard.closed(str(one[4][0]), name) for one in found):
            raise PermissionError("the address is not allowed")
        opened.update(str(one[4][0]) for one in found)
        return found

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if event in _PROGRAMS:
            raise PermissionError("no program may be begun")
        if event in _SENDING and args[1] is not None:
            address = args[1][0] if isinstance(args[1], tuple) else ""
            if address not in opened and guard.closed(str(address), ""):
                raise PermissionError("the address is not allowed")

    socket.getaddrinfo = checked
    sys.addaudithook(watch)


if __name__ == "__main__":
    sys.exit(main())
