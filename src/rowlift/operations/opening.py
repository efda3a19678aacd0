"""Opening a project: what its files declare and what its state holds, put together."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rowlift.core.errors import ConfigError
from rowlift.core.specs import ConnectionSpec, ProjectSpec
from rowlift.operations.home import Home, Unsealed, data_folder, open_store
from rowlift.operations.kinds import ACCEPTS, KINDS, guarded
from rowlift.project.check import load_able
from rowlift.project.connections import ROLES
from rowlift.project.custody import Custody
from rowlift.project.files import AUDIENCES, DECLARED, FORWARDS, MODELS, ROWLIFT, SYNCS
from rowlift.project.held import Admitted, Held, Rules, admit, given, name_of, settings
from rowlift.state.definitions import Author, Change, Declared, Definition
from rowlift.state.store import Store

SHARED_VARIABLES = "ROWLIFT_SHARED_VARIABLES"
SHARED_NETWORKS = "ROWLIFT_SHARED_NETWORKS"
FILE_ROOTS = "ROWLIFT_FILE_ROOTS"
_WATCHED = {
    SYNCS: True,
    MODELS: True,
    FORWARDS: False,
    AUDIENCES: False,
}  # whether what lies deeper counts


def open_folder(folder: Path, env: Mapping[str, str], *, profile: str | None) -> Home:
    """Open a folder by its files; where there are none, by its state alone.

    Raises ProjectInvalid, and ConfigError NO_PROJECT where there is neither.
    """
    if not (folder / ROWLIFT).is_file() and data_folder(folder, env).is_dir():
        return _open_state(folder, env)
    return open_home(load_able(folder, KINDS, ACCEPTS, profile=profile), env)


def open_home(project: ProjectSpec, env: Mapping[str, str]) -> Home:
    """Open the state and bring its definitions in line with the project's files."""
    with _opened(project.root, env) as store:
        return _of_files(project, store, env)


def refreshed(home: Home, *, profile: str | None) -> Home:
    """Return a home with what changed since, over the state that is open already.

    Raises ProjectInvalid, and ConfigError WORKSPACE_CHANGED where the files name another one.
    """
    if home.files is None:
        return _of_state(home.project.root, home.store, home.env.outer)
    project = load_able(home.project.root, KINDS, ACCEPTS, profile=profile)
    _refuse_other(home.project.workspace.name, project.workspace.name)
    return _of_files(project, home.store, home.env.outer)


def kept(home: Home, error: ConfigError) -> Home:
    """Return a home with the files that were in force, and with the definitions of now."""
    files, env = home.files, home.env.outer
    now = home if files is None else _home(files, files, home.store, env, home.workspace_id)
    return replace(now, unread=str(error))


def _refuse_other(served: str, named: str) -> None:
    if named != served:
        raise ConfigError(
            "WORKSPACE_CHANGED",
            f"The workspace is {served}, and {ROWLIFT} names {named} by now.",
            mend=f"Write name: {served}, or stop the service and start it again.",
        )


def seen(home: Home) -> object:
    """Return what is another thing as soon as a file or a definition was changed."""
    root = home.project.root
    files = [one for one in _entries(root, deep=False) if one.name.endswith(".yml")]
    for name, deep in _WATCHED.items():
        files += _entries(root / name, deep=deep)
    marks = {one.path: _mark(one) for one in files}
    return marks, home.store.definitions.stamp(home.workspace_id)


def found(folder: Path, env: Mapping[str, str], name: str, by: Author) -> bool:
    """Make the state of a folder that has no files, with a workspace; False where it has one."""
    with _opened(folder, env) as store:
        is_new = not store.definitions.workspaces()
        if is_new:
            found_workspace(store, {"version": 1, "workspace": {"name": name}}, by)
    store.close()
    return is_new


def found_if_empty(folder: Path, env: Mapping[str, str], by: Author) -> str | None:
    """Make a workspace named like the folder where there are neither files nor a state.

    Returns its name if it was made.
    """
    if (folder / ROWLIFT).is_file() or data_folder(folder, env).is_dir():
        return None
    name = folder.resolve().name or "rowlift"
    return name if found(folder, env, name, by) else None


def found_workspace(store: Store, document: Mapping[str, Any], by: Author) -> None:
    """Make a workspace that no file declares; raises ProjectInvalid."""
    space = settings(given(document, "workspace", "settings")).workspace
    body = asdict(space)
    workspace_id = store.definitions.workspace(name_of("workspace", space.name), body)
    uid = store.definitions.new_uid()
    change = Change(uid, "workspace", 0, space.name, json.dumps(body), document)
    store.definitions.write(workspace_id, [change], by)


def write_files(
    store: Store, project: ProjectSpec, by: Author, *, prune: bool = True, take_over: bool = False
) -> int:
    """Bring the definitions in line with what files declare; return the workspace's id."""
    definitions = store.definitions
    workspace_id = definitions.workspace(project.workspace.name, asdict(project.workspace))
    for kind, declared in declarations(project).items():
        definitions.apply(workspace_id, kind, declared, by, prune=prune, take_over=take_over)
    return workspace_id


