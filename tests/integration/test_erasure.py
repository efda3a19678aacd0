"""A person is erased from everything that is kept, at whatever instruction the process dies."""

import re

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from rowlift.core import faults
from rowlift.core.errors import Busy, StateError
from rowlift.core.nouns import Status
from school import PEOPLE, School, project

ADDRESS = "ann@x.org"
RELATED = '"course","c1","1"'
KINDS = {
    "image_base", "image_delta", "ledger_base", "held",
    "rejects", "apply_rejects", "delivery_rejects",
}  # fmt: skip


@pytest.fixture
def school(tmp_path):
    return School(tmp_path, f"sqlite:///{tmp_path / 'state.db'}")


@pytest.fixture
def any_school(tmp_path, state_url):
    """On each state database."""
    return School(tmp_path, state_url)


def lived_in(school):
    """Everything that may name somebody: history, conflicts, rejects of each kind, held rows."""
    school.destination(reject=["1"])
    school.tables(others=[("id", "email"), ("9", "ANN@x.org")])
    school.sync("others", sql="SELECT * FROM others")
    school.courses()
    school.related()
    school.people(destinations=[school.crm], cursor="held_rows")
    school.run(project, "courses")
    school.run(project, "people")
    school.run(project, "others")  # refused: the address belongs to 1
    school.tables(phones=[("anonymous_id", "model"), ("anna-phone", "anna's")])
    school.sync("phones", sql="SELECT * FROM phones", preset="traits", identify_by="anonymous_id")
    school.run(project, "phones")
    school.tables(phones=[("anonymous_id", "email"), ("anna-phone", ADDRESS)])
    school.run(project, "phones")
    school.tables(people=[PEOPLE[0], ("1", "Ann@x.org", "Anna"), PEOPLE[2]])
    school.run(project, "people")
    school.tables(people=[PEOPLE[0], ("1", "nonsense", "Annabel"), PEOPLE[2]])
    school.run(project, "people")


def files(school):
    return sorted((school.folder / ".rowlift" / "files").rglob("*.parquet"))


def told(school):
    """Everything that the data directory and the database say, as one text in lower case."""
    parquet = [str(pq.read_table(path).to_pylist()) for path in files(school)]
    engine = sa.create_engine(school.env["ROWLIFT_STATE_URL"])
    with engine.connect() as connection:
        names = sa.inspect(connection).get_table_names()
        tables = [str(connection.execute(sa.text(f"SELECT * FROM {one}")).all()) for one in names]
    engine.dispose()
    return " ".join([*parquet, *tables]).lower()


def raw(school):
    """The bytes of every file of the project but those of the source and the destination."""
    ours = [*(school.folder / ".rowlift").rglob("*"), *school.folder.glob("state.db*")]
    return b" ".join(path.read_bytes() for path in ours if path.is_file()).lower()


def erase(project, school, who=ADDRESS):
    with project(school) as opened:
        return opened.erase(who)


def test_nothing_names_an_erased_person_any_more(any_school):
    lived_in(any_school)
    with project(any_school) as opened:
        assert [one.attributes for one in opened.merges()] == [("model",)]
    assert {ADDRESS, "anna", "annabel"} <= set(re.findall(r"[\w@.]+", told(any_school)))
    assert RELATED in told(any_school)
    assert {path.name.split("-")[0] for path in files(any_school)} >= KINDS
    report = erase(project, any_school)
    assert report.people == 1
    assert report.rows >= 5
    said = told(any_school)
    assert ADDRESS not in said
    assert RELATED not in said
    assert "anna" not in said
    assert ADDRESS.encode() not in raw(any_school)
    assert "bob@x.org" in said


def test_an_erased_person_comes_back_only_with_the_source(school):
    school.people(destinations=[school.crm])
    school.run(project, "people")
    erase(project, school)
    run = school.run(project, "people")
    assert (run.counts["added"], run.counts["unchanged"]) == (1, 1)
    assert run.deliveries[0].counts["delivered"] == 1
    erase(project, school)
    school.tables(people=[PEOPLE[0], PEOPLE[2]])
    run = school.run(project, "people")
    assert (run.counts["removed"], run.counts["unchanged"], run.counts["present"]) == (0, 1, 1)
    with project(school) as opened:
        assert [one.id for one in opened.people()] == ["2"]


def test_who_is_nowhere_is_not_found_and_nothing_changes(school):
    school.people()
    school.run(project, "people")
    before = files(school)
    with pytest.raises(StateError) as caught:
        erase(project, school, "id:404")
    assert caught.value.code == "NOT_FOUND"
    assert files(school) == before
    assert school.run(project, "people").counts["unchanged"] == 2


def test_an_erasure_waits_for_nobody(school):
    school.people(destinations=[school.crm])
    with project(school) as opened:
        opened.run(["people"], wait=False)
        with pytest.raises(Busy):
            opened.erase(ADDRESS)
        assert opened.person(ADDRESS).id == "1"
    school.run(project, "people")
    assert erase(project, school).people == 1


POINTS = [
    "run.open.after_commit",
    "erase.begin.after_commit",
    "file.after_rename",
    "erase.commit.before_commit",
    "erase.commit.after_commit",
    "collect.after_commit",
    "erase.end.before_commit",
]


@pytest.mark.parametrize("point", POINTS)
def test_an_erasure_may_die_anywhere(school, point):
    school.people(destinations=[school.crm])
    school.run(project, "people")
    faults.arm(f"{point}:1:raise")
    try:
        with pytest.raises(faults.InjectedFault):
            erase(project, school)
    finally:
        faults.arm()
    committed = point.startswith(("collect", "erase.end", "erase.commit.after"))
    if committed:
        school.tables(people=[PEOPLE[0], PEOPLE[2]])
        school.run(project, "people")
    else:
        assert erase(project, school).people == 1
    assert ADDRESS.encode() not in raw(school)
    with project(school) as opened:
        assert {one.status for one in opened.runs() if one.sync == "erasure"} <= {
            Status.COMPLETED, Status.CANCELLED,
        }  # fmt: skip
