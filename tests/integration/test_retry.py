"""What the workspace rejected in a run is applied again by `retry`, without asking the source."""

import json
import shutil
from pathlib import Path

import pytest

from doors.api import serving
from doors.cli import run_cli
from e2e.jsonschema import faults as broken
from rowlift.core import faults
from rowlift.core.errors import Busy, ConfigError, GuardStop
from rowlift.core.nouns import Status
from rowlift.core.rights import Role
from rowlift.operations.kinds import KINDS
from rowlift.operations.opening import open_home
from rowlift.project.files import load
from rowlift.testing.fake import applied
from rowlift.workspace.tables import people
from school import LINKS, PEOPLE, School, project
from served import served, until

SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "json" / "retry.schema.json"


@pytest.fixture
def school(tmp_path):
    return School(tmp_path, f"sqlite:///{tmp_path / 'state.db'}")


@pytest.fixture
def any_school(tmp_path, state_url):
    return School(tmp_path, state_url)


def conflicted(school):
    """Let somebody else's address stand in the way of row 2, and return the run that met it."""
    school.tables(owners=[("id", "email"), ("9", "BOB@x.org")], people=PEOPLE)
    school.sync("owners", sql="SELECT * FROM owners")
    school.run(project, "owners")
    school.people(cursor="strict")
    run = school.run(project, "people")
    assert run.counts["workspace"]["codes"] == {"EMAIL_TAKEN": 1}
    return run


def free_the_address(school):
    """Let the owner of the address move to another one."""
    school.settings(allow_email_change_by_id=True)
    school.tables(owners=[("id", "email"), ("9", "zoe@x.org")])
    school.run(project, "owners")


def lose_source(school):
    shutil.rmtree(school.folder / "data")


def retry(school, run):
    with project(school) as opened:
        return opened.retry(run.id)


def known(school):
    return sorted(school.stored(people, "id", "email"))


@pytest.mark.door("python")
def test_B22_B23_what_the_workspace_rejected_is_applied_again_without_the_source(any_school):
    run = conflicted(any_school)
    free_the_address(any_school)
    lose_source(any_school)
    done = retry(any_school, run)
    again = done.workspace
    assert (done.run, again.retry_of, again.status) == (run.id, run.id, Status.COMPLETED)
    counts = again.counts["workspace"]
    assert (counts["retried"], counts["due"], counts["create"], counts["settled"]) == (1, 1, 1, 0)
    assert known(any_school) == [("1", "ann@x.org"), ("2", "bob@x.org"), ("9", "zoe@x.org")]
    with project(any_school) as opened:
        assert opened.runs(limit=1) == [again]
        (name,) = [one for one in opened.person("2").attributes if one.name == "name"]
        assert (name.value, name.run) == ("Bob", again.id)


@pytest.mark.door("api")
def test_B22_the_service_is_asked_to_retry_over_the_api(school):
    run = conflicted(school)
    free_the_address(school)
    lose_source(school)
    with served(project(school)), serving(school.folder, **school.env) as api:
        until(api.project.service.status)
        with api.as_user(Role.EDITOR) as editor:
            asked = editor.post(f"/runs/{run.id}/retry").raise_for_status().json()
            assert (asked["sync"], asked["request"]["retry_of"]) == ("people", run.id)
            until(lambda: api.project.service.requests()[0].status is Status.COMPLETED)
            again = api.project.run_report(api.project.service.requests()[0].run)
            assert (again.retry_of, again.counts["workspace"]["written"]) == (run.id, 1)
            nothing = editor.post(f"/runs/{run.id - 1}/retry").raise_for_status().json()
            assert nothing["request"] is None
            assert editor.post("/runs/999/retry").json()["code"] == "NOT_FOUND"


@pytest.mark.door("python")
def test_B22_a_retry_never_moves_last_sync_time(school):
    run = conflicted(school)
    assert run.last_sync_time == 0
    free_the_address(school)
    assert retry(school, run).workspace.last_sync_time == 0
    assert school.run(project, "people").last_sync_time > 0


@pytest.mark.door("python")
def test_B22_what_is_still_wrong_is_rejected_again_and_can_be_retried_again(school):
    run = conflicted(school)
    first = retry(school, run)
    assert first.workspace.status is Status.SOME_ROWS_FAILED
    assert school.rejects(project, first.workspace.id) == [("", 2, "EMAIL_TAKEN")]
    free_the_address(school)
    second = retry(school, first.workspace)
    assert second.workspace.counts["workspace"]["written"] == 1
    third = retry(school, run)
    assert third.workspace.counts["workspace"]["settled"] == 1
    assert third.workspace.status is Status.COMPLETED


@pytest.mark.door("python")
def test_C3_only_rows_of_that_run_go_each_in_its_newest_version(any_school):
    first = conflicted(any_school)
    owners = [("id", "email"), ("9", "bob@x.org"), ("8", "eve@x.org")]
    newest = [*PEOPLE[:2], ("2", "bob@x.org", "Robert")]
    any_school.tables(owners=owners, people=[*newest, ("5", "eve@x.org", "Eve")])
    any_school.run(project, "owners")
    second = any_school.run(project, "people")
    assert second.counts["workspace"]["rejected"] == 2
    any_school.settings(allow_email_change_by_id=True)
    any_school.tables(owners=[("id", "email"), ("9", "zoe@x.org"), ("8", "kim@x.org")])
    any_school.run(project, "owners")
    assert retry(any_school, first).workspace.counts["workspace"]["due"] == 1
    assert ("2", '{"name":"Robert"}') in any_school.stored(people, "id", "attributes")
    any_school.tables(people=newest)
    any_school.run(project, "people", allow_removals=True)
    with project(any_school) as opened:
        done = opened.retry(second.id)
    assert done.workspace.counts["workspace"]["settled"] == 2
    assert "5" not in dict(known(any_school)), "who left does not come back"


