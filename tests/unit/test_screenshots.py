"""The pictures of the web UI: of every page, in both themes, and small."""

import re

import pytest
from tools.screenshots import FOLDER, THEMES, address, file_of, main, routes

MOST = 3_000_000  # bytes


def test_every_page_has_its_pictures() -> None:
    wanted = {file_of(route, theme) for route in routes() for theme in THEMES}
    assert len(wanted) == len(THEMES) * len(routes())
    assert {*FOLDER.iterdir()} == wanted
    assert sum(path.stat().st_size for path in wanted) < MOST


def test_every_page_of_the_demo_has_an_address() -> None:
    made = {"number": "1", "plan_id": "0" * 32}
    assert not [one for one in routes() if re.search("[{}]", address(one, made))]


def test_a_page_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(SystemExit, match=r"No page is at /nowhere: try .*/syncs"):
        main(["/nowhere"])
    with pytest.raises(SystemExit, match=r"what stands for planet in /worlds/\{planet\}"):
        address("/worlds/{planet}", {})
