"""Guessing gets slow: so many failures of an account or an address, then a wait."""

import math
from collections.abc import Sequence

from rowlift.core.clock import Clock
from rowlift.core.errors import Throttled
from rowlift.core.identifiers import email_key
from rowlift.operations.home import Home
from rowlift.state.users import FailureStore

SECONDS = 300
ACCOUNT_FAILURES = 5
ADDRESS_FAILURES = 20


class Throttle:
    """Counts failed attempts, those on accounts that do not exist too."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._failures = FailureStore(home.store.database)
        self._clock = clock

    def refuse_guessing(self, account: str, address: str) -> None:
        """Raise Throttled LOGIN_THROTTLED after too many failures in the last five minutes."""
        now = self._now()
        for who, most in _limits(account, address):
            failed = self._failures.moments(who, now - SECONDS)
            if len(failed) >= most:
                wait = math.ceil(failed[-most] + SECONDS - now)
                raise Throttled("LOGIN_THROTTLED", "Too many attempts failed.", wait)

    def failed(self, account: str, address: str) -> None:
        """Count a failure, and forget those that are too old to count."""
        names = [who for who, _ in _limits(account, address)]
        self._failures.add(names, self._now(), SECONDS)

    def succeeded(self, account: str, address: str) -> None:
        """Forget the failures of an account; its address keeps its own."""
        self._failures.clear(_limits(account, address)[0][0])

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _limits(account: str, address: str) -> Sequence[tuple[str, int]]:
    by_account = (f"account:{email_key(account)}", ACCOUNT_FAILURES)
    return [by_account, (f"address:{address}", ADDRESS_FAILURES)] if address else [by_account]
