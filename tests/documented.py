"""What the documentation says, for tests that hold it true."""

import re
from pathlib import Path

WAREHOUSES = Path(__file__).parents[1] / "docs" / "warehouses.md"


def since(kind: str) -> str:
    """Return the idiom of last_sync_time of a source's type."""
    _, _, text = WAREHOUSES.read_text().partition("## last_sync_time")
    rows = re.findall(r"^\| (`.*`) \| `(.*)` \|$", text, re.MULTILINE)
    (found,) = [idiom for types, idiom in rows if f"`{kind}`" in types]
    return found


def lacks(heading: str) -> tuple[str, ...]:
    """Return the names of what is not shown of a warehouse, whose part has the heading."""
    _, _, part = WAREHOUSES.read_text().partition(f"\n## {heading}\n")
    _, _, told = part.partition("\n## ")[0].partition("\nNot shown by ")
    return tuple(re.findall(r"^- \*\*(.+)\*\*: ", told, re.MULTILINE))
