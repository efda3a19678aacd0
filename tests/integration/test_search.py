"""People and objects found by how an identifier begins, and everything of one person as a file."""

from pathlib import Path

import pytest

from school import School, project

PEOPLE = [
    ("id", "email", "name"),
    *(("p1", "ann@x.org", "A"), ("p10", "Anna@X.org", "B"), ("P1", "zoe@x.org", "C")),
    *(("pé", "%_@x.org", "D"), ("\U0001f600", "p1@x.org", "E"), ("ann", "b@x.org", "F")),
]
COURSES = [("object_type", "object_id", "title"), *(("course", f"c{n}", "") for n in range(5))]


@pytest.fixture
def school(tmp_path: Path, state_url: str) -> School:
    made = School(tmp_path, state_url)
    made.tables(people=PEOPLE, courses=[*COURSES, ("", "acme", "Acme")], links=[])
    made.people()
    made.courses()
    made.run(project, "people")
    made.run(project, "courses")
    return made


@pytest.mark.door("python")
def test_people_are_found_by_how_any_identifier_begins(school: School) -> None:
    with project(school) as opened:

        def found(text: str, limit: int = 20) -> list[str | None]:
            return [one.id for one in opened.search_people(text, limit)]

        assert found("p1") == ["p1", "p10", "\U0001f600"]
        assert found("ANN") == ["p1", "p10"]
        assert found("ann") == ["ann", "p1", "p10"]
        assert found("p") == ["p1", "p10", "pé", "\U0001f600"]
        assert found("p", 2) == ["p1", "p10"]
        assert found("%") == ["pé"]
        assert found("_") == []
        assert found("\U0001f600") == ["\U0001f600"]
        assert found("id:p1") == ["p1", "p10"]
        assert found("email:p1") == ["\U0001f600"]


@pytest.mark.door("python")
def test_B5_objects_are_listed_by_type_page_by_page(school: School) -> None:
    with project(school) as opened:
        assert [(one.object_type, one.count) for one in opened.object_types()] == [
            ("1", 1), ("course", 5),
        ]  # fmt: skip
        first = opened.objects_of_type("course", 3)
        rest = opened.objects_of_type("course", 3, after=first[-1].object_id)
        assert [one.object_id for one in [*first, *rest]] == ["c0", "c1", "c2", "c3", "c4"]
        (acme,) = opened.objects_of_type("1", beginning="ac")
        assert acme.attributes[0].value == "Acme"
        assert opened.objects_of_type("course", beginning="x") == []


@pytest.mark.door("python")
def test_everything_of_one_person_is_exported(school: School) -> None:
    with project(school) as opened:
        told = opened.export_person("email:anna@x.org")
    assert told.person.id == "p10"
    assert told.why.syncs[0].sync == "people"
    assert told.why.attributes[0].changes[0].after == "B"
    assert told.events == []
