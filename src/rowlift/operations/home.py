"""One opened project: its files, its state, and its connections by name."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from rowlift.core.errors import ConfigError, StateError
from rowlift.core.nouns import Feed, Kind
from rowlift.core.ports import Destination, Source
from rowlift.core.specs import OWN, ConnectionSpec, ProjectSpec, SyncSpec
from rowlift.core.spelling import did_you_mean
from rowlift.kit.http import Http
from rowlift.kit.masks import Cover, secrets_of
from rowlift.operations.asking import asked, built
from rowlift.operations.recording import Recorder, Witness
from rowlift.project.problems import ProjectInvalid, shown
from rowlift.project.references import SECRET
from rowlift.project.secrets import resolve
from rowlift.registry import destination_kind, source_kind
from rowlift.state.runs import Run
from rowlift.state.store import Store
from rowlift.state.vault import KEY_VARIABLE, Vault
from rowlift.workspace.workspace import Workspace

DATA_DIR = "ROWLIFT_DATA_DIR"
STATE_URL = "ROWLIFT_STATE_URL"
KEEP_REQUESTS = "ROWLIFT_KEEP_REQUESTS"
_STATE_URLS = ("postgresql+psycopg://", "postgresql://", "sqlite://")


class Unsealed(Mapping[str, str]):
    """An environment in which the secrets of the state database stand too, opened when read."""

    def __init__(self, env: Mapping[str, str], vault: Vault) -> None:
        self.outer = env
        self._vault = vault

    def __getitem__(self, name: str) -> str:
        if not name.startswith(SECRET):
            return self.outer[name]
        value = self._vault.open(name.removeprefix(SECRET))
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.outer)

    def __len__(self) -> int:
        return len(self.outer)


@dataclass(frozen=True, slots=True)
class Home:
    """A project with its state; uids by name.

    `files` is what the folder declares, without what is made in Rowlift; it is None where there is
    no rowlift.yml. What is `broken`, by kind and name, is left out of the project. `unread` says
    why the files are not in force as they are by now.
    """

    project: ProjectSpec
    store: Store
    env: Unsealed
    workspace_id: int
    sources: Mapping[str, str]
    destinations: Mapping[str, str]
    syncs: Mapping[str, str]
    channels: Mapping[str, str] = field(default_factory=dict)
    files: ProjectSpec | None = None
    broken: Mapping[tuple[str, str], ProjectInvalid] = field(default_factory=dict)
    forwards: Mapping[str, str] = field(default_factory=dict)
    unread: str = ""
    audiences: Mapping[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Workspace:
        """Return the workspace the project declares."""
        allowed = self.project.workspace.allow_email_change_by_id
        return Workspace(self.store.database, self.workspace_id, allowed)

    def sync(self, name: str) -> SyncSpec:
        """Return a sync by name; raises ConfigError NAME_UNKNOWN."""
        if ("sync", name) in self.broken:
            raise self.broken["sync", name]
        if name not in self.project.syncs:
            known = ", ".join(sorted(self.project.syncs)) or "none"
            text = f"There is no sync {shown(name)}.{did_you_mean(name, self.project.syncs)}"
            raise ConfigError("NAME_UNKNOWN", text, mend=f"Known syncs: {known}.")
        return self.project.syncs[name]

    def relate(self, spec: SyncSpec) -> frozenset[str]:
        """Return which destinations of a sync take relationships, if it has any."""
        if spec.relationships is None:
            return frozenset()
        types = {use.use: self.project.destinations[use.use].type for use in spec.destinations}
        return frozenset(
            name
            for name, kind in types.items()
            if Kind.RELATIONSHIP in destination_kind(kind).accepts.kinds
        )

    def run(self, run_id: int) -> Run:
        """Return a run of this workspace; raises StateError NOT_FOUND."""
        run = self.store.runs.get(run_id)
        if run.workspace_id != self.workspace_id:
            raise StateError("NOT_FOUND", f"There is no run {run_id}.", mend="See rowlift runs.")
        return run

    def declared(self, name: str) -> ConnectionSpec:
        """Return a source as connections.yml has it; raises ConfigError NAME_UNKNOWN."""
        if ("source", name) in self.broken:
            raise self.broken["source", name]
        known = self.project.readable
        if name not in known:
            raise ConfigError(
                "NAME_UNKNOWN",
                f"The source {name} is not declared.",
                mend="Declare it in connections.yml, or name one that is there: "
                f"{', '.join(self.project.sources) or 'there is none'}.",
            )
        return known[name]

    @contextmanager
    def source(self, name: str) -> Iterator[Source]:
        """Open a source and close it afterwards; raises ConfigError when it is not declared."""
        source = self._open_source(self.declared(name))
        try:
            with asked(source):
                yield source
        finally:
            source.close()

    def _open_source(self, declared: ConnectionSpec) -> Source:
        if declared is not OWN:
            return open_source(self.project.root, declared, self.env)
        own: Any = source_kind(declared.type)
        return cast("Source", own(self.workspace))

    @contextmanager
    def destination(self, name: str, feed: Feed) -> Iterator[Destination]:
        """Open a destination for one sync and close it afterwards."""
        if ("destination", name) in self.broken:
            raise self.broken["destination", name]
        if name not in self.project.destinations:
            raise ConfigError(
                "NAME_UNKNOWN",
                f"The destination {name} is not declared any more.",
                mend="Put it back into connections.yml; its rows stay due.",
            )
        declared = self.project.destinations[name]
        recorder = Recorder(
            self.store.exchanges, self.workspace_id, self.destinations[name], feed.sync_uid,
            is_on=self.env.get(KEEP_REQUESTS) != "no",
        )  # fmt: skip
        with recorder:
            destination = open_destination(self.project.root, declared, feed, self.env, recorder)
            try:
                yield destination
            finally:
                destination.close()


def sync_names(home: Home) -> Mapping[str, str]:
    """Return uid → name of every sync there ever was."""
    return home.store.definitions.names(home.workspace_id, "sync")


def open_source(root: Path, connection: ConnectionSpec, env: Mapping[str, str]) -> Source:
    """Build a source from its declaration; relative file names start at the project's root."""
    return built(source_kind(connection.type), source_config(root, connection, env))


