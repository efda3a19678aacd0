"""Forget what was sent, or everything a sync knows."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from rowlift.core.errors import Busy, ConfigError
from rowlift.core.nouns import Status
from rowlift.engine.delivery import COUNTED
from rowlift.engine.held import HELD
from rowlift.engine.ledger import LEDGER_FILES
from rowlift.engine.parts import uids
from rowlift.engine.populate import TARGET
from rowlift.operations.home import Home
from rowlift.state.files import PINS
from rowlift.state.tables import images, sync_state

_IMAGE = ("image_base", "image_delta", HELD, PINS)


def reset(home: Home, name: str, target: str | None = None) -> None:
    """Forget a sync's image, last_sync_time and ledgers, or one target's ledger.

    Message ids never repeat: the epoch of each ledger rises. Raises Busy while a run is active.
    """
    spec, uid, store = home.sync(name), home.syncs[name], home.store
    uses = {use.use: home.destinations[use.use] for use in spec.destinations}
    targets = {TARGET: TARGET, **uses}
    if target is not None and target not in targets:
        known = ", ".join(targets)
        raise ConfigError(
            "NAME_UNKNOWN", f"{name} has no target {target}.", mend=f"Known: {known}."
        )
    chosen = [targets[target]] if target else [*targets.values()]
    others = [one for one in uids(uid).values() if one != uid and store.images.image(one)]
    refuse_run(home)
    for part in (uid, *others):
        _give_up_deliveries(home, name, part, chosen)
    with store.database.transaction("state.reset") as connection:
        for part in (uid, *others):
            refuse_begun(home, connection, chosen, part)
            for one in chosen:
                _forget_ledger(home, connection, part, one)
            if target is None:
                _forget_image(home, connection, part)


def _give_up_deliveries(home: Home, name: str, uid: str, targets: Collection[str]) -> None:
    """End what waits or was left by a dead process: after a reset everything is sent anew.

    Without this, a damaged data directory could neither be delivered from nor be reset.
    """
    deliveries = home.store.deliveries
    for one in deliveries.open(uid):
        if one.destination_uid not in targets:
            continue
        held = deliveries.claim(one.id)
        if held is None:
            raise Busy("BUSY", f"{name} is being delivered.", mend="Wait for it, then reset.")
        with (
            deliveries.lease(held) as lease,
            home.store.database.transaction("reset.give_up") as connection,
        ):
            lease.hold(connection)
            home.store.files.retire(connection, home.store.files.of_delivery("plan", one.id))
            deliveries.finish(
                connection, one.id, Status.CANCELLED, _all_pending(one.counts),
                "INTERRUPTED", "The sync was reset: everything is sent again.",
            )  # fmt: skip


def _all_pending(counts: Mapping[str, Any]) -> Mapping[str, Any]:
    if not counts:
        return counts
    return {**dict.fromkeys(COUNTED, 0), **counts, "pending": counts["due"]}


def refuse_run(home: Home) -> None:
    """Raise Busy while a run is active, or waits to be taken over."""
    if home.store.runs.active(home.workspace_id):
        mend = "Wait for it, or finish what was interrupted: rowlift run. Then try again."
        raise Busy("BUSY", "A run is active or was interrupted.", mend=mend)


def refuse_begun(home: Home, connection: sa.Connection, targets: Collection[str], uid: str) -> None:
    """Raise Busy where a run, or a delivery to a target, began; until the commit none can."""
    if not home.store.database.is_sqlite:
        connection.exec_driver_sql("LOCK TABLE runs, deliveries IN SHARE ROW EXCLUSIVE MODE")
    refuse_run(home)
    open_ = {one.destination_uid for one in home.store.deliveries.open(uid)}
    if not open_.isdisjoint(targets):
        raise Busy("BUSY", "A delivery goes on or waits.", mend="Wait for it, then try again.")


def _forget_ledger(home: Home, connection: sa.Connection, uid: str, target: str) -> None:
    ledger = home.store.images.ledger(uid, target, home.workspace_id)
    home.store.files.retire(connection, home.store.files.live(LEDGER_FILES, uid, target))
    forgotten = replace(ledger, epoch=ledger.epoch + 1, settled=0, account="", mapping="")
    home.store.images.save_ledger(connection, forgotten)


def _forget_image(home: Home, connection: sa.Connection, uid: str) -> None:
    home.store.files.retire(connection, home.store.files.live(_IMAGE, uid))
    connection.execute(
        images.update()
        .where(images.c.sync_uid == uid)
        .values(key_column="", rows=0, present=0, forgotten=images.c.revision)
    )
    connection.execute(
        sync_state.update().where(sync_state.c.sync_uid == uid).values(last_sync_time=0)
    )
