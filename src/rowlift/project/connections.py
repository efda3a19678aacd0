"""connections.yml as specs: every profile is checked, one of them is used."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from rowlift.core.errors import ConfigError, Place
from rowlift.core.specs import OWN, ConnectionSpec
from rowlift.core.spelling import did_you_mean
from rowlift.project.documents import Document, KeyPath
from rowlift.project.models import ConnectionFile, ConnectionsFile
from rowlift.project.problems import listed, shown
from rowlift.project.secrets import inspect, place_key

Connections = dict[str, ConnectionSpec]
Kinds = Mapping[str, type[BaseModel]]

ROLES: Mapping[str, str] = {
    "source": "sources", "destination": "destinations", "channel": "channels",
}  # fmt: skip
OWN_KEYS = frozenset(ConnectionFile.model_fields)


@dataclass(frozen=True, slots=True)
class ConnectorKinds:
    """The configuration class of each type of source, destination and channel."""

    sources: Kinds
    destinations: Kinds
    channels: Kinds = field(default_factory=dict)

    def of(self, role: str) -> Kinds:
        """Return the types of a role: sources, destinations or channels."""
        found: Kinds = getattr(self, role)
        return found


@dataclass(frozen=True, slots=True)
class Profile:
    """The connections of one profile."""

    name: str
    sources: Connections
    destinations: Connections
    channels: Connections = field(default_factory=dict)

    @property
    def readable(self) -> Mapping[str, ConnectionSpec]:
        """The sources that syncs may read: those declared, and the workspace itself."""
        return {OWN.name: OWN, **self.sources}


def profiles(
    file: ConnectionsFile, document: Document, kinds: ConnectorKinds, used: str | None
) -> dict[str, Profile]:
    """Return all profiles; what is wrong with their connections is noted in the document.

    A driver that is not installed is a problem only in the profile that is used.
    """
    found = {}
    for name, profile in file.profiles.items():
        roles = {
            role: _specs(getattr(profile, role), document, ("profiles", name, role))
            for role in ROLES.values()
        }
        found[name] = Profile(name, **roles)
        for role, specs in roles.items():
            for spec in specs.values():
                path = ("profiles", name, role, spec.name)
                check_connection(spec, document, path, kinds, role=role, is_used=name == used)
    return found


def chosen(file: ConnectionsFile, document: Document, wanted: str | None) -> str | None:
    """Return the name of the profile to use, None if there is a problem with it."""
    names = list(file.profiles)
    if wanted is None and file.default is None:
        if len(names) == 1:
            return names[0]
        text = f"There are several profiles and no default: {listed(names, 'and')}."
        document.report("KEY_MISSING", text, mend=f"Add a line: default: {names[0]}")
        return None
    name = wanted or file.default or ""
    if name in names:
        return name
    text = f"There is no profile {shown(name)}.{did_you_mean(name, names)}"
    mend = f"Profiles: {', '.join(names)}."
    document.report("NAME_UNKNOWN", text, ("profiles",) if wanted else ("default",), mend)
    return None


def _specs(entries: Mapping[str, ConnectionFile], document: Document, path: KeyPath) -> Connections:
    return {
        name: connection(name, entry, document, (*path, name)) for name, entry in entries.items()
    }


def connection(
    name: str, entry: ConnectionFile, document: Document, path: KeyPath = ()
) -> ConnectionSpec:
    """Return the connection that stands at a path of a document."""
    config: Any = document.value
    for part in path:
        config = config[part]
    return ConnectionSpec(
        name,
        entry.type,
        {key: value for key, value in config.items() if key not in OWN_KEYS},
        description=entry.description,
        renamed_from=entry.renamed_from,
        places={place_key(at[len(path) :]): place for at, place in _places(document, path, config)},
    )


def _places(document: Document, path: KeyPath, value: object) -> Iterator[tuple[KeyPath, Place]]:
    yield path, document.key_place(path)
    entries: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for key, inner in entries:
        yield from _places(document, (*path, key), inner)


def check_connection(
    spec: ConnectionSpec,
    document: Document,
    path: KeyPath,
    kinds: ConnectorKinds,
    *,
    role: str,
    is_used: bool,
) -> None:
    """Note in the document what is wrong with a connection of a role, such as sources."""
    if role == "destinations" and spec.name == "workspace":
        text = '"workspace" is the name of the workspace itself, which is no destination.'
        document.report("NAME_TWICE", text, path, "Give the destination another name.")
    try:
        config = _config(spec, document, path, kinds, role)
    except ConfigError as error:  # its driver is not installed
        if is_used:
            document.report(error.code, error.message, (*path, "type"), error.mend)
        return
    if config:
        spoiled = {
            document.key_place(one) for one in document.spoiled if one[: len(path)] == path and one
        }
        document.problems += [
            problem for problem in inspect(spec, config) if problem.place not in spoiled
        ]


def _config(
    spec: ConnectionSpec, document: Document, path: KeyPath, kinds: ConnectorKinds, role: str
) -> type[BaseModel] | None:
    known, thing = kinds.of(role), role.removesuffix("s")
    config = known.get(spec.type)
    if config is None:
        text = f"{shown(spec.type)} is not a type of {thing}.{did_you_mean(spec.type, known)}"
        mend = f"Types: {', '.join(sorted(known))}."
        document.report("NAME_UNKNOWN", text, (*path, "type"), mend)
    return config
