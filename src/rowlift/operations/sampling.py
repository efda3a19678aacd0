"""Demo data to look around with: a small warehouse, a destination of files, and two syncs.

They are definitions like any other: what is there already stays, and they are deleted the same way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowlift.core.errors import ConfigError, RowliftError
from rowlift.core.nouns import Finding
from rowlift.kit.durable import make_folder, publish, temporary_for
from rowlift.operations import demo_files
from rowlift.operations.demo_seed import seed

if TYPE_CHECKING:
    from rowlift.operations.project import Project

FOLDER = Path("demo")  # in the project's folder
SOURCE, DESTINATION = "demo_shop", "demo_files"
SYNCS = ("demo_open_tickets", "demo_customers")
_SYNC: Mapping[str, Any] = {
    "kind": "person", "source": SOURCE, "destinations": [{"use": DESTINATION}],
}  # fmt: skip
_DEFINITIONS: Sequence[tuple[str, str, Mapping[str, Any]]] = (
    ("source", SOURCE, {
        "type": "duckdb", "path": str(FOLDER / demo_files.WAREHOUSE),
        "description": "A made-up shop, its Zendesk and its billing",
    }),
    ("destination", DESTINATION, {
        "type": "files", "path": str(FOLDER / "out"), "format": "jsonl",
        "description": "What is sent lands in files of the project's folder",
    }),
    ("sync", SYNCS[0], {
        **_SYNC, "preset": "traits", "identify_by": "user_id", "removed": "clear",
        "description": "Who has an open Zendesk ticket", "sql": demo_files.MENDED_QUERY,
    }),
    ("sync", SYNCS[1], {
        **_SYNC, "preset": "import", "identify_by": "id",
        "description": "Every customer of the shop; a few rows are bad on purpose",
        "sql": demo_files.FILES["models/customers.sql"],
    }),
)  # fmt: skip


Hear = Callable[[Finding], object]


@dataclass(frozen=True, slots=True)
class SampleReport:
    """What there is to look around with, and whether its first runs were asked for."""

    source: str
    destination: str
    syncs: Sequence[str]
    asked: bool


def look_around(
    project: "Project", folder: Path, *, by: str, origin: str, hear: Hear
) -> SampleReport:
    """Make what is not there yet, and ask for first runs where a service would begin them.

    `hear` is told of each thing as it is made. Raises ConfigError FILE_UNREADABLE where nothing can
    be written to the folder.
    """
    _warehouse(folder, hear)
    ours, made = project.definitions.by(by, origin), []
    known = {(one.kind, one.name) for one in ours.list()}
    for kind, name, document in _DEFINITIONS:
        if (kind, name) not in known:
            ours.create(kind, name, document)
            made.append(name)
            hear(Finding(kind, "ok", f"{name}: {document['description']}."))
    fresh = [name for name in SYNCS if name in made]
    return SampleReport(SOURCE, DESTINATION, SYNCS, asked=_asked(project, fresh, by))


def _warehouse(folder: Path, hear: Hear) -> None:
    path = folder / FOLDER / demo_files.WAREHOUSE
    if path.exists():
        return
    begun = temporary_for(path)
    try:
        make_folder(path.parent)
        begun.unlink(missing_ok=True)
        rows = seed(begun)
        hear(Finding("warehouse", "ok", _counted(rows)))
        publish(begun, path)
    except OSError as error:
        begun.unlink(missing_ok=True)
        why = error.strerror or type(error).__name__
        text = f"The demo data cannot be written to {path.parent}: {why}."
        mend = "Let the service write to the project's folder, or connect a source of your own."
        raise ConfigError("FILE_UNREADABLE", text, mend=mend) from error


def _counted(rows: Mapping[str, int]) -> str:
    return "Seeded: " + ", ".join(f"{count:,} {name}" for name, count in rows.items()) + "."


def _asked(project: "Project", syncs: Sequence[str], by: str) -> bool:
    try:
        for name in syncs:
            project.service.trigger([name], by=by)
    except RowliftError as error:
        if error.code != "SERVICE_DOWN":
            raise
        return False
    return bool(syncs)
