"""The door to definitions that are made in Rowlift, and to what all of them were before."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rowlift.core.estimates import Estimate
from rowlift.engine.preview import Preview
from rowlift.operations.applying import DefinitionChange, Folder
from rowlift.operations.covering import covered, covered_version
from rowlift.operations.defining import (
    DefinitionRecord,
    Written,
    archive,
    create,
    difference,
    edit,
    estimate_of,
    find,
    preview_of,
    record,
    records,
    rename_definition,
    restore,
    version_of,
)
from rowlift.operations.home import Home
from rowlift.operations.opening import seen
from rowlift.operations.outlining import Outline, outline
from rowlift.operations.unloading import FilesReport, unload
from rowlift.state.definitions import Author, Version


class Definitions:
    """Sources, destinations, syncs, forwards and the workspace's settings.

    A document is the mapping of the YAML file of its kind, or that YAML as text; a sync's holds its
    queries. Changes name the version that they were made from, and take effect at the next run.
    What files manage is read-only here: MANAGED_IN_FILES. No method ever returns a secret; those
    that are asked for less than the `whole` leave out the paths of addresses, which may hold one.
    """

    def __init__(
        self,
        folder: Folder,
        home: Callable[[], Home],
        changed: Callable[[], None],
        by: Author | None = None,
    ) -> None:
        self._folder = folder
        self._home = home
        self._changed = changed
        self._by = by or Author(origin="python")

    def by(self, actor: str, origin: str) -> "Definitions":
        """Return the same door for somebody: who they are, and where they come from."""
        return Definitions(self._folder, self._home, self._changed, Author(actor, origin))

    def seen(self) -> object:
        """Return what is another thing once a file or a definition changed, by whoever's hand."""
        return seen(self._home())

    def list(
        self, kind: str | None = None, *, archived: bool = False, whole: bool = True,
        limit: int | None = None, after: Sequence[str] | None = None,
    ) -> Sequence[DefinitionRecord]:  # fmt: skip
        """Return the definitions by kind and name, of one kind or of all, or so many of them.

        They begin with the one after a kind, a name and a uid.
        """
        found = records(self._home(), kind, archived=archived, limit=limit, after=after)
        return found if whole else [covered(one) for one in found]

    def get(self, kind: str, name: str, *, whole: bool = True) -> DefinitionRecord:
        """Return one definition, archived ones too; raises ConfigError NAME_UNKNOWN."""
        home = self._home()
        found = record(home, find(home, kind, name, archived=True))
        return found if whole else covered(found)

    def estimate(self, name: str, document: Written | None = None) -> Estimate:
        """Return what a sync would take, as it is or with a document that is not kept yet.

        Runs its query as a preview does. Raises ProjectInvalid, ConfigError NAME_UNKNOWN,
        SourceError, and GuardStop PREVIEW_STOPS where no row can be identified.
        """
        return estimate_of(self._home(), name, document)

    def outline(self, name: str, document: Mapping[str, Any]) -> Outline:
        """Return what a sync would be with a document that is not kept: in words, and when due.

        What is wrong is part of the answer; no source is asked.
        """
        return outline(self._home(), name, document)

    def preview(
        self,
        document: Written,
        name: str = "",
        *,
        sample: bool = False,
        relationships: bool = False,
        last_sync_time: int = 0,
        on_sample: Callable[[Preview], None] | None = None,
    ) -> Preview:
        """Preview a sync that is not kept yet, or one that is with another document.

        Without a name it is a new one. Raises ProjectInvalid, ConfigError NAME_UNKNOWN, and
        SourceError; broken rules are values of the preview.
        """
        return preview_of(
            self._home(), name, document, sample=sample, relationships=relationships,
            last_sync_time=last_sync_time, on_sample=on_sample,
        )  # fmt: skip

    def create(self, kind: str, name: str, document: Written) -> DefinitionRecord:
        """Make a definition, judged like a file; a trait is previewed first.

        Secrets are given in plain text and sealed. Raises ProjectInvalid with every problem,
        ConfigError NAME_TWICE, and GuardStop PREVIEW_STOPS.
        """
        create(self._home(), kind, name, document, self._by)
        return self._after(kind, name)

    def edit(self, kind: str, name: str, document: Written, *, expected: int) -> DefinitionRecord:
        """Replace a document; a reference ${secret:…} as it was read keeps that secret.

        Raises what `create` does, GuardStop EDIT_CONFLICT, and ConfigError SECRET_AGAIN where kept
        secrets would go to another host, IN_USE where a sync would break.
        """
        home = self._home()
        edit(home, find(home, kind, name), document, expected, self._by)
        return self._after(kind, name)

    def rename(self, kind: str, name: str, to: str, *, expected: int) -> DefinitionRecord:
        """Give a definition another name, also in those that use it; its history stays."""
        home = self._home()
        rename_definition(home, find(home, kind, name), to, expected, self._by)
        return self._after(kind, to)

    def archive(self, kind: str, name: str, *, expected: int) -> DefinitionRecord:
        """Take a definition out of use; what a sync imported stays. Raises ConfigError IN_USE."""
        home = self._home()
        archive(home, find(home, kind, name), expected, self._by)
        return self._after(kind, name)

    def restore(
        self, kind: str, name: str, version: int | None = None, *, expected: int
    ) -> DefinitionRecord:
        """Bring back what was archived, or what a definition was; secrets stay those of now."""
        home = self._home()
        restore(home, find(home, kind, name, archived=True), version, expected, self._by)
        return self._after(kind, name)

    def versions(
        self, kind: str, name: str, limit: int | None = None, *, before: int | None = None,
        whole: bool = True,
    ) -> Sequence[Version]:  # fmt: skip
        """Return what a definition was, the newest first, all or so many before a version."""
        home = self._home()
        uid = find(home, kind, name, archived=True).uid
        found = home.store.definitions.versions(uid, limit, before)
        return found if whole else [covered_version(kind, one) for one in found]

    def diff(
        self, kind: str, name: str, version: int, before: int | None = None, *, whole: bool = True
    ) -> str:
        """Return a unified diff of a version and the one before it, or another one."""
        home = self._home()
        one = find(home, kind, name, archived=True)
        earlier = version - 1 if before is None else before
        old = version_of(home, one, earlier) if earlier else None
        new = version_of(home, one, version)
        if not whole:
            old, new = old and covered_version(kind, old), covered_version(kind, new)
        return difference(old, new)

    def apply(
        self,
        *,
        prune: bool = False,
        take_over: bool = False,
        dry_run: bool = False,
        on_plan: Callable[[Sequence[DefinitionChange]], None] | None = None,
    ) -> Sequence[DefinitionChange]:
        """Take the folder's files into the state; what vanished is archived with `prune` only.

        What changes is handed to `on_plan` before new traits are previewed and anything is written.
        With `take_over` files may declare what was made in Rowlift, which they manage from then on.
        Raises ProjectInvalid, ConfigError NAME_TWICE, GuardStop PREVIEW_STOPS, and SourceError.
        """
        changes = self._folder.apply(
            self._by, prune=prune, take_over=take_over, dry_run=dry_run, on_plan=on_plan
        )
        self._changed()
        return changes

    def export(self, folder: Path) -> FilesReport:
        """Write all definitions as a project's files; secrets become variables to be set.

        Raises ConfigError FILE_EXISTS, and StateError STATE_FULL.
        """
        return unload(self._home(), folder)

    def rotate_key(self) -> int:
        """Seal every secret with a new key, or the first of those given; return how many."""
        return self._home().store.vault.rotate()

    def _after(self, kind: str, name: str) -> DefinitionRecord:
        self._changed()
        return self.get(kind, name)
