"""Definitions made in Rowlift: judged like files before they are kept, secrets taken out first."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from rowlift.core.audiences import renamed
from rowlift.core.errors import ConfigError, GuardStop, StateError
from rowlift.core.estimates import Estimate
from rowlift.core.nouns import Preset
from rowlift.core.specs import ConnectionSpec, Managed, ProjectSpec
from rowlift.core.spelling import did_you_mean
from rowlift.engine.preview import Preview
from rowlift.operations.home import Home
from rowlift.operations.kinds import KINDS
from rowlift.operations.opening import held_beside, judged
from rowlift.operations.previewing import preview_sync
from rowlift.project.confiding import Confided, confide, secret_paths, with_present_secrets
from rowlift.project.connections import ROLES
from rowlift.project.held import Admitted, Held, given, name_of, settings
from rowlift.project.problems import ProjectInvalid, listed, shown
from rowlift.project.writing import write_yaml
from rowlift.state.definitions import FILES, Author, Change, Definition, Version

if TYPE_CHECKING:
    from rowlift.state.vault import Sealed

_NAMED = (
    "sync",
    "forward",
    "audience",
)  # whose documents hold their names, under the kind as the key
DOCUMENT_KINDS = (*ROLES, *_NAMED)
Written = Mapping[str, Any] | str
_NEW = "new"  # the uid of a sync that is not kept yet


@dataclass(frozen=True, slots=True)
class DefinitionRecord:
    """One definition; its document holds no secret, `secrets` says since when each is set.

    `problem` says why it is left out, if it is; times are Unix seconds.
    """

    kind: str
    name: str
    uid: str
    managed: Managed
    version: int
    document: Mapping[str, Any]
    archived_at: float | None = None
    secrets: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""


def records(
    home: Home, kind: str | None, *, archived: bool, limit: int | None = None,
    after: Sequence[str] | None = None,
) -> list[DefinitionRecord]:  # fmt: skip
    """Return the definitions by kind and name, all or so many.

    They begin with the one after a kind, a name and a uid.
    """
    found = home.store.definitions.all(home.workspace_id, kind)
    listed = sorted(
        (one for one in found if archived or one.archived_at is None),
        key=lambda one: (one.kind, one.name, one.uid),
    )
    start = tuple(after or ("", "", ""))
    left = [one for one in listed if (one.kind, one.name, one.uid) > start]
    return [record(home, one) for one in left[:limit]]


def record(home: Home, one: Definition) -> DefinitionRecord:
    """Return a definition as it may be shown to anybody."""
    broken = home.broken.get((one.kind, one.name))
    return DefinitionRecord(
        one.kind,
        one.name,
        one.uid,
        one.managed,
        one.version,
        one.document,
        one.archived_at,
        secrets_set(home, one),
        str(broken) if broken and one.archived_at is None else "",
    )


def secrets_set(home: Home, one: Definition) -> dict[str, float]:
    """Return since when each secret of a definition is as it is, by where it stands now."""
    since = home.store.vault.changed(one.uid)
    return {path: since[id_] for path, id_ in secret_paths(one.document).items() if id_ in since}


def find(home: Home, kind: str, name: str, *, archived: bool = False) -> Definition:
    """Return a live definition by name, or the one archived last; raises ConfigError."""
    found = [one for one in home.store.definitions.all(home.workspace_id, kind) if one.name == name]
    live = [one for one in found if one.archived_at is None]
    if live:
        return live[0]
    if archived and found:
        return max(found, key=lambda one: one.archived_at or 0)
    known = [one.name for one in records_named(home, kind)]
    text = f"There is no {kind} {shown(name)}.{did_you_mean(name, known)}"
    raise ConfigError("NAME_UNKNOWN", text, mend=f"Known: {', '.join(known) or 'none'}.")


def records_named(home: Home, kind: str) -> list[Definition]:
    """Return the live definitions of a kind."""
    found = home.store.definitions.all(home.workspace_id, kind)
    return [one for one in found if one.archived_at is None]


# changes


def create(home: Home, kind: str, name: str, written: Written, by: Author) -> None:
    """Make a definition; a trait is previewed first, and refused if it stops.

    Raises ProjectInvalid, ConfigError NAME_TWICE, and GuardStop PREVIEW_STOPS.
    """
    name_of(kind, name)
    if any(one.name == name for one in records_named(home, kind)):
        article = "an" if kind == "audience" else "a"
        text = f"There is {article} {kind} {name} already."
        raise ConfigError("NAME_TWICE", text, mend="Choose another name, or edit that one.")
    new = Definition(home.store.definitions.new_uid(), kind, name, "", {}, "rowlift", 0)
    change, admitted = _prepared(home, new, _mapping(kind, name, written))
    if kind == "sync":
        require_preview(home, admitted.project, name)
    home.store.definitions.write(home.workspace_id, [change], by)


def edit(home: Home, one: Definition, written: Written, expected: int, by: Author) -> None:
    """Replace a definition's document; secrets that it refers to stay as they are.

    Raises what `create` does, ConfigError MANAGED_IN_FILES, SECRET_AGAIN and IN_USE, and GuardStop
    EDIT_CONFLICT.
    """
    require_ours(one)
    document = _mapping(one.kind, one.name, written)
    if one.kind == "workspace":
        _edit_workspace(home, one, document, expected, by)
        return
    _replace(home, one, document, expected, by)


def _replace(
    home: Home, one: Definition, document: Mapping[str, Any], expected: int, by: Author
) -> None:
    """Write another document; what becomes a trait by it is previewed first."""
    change, admitted = _prepared(home, one, document)
    if one.kind == "sync" and not is_trait(one.document):
        require_preview(home, admitted.project, one.name)
    home.store.definitions.write(home.workspace_id, [replace(change, expected=expected)], by)


def rename_definition(home: Home, one: Definition, name: str, expected: int, by: Author) -> None:
    """Give a definition another name, also in those that use it."""
    require_ours(one)
    _refuse_workspace(one)
    name_of(one.kind, name)
    users = [each for kind in _NAMED for each in records_named(home, kind) if each.managed != FILES]
    changes = [
        _kept(replace(one, name=name, document=_named(one, name)), expected),
        *(
            _kept(replace(each, document=document))
            for each in users
            if (document := _using(each, one, name)) != each.document
        ),
    ]
    new = [Held(change.kind, change.name, change.document) for change in changes]
    replaced = {(one.kind, one.name), *((each.kind, each.name) for each in new)}
    rest = [each for each in _held(home) if (each.kind, each.name) not in replaced]
    admitted = judged(home, [*rest, *new])
    _refuse_broken(home, admitted, one)
    whole = [replace(change, body=_body(admitted.project, change)) for change in changes]
    home.store.definitions.write(home.workspace_id, whole, by)


def archive(home: Home, one: Definition, expected: int, by: Author) -> None:
    """Take a definition out of use; what a sync imported, its image and its ledgers stay."""
    require_ours(one)
    _refuse_workspace(one)
    rest = [each for each in _held(home) if (each.kind, each.name) != (one.kind, one.name)]
    _refuse_broken(home, judged(home, rest), one)
    change = replace(_kept(one, expected), archived=True)
    home.store.definitions.write(home.workspace_id, [change], by)


def restore(home: Home, one: Definition, version: int | None, expected: int, by: Author) -> None:
    """Bring back an archived definition, or what a definition was at an older version.

    Secrets are those of now: an older version never brings an older secret back. Raises what `edit`
    does.
    """
    _refuse_workspace(one)
    if one.archived_at is None:
        require_ours(one)
    document = one.document if version is None else version_of(home, one, version).document
    whole = with_present_secrets(_named_as(document, one), one.document)
    _replace(home, one, whole, expected, by)


# versions


def version_of(home: Home, one: Definition, number: int) -> Version:
    """Return one version; raises StateError NOT_FOUND."""
    for each in home.store.definitions.versions(one.uid):
        if each.version == number:
            return each
    text = f"The {one.kind} {one.name} has no version {number}."
    raise StateError("NOT_FOUND", text, mend=f"See rowlift versions {one.name}.")


def difference(before: Version | None, after: Version) -> str:
    """Return what changed between two versions as a unified diff of their YAML."""
    old = write_yaml(before.document).splitlines() if before else []
    titles = (f"version {before.version}" if before else "nothing", f"version {after.version}")
    return unified(old, write_yaml(after.document).splitlines(), *titles)


def unified(old: Sequence[str], new: Sequence[str], before: str, after: str) -> str:
    """Return two texts' differences; nothing if they are the same."""
    return "\n".join(difflib.unified_diff(old, new, before, after, lineterm=""))


