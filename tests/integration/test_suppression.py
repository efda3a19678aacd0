"""Whoever is suppressed gets nothing by any path, and is taken out of where they were."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import sqlalchemy as sa

import rowlift
from rowlift.core import faults
from rowlift.core.clock import SystemClock
from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Status
from rowlift.testing.clock import QuickClock
from rowlift.testing.fake import applied, deliveries
from rowlift.workspace.tables import people, suppressions
from school import PEOPLE, School
from school import project as opened

ANN = ("1", "Ann@x.org", "Ann")
BOB = ("2", "bob@x.org", "Bob")
STRASSE = ("3", "STRAẞE@x.org", "Otto")
COLUMNS = ("id", "email", "name")


class Town:
    """People of one CSV file, the workspace, and a destination that can delete."""

    def __init__(self, folder, state_url):
        self.folder = folder
        self.env = {"ROWLIFT_STATE_URL": state_url}
        self.crm = {}
        self.sync = {"identify_by": "id", "sql": "SELECT * FROM people"}
        (folder / "syncs").mkdir()
        (folder / "data").mkdir()
        self.rows(ANN, BOB)

    def rows(self, *rows):
        lines = "\n".join(",".join(row) for row in (COLUMNS, *rows))
        (self.folder / "data" / "people.csv").write_text(lines + "\n")

    def open(self, clock=None):
        crm = {"type": "sandbox", "path": str(self.folder / "crm.jsonl"), **self.crm}
        source = {"type": "files", "root": str(self.folder / "data")}
        profile = {"sources": {"files": source}, "destinations": {"crm": crm}}
        self._write("rowlift.yml", {"version": 1, "workspace": {"name": "town"}})
        self._write("connections.yml", {"profiles": {"dev": profile}, "default": "dev"})
        uses = [{"use": "crm", "match": "user_id"}]
        usual = {"sync": "people", "preset": "import", "source": "files", "destinations": uses}
        self._write("syncs/people.yml", usual | self.sync)
        return rowlift.Project(self.folder, clock=clock or QuickClock(), env=self.env)

    def _write(self, name, document):
        (self.folder / name).write_text(json.dumps(document))

    def stored(self, *columns):
        engine = sa.create_engine(self.env["ROWLIFT_STATE_URL"])
        with closing(engine.connect()) as connection:
            found = [tuple(row) for row in connection.execute(sa.select(*columns))]
        engine.dispose()
        return found

    def names(self):
        return sorted(json.loads(text)["name"] for (text,) in self.stored(people.c.attributes))

    def there(self):
        return there(self)


def there(world):
    """Who the destination holds."""
    found = applied(world.folder / "crm.jsonl")
    return {key for key, message in found.items() if message["op"] == "upsert"}


@pytest.fixture
def town(tmp_path, state_url):
    return Town(tmp_path, state_url)


def run(project):
    (report,) = project.run(["people"])
    return report


@pytest.mark.door("python")
def test_C9_whoever_is_suppressed_is_taken_out_and_gets_nothing_more(town):
    with town.open() as project:
        run(project)
        assert town.there() == {"1", "2"}
        report = project.suppress(["ann@X.org"], note="asked by mail")
        assert (report.identifiers, report.people) == (2, 1)
        assert town.there() == {"2"}
    town.rows((*ANN[:2], "Anna"), (*BOB[:2], "Bobby"))
    with town.open() as project:
        again = run(project)
        assert again.status is Status.COMPLETED
        assert again.counts["workspace"]["suppressed"] == 1
        assert again.deliveries[0].counts["suppressed"] == 1
    assert town.there() == {"2"}
    assert town.names() == ["Ann", "Bobby"]


@pytest.mark.door("python")
def test_C9_who_is_processed_again_comes_back_under_new_message_ids(town):
    with town.open() as project:
        run(project)
        project.suppress(["id:1"])
        project.suppress(["id:1"])
        assert town.there() == {"2"}
        assert project.unsuppress(["1"]).identifiers == 2
        assert project.suppressions() == []
        assert town.there() == {"1", "2"}
        assert sum(one.counts["due"] for one in run(project).deliveries) == 0
    ids = [one["message_id"] for one in deliveries(town.folder / "crm.jsonl")]
    assert len(ids) == len(set(ids)) == 4


@pytest.mark.door("python")
def test_C9_T23_who_is_erased_stays_suppressed_by_all_identifiers_until_that_is_lifted(town):
    with town.open() as project:
        run(project)
        project.suppress(["ann@x.org"])
        project.erase("id:1")
        assert run(project).counts["workspace"]["suppressed"] == 1
        assert town.names() == ["Bob"]
        assert project.unsuppress(["ann@x.org"]).identifiers == 2
        run(project)
    assert town.names() == ["Ann", "Bob"]
    assert town.there() == {"1", "2"}


@pytest.mark.door("python")
@pytest.mark.parametrize(("choice", "moves"), [("skip", True), ("fail", False)])
def test_B13_suppressed_people_are_passed_over_or_fail_the_run(town, choice, moves):
    town.sync["suppressed"] = choice
    with town.open() as project:
        project.suppress(["bob@x.org"])
        report = run(project)
        told = [
            (one["row_number"], one["code"], one["reason"]) for one in project.rejects(report.id)
        ]
    assert (report.last_sync_time > 0) == moves
    if choice == "skip":
        assert (report.status, told) == (Status.COMPLETED, [])
    else:
        assert report.status is Status.SOME_ROWS_FAILED
        assert told == [(2, "PERSON_SUPPRESSED", "The person is suppressed.")]
    assert town.names() == ["Ann"]
    assert town.there() == {"1"}


@pytest.mark.door("python")
def test_C9_whoever_is_suppressed_is_in_no_segment_and_no_export(town):
    town.sync["segment"] = {"name": "Town", "create": True}
    with town.open() as project:
        run(project)
        project.create_segment("VIP")
        project.add_to_segment("VIP", ["1", "2"])
        project.suppress(["ann@x.org"])
        assert [(one.name, one.members) for one in project.segments()] == [("Town", 1), ("VIP", 1)]
        done = project.add_to_segment("VIP", ["1", "2", "ann@x.org"])
        assert (done.changed, done.unchanged, done.suppressed) == (0, 1, ["1", "ann@x.org"])
        assert [one.id for one in project.export_people()] == ["2"]
        assert [project.person(one).suppressed for one in ("1", "2")] == [True, False]
        assert [one.id for one in project.export_people(suppressed=True)] == ["1", "2"]
        project.unsuppress(["1"])
        assert project.add_to_segment("VIP", ["1"]).changed == 1
        assert len(list(project.export_people())) == 2


@pytest.mark.door("python")
def test_C9_an_identifier_that_is_named_beside_a_suppressed_one_becomes_suppressed(
    tmp_path, state_url
):
    school = School(tmp_path, state_url)
    mails = [("email", "plan"), ("zoe@x.org", "free"), ("ann@x.org", "pro")]
    rows = [PEOPLE[0], ("3", "Zoe@x.org", "Zoe"), ("4", "ann@x.org", "Eve")]
    school.tables(mails=mails, rows=rows)
    school.sync("ann", sql="SELECT * FROM people WHERE id = '1'")
    crm = {"use": "crm", "match": "email"}
    sql = "SELECT * FROM mails"
    school.sync("mails", sql=sql, identify_by="email", destinations=[crm])
    school.sync("rows", sql="SELECT * FROM rows", mode="update")
    with opened(school) as project:
        project.run(["ann"])
        project.run(["mails"])
        assert there(school) == {"zoe@x.org", "ann@x.org"}
        assert project.suppress(["id:3", "id:4"]).people == 0
        (run,) = project.run(["rows"])
        assert run.counts["workspace"]["suppressed"] == 2
        kinds = sorted(one.kind for one in project.suppressions())
        assert kinds == ["email", "id", "id"], "ann@x.org belongs to somebody else"
        assert there(school) == {"ann@x.org"}
        assert [one.email for one in project.export_people()] == ["ann@x.org"]
    school.sync("rows", mode="upsert")
    with opened(school) as project:
        project.run(["rows"])
        assert len(project.suppressions()) == 3
        assert project.unsuppress(["id:3"]).identifiers == 2
        assert there(school) == {"zoe@x.org", "ann@x.org"}
        assert project.suppress(["1"]).identifiers == 2
        school.tables(rows=[PEOPLE[0], ("1", "new@x.org", "Ann")])
        project.run(["rows"], allow_removals=True)
        assert project.unsuppress(["new@x.org"]).identifiers == 1, (
            "it was suppressed with ann@x.org"
        )


@pytest.mark.door("python")
def test_C2_C9_a_plan_foresees_whom_its_run_learns_to_be_suppressed(tmp_path):
    school = School(tmp_path, f"sqlite:///{tmp_path / 'state.db'}")
    school.tables(mails=[("email", "plan"), ("zoe@x.org", "free")])
    school.tables(rows=[("id", "email"), ("3", "zoe@x.org"), ("5", "Zoe@x.org"), ("6", "")])
    school.sync("mails", sql="SELECT * FROM mails", identify_by="email")
    school.sync("rows", sql="SELECT * FROM rows", destinations=[school.crm])
    with opened(school) as project:
        project.run(["mails"])
        project.suppress(["id:3"])
        plan = project.plan("rows", tmp_path / "rows.plan")
        told, sent = plan.targets["workspace"], plan.targets["crm"]
        assert len(project.suppressions()) == 1, "a plan changes nothing"
        (run,) = project.run(plan=tmp_path / "rows.plan")
    done = run.counts["workspace"]
    assert (told["suppress"], told["create"]) == (done["suppressed"], done["create"]) == (2, 1)
    assert sent["suppressed"] == run.deliveries[0].counts["suppressed"] == 2


@pytest.mark.door("python")
def test_C9_F64_suppressed_between_the_plan_of_a_run_and_its_slices_is_not_written(town):
    faults.arm("apply.plan.after_commit:1:raise")
    try:
        with town.open() as project, pytest.raises(faults.InjectedFault):
            run(project)
    finally:
        faults.arm()
    with town.open() as project:
        project.suppress(["ann@x.org"])
        report = run(project)
        told = [(one["identifier"], one["code"]) for one in project.rejects(report.id)]
        assert (report.status, told) == (Status.SOME_ROWS_FAILED, [("1", "PERSON_SUPPRESSED")])
        assert (town.names(), town.there()) == (["Bob"], {"2"})
        again = run(project)
        assert (again.status, again.counts["workspace"]["suppressed"]) == (Status.COMPLETED, 1)
        assert len(project.suppressions()) == 2


@pytest.mark.door("python")
def test_C9_only_keyed_hashes_are_kept(town):
    with town.open() as project:
        project.suppress(["ann@x.org"])
        (one,) = project.suppressions()
    kept = [*town.stored(suppressions), *one.hash]
    assert "ann" not in str(kept)
    for file in town.folder.rglob("*"):
        if file.is_file() and file.parent != town.folder / "data":
            assert b"ann@x.org" not in file.read_bytes()


@pytest.mark.door("python")
def test_C9_relationships_of_suppressed_people_are_left_out(tmp_path, state_url):
    school = School(tmp_path, state_url)
    school.courses()
    school.related()
    with opened(school) as project:
        project.run(["courses"])
        project.suppress(["1"])
        (report,) = project.run(["people"])
    assert report.counts["workspace"]["suppressed"] == 1
    assert report.counts["relationships"]["workspace"]["suppressed"] == 1
    assert [person for person, _, _ in school.links()] == ["2"]


@pytest.mark.door("python")
def test_C9_addresses_are_compared_however_they_are_spelled(town):
    town.rows(STRASSE, BOB)
    with town.open() as project:
        project.suppress(["strasse@x.org"])
        report = run(project)
    assert report.counts["workspace"]["suppressed"] == 1
    assert town.there() == {"2"}


@pytest.mark.door("python")
def test_C9_a_plan_tells_who_is_left_out_and_is_stale_once_that_moves(town, tmp_path):
    with town.open() as project:
        project.suppress(["1"])
        plan = project.plan("people", tmp_path / "people.plan")
        assert plan.targets["workspace"]["suppress"] == 1
        assert plan.targets["crm"]["suppressed"] == 1
        project.suppress(["2"])
        with pytest.raises(GuardStop) as caught:
            project.run(plan=tmp_path / "people.plan")
    assert caught.value.code == "PLAN_STALE"
    assert "suppressions" in caught.value.message


@pytest.mark.door("python")
def test_C9_F64_suppressed_while_a_delivery_is_under_way_is_not_sent(town):
    town.crm = {"batch_rows": 1, "in_flight": 1, "unavailable": 0.5, "retry_after": 0.2}
    town.rows(*((str(number), f"p{number}@x.org", "Pat") for number in range(1, 10)))
    log = town.folder / "crm.jsonl"
    with town.open(SystemClock()) as project, ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, project)
        while not (log.exists() and log.read_text()):
            assert not running.done()
            time.sleep(0.02)
        with town.open() as other:
            other.suppress(["9"])
        running.result()
    with town.open() as project:
        run(project)
    assert town.there() == {str(number) for number in range(1, 9)}
    assert "9" not in {one["key"]["user_id"] for one in deliveries(log)}
