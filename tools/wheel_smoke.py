"""Builds the wheel, installs it into an empty environment and runs what a user would run first.

The environment borrows the dependencies of the one this runs in, so that it takes seconds.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONNECTORS = """
import importlib.metadata, rowlift, sys
from pathlib import Path
assert Path(rowlift.__file__).is_relative_to(sys.prefix), rowlift.__file__
[found] = importlib.metadata.distributions(name="rowlift", path=[sys.argv[1]])
for group in ("rowlift.sources", "rowlift.destinations"):
    for entry in found.entry_points.select(group=group):
        entry.load()
print("rowlift", found.version, "and its connectors load")
"""


def run(*words: str | Path, cwd: Path) -> None:
    environment = {"PATH": os.defpath, "HOME": str(cwd), "LANG": "C.UTF-8"}
    subprocess.run(words, check=True, cwd=cwd, env=environment)


def missing_from(wheel: Path) -> set[str]:
    """Files of the package in the working copy that the wheel does not carry."""
    carried = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src" / "rowlift"
    files = (path for path in package.rglob("*") if path.is_file())
    wanted = {str(path.relative_to(package.parent)) for path in files if path.suffix != ".pyc"}
    return wanted - carried


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build = ("-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
        subprocess.run(
            [sys.executable, *build, ROOT], check=True, stdout=subprocess.DEVNULL, cwd=folder
        )
        [wheel] = folder.glob("*.whl")
        if missing := missing_from(wheel):
            print("the wheel lacks", *sorted(missing), file=sys.stderr)
            return 1
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        python = folder / "venv" / "bin" / "python"
        pip = ("-m", "pip", "--disable-pip-version-check", "--quiet", "--python", python)
        run(sys.executable, *pip, "install", "--no-deps", "--no-index", wheel, cwd=folder)
        [packages] = (folder / "venv").glob("lib/python3*/site-packages")
        (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        run(python, "-W", "error", "-c", CONNECTORS, packages, cwd=folder)
        run(folder / "venv" / "bin" / "rowlift", "--help", cwd=folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
