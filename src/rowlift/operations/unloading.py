"""Definitions written out as the files of a project, secrets as variables."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rowlift.core.errors import ConfigError
from rowlift.kit.durable import make_folder, write_durable
from rowlift.operations.home import Home
from rowlift.project.confiding import secret_paths, with_references
from rowlift.project.connections import ROLES
from rowlift.project.files import AUDIENCES, CONNECTIONS, FORWARDS, MODELS, ROWLIFT, SYNCS
from rowlift.project.writing import write_yaml
from rowlift.state.definitions import Definition
from rowlift.state.failures import file_errors

PROFILE = "main"


@dataclass(frozen=True, slots=True)
class FilesReport:
    """The files that were written, and the variables in which they expect secrets."""

    folder: str
    files: tuple[str, ...]
    variables: tuple[str, ...]


def unload(home: Home, folder: Path) -> FilesReport:
    """Write every live definition into a folder that has none of these files yet.

    Raises ConfigError FILE_EXISTS, and StateError STATE_FULL.
    """
    files, variables = as_files(home.store.definitions.all(home.workspace_id))
    for name in files:
        if (folder / name).exists():
            text = f"{folder / name} is there already."
            raise ConfigError("FILE_EXISTS", text, mend="Choose a new folder.")
    with file_errors():
        for name, text in files.items():
            make_folder((folder / name).parent)
            write_durable(folder / name, [text.encode()])
    return FilesReport(str(folder), tuple(files), tuple(sorted(variables)))


def as_files(definitions: Iterable[Definition]) -> tuple[dict[str, str], set[str]]:
    """Return the files, by name, that declare the live definitions, and their variables."""
    variables = _Variables()
    live = [one for one in definitions if one.archived_at is None]
    return dict(_files(live, variables)), set(variables.names.values())


class _Variables:
    """Gives each secret the name of a variable that nothing else has."""

    def __init__(self) -> None:
        self.names: dict[tuple[str, str, str], str] = {}

    def of(self, one: Definition, path: str) -> str:
        key = (one.kind, one.name, path)
        if key not in self.names:
            wanted = "".join(
                letter if letter.isascii() and letter.isalnum() else "_"
                for letter in f"{one.name}_{path}"
            ).upper()
            wanted = f"_{wanted}" if wanted[0].isdigit() else wanted
            while wanted in self.names.values():
                wanted += "_"
            self.names[key] = wanted
        return self.names[key]


def _files(live: list[Definition], variables: _Variables) -> Iterator[tuple[str, str]]:
    connections: dict[str, dict[str, Any]] = {role: {} for role in ROLES.values()}
    for one in live:
        if one.kind == "workspace":
            yield ROWLIFT, write_yaml(one.document)
        elif one.kind == "sync":
            yield from _sync(one)
        elif one.kind == "forward":
            yield f"{FORWARDS}/{one.name}.yml", write_yaml(one.document)
        elif one.kind == "audience":
            yield f"{AUDIENCES}/{one.name}.yml", write_yaml(one.document)
        else:
            names = {path: variables.of(one, path) for path in secret_paths(one.document)}
            connections[ROLES[one.kind]][one.name] = with_references(one.document, names)
    profile = {role: named for role, named in connections.items() if named}
    yield CONNECTIONS, write_yaml({"default": PROFILE, "profiles": {PROFILE: profile}})


def _sync(one: Definition) -> Iterator[tuple[str, str]]:
    document = dict(one.document)
    if "relationships" in document:
        second = document["relationships"]
        path = f"{MODELS}/{one.name}.relationships.sql"
        document["relationships"] = _in_file(second, path)
        yield path, second["sql"]
    if "sql" in document:  # an audience has none
        path = f"{MODELS}/{one.name}.sql"
        yield path, document["sql"]
        document = _in_file(document, path)
    yield f"{SYNCS}/{one.name}.yml", write_yaml(document)


def _in_file(document: Mapping[str, Any], path: str) -> dict[str, Any]:
    return {
        "query" if key == "sql" else key: path if key == "sql" else value
        for key, value in document.items()
    }
