"""Prints what a release is made of, from the lock of the base install, as CycloneDX."""

import json
import sys
from pathlib import Path
from typing import Any

from tools.audit import ROOT, locked

from rowlift.core.version import VERSION


def bill(lock: Path) -> dict[str, Any]:
    """Return the bill of materials of a lock; the same lock gives the same bill."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**_component("rowlift", VERSION), "type": "application"}},
        "components": [_component(*one) for one in sorted(locked(lock).items())],
    }


def _component(name: str, version: str) -> dict[str, str]:
    purl = f"pkg:pypi/{name}@{version}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


if __name__ == "__main__":
    json.dump(bill(ROOT / "requirements" / "base.txt"), sys.stdout, indent=1)
    print()
