"""Sources and destinations as people look at them: what there is, who uses it, whether it works."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from rowlift.core.clock import Clock
from rowlift.core.errors import ConfigError, RowliftError
from rowlift.core.nouns import Finding, Limits
from rowlift.core.specs import ProjectSpec
from rowlift.operations.covering import covered
from rowlift.operations.defining import DefinitionRecord, Written, find, record, would_be
from rowlift.operations.home import Home
from rowlift.operations.kinds import KINDS
from rowlift.operations.rehearsing import SampleMessage, SentMessage, sample_message, send_message
from rowlift.operations.testing import examined, idle_destination
from rowlift.project.connections import OWN_KEYS, ROLES
from rowlift.project.problems import shown
from rowlift.registry import destination_kind, source_kind
from rowlift.state.checkups import Checkup, CheckupFiles
from rowlift.state.definitions import Definition

SANDBOX = "sandbox"  # for tests: it is no tool that anybody has
_NEW = "new_connection"  # what one is called that has no name yet
_PLACES = ("host", "account", "project", "endpoint", "url", "path", "root", "site_id", "region")


Hear = Callable[[Finding], object]


def _unheard(_: Finding) -> None: ...


@dataclass(frozen=True, slots=True)
class KindReport:
    """One type of source or destination, and in one sentence what it is.

    `matches`, `removed` and `events` are what a destination can do; a source has a `dialect`.
    """

    kind: str
    type: str
    about: str
    dialect: str = ""
    rows: Sequence[str] = ()
    matches: Sequence[str] = ()
    removed: Sequence[str] = ()
    events: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """One source or destination: where it leads, who uses it, and what its last test found.

    The limits are a destination's; a list leaves them out.
    """

    definition: DefinitionRecord
    type: str
    place: str
    syncs: Sequence[str]
    forwards: Sequence[str]
    tested: Checkup | None
    limits: Limits | None = None

    @property
    def name(self) -> str:
        """Return its name."""
        return self.definition.name


@dataclass(frozen=True, slots=True)
class Connections:
    """The way to look at connections and to test them, one at a time."""

    home: Home
    clock: Clock

    def kinds(self, kind: str) -> list[KindReport]:
        """Return the types of source or destination that there are."""
        known = KINDS.of(_role(kind))
        return [_kind(kind, each) for each in sorted(known) if each != SANDBOX]

    def list(self, kind: str, *, whole: bool = True) -> list[ConnectionReport]:
        """Return the sources or destinations by name, on demand without the paths of addresses."""
        _role(kind)
        live = self.home.store.definitions.all(self.home.workspace_id, kind)
        found = [self._report(one, whole=whole) for one in live if one.archived_at is None]
        return sorted(found, key=lambda one: one.name)

    def get(self, kind: str, name: str, *, whole: bool = True) -> ConnectionReport:
        """Return one source or destination; raises ConfigError NAME_UNKNOWN."""
        _role(kind)
        found = self._report(find(self.home, kind, name), whole=whole)
        return replace(found, limits=_limits(self.home, name) if kind == "destination" else None)

    def test(
        self, kind: str, name: str, *, discreet: bool = False, hear: Hear = _unheard
    ) -> Checkup:
        """Test one connection step by step, and keep what was found until the next test.

        With `discreet` nothing tells why a server cannot be reached; `hear` is told each step as
        it ends. Raises ConfigError NAME_UNKNOWN.
        """
        _role(kind)
        one = find(self.home, kind, name)
        found = _heard(examined(self.home, kind, name, discreet=discreet), hear)
        checkup = Checkup(self.clock.now().timestamp(), one.version, found)
        self._files.keep(one.uid, checkup)
        return checkup

    def attempt(
        self, kind: str, document: Written, name: str = "", *,
        discreet: bool = False, hear: Hear = _unheard,
    ) -> Sequence[Finding]:  # fmt: skip
        """Test what a connection would be, without keeping it; `name` is the one it would replace.

        Raises ProjectInvalid, and ConfigError SECRET_AGAIN where kept secrets would go elsewhere.
        """
        _role(kind)
        changed = would_be(self.home, kind, name or _NEW, document)
        return _heard(examined(changed, kind, name or _NEW, discreet=discreet), hear)

    def message(self, name: str) -> SampleMessage:
        """Return what a destination's test message would be.

        Raises ConfigError NAME_UNKNOWN and GuardStop TEST_NOT_HARMLESS.
        """
        return sample_message(self.home, self.clock, name)

    def send_message(
        self, name: str, *, discreet: bool = False, values: bool = True
    ) -> SentMessage:
        """Send a destination one made-up person, marked as a test, and return what it answered.

        With `discreet` nothing tells why a server cannot be reached; without `values` bodies show
        names of members only. Raises what `message` does, GuardStop PERSON_SUPPRESSED and Busy.
        """
        return send_message(self.home, self.clock, name, discreet=discreet, values=values)

    @property
    def _files(self) -> CheckupFiles:
        return CheckupFiles(self.home.store.files.root)

    def _report(self, one: Definition, *, whole: bool) -> ConnectionReport:
        syncs, forwards = _users(self.home.project, one)
        told = record(self.home, one)
        return ConnectionReport(
            told if whole else covered(told), str(one.document.get("type", "")),
            _place(one.document), syncs, forwards, self._files.load(one.uid),
        )  # fmt: skip


def _heard(findings: Iterable[Finding], hear: Hear) -> list[Finding]:
    found = []
    for one in findings:
        hear(one)
        found.append(one)
    return found


def _users(project: ProjectSpec, one: Definition) -> tuple[Sequence[str], Sequence[str]]:
    """Return the syncs and the forwards that use a connection."""
    if one.kind == "source":
        return sorted(sync.name for sync in project.syncs.values() if sync.source == one.name), ()
    syncs = [
        sync.name
        for sync in project.syncs.values()
        if any(use.use == one.name for use in sync.destinations)
    ]
    forwards = [each.name for each in project.forwards.values() if each.destination == one.name]
    return sorted(syncs), sorted(forwards)


def _role(kind: str) -> str:
    if kind not in {"source", "destination"}:
        mend = "There are sources and destinations."
        raise ConfigError("NAME_UNKNOWN", f"{shown(kind)} is no kind of connection.", mend=mend)
    return ROLES[kind]


def _limits(home: Home, name: str) -> Limits | None:
    """Return a destination's limits; None where it cannot be opened as it is."""
    try:
        with idle_destination(home, name) as destination:
            return destination.limits
    except RowliftError:
        return None


def _kind(kind: str, name: str) -> KindReport:
    if kind == "source":
        source = source_kind(name)
        return KindReport(kind, name, _about(source), source.dialect)
    able = destination_kind(name)
    can = able.accepts
    return KindReport(
        kind, name, _about(able), rows=sorted(can.kinds), matches=sorted(can.matches),
        removed=sorted(can.removed), events=sorted(can.events),
    )  # fmt: skip


def _about(connector: type[object]) -> str:
    first, *_ = (connector.__doc__ or "").strip().split("\n\n")
    return " ".join(first.split())


def _place(document: Mapping[str, Any]) -> str:
    """Return where a connection leads, as far as anybody may know it: of an address its host."""
    told = {key: value for key, value in document.items() if key not in OWN_KEYS}
    for key in _PLACES:
        value = told.get(key)
        if isinstance(value, str) and value:
            return _host(value) if "://" in value else value
    return ""


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
