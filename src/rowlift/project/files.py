"""A project folder, read into specs: rowlift.yml, connections.yml, and a file for each other thing.

Every file is read to its end and every problem is collected, so that one look mends them all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rowlift.core.audiences import AudienceSpec, complete
from rowlift.core.errors import Place
from rowlift.core.specs import (
    ConnectionSpec,
    ForwardSpec,
    ProjectSpec,
    RetentionSpec,
    Settings,
    SyncSpec,
    WorkspaceSpec,
)
from rowlift.core.spelling import did_you_mean
from rowlift.project.connections import ConnectorKinds, Profile, chosen, profiles
from rowlift.project.documents import Document, KeyPath
from rowlift.project.feeds import expanded, require_rows
from rowlift.project.forwards import ForwardFile
from rowlift.project.inlining import confided, inlined, without_former_name
from rowlift.project.models import (
    ConnectionsFile,
    RelationshipsFile,
    RowliftFile,
    SyncFile,
)
from rowlift.project.problems import Problem, ProjectInvalid, in_order
from rowlift.project.syncs import specify
from rowlift.project.texts import read_text
from rowlift.project.words import problems, where
from rowlift.project.yaml import read_document

ROWLIFT = "rowlift.yml"
CONNECTIONS = "connections.yml"
SYNCS = "syncs"
MODELS = "models"
FORWARDS = "forwards"
AUDIENCES = "audiences"
DECLARED = (ROWLIFT, CONNECTIONS, SYNCS, MODELS, FORWARDS, AUDIENCES)

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class SyncPlace:
    """Where a sync's settings and its queries stand; an inline query has no file of its own."""

    document: Document
    query: Place
    relationships: Place | None = None


@dataclass(slots=True)
class Reading:
    """What one look at a folder found; `spec` is None as long as a problem is not a warning."""

    root: Path
    kinds: ConnectorKinds
    problems: list[Problem] = field(default_factory=list)
    workspace: WorkspaceSpec | None = None
    retention: RetentionSpec = field(default_factory=RetentionSpec)
    alerts: Mapping[str, Any] = field(default_factory=dict)
    profile: Profile | None = None
    syncs: dict[str, SyncSpec] = field(default_factory=dict)
    places: dict[str, SyncPlace] = field(default_factory=dict)
    forwards: dict[str, ForwardSpec] = field(default_factory=dict)
    forward_places: dict[str, Document] = field(default_factory=dict)
    audiences: dict[str, AudienceSpec] = field(default_factory=dict)
    audience_places: dict[str, Document] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    where: str = CONNECTIONS  # what declares sources and destinations

    @property
    def spec(self) -> ProjectSpec | None:
        broken = any(not problem.is_warning for problem in self.problems)
        if broken or self.workspace is None or self.profile is None:
            return None
        return ProjectSpec(
            root=self.root,
            profile=self.profile.name,
            workspace=self.workspace,
            sources=self.profile.sources,
            destinations=self.profile.destinations,
            channels=self.profile.channels,
            syncs=self.syncs,
            forwards=self.forwards,
            audiences=self.audiences,
            retention=self.retention,
            alerts=self.alerts,
            documents={
                "workspace": {self.workspace.name: self.settings},
                "source": {
                    name: confided(one, self.kinds.sources)
                    for name, one in self.profile.sources.items()
                },
                "destination": {
                    name: confided(one, self.kinds.destinations)
                    for name, one in self.profile.destinations.items()
                },
                "channel": {
                    name: confided(one, self.kinds.channels)
                    for name, one in self.profile.channels.items()
                },
                "sync": {
                    name: inlined(self.places[name].document.value, one)
                    for name, one in self.syncs.items()
                },
                "forward": {
                    name: without_former_name(self.forward_places[name].value)
                    for name in self.forwards
                },
                "audience": {
                    name: without_former_name(self.audience_places[name].value)
                    for name in self.audiences
                },
            },
        )