@pytest.mark.door("python")
def test_B14_relationships_are_retried_with_their_rows(any_school):
    any_school.tables(people=PEOPLE, links=LINKS)
    any_school.related()
    run = any_school.run(project, "people")
    assert run.counts["relationships"]["workspace"]["codes"] == {"OBJECT_UNKNOWN": 2}
    any_school.courses()
    any_school.run(project, "courses")
    lose_source(any_school)
    counts = retry(any_school, run).workspace.counts
    assert counts["workspace"]["retried"] == 0
    assert counts["relationships"]["workspace"]["create"] == 2
    assert [one[:2] for one in any_school.links()] == [("1", "c1"), ("2", "c1")]


@pytest.mark.door("python")
def test_B13_C9_who_is_suppressed_is_rejected_again_until_that_is_lifted(school):
    school.tables(people=PEOPLE)
    school.people(suppressed="fail")
    with project(school) as opened:
        opened.suppress(["bob@x.org"])
        (run,) = opened.run(["people"])
        counts = opened.retry(run.id).workspace.counts["workspace"]
        assert counts["codes"] == {"PERSON_SUPPRESSED": 1}
        opened.unsuppress(["bob@x.org"])
        assert opened.retry(run.id).workspace.counts["workspace"]["written"] == 1
    assert known(school) == [("1", "ann@x.org"), ("2", "bob@x.org")]


@pytest.mark.parametrize("point", ["apply.plan.after_commit", "apply.slice.after_commit"])
def test_a_retry_that_was_interrupted_goes_on(school, point):
    run = conflicted(school)
    free_the_address(school)
    with project(school) as opened:
        faults.arm(f"{point}:1:raise")
        try:
            with pytest.raises(faults.InjectedFault):
                opened.retry(run.id)
        finally:
            faults.arm()
    with project(school) as opened:
        (newer,) = opened.run(["people"])
        (interrupted,) = [one for one in opened.runs() if one.retry_of == run.id]
    assert (interrupted.status, newer.retry_of) == (Status.COMPLETED, None)
    assert newer.counts["workspace"]["due"] == 0
    assert "2" in dict(known(school))


@pytest.mark.door("python")
def test_B20_a_retry_is_a_run_one_at_a_time(school):
    run = conflicted(school)
    school.people(destinations=[school.crm])
    home = open_home(load(school.folder, KINDS), school.env)
    other = home.store.runs.open(home.workspace_id, home.syncs["owners"], "{}")
    with home.store.runs.lease(other), project(school) as opened:
        with pytest.raises(Busy):
            opened.retry(run.id)
        (skipped,) = opened.runs(limit=1)
        assert (skipped.status, skipped.retry_of) == (Status.SKIPPED, run.id)
    home.store.close()


@pytest.mark.door("python")
def test_B22_one_retry_is_for_destinations_and_the_workspace(school):
    school.destination(reject=["1"])
    school.people(destinations=[school.crm])
    run = conflicted(school)
    free_the_address(school)
    school.destination()
    with project(school) as opened:
        done = opened.retry(run.id)
    assert done.workspace.counts["workspace"]["written"] == 1
    assert [one.counts["delivered"] for one in done.deliveries] == [1]
    assert not done.failed
    assert applied(school.folder / "crm.jsonl").keys() == {"1", "2"}


def test_a_paused_sync_is_not_retried(school):
    run = conflicted(school)
    with project(school) as opened:
        opened.pause("people")
        with pytest.raises(GuardStop, match="paused"):
            opened.retry(run.id)


def test_a_sync_that_is_gone_or_has_other_keys_is_not_retried(school):
    run = conflicted(school)
    school.people(identify_by="email")
    with pytest.raises(GuardStop, match="identified rows"):
        retry(school, run)
    (school.folder / "syncs" / "people.yml").unlink()
    with pytest.raises(ConfigError, match="not there any more"):
        retry(school, run)


def test_a_segment_that_was_edited_waits_for_the_next_run(school):
    run = conflicted(school)
    free_the_address(school)
    school.people(segment={"name": "Pupils", "create": True})
    retry(school, run)
    with project(school) as opened:
        assert [one.id for one in opened.segment_members("Pupils")] == ["2"]
        opened.run(["people"])
        assert sorted(one.id for one in opened.segment_members("Pupils")) == ["1", "2"]


@pytest.mark.door("python")
def test_C5_why_tells_of_the_last_try(school):
    run = conflicted(school)
    with project(school) as opened:
        again = opened.retry(run.id).workspace
        (trace,) = opened.why("id:2").syncs
        assert [(one.standing, one.code) for one in trace.targets] == [("rejected", "EMAIL_TAKEN")]
    free_the_address(school)
    with project(school) as opened:
        opened.retry(again.id)
        (trace,) = opened.why("id:2").syncs
        assert [one.standing for one in trace.targets] == ["delivered"]


@pytest.mark.door("cli")
def test_B22_retry_says_what_became_of_it_in_one_table_and_one_document(school):
    run = conflicted(school)
    free_the_address(school)
    shown = run_cli("retry", str(run.id), cwd=school.folder, env=school.env)
    assert shown.code == 0
    assert "workspace    1     1         0     0  ✓ Completed" in shown.stdout
    again = run_cli("-o", "json", "retry", str(run.id), cwd=school.folder, env=school.env)
    assert again.json["retry"]["workspace"]["retry_of"] == run.id
    assert list(broken(again.json, json.loads(SCHEMA.read_text()))) == []
    assert "people, retry of" in run_cli("runs", cwd=school.folder, env=school.env).stdout
