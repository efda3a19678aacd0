"""The pictures of the web UI: of every page in each of its states, and small."""

import pytest
from tools.pagestates import EMPTY, FULL, RUNNING, WRONG, routes
from tools.screenshots import FOLDER, THEMES, file_of, files, main

MOST = 5_000_000  # bytes


def test_every_page_has_its_pictures() -> None:
    wanted = {file_of(*one) for one in files()}
    assert {route for route, _, _ in files()} == {*routes()}
    assert {*FOLDER.iterdir()} == wanted
    assert len(wanted) == len([*files()])
    assert sum(path.stat().st_size for path in wanted) < MOST


def test_a_full_page_is_taken_in_both_themes_and_each_other_state_in_one() -> None:
    taken = [(state, theme) for route, state, theme in files() if route == "/syncs"]
    assert taken == [
        *((FULL, theme) for theme in THEMES), (EMPTY, "light"), (WRONG, "light"), (RUNNING, "light")
    ]  # fmt: skip


def test_a_page_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(SystemExit, match=r"No page is at /nowhere: try .*/syncs"):
        main(["/nowhere"])
