"""The audit log: what people did, with what was there before and after."""

from collections.abc import Mapping
from typing import Any

from rowlift.core.clock import Clock
from rowlift.operations.callers import Caller
from rowlift.operations.home import Home
from rowlift.state.audit import AuditLog, AuditProof, AuditRecord


class Audit:
    """Writes and shows the audit log of one workspace."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._log = AuditLog(home.store.database, home.workspace_id)
        self._clock = clock

    def note(
        self,
        by: Caller,
        action: str,
        subject: str = "",
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Write down what somebody did; no value may be a secret."""
        self._log.add(
            AuditRecord(
                at=self._clock.now().timestamp(),
                actor=by.name,
                address=by.address,
                action=action,
                subject=subject,
                before=before or {},
                after=after or {},
            )
        )

    def page(
        self, limit: int = 100, *, before: int | None = None, actor: str = "", action: str = ""
    ) -> list[AuditRecord]:
        """Return the newest lines first, from the one before an id.

        Of whoever's name holds a text, and of actions that begin with one, if given.
        """
        return self._log.page(limit, before, actor=actor, action=action)

    def prove(self, noted: str | None = None) -> AuditProof:
        """Tell whether every line is the one that was written.

        `noted` is the hash of a newest line that somebody kept elsewhere.
        """
        return self._log.prove(noted)
