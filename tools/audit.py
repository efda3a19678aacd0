"""Asks the public advisories about every locked package; what nobody could judge fails too.

It needs the network, and pip-audit, which it installs into an environment of its own.
"""

import json
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def locked(lock: Path) -> dict[str, str]:
    """Return the versions that a lock pins, by normal name."""
    return {normal(name): version for name, version in PINNED.findall(lock.read_text())}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def faults(report: Mapping[str, Any], wanted: Mapping[str, str]) -> Iterator[str]:
    """Yield what speaks against packages: an advisory, or that nobody looked."""
    judged = {normal(one["name"]): one for one in report["dependencies"]}
    for name, version in wanted.items():
        one = judged.get(name, {"skip_reason": "it is not in the report"})
        if "skip_reason" in one:
            yield f"{name} {version}: not judged: {one['skip_reason']}"
        elif one["version"] != version:
            yield f"{name} {version}: not judged: the report is of {one['version']}"
        for found in one.get("vulns", ()):
            mended = ", ".join(found["fix_versions"]) or "no version yet"
            yield f"{name} {version}: {found['id']}, mended in {mended}"


def report_of(program: Path, lock: Path) -> Mapping[str, Any]:
    """Run pip-audit on a lock; that it found something is no failure of its own."""
    words = (program, "--format", "json", "--disable-pip", "--require-hashes", "-r", lock)
    done = subprocess.run(words, check=False, stdout=subprocess.PIPE, text=True)
    if not done.stdout:
        sys.exit(f"pip-audit said nothing of {lock.name} (exit code {done.returncode}).")
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def main() -> int:
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    with tempfile.TemporaryDirectory() as name:
        venv.create(name, with_pip=True)
        programs = Path(name) / "bin"
        subprocess.run((programs / "pip", "--quiet", "install", "pip-audit"), check=True)
        found = [
            f"{lock.name}: {fault}"
            for lock in locks
            for fault in faults(report_of(programs / "pip-audit", lock), locked(lock))
        ]
    print(*found or [f"nothing is known against {len(locks)} locks"], sep="\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
