"""The list of syncs, and one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import Response

from rowlift.core.rights import Right
from rowlift.operations.defining import DefinitionRecord
from rowlift.operations.draft_desk import DraftRecord
from rowlift.operations.freshness import Freshness
from rowlift.operations.glance import SyncLine
from rowlift.operations.hindsight import RunFacts
from rowlift.operations.reports import RunReport, SyncReport
from rowlift.web.pages.forms import NO, Failed, onward
from rowlift.web.pages.render import show
from rowlift.web.pages.words import part
from rowlift.web.paging import Cursor, page, place
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/syncs")

Name = Annotated[str, Path(max_length=200)]
Search = Annotated[str, Query(max_length=200)]
State = Literal["", "failed", "running", "paused"]
Allowed = Annotated[bool, Form()]
Tab = Literal["runs", "query", "freshness", "settings"]

RUNS = 20  # on one page


@dataclass(frozen=True, slots=True)
class Syncs:
    """The syncs that meet the filters, of `all` that there are, and what the reader has begun."""

    items: Sequence[SyncLine]
    all: int
    q: str
    state: State
    drafts: Sequence[DraftRecord]


@dataclass(frozen=True, slots=True)
class Sync:
    """One sync: how it stands, what it is, its newest runs, and those of this page."""

    sync: SyncReport
    definition: DefinitionRecord
    fresh: Sequence[Freshness]
    recent: Sequence[RunReport]
    runs: Sequence[RunReport]
    next: str | None
    failed: bool
    tab: Tab
    facts: RunFacts | None


@router.get("", **door("glance.overview", Right.READ))
def syncs(
    request: Request, project: Ours, caller: Asking, q: Search = "", state: State = ""
) -> Response:
    """List the syncs with the bars of their newest runs."""
    found = project.glance.overview().syncs
    kept = [one for one in found if _meets(one.sync, q.casefold(), state)]
    drafts = project.drafts.list(by=caller) if Right.EDIT in caller.rights else []
    return show(request, "syncs.html", Syncs(kept, len(found), q, state, drafts))


@router.get("/{name}", **door("sync", Right.READ))
def sync(
    name: Name, request: Request, project: Ours, caller: Asking, cursor: Cursor = None,
    failed: Failed = NO, tab: Tab = "runs",
) -> Response:  # fmt: skip
    """Show one sync: its runs, its query or its settings."""
    found = project.sync(name)
    runs = page(
        project.runs(name, RUNS, before=place(cursor), failed=failed), RUNS, lambda one: one.id
    )
    return show(
        request,
        "sync.html",
        Sync(
            found,
            project.definitions.get("sync", name, whole=Right.EDIT in caller.rights),
            project.alerts.freshness(name),
            project.runs(name, RUNS * 2)[::-1],
            runs.items,
            runs.next,
            failed,
            tab,
            project.glance.facts(found.last_run.id) if found.last_run else None,
        ),
    )


@router.post("/{name}/run", **door("service.trigger", Right.RUN))
def run(name: Name, project: Ours, caller: Asking, allow_removals: Allowed = NO) -> Response:
    """Ask for a run as soon as no other one is active."""
    project.service.trigger([name], by=caller.name, allow_removals=allow_removals)
    project.access.audit.note(caller, "sync.run", name, after={"allow_removals": allow_removals})
    return _back(name, "asked")


@router.post("/{name}/pause", **door("pause", Right.RUN))
def pause(name: Name, project: Ours, caller: Asking) -> Response:
    """Let no run and no delivery of a sync begin."""
    project.pause(name)
    project.access.audit.note(caller, "sync.pause", name)
    return _back(name, "paused")


@router.post("/{name}/resume", **door("resume", Right.RUN))
def resume(name: Name, project: Ours, caller: Asking) -> Response:
    """Let a sync that was paused run again."""
    project.resume(name)
    project.access.audit.note(caller, "sync.resume", name)
    return _back(name, "resumed")


@router.post("/{name}/unpin", **door("undone.unpin", Right.RUN))
def unpin(name: Name, project: Ours, caller: Asking) -> Response:
    """Let come back what was undone."""
    rows = project.undone.unpin(name)
    project.access.audit.note(caller, "sync.unpin", name, after={"rows": rows})
    return _back(name, "unpinned")


def _back(name: str, said: str) -> Response:
    return onward(f"/syncs/{part(name)}?said={said}")


def _meets(one: SyncReport, q: str, state: State) -> bool:
    names = (one.name, one.source, *one.destinations)
    last = one.last_run
    stands = {
        "": True,
        "paused": one.paused,
        "failed": last is not None and last.failed,
        "running": last is not None and not last.is_over,
    }
    return stands[state] and any(q in name.casefold() for name in names)
