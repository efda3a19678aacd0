"""Files taken into a state: what that would change is said first, a new trait is previewed."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rowlift.core.estimates import Estimate
from rowlift.core.specs import ProjectSpec
from rowlift.operations.callers import CONSOLE
from rowlift.operations.defining import is_trait, require_preview, unified
from rowlift.operations.home import Home, Unsealed, open_store
from rowlift.operations.kinds import ACCEPTS, KINDS
from rowlift.operations.opening import declarations, write_files
from rowlift.project.check import load_able
from rowlift.project.writing import write_yaml
from rowlift.state.audit import AuditLog, AuditRecord
from rowlift.state.definitions import FILES, Author, Declared, Definition, is_same, taken
from rowlift.state.store import Store

Step = Literal["created", "changed", "renamed", "taken over", "archived", "left"]
CREATED: Step = "created"
_MADE: frozenset[Step] = frozenset({CREATED, "changed", "taken over"})
_VERBS: Mapping[Step, str] = {
    CREATED: "create", "changed": "edit", "renamed": "rename", "taken over": "edit",
    "archived": "archive",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DefinitionChange:
    """What becomes of one definition, with a unified diff of its YAML.

    What vanished from the files is archived with `prune`, else left as it is. A new trait comes
    with what it would take.
    """

    kind: str
    name: str
    change: Step
    diff: str = ""
    estimate: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """A project's files, and the state that they are for."""

    path: Path
    env: Mapping[str, str]
    profile: str | None = None

    def apply(
        self,
        by: Author,
        *,
        prune: bool = False,
        take_over: bool = False,
        dry_run: bool = False,
        on_plan: Callable[[Sequence[DefinitionChange]], None] | None = None,
    ) -> list[DefinitionChange]:
        """Bring the state's definitions in line with the files.

        What that changes is handed to `on_plan`, then new traits are previewed, then it is written.
        Raises ProjectInvalid, ConfigError NAME_TWICE, GuardStop PREVIEW_STOPS, and SourceError.
        """
        project = self._project()
        with closing(open_store(self.path, self.env)) as store:
            changes = _changes(store, project, prune=prune, take_over=take_over)
            if on_plan:
                on_plan(changes)
            changes = self._previewed(store, project, changes)
            if not dry_run:
                space = write_files(store, project, by, prune=prune, take_over=take_over)
                _note(AuditLog(store.database, space), by, changes)
        return changes

    def _project(self) -> ProjectSpec:
        return load_able(self.path, KINDS, ACCEPTS, profile=self.profile)

    def _previewed(
        self, store: Store, project: ProjectSpec, changes: list[DefinitionChange]
    ) -> list[DefinitionChange]:
        env, workspace_id = Unsealed(self.env, store.vault), _workspace_id(store, project)
        home = Home(project, store, env, workspace_id, {}, {}, {}, files=project)

        traits = {
            one.name
            for one in store.definitions.all(workspace_id, "sync")
            if one.archived_at is None and is_trait(one.document)
        }

        def previewed(one: DefinitionChange) -> DefinitionChange:
            is_new = one.change == CREATED or one.name not in traits
            is_due = one.kind == "sync" and one.change in _MADE and is_new
            seen = require_preview(home, project, one.name) if is_due else None
            return replace(one, estimate=seen.estimate) if seen else one

        return [previewed(one) for one in changes]


def _note(log: AuditLog, by: Author, changes: Sequence[DefinitionChange]) -> None:
    """Write down what was changed; what it was before stands among the versions."""
    for one in changes:
        if verb := _VERBS.get(one.change):
            actor = by.actor or CONSOLE.name
            log.add(AuditRecord(time.time(), actor, "", f"{one.kind}.{verb}", one.name, {}, {}))


def _workspace_id(store: Store, project: ProjectSpec) -> int:
    """Return the workspace's id; a workspace that is not there yet has nobody in it."""
    return store.definitions.workspaces().get(project.workspace.name, 0)


def _changes(
    store: Store, project: ProjectSpec, *, prune: bool, take_over: bool
) -> list[DefinitionChange]:
    known: dict[str, dict[str, Definition]] = {}
    for one in store.definitions.all(_workspace_id(store, project)):
        if one.archived_at is None:
            known.setdefault(one.kind, {})[one.name] = one
    return [
        change
        for kind, declared in declarations(project).items()
        for change in (
            *_declared(kind, declared, known.get(kind, {}), take_over=take_over),
            *_vanished(kind, declared, known.get(kind, {}), prune=prune),
        )
    ]


def _declared(
    kind: str,
    declared: Mapping[str, Declared],
    live: Mapping[str, Definition],
    *,
    take_over: bool,
) -> Iterator[DefinitionChange]:
    for name, one in declared.items():
        before = live.get(name) or live.get(one.renamed_from or "")
        if before is None:
            yield DefinitionChange(kind, name, CREATED, _diff({}, one))
        elif before.managed != FILES:
            if not take_over:
                raise taken(kind, name)
            yield DefinitionChange(kind, name, "taken over", _diff(before.document, one))
        elif before.name != name:
            yield DefinitionChange(kind, name, "renamed", _diff(before.document, one))
        elif not is_same(before, one):
            yield DefinitionChange(kind, name, "changed", _diff(before.document, one))


def _vanished(
    kind: str, declared: Mapping[str, Declared], live: Mapping[str, Definition], *, prune: bool
) -> Iterator[DefinitionChange]:
    kept = {*declared, *(one.renamed_from for one in declared.values())}
    for name, one in live.items():
        if name not in kept and one.managed == FILES:
            yield DefinitionChange(kind, name, "archived" if prune else "left")


def _diff(before: Mapping[str, object], one: Declared) -> str:
    old = write_yaml(before).splitlines() if before else []
    return unified(old, write_yaml(one.mapping).splitlines(), "state", "files")