# A5


def is_trait(document: Mapping[str, Any]) -> bool:
    """Tell whether a sync's document makes it a trait."""
    return bool(document.get("preset", Preset.TRAITS) == Preset.TRAITS)


def require_preview(home: Home, project: ProjectSpec, name: str) -> Preview | None:
    """Preview a new trait over its whole result; raises GuardStop PREVIEW_STOPS."""
    if project.syncs[name].preset is not Preset.TRAITS:
        return None
    seen = _previewed(home, project, name, _NEW)
    if seen.stops:
        raise _stopping(f"{name} was not made", seen)
    return seen


def would_be(home: Home, kind: str, name: str, written: Written, *, is_meant: bool = True) -> Home:
    """Return the project as it would be with a definition that is not kept.

    Raises ProjectInvalid, ConfigError SECRET_AGAIN and IN_USE, and MANAGED_IN_FILES where it
    `is_meant` to be kept.
    """
    name_of(kind, name)
    one = next(
        (one for one in records_named(home, kind) if one.name == name),
        Definition(_NEW, kind, name, "", {}, "rowlift", 0),
    )
    if is_meant:
        require_ours(one)
    _, admitted = _prepared(home, one, _mapping(kind, name, written))
    return replace(home, project=admitted.project, broken=admitted.broken)


