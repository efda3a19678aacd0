"""Preview a sync's query: its rows, whom they meet in the workspace, and the rules."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from rowlift.core.errors import ConfigError
from rowlift.core.specs import SyncSpec
from rowlift.engine.preflight import is_guarded
from rowlift.engine.preview import Meeting, Preview, preview
from rowlift.operations.estimating import Sight, estimate, facts_of
from rowlift.operations.home import Home
from rowlift.workspace.standing import known


def preview_sync(
    home: Home,
    name: str,
    *,
    sample: bool,
    relationships: bool,
    last_sync_time: int,
    on_sample: Callable[[Preview], None] | None,
) -> Preview:
    """Preview a sync's first or second query; the second meets whom the first would make."""
    own, uid = home.sync(name), home.syncs[name]
    spec = _second(own) if relationships else own
    with home.source(spec.source) as source:
        found = preview(
            source,
            spec,
            last_sync_time=last_sync_time,
            sample=sample,
            on_sample=on_sample,
            identifiers=home.project.workspace.identifiers,
            known=None if relationships else partial(known, home.workspace, spec.kind),
            meeting=Meeting(
                home.workspace,
                is_guarded=is_guarded(home.store, uid, spec),
                before=own if relationships else None,
            ),
            sync_uid=uid,
            scratch=home.store.files.scratch,
        )
        if relationships:
            return found
        seen = Sight.of_preview(found, facts_of(source, spec))
        return replace(found, estimate=estimate(home, spec, uid, seen, source.dialect))


def _second(spec: SyncSpec) -> SyncSpec:
    if spec.relating is None:
        raise ConfigError(
            "NAME_UNKNOWN",
            f"{spec.name} has no second query.",
            mend="Add relationships to it, or leave --relationships out.",
        )
    return spec.relating