def declarations(project: ProjectSpec) -> dict[str, dict[str, Declared]]:
    """Return what files declare as the state keeps it, by kind and name."""
    space = project.workspace
    found = {"workspace": {space.name: Declared(json.dumps(asdict(space)))}}
    for kind, role in ROLES.items():
        connections: Mapping[str, ConnectionSpec] = getattr(project, role)
        found[kind] = {
            name: Declared(one.type, renamed_from=one.renamed_from)
            for name, one in connections.items()
        }
    found["sync"] = {
        name: Declared(one.to_json(), renamed_from=one.renamed_from)
        for name, one in project.syncs.items()
    }
    found["forward"] = {
        name: Declared(one.to_json(), renamed_from=one.renamed_from)
        for name, one in project.forwards.items()
    }
    found["audience"] = {
        name: Declared(one.to_json(), renamed_from=one.renamed_from)
        for name, one in project.audiences.items()
    }
    return {
        kind: {name: one.of(project.documents[kind][name]) for name, one in named.items()}
        for kind, named in found.items()
    }


def rules(root: Path, env: Mapping[str, str]) -> Rules:
    """Return what definitions made in Rowlift are judged by."""
    folders = (root, *(Path(one) for one in env.get(FILE_ROOTS, "").split(os.pathsep) if one))
    custody = Custody(
        data_folder(root, env),
        folders,
        tuple(root / name for name in DECLARED),
        variables=_words(env.get(SHARED_VARIABLES, "")),
        networks=_words(env.get(SHARED_NETWORKS, "")),
    )
    return Rules(KINDS, ACCEPTS, custody, guarded)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.replace(",", " ").split())


def judged(home: Home, held: Iterable[Held]) -> Admitted:
    """Return the project as it would be with some definitions beside its files."""
    return admit(home.files or _bare(home), held, rules(home.project.root, home.env.outer))


def held_beside(live: Iterable[Definition], files: ProjectSpec | None) -> list[Held]:
    """Return the live definitions that do not stand in the files."""
    names = files.documents if files else {}
    return [
        Held(one.kind, one.name, one.document, one.managed)
        for one in live
        if one.kind != "workspace" and one.name not in names.get(one.kind, {})
    ]


def _open_state(folder: Path, env: Mapping[str, str]) -> Home:
    with _opened(folder, env) as store:
        return _of_state(folder, store, env)


def _of_files(project: ProjectSpec, store: Store, env: Mapping[str, str]) -> Home:
    return _home(project, project, store, env, write_files(store, project, Author()))


def _of_state(root: Path, store: Store, env: Mapping[str, str]) -> Home:
    spaces = store.definitions.workspaces()
    if len(spaces) != 1:
        what = f"several workspaces: {', '.join(sorted(spaces))}" if spaces else "no workspace"
        mend = "Go to the project's folder, use -C, or make one: rowlift init."
        text = f"There is no {ROWLIFT} in {root.resolve()}, and its state holds {what}."
        raise ConfigError("NO_PROJECT", text, mend=mend)
    ((name, workspace_id),) = spaces.items()
    (one,) = [
        one
        for one in store.definitions.all(workspace_id, "workspace")
        if one.archived_at is None and one.name == name
    ]
    found = settings(given(one.document, "workspace", name))
    bare = ProjectSpec(
        root, "", found.workspace, {}, {}, {}, found.retention, alerts=found.alerts
    )  # fmt: skip
    return _home(bare, None, store, env, workspace_id)


def _home(
    bare: ProjectSpec,
    files: ProjectSpec | None,
    store: Store,
    env: Mapping[str, str],
    workspace_id: int,
) -> Home:
    live = [one for one in store.definitions.all(workspace_id) if one.archived_at is None]
    admitted = admit(bare, held_beside(live, files), rules(bare.root, env))
    uids = {(one.kind, one.name): one.uid for one in live}
    project = admitted.project
    return Home(
        project,
        store,
        Unsealed(env, store.vault),
        workspace_id,
        {name: uids["source", name] for name in project.sources},
        {name: uids["destination", name] for name in project.destinations},
        {name: uids["sync", name] for name in project.syncs},
        {name: uids["channel", name] for name in project.channels},
        files,
        admitted.broken,
        {name: uids["forward", name] for name in project.forwards},
        audiences={name: _audience_uid(uids, name) for name in project.audiences},
    )


def _audience_uid(uids: Mapping[tuple[str, str], str], name: str) -> str:
    """Return an audience's uid; that of a part has the part's name behind it."""
    whole, point, part = name.partition(".")
    return uids["audience", whole] + point + part


def _bare(home: Home) -> ProjectSpec:
    whole = home.project
    return replace(
        whole, profile="", sources={}, destinations={}, syncs={}, channels={}, audiences={}
    )


@contextmanager
def _opened(root: Path, env: Mapping[str, str]) -> Iterator[Store]:
    """Open the state for somebody who keeps it; close it if they fail."""
    store = open_store(root, env)
    try:
        yield store
    except BaseException:
        store.close()
        raise


def _entries(folder: Path | str, *, deep: bool) -> Iterator[os.DirEntry[str]]:
    """Yield what is in a folder, if there is one; every request asks for it, so no Path is made."""
    try:
        found = list(os.scandir(folder))
    except OSError:
        return
    for one in found:
        yield one
        if deep and one.is_dir(follow_symlinks=False):
            yield from _entries(one.path, deep=True)


def _mark(entry: os.DirEntry[str]) -> tuple[int, int] | None:
    try:
        found = entry.stat()
    except OSError:  # gone meanwhile, or a link that leads nowhere: whoever reads it says so
        return None
    return found.st_mtime_ns, found.st_size
