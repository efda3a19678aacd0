"""The identifiers of a person, edited by hand."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import rowlift
from doors.api import serving
from doors.cli import run_cli
from rowlift.core.errors import RowliftError
from rowlift.core.rights import Right, Role
from rowlift.operations.identifying import Identifiers
from world import World

ANN = Identifiers("ann", "ann@example.com")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return imported(World(tmp_path / "acme", ("user_id", "email", "plan")))


@pytest.fixture
def project(tmp_path: Path, state_url: str) -> Iterator[rowlift.Project]:
    """On each state database."""
    made = World(tmp_path / "acme", ("user_id", "email", "plan"))
    made.env = {"ROWLIFT_STATE_URL": state_url}
    with imported(made).project() as opened:
        yield opened


def imported(world: World) -> World:
    world.sync["workspace"] = "write"
    world.rows(("ann", "ann@example.com", "pro"), ("bob", "Bob@example.com", "free"))
    world.run()
    return world


def refused(project: rowlift.Project, name: str, email: str | None, **how: object) -> str:
    with pytest.raises(RowliftError) as error:
        project.change_identifiers("id:ann", Identifiers(name, email), **how)
    assert project.person("id:ann").email == "ann@example.com"
    return error.value.code


@pytest.mark.door("python")
def test_B23_a_person_gets_other_identifiers_and_stays_who_they_are(
    project: rowlift.Project,
) -> None:
    before = project.person("id:ann")
    changed = project.change_identifiers("id:ann", Identifiers("c1", "Ann@Example.org"), was=ANN)
    assert (changed.id, changed.email, changed.number) == ("c1", "Ann@Example.org", before.number)
    assert [one.value for one in changed.attributes] == [one.value for one in before.attributes]
    assert project.person("ann@example.ORG").number == before.number
    assert project.run(["people"])[0].counts["unchanged"] == 2
    back = project.change_identifiers("id:c1", Identifiers(None, "ann@example.org"))
    assert (back.id, back.email) == (None, "ann@example.org")


@pytest.mark.door("python")
def test_B23_what_is_wrong_or_somebody_elses_is_refused(project: rowlift.Project) -> None:
    assert refused(project, "bob", "ann@example.com") == "ID_TAKEN"
    assert refused(project, "ann", "bob@EXAMPLE.com") == "EMAIL_TAKEN"
    assert refused(project, "ann", "ann at example") == "EMAIL_INVALID"
    assert refused(project, "a\tb", None) == "ID_CHARACTERS"
    assert refused(project, "x" * 501, None) == "ID_TOO_LONG"
    assert refused(project, " ", "") == "VALUE_WRONG"
    assert refused(project, "c1", None, was=Identifiers("ann", None)) == "EDIT_CONFLICT"


@pytest.mark.door("python")
def test_C9_nobody_escapes_a_suppression_by_another_name(project: rowlift.Project) -> None:
    project.suppress(["id:nobody"], wait=False)
    assert refused(project, "nobody", None) == "PERSON_SUPPRESSED"
    project.suppress(["id:ann"], wait=False)
    assert refused(project, "c1", None) == "PERSON_SUPPRESSED"


@pytest.mark.door("python")
def test_B23_the_next_change_of_the_old_row_is_a_person_of_its_own(world: World) -> None:
    with world.project() as project:
        project.change_identifiers("id:ann", Identifiers("c1", None), was=ANN)
    world.rows(("ann", "new@example.com", "free"), ("bob", "Bob@example.com", "free"))
    world.run()
    with world.project() as project:
        assert {one.id: one.email for one in project.people()} == {
            "c1": None, "bob": "Bob@example.com", "ann": "new@example.com",
        }  # fmt: skip


@pytest.mark.door("cli")
def test_B23_identifiers_are_edited_at_the_command_line(world: World) -> None:
    done = run_cli(
        "people", "identify", "ann", "--email", "ann@example.org", "-o", "json", cwd=world.folder
    )
    person = json.loads(done.stdout)["person"]
    assert (person["id"], person["email"]) == ("ann", "ann@example.org")
    assert run_cli("people", "identify", "ann", cwd=world.folder).code == 2
    taken = run_cli("people", "identify", "ann", "--id", "bob", cwd=world.folder)
    assert (taken.code, "[ID_TAKEN]" in taken.stderr) == (4, True)


@pytest.mark.door("api")
def test_B23_identifiers_are_edited_by_role_and_the_log_names_nobody(world: World) -> None:
    to = {"id": "c1", "email": "ann@example.com", "was": {"id": "ann", "email": "ann@example.com"}}
    with serving(world.folder) as api:
        with api.as_user(Role.VIEWER) as viewer:
            assert viewer.put("/people/id:ann/identifiers", json=to).status_code == 403
        with api.by_token(Role.EDITOR, [Right.EDIT]) as program:
            assert program.put("/people/id:ann/identifiers", json=to).status_code == 403
        with api.as_user(Role.EDITOR) as editor:
            changed = editor.put("/people/id:ann/identifiers", json=to).raise_for_status().json()
            late = editor.put("/people/id:c1/identifiers", json=to)
            assert (late.status_code, late.json()["code"]) == (412, "EDIT_CONFLICT")
        (line,) = [
            one for one in api.project.access.audit.page() if one.action == "person.identifiers"
        ]
    assert (line.subject, "ann" in str(line)) == (str(changed["number"]), False)
