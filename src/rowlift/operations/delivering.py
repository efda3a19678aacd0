"""Drain deliveries: every destination of a sync side by side, until nothing is queued."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice

from rowlift.core.clock import Clock
from rowlift.core.errors import ConfigError, Fenced
from rowlift.core.ports import Destination
from rowlift.core.progress import Progress
from rowlift.engine.delivery import DeliveryRun, DeliverySpec
from rowlift.engine.parts import uids
from rowlift.operations.home import Home
from rowlift.state.deliveries import Delivery

AT_ONCE = 8  # each needs connections of the state database, whose pool is bounded


@dataclass(frozen=True, slots=True)
class Drain:
    """What draining needs besides the deliveries themselves."""

    home: Home
    clock: Clock
    progress: Progress
    cancelled: threading.Event

    def sync(self, sync_uid: str) -> list[Delivery]:
        """Carry a sync's open deliveries to their end; returns each destination's last one.

        A delivery that another living process carries is left to it.
        """
        ended: dict[tuple[str, str], Delivery] = {}
        while claimed := self._claim(sync_uid):
            for delivery in self._side_by_side(claimed):
                ended[delivery.sync_uid, delivery.destination_uid] = delivery
            if self.cancelled.is_set():
                break
        return list(ended.values())

    def one(self, delivery_id: int) -> Delivery | None:
        """Carry one delivery to its end; None where somebody else has it."""
        claimed = self.home.store.deliveries.claim(delivery_id)
        return self._carry(claimed) if claimed else None

    def _claim(self, sync_uid: str) -> list[Delivery]:
        store = self.home.store.deliveries
        open_ = (one for uid in uids(sync_uid).values() for one in store.open(uid))
        claimed = (store.claim(one.id) for one in open_)
        return list(islice(filter(None, claimed), AT_ONCE))

    def _side_by_side(self, claimed: Sequence[Delivery]) -> list[Delivery]:
        with ThreadPoolExecutor(len(claimed), thread_name_prefix="delivery") as pool:
            futures = [pool.submit(self._carry, one) for one in claimed]
            try:
                return [future.result() for future in futures]
            except BaseException:
                self.cancelled.set()
                raise

    def _carry(self, delivery: Delivery) -> Delivery:
        try:
            return DeliveryRun(
                self.home.store, delivery, partial(self._open, delivery), self.clock,
                self.progress, self.cancelled.is_set,
            ).carry()  # fmt: skip
        except Fenced:
            return self.home.store.deliveries.get(delivery.id)

    @contextmanager
    def _open(self, delivery: Delivery) -> Iterator[Destination]:
        """Open a delivery's destination by its uid: it may have another name by now."""
        home, spec = self.home, DeliverySpec.from_json(delivery.spec)
        names = {uid: name for name, uid in home.destinations.items()}
        name = names.get(delivery.destination_uid, spec.destination)
        if name not in self._used(delivery.sync_uid, name):
            raise ConfigError(
                "NAME_UNKNOWN",
                f"{spec.feed.sync} does not use {name} any more.",
                mend="Put it back into the sync's destinations; its rows stay due.",
            )
        with home.destination(name, spec.feed) as destination:
            yield destination

    def _used(self, sync_uid: str, otherwise: str) -> Sequence[str]:
        """Return the names of a sync's destinations; a sync that is gone cannot leave any."""
        syncs = {
            uid: self.home.project.syncs[name]
            for name, own in self.home.syncs.items()
            for uid in uids(own).values()
        }
        spec = syncs.get(sync_uid)
        return [use.use for use in spec.destinations] if spec else [otherwise]
