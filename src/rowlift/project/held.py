"""Definitions that stand in the state database, read by the rules of files beside what files hold.

One that is wrong, because what it refers to is gone, stands aside and spoils nothing else.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rowlift.core.audiences import AudienceSpec, complete
from rowlift.core.errors import ConfigError, Place
from rowlift.core.nouns import Accepts
from rowlift.core.specs import ConnectionSpec, Managed, ProjectSpec, Settings, SyncSpec
from rowlift.project.check import Guard, abilities, guarded, unable
from rowlift.project.connections import (
    ROLES,
    Connections,
    ConnectorKinds,
    Profile,
    check_connection,
    connection,
)
from rowlift.project.custody import Custody
from rowlift.project.documents import Document, KeyPath
from rowlift.project.files import (
    Reading,
    read_audience,
    read_forward,
    read_sync,
    settings_of,
    validated,
)
from rowlift.project.models import ConnectionFile, RowliftFile
from rowlift.project.names import name as checked_name
from rowlift.project.problems import Problem, ProjectInvalid
from rowlift.project.words import dotted
from rowlift.project.yaml import parse


@dataclass(frozen=True, slots=True)
class Held:
    """What the state database holds, but settings; of edited syncs the query is read."""

    kind: str
    name: str
    document: Mapping[str, Any]
    managed: Managed = "rowlift"
    is_edited: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What definitions are judged by."""

    kinds: ConnectorKinds
    accepts: Mapping[str, Accepts]
    custody: Custody
    guard: Guard


@dataclass(frozen=True, slots=True)
class Admitted:
    """A project with the definitions that hold, and what is wrong with the others."""

    project: ProjectSpec
    broken: Mapping[tuple[str, str], ProjectInvalid]


@dataclass(slots=True)
class _Keyed(Document):
    """A document that has keys but no lines."""

    def place(self, path: KeyPath) -> Place:
        return Place(f"{self.path}, {dotted(path)}" if path else self.path)

    def key_place(self, path: KeyPath) -> Place:
        return self.place(path)


def given(document: Mapping[str, Any] | str, kind: str, name: str) -> Document:
    """Return what somebody wrote, as a mapping or as YAML, with what is wrong in its problems."""
    title = f"{kind} {name}"
    if isinstance(document, str):
        return parse(document, title, private=True)
    try:
        text = json.dumps(document)
    except (TypeError, ValueError, RecursionError):
        text = "null"
    parsed = parse(text, title, private=True)
    problems = [
        Problem(one.code, one.message, place=Place(title), mend=one.mend) for one in parsed.problems
    ]
    return _Keyed(
        title, private=True, value=parsed.value, spoiled=parsed.spoiled, problems=problems
    )


def admit(project: ProjectSpec, held: Iterable[Held], rules: Rules) -> Admitted:
    """Return the project with what the state database holds beside its files."""
    connections: dict[str, Connections] = {
        kind: dict(getattr(project, role)) for kind, role in ROLES.items()
    }
    profile = Profile(
        project.profile, connections["source"], connections["destination"], connections["channel"]
    )
    reading = Reading(
        project.root,
        rules.kinds,
        workspace=project.workspace,
        profile=profile,
        where="the project",
    )
    broken = {}
    for one in sorted(held, key=lambda one: (one.kind not in ROLES, one.kind == "audience")):
        document = _document(one)
        if one.kind == "sync":
            problems = [*_sync(reading, one, document, rules)]
        elif one.kind == "forward":
            problems = _forward(reading, one, document, rules)
        elif one.kind == "audience":
            read_audience(reading, document)
            problems = document.problems
        else:
            problems = _connect(connections[one.kind], one, document, rules)
        if wrong := _wrong(problems):
            broken[one.kind, one.name] = ProjectInvalid(wrong)
    syncs = {name: spec for name, spec in reading.syncs.items() if ("sync", name) not in broken}
    forwards = {
        name: spec for name, spec in reading.forwards.items() if ("forward", name) not in broken
    }
    audiences = {**project.audiences, **reading.audiences}
    all_syncs = {**project.syncs, **syncs}
    broken |= _at_odds(reading.audiences, audiences, all_syncs)
    whole = replace(
        project, sources=profile.sources, destinations=profile.destinations,
        channels=profile.channels, syncs=all_syncs,
        forwards={**project.forwards, **forwards},
        audiences=complete({
            name: spec for name, spec in audiences.items() if ("audience", name) not in broken
        }),
    )  # fmt: skip
    return Admitted(whole, broken)


