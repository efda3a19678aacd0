"""connections.yml as specs: every profile is checked, one of them is used."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from rowlift.core.errors import Place
from rowlift.core.specs import ConnectionSpec
from rowlift.project.documents import Document, KeyPath
from rowlift.project.models import ConnectionFile, ConnectionsFile, ProfileFile
from rowlift.project.problems import did_you_mean, listed
from rowlift.project.secrets import inspect, place_key

Role = Literal["sources", "destinations"]
Connections = dict[str, ConnectionSpec]

OWN_KEYS = frozenset(ConnectionFile.model_fields)


@dataclass(frozen=True, slots=True)
class Kinds:
    """The configuration class of each type of source and of destination."""

    sources: Mapping[str, type[BaseModel]]
    destinations: Mapping[str, type[BaseModel]]

    def of(self, role: Role) -> Mapping[str, type[BaseModel]]:
        return self.sources if role == "sources" else self.destinations


@dataclass(frozen=True, slots=True)
class Profile:
    """The connections of one profile."""

    name: str
    sources: Connections
    destinations: Connections


def profiles(file: ConnectionsFile, document: Document, kinds: Kinds) -> dict[str, Profile]:
    """Return all profiles; what is wrong with their connections is noted in the document."""
    return {
        name: Profile(
            name,
            _connections(profile, document, ("profiles", name, "sources"), kinds),
            _connections(profile, document, ("profiles", name, "destinations"), kinds),
        )
        for name, profile in file.profiles.items()
    }


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
    text = f'There is no profile "{name}".{did_you_mean(name, names)}'
    mend = f"Profiles: {', '.join(names)}."
    document.report("NAME_UNKNOWN", text, ("profiles",) if wanted else ("default",), mend)
    return None


def _connections(
    profile: ProfileFile, document: Document, path: tuple[str, str, Role], kinds: Kinds
) -> Connections:
    role = path[-1]
    entries = profile.sources if role == "sources" else profile.destinations
    specs = {name: _spec(name, entry, document, (*path, name)) for name, entry in entries.items()}
    for name, spec in specs.items():
        _check(spec, document, (*path, name), kinds.of(role))
    return specs


def _spec(name: str, entry: ConnectionFile, document: Document, path: KeyPath) -> ConnectionSpec:
    config: Any = document.value
    for part in path:
        config = config[part]
    return ConnectionSpec(
        name,
        entry.type,
        {key: value for key, value in config.items() if key not in OWN_KEYS},
        description=entry.description,
        renamed_from=entry.renamed_from,
        places=dict(_places(document, path)),
    )


def _places(document: Document, path: KeyPath) -> Iterator[tuple[str, Place]]:
    depth = len(path)
    for at in document.places:
        if at[:depth] == path:
            yield place_key(at[depth:]), document.key_place(at)


def _check(
    spec: ConnectionSpec,
    document: Document,
    path: KeyPath,
    kinds: Mapping[str, type[BaseModel]],
) -> None:
    if spec.type not in kinds:
        thing = "source" if path[-2] == "sources" else "destination"
        text = f'"{spec.type}" is not a type of {thing}.{did_you_mean(spec.type, kinds)}'
        mend = f"Types: {', '.join(sorted(kinds))}."
        document.report("NAME_UNKNOWN", text, (*path, "type"), mend)
        return
    spoiled = {document.key_place(one) for one in document.spoiled if one[: len(path)] == path}
    document.problems += [
        problem for problem in inspect(spec, kinds[spec.type]) if problem.place not in spoiled
    ]
