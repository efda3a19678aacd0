"""Break everything that can break, and compare everything each time: python -m torture."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Torture stands on what the tests stand on.
if str(ROOT / "tests") not in sys.path:
    sys.path.insert(0, str(ROOT / "tests"))

from scratch import use_memory  # noqa: E402 - it lies there

use_memory()
