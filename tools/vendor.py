"""Fetches what the web UI vendors, at the versions of static/vendor/package.json, and compares it.

It rewrites the files; with --check it says which ones differ. It needs npm.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "src" / "rowlift" / "web" / "static" / "vendor"
HTMX, GEIST, MONO = "htmx.org", "@fontsource-variable/geist", "@fontsource-variable/geist-mono"
LUCIDE = "lucide-static"
ICONS = (
    "arrow-right", "ban", "check", "chevron-left", "chevron-right", "chevrons-right",
    "circle-alert", "clock", "download", "fingerprint", "history", "house", "log-out", "moon",
    "pause", "play", "refresh-cw", "rotate-ccw", "search", "settings", "shield-alert", "square",
    "sun", "sun-moon", "triangle-alert", "users", "x",
)  # fmt: skip


def wanted() -> Iterator[tuple[str, str]]:
    """Yield where each vendored file lies in the packages, and here."""
    yield f"{HTMX}/dist/htmx.min.js", "htmx/htmx.min.js"
    yield f"{HTMX}/LICENSE", "htmx/LICENSE"
    for subset in ("latin", "latin-ext"):
        yield f"{GEIST}/files/geist-{subset}-wght-normal.woff2", f"geist/geist-{subset}.woff2"
    yield f"{MONO}/files/geist-mono-latin-wght-normal.woff2", "geist/geist-mono-latin.woff2"
    yield f"{GEIST}/LICENSE", "geist/LICENSE"
    yield f"{LUCIDE}/LICENSE", "lucide/LICENSE"
    for icon in ICONS:
        yield f"{LUCIDE}/icons/{icon}.svg", f"lucide/{icon}.svg"


def main() -> int:
    """Rewrite the vendored files, or tell which ones are not what the packages hold."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(VENDOR / "package.json", folder)
        install = ("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
        subprocess.run(install, check=True, cwd=folder)
        found = {here: (folder / "node_modules" / there).read_bytes() for there, here in wanted()}
    if "--check" in sys.argv[1:]:
        return _compared(found)
    for here, content in found.items():
        (VENDOR / here).parent.mkdir(parents=True, exist_ok=True)
        (VENDOR / here).write_bytes(content)
    return 0


def _compared(found: dict[str, bytes]) -> int:
    files = (path for path in VENDOR.rglob("*") if path.is_file())
    here = {str(path.relative_to(VENDOR)): path.read_bytes() for path in files}
    manifest = here.pop("package.json")
    differing = {name for name in here.keys() | found.keys() if here.get(name) != found.get(name)}
    versions = json.loads(manifest)["dependencies"]
    print("vendored:", ", ".join(f"{name} {version}" for name, version in versions.items()))
    for name in sorted(differing):
        print("differs:", name, file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
