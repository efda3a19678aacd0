"""Before anything is written, a preview says whom every row meets, as the run then finds."""

import pytest

from doors.cli import run_cli
from rowlift.core.errors import GuardStop
from rowlift.engine.preflight import GUARDED_FROM_ROWS
from school import COURSES, LINKS, School, project

KNOWN = [
    ("id", "email", "name"),
    ("1", "ann@x.org", "Ann"),
    ("2", "bob@x.org", "Bob"),
    ("", "cid@x.org", "Cid"),
    ("", "dora@x.org", "Dora"),
    ("8", "", "Zoe"),
]
ROWS = [
    ("id", "email"),
    ("1", "ann@x.org"),  # matched
    ("3", "CID@x.org"),  # attached
    ("4", "new@x.org"),  # new
    ("5", "ann@x.org"),  # wants somebody else's address
    ("2", "other@x.org"),  # has another one
    ("6", "dora@x.org"),  # fights for Dora
    ("7", "dora@x.org"),  # with this one
    ("8", "zoe@x.org"),  # suppressed
    (" ", "nobody@x.org"),  # breaks a rule
]
FATES = {
    ("matched", ""): 1, ("attached", ""): 1, ("new", ""): 1, ("suppressed", ""): 1,
    ("rejected", "EMAIL_TAKEN"): 3, ("rejected", "EMAIL_IMMUTABLE"): 1,
}  # fmt: skip


@pytest.fixture
def school(tmp_path):
    return School(tmp_path, f"sqlite:///{tmp_path / 'state.db'}")


@pytest.fixture
def any_school(tmp_path, state_url):
    """On each state database."""
    return School(tmp_path, state_url)


def settled(school):
    """People from elsewhere, one of them suppressed, and a query that meets them."""
    school.tables(known=KNOWN, rows=ROWS)
    school.sync("known", sql="SELECT * FROM known", identify_by="email")
    school.sync("zoe", sql="SELECT id, name FROM known WHERE id = '8'")
    school.sync("rows", sql="SELECT *, 'x' AS plan FROM rows")
    with project(school) as opened:
        opened.run(["known"])
        opened.run(["zoe"])
        opened.suppress(["id:8"])


def fates(found):
    return {(one.fate.value, one.code): one.rows for one in found.met}


@pytest.mark.door("python")
def test_C1_every_row_of_a_query_is_met_before_the_first_write(any_school):
    settled(any_school)
    with project(any_school) as opened:
        found = opened.preview("rows")
        assert fates(found) == FATES
        told = {one.code or one.fate.value: one.examples[0] for one in found.met}
        assert (told["attached"].row_number, told["attached"].identifier) == (2, "3")
        assert told["EMAIL_TAKEN"].reason == "It belongs to id 1."
        assert "ann@x.org" not in {one.email for one in opened.people() if one.id == "5"}
        run = opened.run(["rows"])[0]
        codes = {one["code"] for one in opened.rejects(run.id) if one["target"] == "workspace"}
    assert codes == {code for _, code in FATES if code}
    workspace = run.counts["workspace"]
    assert (workspace["create"], workspace["update"], workspace["suppressed"]) == (1, 2, 1)


def test_the_mode_decides_who_is_skipped(school):
    settled(school)
    school.sync("rows", mode="update")
    with project(school) as opened:
        assert fates(opened.preview("rows"))["skipped", ""] == 2
    school.sync("rows", mode="create", suppressed="fail")
    with project(school) as opened:
        found = fates(opened.preview("rows"))
    assert found["skipped", ""] == 5
    assert found["rejected", "PERSON_SUPPRESSED"] == 1


def test_the_first_run_of_a_query_would_stop_where_hardly_anybody_is_known(school):
    settled(school)
    rows = [(f"n{number}", "") for number in range(GUARDED_FROM_ROWS + 1)]
    school.tables(many=[("id", "plan"), *rows])
    school.sync("many", sql="SELECT * FROM many")
    with project(school) as opened:
        found = opened.preview("many")
        with pytest.raises(GuardStop) as stopped:
            opened.run(["many"])
    (finding,) = [one for one in found.findings if one.level == "error"]
    assert found.stops
    assert finding.code == stopped.value.code == "MOSTLY_UNKNOWN"
    school.sync("many", guards={"unknown": "off"})
    with project(school) as opened:
        found = opened.preview("many")
        assert [one.code for one in found.findings] == ["ALL_UNKNOWN"]
        opened.run(["many"])
        assert not opened.preview("many").findings


@pytest.mark.door("python")
def test_C1_objects_and_relationships_are_met_too(school):
    school.courses()
    school.related()
    with project(school) as opened:
        assert fates(opened.preview("courses")) == {("new", ""): len(COURSES) - 1}
        opened.run(["courses"])
        assert fates(opened.preview("courses")) == {("matched", ""): len(COURSES) - 1}
        lost = ("9", "course", "c1", "pupil", "")
        ended = ("1", "", "acme", "", "yes")
        school.tables(links=[*LINKS, lost, ended, ("1", "course", "c9", "", "")])
        found = opened.preview("people", relationships=True)
        assert fates(found) == {
            ("new", ""): 2, ("skipped", ""): 1,
            ("rejected", "PERSON_UNKNOWN"): 1, ("rejected", "OBJECT_UNKNOWN"): 1,
        }  # fmt: skip
        run = opened.run(["people"])[0]
        again = fates(opened.preview("people", relationships=True))
    assert run.counts["relationships"]["workspace"]["create"] == 2
    assert again["matched", ""] == 2


@pytest.mark.door("cli")
def test_C1_a_preview_names_conflicts_with_their_rows(tmp_path):
    school = School(tmp_path, f"sqlite:///{tmp_path / '.rowlift' / 'state.db'}")
    settled(school)

    def cli(*words: str):
        return run_cli(*words, cwd=school.folder)

    shown = cli("preview", "rows")
    assert "1 matched" in shown.stdout
    assert "row 4 (5): It belongs to id 1." in shown.stdout
    document = cli("preview", "rows", "-o", "json").json["preview"]
    assert {(one["fate"], one["code"]): one["rows"] for one in document["met"]} == FATES
