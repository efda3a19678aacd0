"""What the page on warehouses shows is what there is."""

import re
from pathlib import Path

from rowlift.engine.moments import CONVERSIONS

DIALECTS = {"sqlserver": "tsql"}  # else it has the source's name
PAGE = (Path(__file__).parents[2] / "docs" / "warehouses.md").read_text()
IDIOM = re.compile(
    r"^\| (`\w+`(?:, `\w+`)*) \| `([^`]*\{\{last_sync_time\}\}[^`]*)` \|$", re.MULTILINE
)


def test_each_idiom_is_the_one_that_a_failed_query_is_told():
    found = {
        name: idiom for names, idiom in IDIOM.findall(PAGE) for name in re.findall(r"\w+", names)
    }
    assert found == {name: CONVERSIONS[DIALECTS.get(name, name)] for name in found}
    assert len(found) >= 5
