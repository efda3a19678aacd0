"""YAML files as people write them, but for forwards; defaults of presets are in `presets.py`."""

import re
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from rowlift.core.nouns import Kind, Mode, Preset, Removed
from rowlift.core.specs import SEGMENT_NAME_LENGTH, is_segment_name
from rowlift.project.names import NAME, name
from rowlift.project.schedules import WEEK, cron, days, interval, start, time, zone
from rowlift.project.units import DURATION, PERCENT, SECONDS, seconds, threshold

PUBLIC_URL = r"https?://[A-Za-z0-9._:\[\]-]+(/[A-Za-z0-9._~/-]*)?"


def _imported(value: Kind) -> Kind:
    if value is Kind.RELATIONSHIP:
        raise ValueError("cannot be relationship: give the sync a second query, relationships")
    return value


def _public_url(value: str) -> str:
    if not re.fullmatch(PUBLIC_URL, value):
        raise ValueError("must be like https://rowlift.example.com, without user name, ? and #")
    return value.rstrip("/")


def _version(value: object) -> object:
    if isinstance(value, bool) or value != 1:
        raise ValueError("must be 1; a higher number was written for a newer Rowlift")
    return value


def _off(value: object, parse: ValidatorFunctionWrapHandler) -> "ScheduleFile":
    if value == "off":
        return ScheduleFile()
    schedule: ScheduleFile = parse(value)
    forms = [name for name in ("every", "cron", "at") if getattr(schedule, name)]
    if len(forms) > 1:
        raise ValueError(f"has both {' and '.join(forms)}: keep one of them")
    if schedule.days and forms != ["at"]:
        raise ValueError('has days, which need a time: {days: [mon], at: "08:00"}')
    if not forms:
        raise ValueError("needs every, at or cron, for example {every: 12h}; or write off")
    return schedule


def _silent(value: object, parse: ValidatorFunctionWrapHandler) -> "AlertsFile":
    if value == "off":
        return AlertsFile(to=[])
    rules: AlertsFile = parse(value)
    return rules


def _times(value: object) -> object:
    if value == "off":
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 1 < value <= 1000:  # noqa: PLR2004
        return float(value)
    raise ValueError("must be a number above 1, such as 3 for three times, or off")


def _percent(value: object) -> object:
    if value != "off" and not isinstance(value, str):
        raise ValueError("must be a share such as 50%, or off")
    threshold(value)
    return value


def _or_off(schema: dict[str, Any]) -> None:
    schema["anyOf"].append({"const": "off"})


def _column(text: str) -> str:
    if not text or len(text) > 128 or not text.isprintable():  # noqa: PLR2004
        raise ValueError("must be a column or trait name of 1 to 128 printable characters")
    return text


def _segment(text: str) -> str:
    if not is_segment_name(text):
        raise ValueError("must be a name of 1 to 128 printable characters, no space around them")
    return text


def _network(text: str) -> str:
    try:
        return str(ip_network(text)).removesuffix("/32").removesuffix("/128")
    except ValueError:
        raise ValueError("must be an address, or a network such as 203.0.113.0/28") from None


def _kept(value: object) -> object:
    total = seconds(value)
    if total < SECONDS["d"]:
        raise ValueError("must be at least 1d")
    return total


def _object_type(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value
    raise ValueError("must be the name or number of a type, for example course")


def _share(value: object) -> object:
    threshold(value)
    return value


def _record_bytes(value: object) -> object:
    if value == "none" or (
        isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10**9
    ):
        return value
    raise ValueError("must be a number of bytes such as 16384, or none for no limit")


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


_PERCENT_OR_ROWS = {
    "anyOf": [
        {"type": "string", "pattern": f"^({PERCENT}|off)$"},
        {"type": "integer", "minimum": 0},
    ]
}

_DAYS = {
    "type": "array", "items": {"enum": list(WEEK)}, "minItems": 1, "uniqueItems": True,
}  # fmt: skip

Name = Annotated[str, BeforeValidator(name), _text(NAME)]
Column = Annotated[str, AfterValidator(_column), Field(max_length=128)]
SegmentName = Annotated[str, AfterValidator(_segment), Field(max_length=SEGMENT_NAME_LENGTH)]
Description = Annotated[str, Field(max_length=2000)]
Seconds = Annotated[int, BeforeValidator(seconds), _text(DURATION)]
Kept = Annotated[int, BeforeValidator(_kept), _text(DURATION)]
Interval = Annotated[str, BeforeValidator(interval), _text(DURATION)]
Cron = Annotated[str, BeforeValidator(cron)]
Days = Annotated[str, BeforeValidator(days), WithJsonSchema(_DAYS)]
Time = Annotated[str, BeforeValidator(time), _text("([01][0-9]|2[0-3]):[0-5][0-9]")]
Start = Annotated[str, BeforeValidator(start)]
Zone = Annotated[str, BeforeValidator(zone)]
Share = Annotated[str | int, PlainValidator(_share), WithJsonSchema(_PERCENT_OR_ROWS)]
Times = Annotated[
    float | str,
    PlainValidator(_times),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 1}, {"const": "off"}]}),
]
Percent = Annotated[
    str,
    PlainValidator(_percent),
    WithJsonSchema({"type": "string", "pattern": f"^({PERCENT}|off)$"}),
]
RecordBytes = Annotated[
    int | str,
    PlainValidator(_record_bytes),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "none"}]}),
]
PublicUrl = Annotated[str, AfterValidator(_public_url), Field(max_length=500)]
NetworkText = Annotated[str, AfterValidator(_network), Field(max_length=50)]
KindKey = Annotated[Kind, AfterValidator(_imported)]
ObjectType = Annotated[str, BeforeValidator(_object_type), Field(max_length=128)]
Identifier = Literal["user_id", "id", "email", "anonymous_id", "group_id", "object_id"]


