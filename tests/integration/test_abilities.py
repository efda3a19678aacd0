"""A sync that asks what its destination cannot do is refused before anything runs."""

from pathlib import Path

import pytest

from rowlift.project.problems import ProjectInvalid
from world import World


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ({"match": "email"}, 'it cannot match by "email"'),
        ({"match": "group_id"}, 'it cannot match by "group_id"'),
    ],
)
def test_a_match_that_the_key_cannot_be_is_refused(
    tmp_path: Path, use: dict[str, str], words: str
) -> None:
    world = World(tmp_path / "acme")
    world.rows(("a", "free"))
    world.use |= use
    with pytest.raises(ProjectInvalid) as refused:
        world.run()
    (problem,) = refused.value.problems
    assert problem.code == "CANNOT_DO"
    assert words in problem.message
    assert not world.log().exists()


def test_an_email_key_may_be_a_user_id_at_the_destination(tmp_path: Path) -> None:
    world = World(tmp_path / "acme", columns=("email", "plan"))
    world.sync["identify_by"] = "email"
    world.rows(("ann@example.com", "free"))
    world.run()
    assert set(world.applied()) == {"ann@example.com"}


def test_no_destination_is_called_workspace(tmp_path: Path) -> None:
    world = World(tmp_path / "acme")
    world.rows(("a", "free"))
    world.others["workspace"] = {}
    with pytest.raises(ProjectInvalid) as refused:
        world.run()
    assert [problem.code for problem in refused.value.problems] == ["NAME_TWICE"]
