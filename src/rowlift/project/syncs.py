"""A sync's file as a spec: the preset's defaults filled in, its settings checked together."""

from collections.abc import Mapping

from rowlift.core.nouns import Kind, Preset, Removed
from rowlift.core.specs import (
    FreshSpec,
    GuardSpec,
    IdentifyBy,
    LimitSpec,
    RelationshipSpec,
    SegmentSpec,
    SyncSpec,
    UseSpec,
    WorkspaceSpec,
)
from rowlift.project.documents import Document, KeyPath
from rowlift.project.models import GuardsFile, LimitsFile, SyncFile, UseFile
from rowlift.project.presets import PRESETS, Defaults
from rowlift.project.problems import listed
from rowlift.project.units import threshold

IDENTIFIERS: dict[Kind, tuple[IdentifyBy, ...]] = {
    Kind.PERSON: ("user_id", "email", "anonymous_id"),
    Kind.ACCOUNT: ("group_id", "object_id"),
    Kind.OBJECT: ("object_id",),
}
_THINGS = {Kind.PERSON: "people", Kind.ACCOUNT: "accounts", Kind.OBJECT: "objects"}
_DEFAULT_KEY: dict[Kind, IdentifyBy] = {Kind.ACCOUNT: "group_id", Kind.OBJECT: "object_id"}


def specify(
    file: SyncFile, document: Document, sql: str, related: str, workspace: WorkspaceSpec | None
) -> SyncSpec | None:
    """Return the resolved sync; what contradicts itself is noted in the document."""
    key = _identify_by(file, document, workspace)
    _check_uses(file, document)
    _check_kind(file, document, workspace)
    _check_segment(file, document)
    if file.audience and not file.destinations:
        text = "The people of an audience go nowhere: the sync has no destinations."
        document.report("VALUE_WRONG", text, ("audience",), "Name a destination.")
    elif file.workspace == "none" and not file.destinations:
        text = "workspace: none and no destinations: the sync would write nothing."
        document.report("VALUE_WRONG", text, ("workspace",), "Name a destination, or write.")
    if key is None:
        return None
    defaults = PRESETS[file.preset]
    return SyncSpec(
        name=file.sync,
        preset=file.preset,
        kind=file.kind,
        source=file.source or "",
        sql=sql,
        identify_by=key,
        limits=_limits(file.limits, defaults),
        guards=_guards(file.guards),
        description=file.description,
        workspace=file.workspace == "write",
        mode=file.mode,
        removed=file.removed,
        empty_values=file.empty_values,
        empty_strings=file.empty_strings,
        suppressed=file.suppressed,
        cursor=file.cursor or defaults.cursor,
        overlap_seconds=file.overlap,
        on_bad_rows=file.on_bad_rows or defaults.on_bad_rows,
        second_identifier=file.second_identifier,
        object_type=file.object_type or "1",
        attributes=dict(sorted(file.attributes.items())),
        relationships=_relationships(file, related),
        segment=SegmentSpec(file.segment.name, file.segment.create) if file.segment else None,
        schedule=_schedule(file, defaults),
        on_busy=file.on_busy or defaults.on_busy,
        destinations=tuple(_use(use, file, key) for use in file.destinations),
        fresh=FreshSpec(file.fresh_within, dict(sorted(file.attributes_fresh_within.items()))),
        alerts=file.alerts.model_dump(exclude_none=True) if file.alerts else {},
        audience=file.audience.name if file.audience else None,
        renamed_from=file.renamed_from,
    )


def _identify_by(
    file: SyncFile, document: Document, workspace: WorkspaceSpec | None
) -> IdentifyBy | None:
    allowed = IDENTIFIERS[file.kind]
    if file.identify_by is None and file.kind in _DEFAULT_KEY:
        return _DEFAULT_KEY[file.kind]
    if document.is_spoiled(("identify_by",)):
        return None
    if file.identify_by is None:
        text = 'The key "identify_by" is missing: which column identifies the people?'
        mend = f"Add identify_by: {listed(allowed)}."
        document.report("KEY_MISSING", text, mend=mend)
        return None
    key: IdentifyBy = "user_id" if file.identify_by == "id" else file.identify_by
    if key not in allowed:
        text = f"identify_by: {file.identify_by} does not identify {_THINGS[file.kind]}."
        document.report("VALUE_WRONG", text, ("identify_by",), f"Use {listed(allowed)}.")
        return None
    if workspace and file.workspace == "write":
        _check_setting(key, file, document, workspace)
    return key


def _check_setting(
    key: IdentifyBy, file: SyncFile, document: Document, workspace: WorkspaceSpec
) -> None:
    setting = "id" if key == "user_id" else key
    is_event_key = setting == "anonymous_id" and file.preset is Preset.TRAITS
    if file.kind is Kind.PERSON and not is_event_key:
        _check_allowed(setting, str(file.identify_by), document, workspace, ("identify_by",))


