"""Everybody as every door exports them; who is suppressed only where that is asked for."""

from collections.abc import Iterator

from rowlift.operations.home import Home
from rowlift.operations.records import Names, PersonRecord, everybody
from rowlift.workspace.suppression import finder


def export_people(home: Home, *, suppressed: bool) -> Iterator[PersonRecord]:
    """Yield people without their relationships; with `suppressed` those who are, too."""
    with home.store.database.read() as connection:
        is_suppressed = finder(connection, home.workspace_id)
    for one in everybody(home):
        names = Names(one.id, one.email, one.anonymous_ids)
        if suppressed or not is_suppressed(names.identifiers()):
            yield one