def _stopping(what: str, seen: Preview) -> GuardStop:
    errors = [(one.code, one.message, one.mend) for one in seen.findings if one.level == "error"]
    code, message, mend = (*errors, *((one.code, str(one), one.mend) for one in seen.problems))[0]
    text = f"{what}, as its preview stops: {message} ({code})"
    return GuardStop("PREVIEW_STOPS", text, mend=mend)


def estimate_of(home: Home, name: str, written: Written | None) -> Estimate:
    """Return what a sync would take with another document, or as it is; nothing is kept.

    Raises ProjectInvalid, ConfigError NAME_UNKNOWN, SourceError, and GuardStop PREVIEW_STOPS where
    there is nothing to go by.
    """
    seen = _previewed(home, *_sketched(home, name, written))
    if seen.key is None:
        raise _stopping(f"{name} was not estimated", seen)
    assert seen.estimate  # noqa: S101 - the preview of a first query has one
    return seen.estimate


def preview_of(home: Home, name: str, written: Written, **how: Any) -> Preview:
    """Preview a sync with another document, or one that is not kept; nothing is kept.

    Without a name it is a new one. Raises ProjectInvalid and SourceError.
    """
    name = name or _unused(home)
    return _previewed(home, *_sketched(home, name, written), **how)


def _unused(home: Home) -> str:
    names = (f"new_query{number or ''}" for number in count())
    return next(name for name in names if name not in home.syncs)


def _sketched(
    home: Home, name: str, written: Written | None
) -> tuple[ProjectSpec, str, str]:  # fmt: skip
    """Return the project with a document that is not kept, and the sync's name and uid."""
    uid = home.syncs.get(name, _NEW)
    if written is None:
        return home.project, name, uid
    one = Definition(uid, "sync", name, "", {}, "rowlift", 0)
    return _prepared(home, one, _mapping("sync", name, written))[1].project, name, uid


def _previewed(home: Home, project: ProjectSpec, name: str, uid: str, **how: Any) -> Preview:
    would_be = replace(home, project=project, syncs={**home.syncs, name: uid})
    given = {"sample": False, "relationships": False, "last_sync_time": 0, "on_sample": None}
    return preview_sync(would_be, name, **(given | how))


def _prepared(home: Home, one: Definition, document: Mapping[str, Any]) -> tuple[Change, Admitted]:
    """Judge what a definition would be beside all others, and seal its secrets."""
    if one.kind not in DOCUMENT_KINDS:
        raise ConfigError("VALUE_WRONG", f"{shown(one.kind)} is no kind of definition.")
    others = [each for each in _held(home) if (each.kind, each.name) != (one.kind, one.name)]
    edited = Held(one.kind, one.name, document, is_edited=True)
    admitted = judged(home, [*others, edited])
    _refuse_broken(home, admitted, one)
    sealed: list[Sealed] = []

    def seal(path: str, value: str) -> str:
        sealed.append(home.store.vault.seal(path, value))
        return sealed[-1].id

    clean = Confided(document, frozenset())
    if one.kind not in _NAMED:
        kinds = KINDS.of(ROLES[one.kind])
        clean = confide(document, kinds[document["type"]], one.document, seal)
    change = Change(
        one.uid, one.kind, one.version, one.name, "", clean.document,
        keeps=clean.keeps, sealed=sealed,
    )  # fmt: skip
    return replace(change, body=_body(admitted.project, change)), admitted


def _edit_workspace(
    home: Home, one: Definition, document: Mapping[str, Any], expected: int, by: Author
) -> None:
    given_ = settings(given(document, "workspace", one.name))
    space = given_.workspace
    if space.name != one.name:
        text = "A workspace keeps its name."
        raise ConfigError("VALUE_WRONG", text, mend=f"Write name: {one.name}.")
    changed = replace(
        home.project, workspace=space, retention=given_.retention, alerts=given_.alerts
    )  # fmt: skip
    _refuse_broken(home, judged(replace(home, project=changed), _held(home)), one)
    change = replace(_kept(one, expected), document=document, body=json.dumps(asdict(space)))
    home.store.definitions.write(home.workspace_id, [change], by)
    home.store.definitions.workspace(space.name, asdict(space))


