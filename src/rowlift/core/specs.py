"""What the user declared, resolved: every default filled in, every file read, no secret inside."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

from rowlift.core.audiences import AudienceSpec
from rowlift.core.errors import Place
from rowlift.core.nouns import Kind, Mode, Preset, Removed

WORKSPACE_SOURCE = "workspace"  # the source that is there without being declared
IdentifyBy = Literal["user_id", "email", "anonymous_id", "group_id", "object_id"]
Parent = Literal["person", "object"]
Policy = Literal["ignore", "delete", "set_if_empty"]
Managed = Literal["files", "rowlift"]


@dataclass(frozen=True, slots=True)
class WorkspaceSpec:
    """The workspace and its identity rules; `identifiers` holds id, email or both.

    `addresses` are those, or the networks, that connections come from as others see them;
    `public_url` is where people reach the service, empty where nobody said so. `approval` says
    whether a plan wants the word of another than who made it.
    """

    name: str
    identifiers: tuple[str, ...] = ("id", "email")
    allow_email_change_by_id: bool = False
    viewers_see_values: bool = False
    addresses: tuple[str, ...] = ()
    public_url: str = ""
    approval: Literal["anybody", "another"] = "anybody"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a workspace's document says; `alerts` are the rules of all syncs, as written."""

    workspace: WorkspaceSpec
    retention: "RetentionSpec"
    alerts: Mapping[str, Any]


_DAY = 86_400


@dataclass(frozen=True, slots=True)
class RetentionSpec:
    """For how many seconds what is over is kept; `runs` are the most for batches, rejects, undo."""

    runs: int = 365 * _DAY
    batches: int = 7 * _DAY
    rejects: int = 30 * _DAY
    events: int = 365 * _DAY
    history: int = 30 * _DAY
    undo: int = 30 * _DAY
    audit: int = 730 * _DAY


@dataclass(frozen=True, slots=True)
class Threshold:
    """How much a guard lets pass: a share of the rows in percent, or a number of rows."""

    percent: float | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class AlertSpec:
    """What of a sync is told, and to which channels; None of `to` is all of them.

    `slower` is how many times the usual duration, `count_off` by how many percent of the usual
    number of rows; None is a rule that is off, as is False.
    """

    to: tuple[str, ...] | None = None
    failure: bool = True
    guard_stop: bool = True
    missed_slot: bool = True
    late: bool = True
    rows_failed: Threshold | None = Threshold(rows=0)
    slower: float | None = None
    count_off: float | None = None


@dataclass(frozen=True, slots=True)
class FreshSpec:
    """How many seconds old what is known may be: of a sync, and of single attributes."""

    within: int | None = None
    attributes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GuardSpec:
    """The thresholds above which a run stops; None is a guard that was switched off."""

    removals: Threshold | None = Threshold(percent=10)
    rejects: Threshold | None = Threshold(percent=50)
    unknown: Threshold | None = Threshold(percent=98)


@dataclass(frozen=True, slots=True)
class LimitSpec:
    """What a result may measure; columns count the identifier, None of bytes is no limit."""

    columns: int
    rows: int
    record_bytes: int | None


@dataclass(frozen=True, slots=True)
class UseSpec:
    """How one sync uses one destination; `fields` renames columns to traits.

    All columns go unless `only` names those that do or `exclude` those that do not.
    """

    use: str
    match: str
    fields: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    mode: Mode = Mode.UPSERT
    removed: Removed = Removed.KEEP


@dataclass(frozen=True, slots=True)
class RelationshipSpec:
    """The second query of a sync, whose rows relate people and objects.

    With `replace_for` the rows that name a parent are all its relationships of this sync.
    """

    sql: str
    identify_by: IdentifyBy
    replace_for: Parent | None = None


SEGMENT_NAME_LENGTH = 128


def is_segment_name(text: str) -> bool:
    """Tell whether a text can name a segment: printable characters, no space around them."""
    return 0 < len(text) <= SEGMENT_NAME_LENGTH and text.isprintable() and text == text.strip()


@dataclass(frozen=True, slots=True)
class SegmentSpec:
    """The manual segment that people enter whom a sync writes; made if `create` says so."""

    name: str
    create: bool = False


SKIPS_IN_A_ROW = 2  # a sync that was skipped so often waits the next time, whatever on_busy says


