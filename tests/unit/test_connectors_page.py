"""What the page on writing connectors shows is what there is."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from rowlift.testing import answers

PAGE = (Path(__file__).parents[2] / "docs" / "connectors.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=["destination", "source"])
def test_a_suite_takes_ten_lines(block):
    shown: dict[str, object] = {}
    exec(compile(block, "connectors.md", "exec"), shown)
    (suite,) = [one for name, one in shown.items() if name.startswith("Test")]
    assert sum(name.startswith("test_") for name in dir(suite)) > 20
    body = block[block.index("class Test") :]
    assert len(body.strip().splitlines()) <= 10


def test_every_tool_that_is_named_exists():
    for module, name in re.findall(r"^\| `(\w+)(?:\.(\w+))?` \|", PAGE, re.MULTILINE):
        tools = import_module(f"rowlift.testing.{module}")
        assert not name or hasattr(tools, name)


@pytest.mark.parametrize(
    ("first", "kept"), [("400", answers.REFUSALS), ("408", answers.TROUBLE)], ids=["400", "408"]
)
def test_the_page_tells_the_answers_that_the_suites_keep(first, kept):
    (row,) = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith(f"| {first}")]
    given = {one.name for one in kept if re.fullmatch(r"4\d\d", one.name)}
    assert set(re.findall(r"4\d\d", row.partition(";")[0])) == given
