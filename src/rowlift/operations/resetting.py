"""Forget what was sent, or everything a sync knows."""

from dataclasses import replace

import sqlalchemy as sa

from rowlift.core.errors import Busy, ConfigError
from rowlift.engine.ledger import LEDGER_FILES
from rowlift.engine.populate import TARGET
from rowlift.operations.home import Home
from rowlift.state.tables import images, sync_state

_IMAGE = ("image_base", "image_delta")


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
    if store.runs.active(home.workspace_id) or store.deliveries.open(uid):
        raise Busy("BUSY", f"{name} is being run or delivered.", mend="Wait for it, then reset.")
    with store.database.transaction("state.reset") as connection:
        for one in [targets[target]] if target else targets.values():
            _forget_ledger(home, connection, uid, one)
        if target is None:
            _forget_image(home, connection, uid)


def _forget_ledger(home: Home, connection: sa.Connection, uid: str, target: str) -> None:
    ledger = home.store.images.ledger(uid, target, home.workspace_id)
    home.store.files.retire(connection, home.store.files.live(LEDGER_FILES, uid, target))
    forgotten = replace(ledger, epoch=ledger.epoch + 1, account="", mapping="")
    home.store.images.save_ledger(connection, forgotten)


def _forget_image(home: Home, connection: sa.Connection, uid: str) -> None:
    home.store.files.retire(connection, home.store.files.live(_IMAGE, uid))
    connection.execute(
        images.update().where(images.c.sync_uid == uid).values(key_column="", rows=0, present=0)
    )
    connection.execute(
        sync_state.update().where(sync_state.c.sync_uid == uid).values(last_sync_time=0)
    )
