"""Why a sync has no row of a person."""

from collections.abc import Iterator, Sequence

from rowlift.core.nouns import Kind, Status
from rowlift.core.specs import SyncSpec
from rowlift.engine.populate import TARGET
from rowlift.operations.histories import SyncRow
from rowlift.operations.home import Home
from rowlift.operations.plans import waiting
from rowlift.operations.records import Names
from rowlift.operations.traces import Membership, Standing, SyncTrace, TargetTrace
from rowlift.state.runs import Run

Reason = tuple[Standing, str, str]  # the standing, a code and a reason

SUPPRESSED: Reason = (Standing.SUPPRESSED, "PERSON_SUPPRESSED", "The person is suppressed.")
PAUSED: Reason = (Standing.PAUSED, "PAUSED", "The sync is paused.")
_TOOK_NOTHING = frozenset({Status.STOPPED, Status.FAILED, Status.CANCELLED})
_LOOKED_AT = 20  # runs


def stopped(home: Home, sync: str, last: Run) -> Reason | None:
    """Say why the last run of a sync took nothing over; None where it did."""
    if last.status not in _TOOK_NOTHING or last.image_revision is not None:
        return None
    told = f"Run {last.id}: {last.reason}"
    if plan := waiting(home, sync):
        return Standing.PLAN_WAITS, last.reason_code, f"{plan} {told}"
    return Standing.STOPPED, last.reason_code, told


def absent(
    home: Home, names: Names, rows: Sequence[SyncRow], inside: Sequence[Membership],
    destination: str | None, *, suppressed: bool,
) -> Iterator[SyncTrace]:  # fmt: skip
    """Yield of each sync of people that has none of these rows why not; `inside` are segments."""
    having = {row.uid for row in rows}
    for name, uid in sorted(home.syncs.items()):
        spec = home.project.syncs[name]
        targets = _targets(spec, destination)
        if targets and spec.kind is Kind.PERSON and uid not in having:
            found = SUPPRESSED if suppressed else _why(home, spec, names, inside)
            yield _trace(name, targets, found)


def unreached(home: Home, destination: str | None) -> list[str]:
    """Return the destinations, all or only one, that no sync sends people to."""
    syncs = [one for one in home.project.syncs.values() if one.kind is Kind.PERSON]
    used = {use.use for one in syncs for use in one.destinations}
    asked = home.project.destinations if destination is None else [destination]
    return sorted({*asked} - used)


def _trace(name: str, targets: Sequence[str], found: Reason) -> SyncTrace:
    nothing = (None, None, None, None)
    told = [TargetTrace(one, found[0], *nothing, *found[1:]) for one in targets]
    return SyncTrace(
        name, "", present=False, version=None, run=None, row_number=None, query=None, targets=told
    )


def _targets(spec: SyncSpec, destination: str | None) -> list[str]:
    used = [use.use for use in spec.destinations if destination in (None, use.use)]
    return [TARGET, *used] if spec.workspace and destination is None else used


def _why(home: Home, spec: SyncSpec, names: Names, inside: Sequence[Membership]) -> Reason:
    uid = home.syncs[spec.name]
    if not names.keys(spec.identify_by):
        by = spec.identify_by
        return Standing.NO_IDENTIFIER, "", f"The sync knows people by {by}; this one has none."
    last = _last(home, uid)
    if last and (found := stopped(home, spec.name, last)):
        return found
    if home.store.runs.is_paused(uid):
        return PAUSED
    if last is None:
        plan = waiting(home, spec.name)
        standing = Standing.PLAN_WAITS if plan else Standing.NEVER_RAN
        return standing, "", plan or "The sync never ran."
    if spec.audience:
        return _outside(spec.audience, inside)
    return Standing.NOT_IN_QUERY, "", f"Run {last.id} did not get a row of theirs."


def _outside(segment: str, inside: Sequence[Membership]) -> Reason:
    found = next((one for one in inside if one.segment == segment), None)
    if found and found.left_at is None:
        return (
            Standing.PENDING,
            "",
            f"They are in {segment} since the last run; the next brings them.",
        )
    was = " any more" if found else ""
    return Standing.NOT_A_MEMBER, "", f"They are not in {segment}{was}."


def _last(home: Home, uid: str) -> Run | None:
    """Return the last run that read all of the source, or began to."""
    latest = home.store.runs.latest(home.workspace_id, uid, _LOOKED_AT)
    return next((one for one in latest if one.is_whole and one.status is not Status.SKIPPED), None)