def source_config(root: Path, connection: ConnectionSpec, env: Mapping[str, str]) -> BaseModel:
    """Return a source's settings with every reference replaced."""
    return resolve(connection, source_kind(connection.type).Config, env, root)


def open_destination(
    root: Path,
    connection: ConnectionSpec,
    feed: Feed,
    env: Mapping[str, str],
    recorder: Recorder | Witness | None = None,
) -> Destination:
    """Build a destination, with its own guarded HTTP client, from its declaration."""
    kind = destination_kind(connection.type)
    config = resolve(connection, kind.Config, env, root)
    http = Http(getattr(config, "allow_networks", ()))
    if recorder:
        http.watch = recorder.hiding(Cover(secrets_of(config)))
    return kind(config, feed, http)  # type: ignore[call-arg]


def data_folder(root: Path, env: Mapping[str, str]) -> Path:
    """Return where the state of a project's folder lies."""
    return Path(env.get(DATA_DIR) or root / ".rowlift")


def open_store(root: Path, env: Mapping[str, str]) -> Store:
    """Open the state of a project's folder, and make it if there is none."""
    return Store.open(data_folder(root, env), state_url(env), env.get(KEY_VARIABLE) or None)


def state_url(env: Mapping[str, str]) -> str | None:
    """Return the state's URL, which holds a password: no message repeats it."""
    url = env.get(STATE_URL)
    if not url or (url.startswith(_STATE_URLS) and _is_url(url)):
        return url or None
    raise ConfigError(
        "VALUE_WRONG",
        f"{STATE_URL} is not the address of a state database.",
        mend="Write postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, or unset it for SQLite.",
    )


def _is_url(text: str) -> bool:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        return False
    return not (text.startswith("sqlite") and (url.host or url.query))
