"""Which segments a person is in, or was, and what let them in or out."""

from rowlift.operations.home import Home, sync_names
from rowlift.operations.traces import Membership
from rowlift.workspace import segments


def memberships(home: Home, pid: int) -> list[Membership]:
    """Return the segments by name that a person is in, and those that they left lately."""
    syncs = sync_names(home)
    return [
        Membership(
            one.segment, one.audience_uid is not None, syncs.get(one.sync_uid), one.run_id,
            one.entered_at, one.left_at,
        )
        for one in segments.memberships(home.workspace, pid)
    ]  # fmt: skip
