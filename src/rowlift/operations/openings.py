"""With what a run is opened, besides its sync, and carried."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rowlift.core.specs import SyncSpec
    from rowlift.engine.run import Planned


@dataclass(frozen=True, slots=True)
class Opening:
    """A run that reads its source, unless it applies a plan, another run's rejects, or undoes it.

    `spec` is the sync as the run takes it, where that is not as it is declared.
    """

    phase: str = "read"
    plan: str = ""
    retry_of: int | None = None
    undo_of: int | None = None
    source_time: int | None = None
    first_rows: int | None = None
    allow_removals: bool = False
    planned: "Planned | None" = None
    spec: "SyncSpec | None" = None

    @property
    def told(self) -> Mapping[str, Any]:
        """Return what the row of the run says of it."""
        return {
            "phase": self.phase, "plan": self.plan, "retry_of": self.retry_of,
            "source_time": self.source_time, "first_rows": self.first_rows,
            "undo_of": self.undo_of,
        }  # fmt: skip
