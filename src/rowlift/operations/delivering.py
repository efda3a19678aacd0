"""Drain deliveries: every destination of a sync side by side, until nothing is queued."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rowlift.core.clock import Clock
from rowlift.core.errors import ConfigError, DestinationError, Fenced
from rowlift.core.nouns import Status
from rowlift.core.progress import Progress
from rowlift.engine.delivery import DeliveryRun, DeliverySpec
from rowlift.operations.home import Home
from rowlift.state.deliveries import Delivery


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
        ended: dict[str, Delivery] = {}
        while claimed := self._claim(sync_uid):
            for delivery in self._side_by_side(claimed):
                ended[delivery.destination_uid] = delivery
            if self.cancelled.is_set():
                break
        return list(ended.values())

    def _claim(self, sync_uid: str) -> list[Delivery]:
        store = self.home.store.deliveries
        claimed = [store.claim(one.id) for one in store.open(sync_uid)]
        return [one for one in claimed if one]

    def _side_by_side(self, claimed: Sequence[Delivery]) -> list[Delivery]:
        with ThreadPoolExecutor(len(claimed), thread_name_prefix="delivery") as pool:
            futures = [pool.submit(self._carry, one) for one in claimed]
            try:
                return [future.result() for future in futures]
            except BaseException:
                self.cancelled.set()
                raise

    def _carry(self, delivery: Delivery) -> Delivery:
        spec = DeliverySpec.from_json(delivery.spec)
        try:
            with self.home.destination(spec.destination, spec.feed) as destination:
                return DeliveryRun(
                    self.home.store, delivery, destination, self.clock, self.progress,
                    self.cancelled.is_set,
                ).carry()  # fmt: skip
        except Fenced:
            return self.home.store.deliveries.get(delivery.id)
        except (ConfigError, DestinationError) as error:
            return self._give_up(delivery, error)

    def _give_up(self, delivery: Delivery, error: ConfigError | DestinationError) -> Delivery:
        store = self.home.store
        lease = store.deliveries.lease(delivery)
        with store.database.transaction("delivery.refuse") as connection:
            lease.hold(connection)
            reason = f"{error.message} {error.mend}".strip()
            store.deliveries.finish(
                connection, delivery.id, Status.FAILED, delivery.counts, error.code, reason
            )
            store.deliveries.queue_next(connection, delivery.id)
        return store.deliveries.get(delivery.id)