@dataclass(frozen=True, slots=True)
class SyncSpec:
    """One sync with every setting decided; frozen into each run as JSON.

    `identify_by: user_id` is met by a column user_id or id. `workspace` is false for a sync that
    goes straight to its destinations. `sql` is the text as written, its {{…}} not yet rendered.
    With an `audience`, the segment whose people are its rows, it runs whenever these change.
    """

    name: str
    preset: Preset
    kind: Kind
    source: str
    sql: str
    identify_by: IdentifyBy
    limits: LimitSpec
    guards: GuardSpec = GuardSpec()
    description: str = ""
    workspace: bool = True
    mode: Mode = Mode.UPSERT
    removed: Removed = Removed.KEEP
    empty_values: Literal["ignore", "delete"] = "ignore"
    empty_strings: Literal["keep", "as_null"] = "keep"
    suppressed: Literal["skip", "fail"] = "skip"
    cursor: Literal["strict", "held_rows"] = "held_rows"
    overlap_seconds: int = 0
    on_bad_rows: Literal["stop", "reject"] = "stop"
    second_identifier: Literal["attach", "reject"] = "attach"
    object_type: str = "1"  # of objects whose rows do not say
    attributes: Mapping[str, Policy] = field(default_factory=dict)  # where empty_values is not it
    relationships: RelationshipSpec | None = None
    replace_for: Parent | None = None
    segment: SegmentSpec | None = None
    on_busy: Literal["skip", "queue"] = "queue"
    schedule: Mapping[str, str] | None = None  # every | at, days | cron; start_at, timezone
    destinations: tuple[UseSpec, ...] = ()
    fresh: FreshSpec = FreshSpec()
    alerts: Mapping[str, Any] = field(default_factory=dict)  # as written, over the project's
    audience: str | None = None
    renamed_from: str | None = None

    @property
    def relating(self) -> Self | None:
        """Return the second query as a sync of relationships; None where there is none."""
        second = self.relationships
        if second is None:
            return None
        removed = Removed.DELETE if second.replace_for else Removed.KEEP
        uses = [UseSpec(use.use, second.identify_by, removed=removed) for use in self.destinations]
        return replace(
            self, kind=Kind.RELATIONSHIP, sql=second.sql, identify_by=second.identify_by,
            replace_for=second.replace_for, relationships=None, mode=Mode.UPSERT, attributes={},
            segment=None, removed=removed, destinations=tuple(uses),
        )  # fmt: skip

    def to_json(self) -> str:
        """Return the spec as one JSON object with sorted keys."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Build the spec that `to_json` wrote."""
        raw: dict[str, Any] = json.loads(text)
        guards = {name: value and Threshold(**value) for name, value in raw["guards"].items()}
        second, segment = raw["relationships"], raw["segment"]
        raw |= {
            "relationships": second and RelationshipSpec(**second),
            "segment": segment and SegmentSpec(**segment),
            "preset": Preset(raw["preset"]),
            "kind": Kind(raw["kind"]),
            "mode": Mode(raw["mode"]),
            "removed": Removed(raw["removed"]),
            "limits": LimitSpec(**raw["limits"]),
            "guards": GuardSpec(**guards),
            "destinations": tuple(_use(one) for one in raw["destinations"]),
            "fresh": FreshSpec(**raw.get("fresh", {})),
        }
        return cls(**raw)


def _use(raw: dict[str, Any]) -> UseSpec:
    return UseSpec(
        **raw
        | {
            "only": tuple(raw["only"]),
            "exclude": tuple(raw["exclude"]),
            "mode": Mode(raw["mode"]),
            "removed": Removed(raw["removed"]),
        }
    )


EventType = Literal["track", "page", "screen"]


@dataclass(frozen=True, slots=True)
class ForwardSpec:
    """Which events go on to which destination, and with which traits of their person.

    A person is named by the first of `match` that they have. Of `types` and `names` the latter may
    be empty, for all; `traits` are named by what they are called at the destination.
    """

    name: str
    destination: str
    match: tuple[str, ...]
    types: tuple[EventType, ...]
    names: tuple[str, ...] = ()
    traits: Mapping[str, str] = field(default_factory=dict)
    start: Literal["now", "beginning"] = "now"
    description: str = ""
    renamed_from: str | None = None

    def to_json(self) -> str:
        """Return the spec as one JSON object with sorted keys."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True, slots=True)
class ConnectionSpec:
    """A source, destination or channel as declared; secrets are references such as ${NAME}.

    `places` tells where each key of `config` stands, by dotted path; "" is the connection itself.
    """

    name: str
    type: str
    config: Mapping[str, Any]
    description: str = ""
    renamed_from: str | None = None
    managed: Managed = "files"
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)


# A source that nobody declares; one that somebody declares by its name is in its place.
OWN = ConnectionSpec(WORKSPACE_SOURCE, WORKSPACE_SOURCE, {}, managed="rowlift")


@dataclass(frozen=True, slots=True)
class ProjectSpec:
    """A whole project folder, read with one profile of its connections.

    `documents` holds what was written: by kind and name, as the mapping of the YAML, with queries
    in it and without secrets.
    """

    root: Path
    profile: str
    workspace: WorkspaceSpec
    sources: Mapping[str, ConnectionSpec]
    destinations: Mapping[str, ConnectionSpec]
    syncs: Mapping[str, SyncSpec]
    retention: RetentionSpec = RetentionSpec()
    channels: Mapping[str, ConnectionSpec] = field(default_factory=dict)
    alerts: Mapping[str, Any] = field(default_factory=dict)  # the rules as written
    documents: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    forwards: Mapping[str, ForwardSpec] = field(default_factory=dict)
    audiences: Mapping[str, AudienceSpec] = field(default_factory=dict)

    @property
    def readable(self) -> Mapping[str, ConnectionSpec]:
        """The sources that syncs may read: those declared, and the workspace itself."""
        return {OWN.name: OWN, **self.sources}