class FileModel(BaseModel):
    """A mapping in a file; keys that it does not name are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkspaceFile(FileModel):
    """The workspace that people, accounts and their attributes live in."""

    name: Name = Field(description="The workspace's name.")
    identifiers: list[Literal["id", "email"]] = Field(
        ["id", "email"],
        description="What identifies people: id, email, or both.",
        min_length=1,
        max_length=2,
    )
    allow_email_change_by_id: StrictBool = Field(
        default=False,
        description="Whether a sync that identifies people by id may change their e-mail address.",
    )
    viewers_see_values: StrictBool = Field(
        default=False,
        description="Whether viewers see rows and people, not only counts and settings.",
    )
    addresses: list[NetworkText] = Field(
        default_factory=list,
        description="Addresses or networks that connections come from, as others see them.",
        max_length=100,
    )
    public_url: PublicUrl | None = Field(
        None,
        description="Where people reach the service, such as https://rowlift.example.com; alerts "
        "then link to runs.",
    )
    approval: Literal["anybody", "another"] = Field(
        "anybody",
        description="Who lets a plan be done: anybody who may run syncs, or another than who made "
        "it; then nothing lifts a guard against removals but such a plan.",
    )


class RetentionFile(FileModel):
    """For how long what is over is kept; each at least 1d."""

    runs: Kept | None = Field(
        None, description="Runs and their deliveries; the newest of each sync stay: 365d."
    )
    batches: Kept | None = Field(None, description="What became of each request: 7d.")
    rejects: Kept | None = Field(
        None, description="Lists of rejected rows, with the rows themselves: 30d."
    )
    events: Kept | None = Field(None, description="Events of segments: 365d.")
    history: Kept | None = Field(None, description="Former values of attributes: 30d.")
    undo: Kept | None = Field(
        None, description="What was before each run, so that it can be undone: 30d."
    )
    audit: Kept | None = Field(None, description="The audit log: 730d.")


class AlertsFile(FileModel):
    """What is told to channels, and to which; what a sync says goes before the project."""

    to: list[Name] | None = Field(
        None, description="The channels that hear of it: all of them by default; []: none."
    )
    failure: StrictBool | None = Field(
        None, description="Tell of a run, delivery, forward, audience or channel that failed: true."
    )
    rows_failed: Share | None = Field(
        None, description="Tell when more rows failed than this: 0, so of any; 5%, or off."
    )
    guard_stop: StrictBool | None = Field(None, description="Tell of a run a guard stopped: true.")
    missed_slot: StrictBool | None = Field(
        None, description="Tell of slots at which no service ran: true."
    )
    late: StrictBool | None = Field(
        None, description="Tell of what is older than its fresh_within: true."
    )
    slower: Times | None = Field(
        None, description="Tell of a run that took so many times the usual: off."
    )
    count_off: Percent | None = Field(
        None, description="Tell of a result whose rows are so far from the usual number: off."
    )


class RowliftFile(FileModel):
    """rowlift.yml: the project itself."""

    version: Annotated[Literal[1], BeforeValidator(_version)] = Field(
        description="The version of the file format: 1."
    )
    workspace: WorkspaceFile = Field(description="The workspace this project fills.")
    retention: RetentionFile = Field(
        default_factory=RetentionFile, description="For how long what is over is kept."
    )
    alerts: AlertsFile = Field(
        default_factory=AlertsFile, description="What is told of every sync, and to which channels."
    )


class ConnectionFile(BaseModel):
    """One source, destination or channel; its other keys belong to its type."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str = Field(description="The kind of source, destination or channel.")
    description: Description = Field("", description="What this connection is for.")
    renamed_from: Name | None = Field(
        None, description="The connection's former name; keeps its history."
    )


