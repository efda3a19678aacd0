"""What channels were told of a state that cannot be written: beside the state, in a file.

The file takes its room while there is some, and is written in place: so it can be on a full disk.
"""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_ROOM = 4096  # bytes


@dataclass(frozen=True, slots=True)
class Outage:
    """What is or was in the way, and the names of the channels that heard of it and of no end."""

    code: str
    text: str
    told: tuple[str, ...]


class OutageNote:
    """Remembers an outage from one process of a workspace to the next, as far as it can."""

    def __init__(self, folder: Path, workspace_id: int) -> None:
        self._path = folder / f"outage-{workspace_id}.json"
        if not self._path.exists():
            self.write(None)

    def read(self) -> Outage | None:
        """Return what was told and is not known to be over; None too where it cannot be read."""
        try:
            found = json.loads(self._path.read_bytes())
            return Outage(found["code"], found["text"], tuple(found["told"])) if found else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, outage: Outage | None) -> None:
        """Write down what was told, or that nothing is; on a read-only disk it is forgotten."""
        text = json.dumps(asdict(outage) if outage else None).encode()
        with suppress(OSError):
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                os.pwrite(handle, text.ljust(_ROOM), 0)
                os.ftruncate(handle, max(len(text), _ROOM))
                os.fsync(handle)
            finally:
                os.close(handle)
