"""A new project: it passes its own check, and nothing that exists is overwritten."""

import json

import pytest

from data.project.kinds import KINDS
from rowlift.project.check import check
from rowlift.project.files import load
from rowlift.project.problems import Problem
from rowlift.project.scaffold import FILES, scaffold


def test_a_new_project_passes_its_own_check(tmp_path):
    root = tmp_path / "deep" / "My Shop"
    made = scaffold(root, KINDS)
    assert made.written == tuple(FILES)
    assert made.kept == ()
    assert check(root, KINDS) == ()
    project = load(root, KINDS)
    assert project.workspace.name == "my_shop"
    assert list(project.syncs) == ["open_tickets"]


def test_the_schemas_of_the_first_lines_exist(tmp_path):
    scaffold(tmp_path, KINDS, name="acme")
    for path in ("rowlift.yml", "connections.yml", "syncs/open_tickets.yml"):
        first = (tmp_path / path).read_text().splitlines()[0]
        target = (tmp_path / path).parent / first.partition("$schema=")[2]
        assert json.loads(target.read_text())["type"] == "object"


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "rowlift.yml").write_text("mine")
    (tmp_path / ".gitignore").symlink_to(tmp_path / "elsewhere")
    made = scaffold(tmp_path, KINDS, name="acme")
    assert made.kept == ("rowlift.yml", ".gitignore")
    assert (tmp_path / "rowlift.yml").read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()
    assert scaffold(tmp_path, KINDS, name="other").written == ()


def test_state_and_secrets_are_ignored_by_git(tmp_path):
    scaffold(tmp_path, KINDS, name="acme")
    assert {".rowlift/", ".env"} <= set((tmp_path / ".gitignore").read_text().splitlines())
    assert "PGPASSWORD=\n" in (tmp_path / ".env.example").read_text()


@pytest.mark.parametrize("name", ["Acme Inc", "", "../x", "x" * 65])
def test_a_name_that_cannot_be_one_is_refused(tmp_path, name):
    with pytest.raises(Problem, match="The project's name must be a name"):
        scaffold(tmp_path / "new", KINDS, name=name)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Problem) as caught:
        scaffold(tmp_path / "file" / "shop", KINDS, name="acme")
    assert caught.value.code == "FILE_UNREADABLE"
