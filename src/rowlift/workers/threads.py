"""A thread that works beside a service, as long as a block lasts."""

import threading
from abc import ABC, abstractmethod
from typing import Self


class Worker(ABC):
    """Begins to work with its block and has ended after it."""

    def __init__(self, name: str) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._thread.join()

    def _stop(self) -> None:
        self._stopped.set()

    @abstractmethod
    def _work(self) -> None:
        """Work until it is stopped."""