def load(root: Path, kinds: ConnectorKinds, *, profile: str | None = None) -> ProjectSpec:
    """Return the project of a folder; raises ProjectInvalid with every problem it has."""
    reading = read(root, kinds, profile=profile)
    spec = reading.spec
    if spec is None:
        raise ProjectInvalid(one for one in reading.problems if not one.is_warning)
    return spec


def read(root: Path, kinds: ConnectorKinds, *, profile: str | None = None) -> Reading:
    """Read a folder; what is wrong stands in the reading's problems, by file and line."""
    reading = Reading(root, kinds)
    if not (root / ROWLIFT).is_file():
        reading.problems.append(_no_project(root))
        return reading
    settings = _read_workspace(reading)
    _read_connections(reading, profile)
    _check_hearers(reading, settings, ("alerts", "to"), reading.alerts)
    reading.problems += settings.problems
    for path in _files_in(reading, SYNCS):
        read_sync(reading, read_document(path, _printable(f"{SYNCS}/{path.name}")))
    for path in _files_in(reading, FORWARDS):
        read_forward(reading, read_document(path, _printable(f"{FORWARDS}/{path.name}")))
    for path in _files_in(reading, AUDIENCES):
        read_audience(reading, read_document(path, _printable(f"{AUDIENCES}/{path.name}")))
    _check_audiences(reading)
    _check_renames(reading)
    reading.problems = list(in_order(reading.problems))
    return reading


def _no_project(root: Path) -> Problem:
    near = [name for name in ("rowlift.yaml", "rowlift.YML") if (root / name).is_file()]
    text = f"There is no {ROWLIFT} in {root.resolve()}."
    return Problem("NO_PROJECT", text, mend=f"Rename {near[0]} to {ROWLIFT}." if near else "")


def _read_workspace(reading: Reading) -> Document:
    document = read_document(reading.root / ROWLIFT, ROWLIFT)
    file = validated(document, RowliftFile, ROWLIFT)
    if file:
        found = settings_of(file)
        reading.workspace, reading.retention = found.workspace, found.retention
        reading.alerts, reading.settings = found.alerts, document.value
    return document


def settings_of(file: RowliftFile) -> Settings:
    """Return the workspace of a file, for how long it keeps what is over, and what it tells."""
    workspace = WorkspaceSpec(
        file.workspace.name,
        tuple(dict.fromkeys(file.workspace.identifiers)),
        file.workspace.allow_email_change_by_id,
        file.workspace.viewers_see_values,
        tuple(dict.fromkeys(file.workspace.addresses)),
        file.workspace.public_url or "",
        file.workspace.approval,
    )
    retention = RetentionSpec(**file.retention.model_dump(exclude_none=True))
    return Settings(workspace, retention, file.alerts.model_dump(exclude_none=True))


def _read_connections(reading: Reading, wanted: str | None) -> None:
    document = read_document(reading.root / CONNECTIONS, CONNECTIONS, private=True)
    file = validated(document, ConnectionsFile, CONNECTIONS)
    if file:
        name = chosen(file, document, wanted)
        found = profiles(file, document, reading.kinds, name)
        reading.profile = found[name] if name else None
        for profile in found.values():
            for role in (profile.sources, profile.destinations, profile.channels):
                document.problems += _renamed(role, lambda one: one.places[""])
    reading.problems += document.problems


def validated(document: Document, model: type[_Model], thing: str) -> _Model | None:
    """Return a document as its model; problems that were not yet said are noted in it."""
    if document.is_spoiled(()):
        return None
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        document.problems += [
            problem
            for path, problem in problems(error, model, where(document, thing))
            if not document.is_spoiled(path)
        ]
    return None


