"""When each attribute of a person came here, and to destinations."""

from collections.abc import Mapping
from dataclasses import replace

from rowlift.core.specs import SyncSpec
from rowlift.engine.populate import TARGET
from rowlift.operations.freshness import arrivals, takes
from rowlift.operations.home import Home
from rowlift.operations.records import AttributeRecord, PersonRecord
from rowlift.state.freshness import Arrival


def dated(home: Home, record: PersonRecord) -> PersonRecord:
    """Return a person with when each attribute was last synced, and delivered."""
    known = {one.sync for one in record.attributes} & home.syncs.keys()
    by_sync = {name: arrivals(home, name) for name in known}
    found = [
        _dated(one, home.project.syncs[one.sync], by_sync[one.sync]) if one.sync in known else one
        for one in record.attributes
    ]
    return replace(record, attributes=found)


def _dated(
    one: AttributeRecord, spec: SyncSpec, there: Mapping[str, Arrival | None]
) -> AttributeRecord:
    taking = [use.use for use in spec.destinations if takes(use, one.name)]
    delivered = {name: _at(there[name], one.run) for name in taking}
    return replace(one, synced=_at(there.get(TARGET), one.run), delivered=delivered)


def _at(arrival: Arrival | None, run: int | None) -> float | None:
    """Return when a value of a run had arrived; None while it has not."""
    return arrival.at if arrival and arrival.run >= (run or 0) else None