def _check_allowed(
    setting: str, written: str, document: Document, workspace: WorkspaceSpec, path: KeyPath
) -> None:
    if setting in workspace.identifiers:
        return
    held = listed(workspace.identifiers, "and")
    document.report(
        "IDENTIFIER_NOT_ALLOWED",
        f"The sync identifies people by {written}, but workspace.identifiers in "
        f"rowlift.yml allows only {held}.",
        path,
    )


def _check_kind(file: SyncFile, document: Document, workspace: WorkspaceSpec | None) -> None:
    """Settings that are for some kinds or need the workspace."""
    if file.object_type and file.kind is not Kind.OBJECT:
        text = f"object_type is of objects; this sync's rows are {_THINGS[file.kind]}."
        document.report("VALUE_WRONG", text, ("object_type",), "Set kind: object, or remove it.")
    second = file.relationships
    if second and file.workspace == "none":
        text = "relationships need the workspace, which knows the people and objects they join."
        document.report("VALUE_WRONG", text, ("relationships",), "Set workspace: write.")
    elif second and workspace and not document.is_spoiled(("relationships", "identify_by")):
        setting = "email" if second.identify_by == "email" else "id"
        path = ("relationships", "identify_by")
        _check_allowed(setting, second.identify_by, document, workspace, path)
    kept = [name for name, rule in file.attributes.items() if rule == "set_if_empty"]
    for index, use in enumerate(file.destinations):
        if leak := [name for name in kept if _goes(use, name)]:
            text = f"{use.use} would overwrite {listed(leak, 'and')}: set_if_empty is a rule of "
            text += "the workspace, which no destination keeps."
            mend = f"Add exclude: [{', '.join(leak)}]."
            document.report("CANNOT_DO", text, ("destinations", index), mend)


def _check_segment(file: SyncFile, document: Document) -> None:
    if file.segment and file.kind is not Kind.PERSON:
        text = f"segments are of people; this sync's rows are {_THINGS[file.kind]}."
        document.report("VALUE_WRONG", text, ("segment",), "Remove it.")
    elif file.segment and file.workspace == "none":
        text = "segments are in the workspace, which this sync does not write."
        document.report("VALUE_WRONG", text, ("segment",), "Set workspace: write.")
    if file.removed is Removed.LEAVE_SEGMENT and not (file.segment or file.audience):
        text = "removed: leave_segment, but the sync has no segment to leave."
        document.report("VALUE_WRONG", text, ("removed",), "Add segment: {name: Open tickets}.")


def _goes(use: UseFile, column: str) -> bool:
    return column not in use.exclude and (not use.only or column in use.only)


def _relationships(file: SyncFile, sql: str) -> RelationshipSpec | None:
    second = file.relationships
    if second is None:
        return None
    key: IdentifyBy = "email" if second.identify_by == "email" else "user_id"
    return RelationshipSpec(sql, key, second.replace_for)


def _check_uses(file: SyncFile, document: Document) -> None:
    seen: dict[str, int] = {}
    for index, use in enumerate(file.destinations):
        if use.use in seen:
            text = f'The destination "{use.use}" is used twice in this sync.'
            mend = "Keep one of the two, or make a second sync."
            document.report("NAME_TWICE", text, ("destinations", index, "use"), mend)
        seen[use.use] = index
        _check_columns(use, document, index)


def _check_columns(use: UseFile, document: Document, index: int) -> None:
    path = ("destinations", index)
    if use.only and use.exclude:
        text = "only and exclude contradict each other."
        document.report("VALUE_WRONG", text, (*path, "exclude"), "Keep one of the two.")
    traits = list(use.fields.values())
    for column, trait in use.fields.items():
        if traits.count(trait) > 1:
            text = f'Two columns would become the trait "{trait}".'
            document.report("VALUE_WRONG", text, (*path, "fields", column), "Rename one of them.")
        if column in use.exclude or (use.only and column not in use.only):
            text = f'fields renames "{column}", which does not go to {use.use}.'
            mend = "Remove it from fields, or let the column go."
            document.report("VALUE_WRONG", text, (*path, "fields", column), mend)


def _guards(file: GuardsFile) -> GuardSpec:
    return GuardSpec(threshold(file.removals), threshold(file.rejects), threshold(file.unknown))


def _limits(file: LimitsFile, defaults: Defaults) -> LimitSpec:
    record_bytes = file.record_bytes
    if record_bytes is None:
        record_bytes = defaults.record_bytes
    return LimitSpec(
        columns=file.columns or defaults.columns,
        rows=file.rows or defaults.rows,
        record_bytes=record_bytes if isinstance(record_bytes, int) else None,
    )


def _schedule(file: SyncFile, defaults: Defaults) -> Mapping[str, str] | None:
    if file.schedule is None:
        return {"every": defaults.every} if defaults.every else None
    return file.schedule.model_dump(exclude_none=True) or None


def _use(use: UseFile, file: SyncFile, key: IdentifyBy) -> UseSpec:
    return UseSpec(
        use=use.use,
        match="user_id" if use.match == "id" else use.match or key,
        fields=dict(use.fields),
        only=tuple(use.only),
        exclude=tuple(use.exclude),
        mode=use.mode or file.mode,
        removed=use.removed or file.removed,
    )