def _mapping(kind: str, name: str, written: Written) -> Mapping[str, Any]:
    document = given(written, kind, name)
    if document.problems:
        raise ProjectInvalid(document.problems)
    value = {key: one for key, one in document.value.items() if key != "renamed_from"}
    if kind not in _NAMED:
        return value
    if value.get(kind, name) != name:
        text = f"The document names the {kind} {shown(value[kind])}, not {name}."
        raise ConfigError("VALUE_WRONG", text, mend=f"Write {kind}: {name}, or rename it.")
    return {kind: name, **value}


def require_ours(one: Definition) -> None:
    """Refuse to change what files manage; raises ConfigError MANAGED_IN_FILES."""
    if one.managed == FILES:
        raise ConfigError(
            "MANAGED_IN_FILES",
            f"The {one.kind} {one.name} is managed in files: it is read-only here.",
            mend="Change it in its file, where the project is kept, and apply it.",
        )


def _refuse_workspace(one: Definition) -> None:
    if one.kind == "workspace":
        text = "A workspace keeps its name and is not archived; its settings are edited."
        raise ConfigError("VALUE_WRONG", text)


def _refuse_broken(home: Home, admitted: Admitted, one: Definition) -> None:
    """Raise what is wrong with a definition itself, or with one that it would break."""
    if (one.kind, one.name) in admitted.broken:
        raise admitted.broken[one.kind, one.name]
    for (kind, name), wrong in admitted.broken.items():
        if (kind, name) not in home.broken:
            text = f"The {kind} {name} would not work any more: {wrong.message}"
            raise ConfigError("IN_USE", text, mend=f"Change the {kind} {name} first.")
    unheard = {*admitted.project.alerts.get("to", ())} - admitted.project.channels.keys()
    if unheard and one.kind in {"channel", "workspace"}:
        names = listed(sorted(unheard), "and")
        text = f"The workspace's alerts go to {names}, which would be no channel."
        raise ConfigError("IN_USE", text, mend="Change alerts in the workspace's settings first.")


def _held(home: Home) -> list[Held]:
    live = home.store.definitions.all(home.workspace_id)
    return held_beside((one for one in live if one.archived_at is None), home.files)


def _kept(one: Definition, expected: int | None = None) -> Change:
    """Return a change that leaves a definition's secrets as they are."""
    return Change(
        one.uid, one.kind, one.version if expected is None else expected, one.name, one.body,
        one.document, keeps=frozenset(secret_paths(one.document).values()),
    )  # fmt: skip


def _body(project: ProjectSpec, change: Change) -> str:
    if change.kind == "sync":
        return project.syncs[change.name].to_json()
    if change.kind == "forward":
        return project.forwards[change.name].to_json()
    if change.kind == "audience":
        return project.audiences[change.name].to_json()
    connections: Mapping[str, ConnectionSpec] = getattr(project, ROLES[change.kind])
    return connections[change.name].type


def _named(one: Definition, name: str) -> Mapping[str, Any]:
    return {**one.document, one.kind: name} if one.kind in _NAMED else one.document


def _named_as(document: Mapping[str, Any], one: Definition) -> Mapping[str, Any]:
    return {**document, one.kind: one.name} if one.kind in _NAMED else document


def _renaming(value: Any, name: str, to: str) -> Any:
    """Return a document of an audience with the new name of an audience it is made from."""
    if isinstance(value, list):
        return [_renaming(one, name, to) for one in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: renamed(one, name, to) if key == "segment" else _renaming(one, name, to)
        for key, one in value.items()
    }


def _fed(document: Mapping[str, Any], name: str, to: str) -> Mapping[str, Any]:
    """Return a sync of an audience's people with the new name, and the trait that it had."""
    feed = document.get("audience")
    if not feed:
        return document
    written = {"name": feed} if isinstance(feed, str) else dict(feed)
    now = renamed(written["name"], name, to)
    if now == written["name"]:
        return document
    return {**document, "audience": {"trait": written["name"], **written, "name": now}}


def _using(user: Definition, one: Definition, name: str) -> Mapping[str, Any]:
    """Return the document of what uses a definition, with its new name."""
    document = dict(user.document)
    if user.kind == one.kind == "audience":
        return {**_renaming(document, one.name, name), "audience": user.name}
    if user.kind == "sync" and one.kind == "audience":
        return _fed(document, one.name, name)
    if document.get(one.kind) == one.name and one.kind not in _NAMED:
        return {**document, one.kind: name}
    if one.kind == "destination" and "destinations" in document:
        uses = [
            {**use, "use": name} if use["use"] == one.name else use
            for use in document["destinations"]
        ]
        return {**document, "destinations": uses}
    return document
