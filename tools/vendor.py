"""Fetches what the web UI vendors, at the versions of static/vendor/package.json, and compares it.

It rewrites the files; with --check it says which ones differ. It needs npm. What a module is made
of lies in many packages: tools/codemirror.js says what is taken of them.
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
EDITOR = "codemirror/codemirror.js"
ENTRY = Path(__file__).with_name("codemirror.js")
ICONS = (
    "arrow-right", "ban", "check", "chevron-left", "chevron-right", "chevrons-right",
    "circle-alert", "circle-help", "clock", "code", "copy", "database", "download", "file-code",
    "fingerprint", "history", "house", "lock", "log-out", "moon", "pause", "pencil", "play", "plus",
    "refresh-cw", "rotate-ccw", "search", "send", "settings", "shield-alert", "square", "sun",
    "sun-moon", "table", "trash-2", "triangle-alert", "users", "x",
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


def bundled(folder: Path) -> dict[str, bytes]:
    """Return the editor as one module, and the licences of all that is in it."""
    shutil.copy(ENTRY, folder)
    build = (
        folder / "node_modules" / ".bin" / "esbuild", ENTRY.name, "--bundle", "--format=esm",
        "--minify", "--target=es2022", "--legal-comments=none", "--outfile=out.js",
        "--metafile=made.json", "--log-level=warning",
    )  # fmt: skip
    subprocess.run(build, check=True, cwd=folder)
    inputs = json.loads((folder / "made.json").read_text())["inputs"]
    packages = {_package(name) for name in inputs if name.startswith("node_modules/")}
    licences = [
        f"{one}\n\n{(folder / 'node_modules' / one / 'LICENSE').read_text().strip()}"
        for one in sorted(packages)
    ]
    return {
        EDITOR: (folder / "out.js").read_bytes(),
        "codemirror/LICENSE": "\n\n\n".join(licences).encode() + b"\n",
    }


def _package(name: str) -> str:
    """Return the package that a module of node_modules is of; some have a scope before the name."""
    _, *parts = name.split("/")
    return "/".join(parts[: 2 if parts[0].startswith("@") else 1])


def main() -> int:
    """Rewrite the vendored files, or tell which ones are not what the packages hold."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(VENDOR / "package.json", folder)
        install = ("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
        subprocess.run(install, check=True, cwd=folder)
        packages = folder / "node_modules"
        found = {here: (packages / there).read_bytes() for there, here in wanted()}
        found |= bundled(folder)
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
