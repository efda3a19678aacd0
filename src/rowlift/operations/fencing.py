"""Keep what holds values of people from outliving an erasure that began meanwhile."""

from rowlift.core.errors import Busy
from rowlift.operations.home import Home
from rowlift.state.runs import ERASURE


def last_erasure(home: Home) -> int:
    """Return the last erasure, 0 where there was none; raises Busy while one goes on."""
    runs = home.store.runs
    active = runs.active(home.workspace_id)
    if active and active.sync_uid == ERASURE:
        raise erasing()
    last = runs.latest(home.workspace_id, ERASURE, limit=1)
    return last[0].id if last else 0


def erasing() -> Busy:
    """Return what is raised where work would keep somebody who is being erased."""
    return Busy("BUSY", "A person is being erased.", mend="Try again when it is over.")
