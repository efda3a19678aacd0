"""Which commit is measured or tried."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def revision() -> str:
    """Return the commit of this copy, with a plus where files differ from it."""
    words = ["git", "describe", "--always", "--abbrev=8", "--dirty=+"]
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # an unpacked copy on a machine without git
        return "unknown"
    return done.stdout.strip() or "unknown"
