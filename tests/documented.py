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
