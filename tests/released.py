"""What a release leaves behind in the state, kept for the releases after it: a backup of a story.

When a version gets its heading in CHANGELOG.md: `PYTHONPATH=tests python -m released`.
"""

import re
import sys
import tempfile
from pathlib import Path

from rowlift.core.version import VERSION
from rowlift.operations.backups import back_up
from world import Row, World

KEPT = Path(__file__).parent / "data" / "released"
ROWS: tuple[Row, ...] = tuple((f"k{n}", f"k{n}@example.com", n) for n in range(30))
REFUSED: Row = ("bad", "no address", 1)

_CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"
_HEADING = re.compile(r"^## \[(\d+\.\d+\.\d+)\]", re.MULTILINE)


def versions() -> list[str]:
    """Every version that was released."""
    return _HEADING.findall(_CHANGELOG.read_text(encoding="utf-8"))


def world(folder: Path) -> World:
    """A project as it was in each release; only what all of them can read belongs here."""
    made = World(folder, ("user_id", "email", "visits"))
    made.sync["workspace"] = "write"
    made.use["removed"] = "delete"
    made.rows(*ROWS, REFUSED)
    made.save()
    return made


def story(folder: Path, archive: Path) -> World:
    """People come, change and leave, somebody is suppressed, one row is refused."""
    made = world(folder)
    made.rows(*ROWS, ("gone", "gone@example.com", 1))
    made.run()
    made.rows(*ROWS[:-1], ("k29", "k29@example.com", 0), REFUSED)
    made.run()
    made.rows(*ROWS, REFUSED)
    made.run()
    with made.project() as project:
        project.suppress(["email:never@example.com"])
        project.create_segment("friends")
        project.add_to_segment("friends", ["k1"])
    back_up(made.folder, made.env, archive)
    return made


def main() -> None:
    KEPT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        story(Path(folder) / "acme", KEPT / f"{VERSION}.zip")
    sys.stdout.write(f"{KEPT / VERSION}.zip: add it to the release's commit\n")


if __name__ == "__main__":
    main()
