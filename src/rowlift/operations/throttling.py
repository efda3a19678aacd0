"""Guessing gets slow: so many failures of an account or an address, then a wait."""

import math
from collections.abc import Sequence

from rowlift.core.clock import Clock
from rowlift.core.errors import Throttled
from rowlift.core.identifiers import email_key
from rowlift.operations.home import Home
from rowlift.state.users import Attempt, FailureStore

SECONDS = 300
ACCOUNT_FAILURES = 5
ADDRESS_FAILURES = 20


class Throttle:
    """Counts failed attempts, those on accounts that do not exist too."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._failures = FailureStore(home.store.database)
        self._clock = clock

    def attempt(self, account: str, address: str) -> Attempt:
        """Count an attempt as failed until it has succeeded.

        Raises Throttled LOGIN_THROTTLED after too many failures in the last five minutes.
        """
        now = self._now()
        attempt = self._failures.attempt(_limits(account, address), now, SECONDS)
        if not attempt.noted:
            wait = math.ceil(attempt.closed_until - now)
            raise Throttled("LOGIN_THROTTLED", "Too many attempts failed.", wait)
        return attempt

    def succeeded(self, attempt: Attempt, account: str) -> None:
        """Forget the failures of an account; its address keeps those of others."""
        self._failures.forgive(attempt, _account(account))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _limits(account: str, address: str) -> Sequence[tuple[str, int]]:
    by_account = (_account(account), ACCOUNT_FAILURES)
    return [by_account, (f"address:{address}", ADDRESS_FAILURES)] if address else [by_account]


def _account(name: str) -> str:
    return f"account:{email_key(name)}"