class ProfileFile(FileModel):
    """The connections of one environment, such as dev or production."""

    sources: dict[Name, ConnectionFile] = Field(
        default_factory=dict, description="Databases that queries read, by name."
    )
    destinations: dict[Name, ConnectionFile] = Field(
        default_factory=dict, description="Tools that changes are delivered to, by name."
    )
    channels: dict[Name, ConnectionFile] = Field(
        default_factory=dict, description="Where alerts go, by name."
    )


class ConnectionsFile(FileModel):
    """connections.yml: sources, destinations, channels by profile; secrets only as ${NAME}."""

    default: Name | None = Field(None, description="The profile that is used unless one is chosen.")
    profiles: dict[Name, ProfileFile] = Field(
        description="The environments, by name.", min_length=1
    )


class ScheduleFile(FileModel):
    """When the sync runs by itself: every interval, at a time on some days, or by a cron line."""

    every: Interval | None = Field(None, description="The interval, for example 12h; at least 1m.")
    at: Time | None = Field(None, description='The time of the day, for example "08:00".')
    days: Days | None = Field(
        None, description="The days of at, for example [mon, thu]; every day without them."
    )
    cron: Cron | None = Field(
        None, description="Five fields: minute, hour, day of month, month, day of week."
    )
    start_at: Start | None = Field(
        None, description="The first time, for example 2027-01-31T08:00."
    )
    timezone: Zone | None = Field(
        None, description="The time zone of at, cron and start_at, for example Europe/Berlin."
    )


class LimitsFile(FileModel):
    """What a result may measure before the run stops or a row is discarded."""

    columns: StrictInt | None = Field(
        None, description="Columns of the result, the identifier included.", ge=2, le=10_000
    )
    rows: StrictInt | None = Field(
        None, description="Rows of the result; more stop the run.", ge=1, le=10**12
    )
    record_bytes: RecordBytes | None = Field(
        None, description="Bytes of one encoded record; larger rows are left out; none: no limit."
    )


class GuardsFile(FileModel):
    """What stops a run that looks like a mistake: a share, a number of rows, or off."""

    removals: Share = Field("10%", description="Rows that may leave a full query at once.")
    rejects: Share = Field("50%", description="Rows that may break the rules.")
    unknown: Share = Field(
        "98%",
        description="People who may be unknown when a new or edited query of over 200 rows first "
        "comes and the workspace holds others.",
    )


class SegmentFile(FileModel):
    """The manual segment that people enter whom the sync writes."""

    name: SegmentName = Field(description="The segment's name, for example Open tickets.")
    create: StrictBool = Field(default=False, description="Make it if it does not exist.")


class FeedFile(FileModel):
    """The people of an audience as the rows of a sync."""

    name: SegmentName = Field(description="The audience, or any segment.")
    attributes: list[Column] = Field(
        default_factory=list,
        description="Attributes of the people that go along, id and email among them.",
    )
    trait: Column | None = Field(
        None,
        description="The trait that is true for who is inside and false for who left: the "
        "audience's name.",
    )


def _feed(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class RelationshipsFile(FileModel):
    """A second query whose rows relate people and objects."""

    query: str | None = Field(None, description="The file of the query.")
    sql: str | None = Field(None, description="The query itself, instead of a file.")
    identify_by: Literal["user_id", "id", "email"] = Field(
        description="The column that identifies the people; objects have object_id."
    )
    replace_for: Literal["person", "object"] | None = Field(
        None,
        description="Whose relationships the result lists whole: those of a person (or object) "
        "in the result that it no longer has are removed; all others stay.",
    )


class UseFile(FileModel):
    """How the sync uses one destination."""

    use: Name = Field(description="The destination's name in connections.yml.")
    match: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        None, description="The destination's identifier that the key goes to; default: identify_by."
    )
    fields: dict[Column, Column] = Field(
        default_factory=dict, description="New names: the column, then the destination's trait."
    )
    only: list[Column] = Field(
        default_factory=list, description="The columns that go; all others stay."
    )
    exclude: list[Column] = Field(default_factory=list, description="The columns that do not go.")
    mode: Mode | None = Field(None, description="upsert, update or create; default: the sync's.")
    removed: Removed | None = Field(
        None, description="keep, clear, delete or leave_segment; default: the sync's."
    )