def settings(document: Document) -> Settings:
    """Return the settings of a workspace; raises ProjectInvalid."""
    file = validated(document, RowliftFile, "the workspace")
    if file is None or _wrong(document.problems):
        raise ProjectInvalid(_wrong(document.problems))
    return settings_of(file)


def name_of(kind: str, name: str) -> str:
    """Return a name that is allowed; raises ConfigError VALUE_WRONG."""
    try:
        return checked_name(name)
    except ValueError as error:
        raise ConfigError("VALUE_WRONG", f"The name of a {kind} {error}.") from None


def _document(one: Held) -> Document:
    return _Keyed(f"{one.kind} {one.name}", private=True, value=dict(one.document))


def _wrong(problems: Iterable[Problem]) -> list[Problem]:
    return [one for one in problems if not one.is_warning]


def _connect(
    connections: dict[str, ConnectionSpec], one: Held, document: Document, rules: Rules
) -> list[Problem]:
    """Add a connection to those that syncs may name, unless it is wrong; return its problems."""
    file = validated(document, ConnectionFile, f"the {one.kind}")
    if file is None:
        return document.problems
    spec = replace(connection(one.name, file, document), managed=one.managed)
    check_connection(spec, document, (), rules.kinds, role=ROLES[one.kind], is_used=True)
    known = rules.kinds.of(ROLES[one.kind])
    if one.managed == "rowlift" and not _wrong(document.problems):
        writes = one.kind == "destination"
        document.problems += rules.custody.judge(spec, known[spec.type], writes=writes)
    if not _wrong(document.problems):
        connections[one.name] = spec
    return document.problems


def _sync(reading: Reading, one: Held, document: Document, rules: Rules) -> Iterator[Problem]:
    for key in ("query", "relationships"):
        if key == "query" and key in document.value:
            _refuse_file(document, (key,))
        elif isinstance(inner := document.value.get(key), dict) and "query" in inner:
            _refuse_file(document, (key, "query"))
    read_sync(reading, document)
    yield from document.problems
    spec = reading.syncs.get(one.name)
    if spec:
        place = reading.places[one.name]
        yield from abilities(reading, spec, place, rules.accepts)
        if one.is_edited:
            yield from guarded(reading, spec, place, rules.guard, {})


def _forward(reading: Reading, one: Held, document: Document, rules: Rules) -> list[Problem]:
    read_forward(reading, document)
    return [*document.problems, *unable(reading, one.name, rules.accepts)]


def _at_odds(
    held: Mapping[str, AudienceSpec],
    audiences: Mapping[str, AudienceSpec],
    syncs: Mapping[str, SyncSpec],
) -> dict[tuple[str, str], ProjectInvalid]:
    """Return which audiences cannot be beside other audiences and syncs, and why."""
    if not held:
        return {}
    from rowlift.project.audiences import quarrels  # noqa: PLC0415 - 0.03 s, for who has one

    found, whole = {}, complete(audiences)
    for name in held:
        at = Place(f"audience {name}")
        wrong = [
            Problem(code, text, place=at, mend=mend)
            for code, text, mend in quarrels(whole[name], whole, syncs.values())
        ]
        if wrong:
            found["audience", name] = ProjectInvalid(wrong)
    return found


def _refuse_file(document: Document, path: KeyPath) -> None:
    text = "A definition in Rowlift holds its query itself; it names no file."
    document.report("VALUE_WRONG", text, path, "Give the text of the query as sql.")
    document.spoiled.add(path)
