"""What must be true of a project, whatever was done to it before."""

from collections.abc import Mapping
from dataclasses import dataclass, field

WORKSPACE = "workspace"
COLUMNS = ("plan", "city", "team")

Values = Mapping[str, str | None]


@dataclass(slots=True)
class Model:
    """The shop's rows, the query's columns, who is suppressed, and what a reset made forgotten.

    After a reset nobody knows whom a target holds: who left meanwhile may stay there.
    """

    rows: dict[str, Values] = field(default_factory=dict)
    columns: tuple[str, ...] = COLUMNS[:1]
    renamed: bool = False
    suppressed: set[str] = field(default_factory=set)
    forgotten: dict[str, set[str]] = field(default_factory=dict)

    def expected(self, target: str) -> dict[str, dict[str, str]]:
        """Return what a target must hold: by key, the values that are not empty.

        What the workspace holds of who is suppressed stays as it was, and is not told here.
        """
        return {
            key: {
                self._name(target, column): value
                for column in self.columns
                if (value := row.get(column))
            }
            for key, row in self.rows.items()
            if key not in self.suppressed
        }

    def _name(self, target: str, column: str) -> str:
        return "tier" if self.renamed and target == "crm" and column == "plan" else column

    def forget(self, target: str, held: set[str]) -> None:
        """Note whom a target held when it was forgotten."""
        self.forgotten.setdefault(target, set()).update(held)

    def remember(self) -> None:
        """A run came to its end: whoever is in the shop and went anywhere is known again there."""
        for keys in self.forgotten.values():
            keys.difference_update(self.rows.keys() - self.suppressed)