class SyncFile(FileModel):
    """syncs/NAME.yml: one query, what its rows are, and where they go."""

    sync: Name = Field(description="The sync's name.")
    description: Description = Field("", description="What the sync is for.")
    renamed_from: Name | None = Field(
        None, description="The sync's former name; keeps its history."
    )
    preset: Preset = Field(
        Preset.TRAITS,
        description="The family of defaults: traits (strict, stops on bad rows) or import "
        "(lenient, rejects bad rows).",
    )
    kind: KindKey = Field(
        Kind.PERSON, description="What a row is: person, account (an object of type 1) or object."
    )
    object_type: ObjectType | None = Field(
        None, description="The type of objects in whose rows no column object_type says it: 1."
    )
    source: Name | None = Field(
        None,
        description="The source's name in connections.yml, or workspace for the people known here.",
    )
    audience: Annotated[FeedFile, BeforeValidator(_feed)] | None = Field(
        None, description="An audience whose people are the rows, instead of source and query."
    )
    query: str | None = Field(
        None, description="The file of the query, for example models/tickets.sql."
    )
    sql: str | None = Field(None, description="The query itself, instead of a file.")
    identify_by: Identifier | None = Field(
        None, description="The column that identifies a row; accounts: group_id by default."
    )
    workspace: Literal["write", "none"] = Field(
        "write", description="write, or none to go straight to the destinations."
    )
    schedule: Annotated[ScheduleFile, WrapValidator(_off)] | None = Field(
        None,
        description="When it runs; traits: every 12h by default; off: only by hand.",
        json_schema_extra=_or_off,
    )
    on_busy: Literal["skip", "queue"] | None = Field(
        None,
        description="What a slot of the schedule does that finds another run: skip (import), or "
        "queue, to wait for its turn (traits).",
    )
    mode: Mode = Field(
        Mode.UPSERT, description="upsert; update: never make anybody; create: never change anybody."
    )
    removed: Removed = Field(
        Removed.KEEP,
        description="What happens to rows that leave a full query: keep; clear, which takes back "
        "what the sync wrote last; delete, which does so where others have something of the record "
        "and else deletes it; or leave_segment, which changes nothing else.",
    )
    empty_values: Literal["ignore", "delete"] = Field(
        "ignore", description="What an empty value does: nothing, or delete the attribute."
    )
    attributes: dict[Column, Literal["ignore", "delete", "set_if_empty"]] = Field(
        default_factory=dict,
        description="Attributes with a rule of their own: ignore or delete for empty values, or "
        "set_if_empty, which writes only where the workspace has no value yet.",
    )
    empty_strings: Literal["keep", "as_null"] = Field(
        "keep", description="Whether the empty text counts as an empty value."
    )
    suppressed: Literal["skip", "fail"] = Field(
        "skip", description="Whether a suppressed person is passed over or counts as a failed row."
    )
    cursor: Literal["strict", "held_rows"] | None = Field(
        None,
        description="When last_sync_time moves: strict, only if no row failed (import); "
        "held_rows, also then: failed rows are kept and tried again (traits).",
    )
    overlap: Seconds = Field(
        0, description="How far last_sync_time is set back, for rows that arrive late: 5m."
    )
    on_bad_rows: Literal["stop", "reject"] | None = Field(
        None, description="Whether bad rows stop the run (traits) or only stay out (import)."
    )
    second_identifier: Literal["attach", "reject"] = Field(
        "attach",
        description="What happens if only the second identifier of a row is known: attach joins "
        "the row to that person.",
    )
    limits: LimitsFile = Field(default_factory=LimitsFile, description="What a result may measure.")
    guards: GuardsFile = Field(default_factory=GuardsFile, description="What stops a run.")
    segment: SegmentFile | None = Field(
        None, description="The manual segment that people enter whom the sync writes."
    )
    relationships: RelationshipsFile | None = Field(
        None, description="A second query, whose rows relate people and objects."
    )
    destinations: list[UseFile] = Field(
        default_factory=list, description="Where changes go; [] is the workspace only."
    )
    fresh_within: Seconds | None = Field(
        None, description="How old what the sync brought may be, here and at destinations: 24h."
    )
    attributes_fresh_within: dict[Column, Seconds] = Field(
        default_factory=dict, description="The same for single attributes, by column: 1h."
    )
    alerts: Annotated[AlertsFile, WrapValidator(_silent)] | None = Field(
        None,
        description="What is told of this sync, where not what the project says; off: nothing.",
        json_schema_extra=_or_off,
    )