def _files_in(reading: Reading, name: str) -> list[Path]:
    folder = reading.root / name
    try:
        found = list(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        text = f"The folder {name} cannot be read: {error.strerror}."
        reading.problems.append(Problem("FILE_UNREADABLE", text))
        return []
    return sorted(one for one in found if one.suffix in {".yml", ".yaml"})


def read_sync(reading: Reading, document: Document) -> None:
    """Read a sync's document beside the connections and syncs that were read before."""
    written = validated(document, SyncFile, "the sync")
    require_rows(document)
    if written:
        file = expanded(written, document)
        sql, place = _query(reading.root, file, document, file.sync)
        related, second = "", None
        if file.relationships:
            name = f"{file.sync}_relationships"
            related, second = _query(
                reading.root, file.relationships, document, name, ("relationships",)
            )
        _check_names(reading, file, document)
        spec = specify(file, document, sql, related, reading.workspace)
        if spec:
            reading.syncs[file.sync] = spec
        reading.places[file.sync] = SyncPlace(document, place, second)
    reading.problems += document.problems


def read_forward(reading: Reading, document: Document) -> None:
    """Read a forward's document beside the connections that were read before."""
    file = validated(document, ForwardFile, "the forward")
    if file:
        if file.forward in reading.forwards:
            first = reading.forward_places[file.forward].path
            text = f'The name "{file.forward}" is taken by the forward in {first}.'
            document.report("NAME_TWICE", text, ("forward",))
        elif reading.profile is not None:
            named = [(("destination",), file.destination)]
            _check_known(reading, document, "destination", reading.profile.destinations, named)
        reading.forwards[file.forward] = file.spec()
        reading.forward_places[file.forward] = document
    reading.problems += document.problems


def read_audience(reading: Reading, document: Document) -> None:
    """Read an audience's document."""
    from rowlift.project.audiences import AudienceFile  # noqa: PLC0415 - 0.03 s, for who has one

    file = validated(document, AudienceFile, "the audience")
    if file:
        if file.audience in reading.audiences:
            first = reading.audience_places[file.audience].path
            text = f'The name "{file.audience}" is taken by the audience in {first}.'
            document.report("NAME_TWICE", text, ("audience",))
        reading.audiences[file.audience] = file.spec()
        reading.audience_places[file.audience] = document
    reading.problems += document.problems


def _check_audiences(reading: Reading) -> None:
    if not reading.audiences:
        return
    from rowlift.project.audiences import quarrels  # noqa: PLC0415 - as above

    whole = complete(reading.audiences)
    for name in reading.audiences:
        for code, text, mend in quarrels(whole[name], whole, reading.syncs.values()):
            place = reading.audience_places[name].place(("audience",))
            reading.problems.append(Problem(code, text, place=place, mend=mend))


def _printable(name: str) -> str:
    return name if name.isprintable() else ascii(name)[1:-1]


def _check_names(reading: Reading, file: SyncFile, document: Document) -> None:
    if file.sync in reading.places:
        first = reading.places[file.sync].document.path
        text = f'The name "{file.sync}" is taken by the sync in {first}.'
        document.report("NAME_TWICE", text, ("sync",))
    if reading.profile is None:
        return
    uses: list[tuple[KeyPath, str]] = [
        (("destinations", index, "use"), use.use) for index, use in enumerate(file.destinations)
    ]
    for thing, known, named in (
        ("source", reading.profile.readable, [(("source",), file.source)]),
        ("destination", reading.profile.destinations, uses),
    ):
        _check_known(reading, document, thing, known, named)
    if file.alerts:
        rules = file.alerts.model_dump(exclude_none=True)
        _check_hearers(reading, document, ("alerts", "to"), rules)


def _check_hearers(
    reading: Reading, document: Document, path: KeyPath, rules: Mapping[str, Any]
) -> None:
    """Note the channels that rules name and nobody declares."""
    if reading.profile:
        named = [((*path, index), name) for index, name in enumerate(rules.get("to", ()))]
        _check_known(reading, document, "channel", reading.profile.channels, named)


def _check_known(
    reading: Reading,
    document: Document,
    thing: str,
    known: Mapping[str, ConnectionSpec],
    named: Sequence[tuple[KeyPath, str | None]],
) -> None:
    for path, name in named:
        if name is not None and name not in known:
            text = f'There is no {thing} "{name}" in {reading.where}.{did_you_mean(name, known)}'
            mend = f"Known: {', '.join(known)}." if known else f"Add it to {reading.where}."
            document.report("NAME_UNKNOWN", text, path, mend)


def _query(
    root: Path,
    file: SyncFile | RelationshipsFile,
    document: Document,
    name: str,
    at: KeyPath = (),
) -> tuple[str, Place]:
    if document.is_spoiled((*at, "sql")) or document.is_spoiled((*at, "query")):
        return "", document.place(at)
    if (file.query is None) == (file.sql is None):
        code = "KEY_MISSING" if file.query is None else "VALUE_WRONG"
        inside = "relationships needs" if at else "A sync needs"
        text = f"{inside} its query: either query, a file, or sql, the text itself."
        mend = f"Add query: {MODELS}/{name}.sql" if file.query is None else "Keep one of them."
        document.report(code, text, (*at, "sql") if file.sql else at, mend)
        return "", document.place(at)
    if file.sql is not None:
        place = document.place((*at, "sql"))
        sql = file.sql
    else:
        sql, place = _query_file(root, file.query or "", document, document.place((*at, "query")))
    if not sql.strip() and not document.problems:
        document.problems.append(Problem("SQL_EMPTY", "The query is empty.", place=place))
    return sql, place


def _query_file(root: Path, name: str, document: Document, place: Place) -> tuple[str, Place]:
    try:
        path = _inside(root, name)
        shown = _printable(name)
        return read_text(path, shown), Place(shown)
    except Problem as problem:
        missing = problem.code == "FILE_MISSING"
        hint = did_you_mean(name, _models(root)) if missing else ""
        at = problem.place if problem.place and problem.place.line else place
        text = f"{problem.message}{hint}"
        document.problems.append(Problem(problem.code, text, place=at, mend=problem.mend))
    return "", place


def _inside(root: Path, name: str) -> Path:
    """Return a file of the project; what leads out of its folder, by a link too, is refused."""
    try:
        path = (root / name).resolve()
        if path.is_relative_to(root.resolve()) and not Path(name).is_absolute():
            return path
    except (OSError, RuntimeError, ValueError):
        raise Problem("FILE_UNREADABLE", f"{_printable(name)} is not a usable path.") from None
    text = f"{_printable(name)} lies outside the project's folder."
    raise Problem("FILE_OUTSIDE_ROOT", text, mend=f"Move it to {MODELS}/ and name it from there.")


def _models(root: Path) -> list[str]:
    folder = root / MODELS
    return [f"{MODELS}/{one.name}" for one in folder.glob("*.sql")] if folder.is_dir() else []


def _check_renames(reading: Reading) -> None:
    reading.problems += _renamed(
        reading.syncs, lambda spec: reading.places[spec.name].document.place(("renamed_from",))
    )
    reading.problems += _renamed(
        reading.forwards, lambda spec: reading.forward_places[spec.name].place(("renamed_from",))
    )
    reading.problems += _renamed(
        reading.audiences, lambda spec: reading.audience_places[spec.name].place(("renamed_from",))
    )


_Named = TypeVar("_Named", ConnectionSpec, SyncSpec, ForwardSpec, AudienceSpec)


def _renamed(specs: Mapping[str, _Named], place: Callable[[_Named], Place]) -> Iterator[Problem]:
    """Yield former names that are still in use, or claimed by two."""
    claimed: dict[str, str] = {}
    for spec in specs.values():
        former = spec.renamed_from
        if former is None:
            continue
        if former in specs:
            text = f'renamed_from names "{former}", which still exists.'
            yield Problem("NAME_TWICE", text, place=place(spec), mend="Remove one of the two.")
        elif former in claimed:
            text = f'"{claimed[former]}" says too that it was "{former}" before.'
            yield Problem("NAME_TWICE", text, place=place(spec), mend="Keep one of the two.")
        claimed[former] = spec.name
