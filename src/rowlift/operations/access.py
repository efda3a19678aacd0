"""Everything about people who work here, in one place."""

from dataclasses import dataclass

from rowlift.core.clock import Clock
from rowlift.operations.accounts import Accounts
from rowlift.operations.auditing import Audit
from rowlift.operations.home import Home
from rowlift.operations.signing_in import Sessions
from rowlift.operations.single_sign_on import SingleSignOn
from rowlift.operations.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Access:
    """Users and their roles, who is signed in, what lets programs in, and what everybody did."""

    accounts: Accounts
    sessions: Sessions
    tokens: Tokens
    audit: Audit
    single_sign_on: SingleSignOn

    @classmethod
    def of(cls, home: Home, clock: Clock) -> "Access":
        """Return what concerns one workspace."""
        return cls(
            Accounts(home, clock),
            Sessions(home, clock),
            Tokens(home, clock),
            Audit(home, clock),
            SingleSignOn(home, clock),
        )
