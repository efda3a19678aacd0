"""Keeps one server: runs it as a child, ends it with its owner, removes its folder.

Run as a program: keeper.py OWNER_PID STOP_SIGNAL FOLDER COMMAND...
"""

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path


def main(owner_pid: int, stop_signal: int, folder: Path, command: list[str]) -> int:
    owner = os.pidfd_open(owner_pid)
    asked, asking = os.pipe()
    os.set_blocking(asking, False)
    signal.set_wakeup_fd(asking)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    select.select([owner, asked, os.pidfd_open(server.pid)], [], [])
    if server.poll() is None:
        server.send_signal(stop_signal)
    try:
        return server.wait(timeout=20)
    except subprocess.TimeoutExpired:
        server.kill()
        return server.wait()
    finally:
        orphaned = bool(select.select([owner], [], [], 0)[0])
        shutil.rmtree(folder.parent if orphaned else folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]))
