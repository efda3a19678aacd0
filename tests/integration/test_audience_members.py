"""Audiences that are kept: who enters and leaves, in which order they are computed, what breaks."""

import json
import random
import threading
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import rowlift
from doors.api import serving
from doors.cli import run_cli
from doors.forks import forked
from rowlift.core import faults
from rowlift.core.errors import ConfigError
from rowlift.core.nouns import Status
from rowlift.core.rights import Role
from rowlift.core.specs import RetentionSpec
from rowlift.project.problems import ProjectInvalid
from rowlift.scheduler.scheduler import Scheduler
from rowlift.state.intake import Accepted
from rowlift.state.prune import prune_intake
from rowlift.testing.clock import QuickClock
from rowlift.workers.embedded import EmbeddedRunner
from rowlift.workspace import audiences as members
from world import World

PRO = {"where": {"attribute": "plan", "is": "pro"}}
POINTS = [
    f"audience.{commit}.{when}_commit"
    for commit in ("open", "claim", "segment", "members", "answer")
    for when in ("before", "after")
]
_SECONDS = 60


class Club(World):
    """People with plans, and audiences made from them."""

    def __init__(self, folder: Path, state_url: str = "") -> None:
        super().__init__(folder, ("user_id", "plan", "seen"))
        self.env = {"ROWLIFT_STATE_URL": state_url} if state_url else {}
        self.sync |= {"workspace": "write"}
        (folder / "audiences").mkdir()

    def people(self, **plans: str) -> None:
        self.rows(*((key, plan, "2026-11-21") for key, plan in plans.items()))

    def audience(self, name: str, **document: Any) -> None:
        self.write(f"audiences/{name}.yml", {"audience": name, **document})

    def drop(self, name: str) -> None:
        (self.folder / "audiences" / f"{name}.yml").unlink()


@pytest.fixture(autouse=True)
def two_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two connections look at half of the people each, as they do at many."""
    monkeypatch.setattr(members, "WORTH_TWO", 2)


@pytest.fixture
def club(tmp_path: Path, state_url: str) -> Club:
    return Club(tmp_path / "acme", state_url)


@pytest.fixture
def small(tmp_path: Path) -> Club:
    return Club(tmp_path / "acme")


def inside(project: rowlift.Project, name: str = "pros") -> list[str | None]:
    return [one.id for one in project.segment_members(name, 1000)]


def told(project: rowlift.Project, name: str = "pros") -> list[tuple[str | None, str, str | None]]:
    events = project.segment_events(name, limit=1000)
    return [(one.id, one.kind.removeprefix("segment_"), one.sync) for one in events]


@pytest.mark.door("python")
def test_A21_an_audience_follows_its_people(club: Club) -> None:
    club.people(ann="pro", bob="free", cid="pro")
    club.audience("pros", **PRO)
    with club.project() as project:
        project.run()
        assert inside(project) == ["ann", "cid"]
        (one,) = project.audiences.list()
        assert (one.members, one.status, one.is_due) == (2, Status.COMPLETED, False)
        assert one.words == "People whose plan is “pro”."
        club.people(ann="free", bob="pro", cid="pro")
        project.run()
        assert inside(project) == ["bob", "cid"]
        assert told(project)[2:] == [("ann", "left", "pros"), ("bob", "entered", "pros")]
        sizes = [(one.members, one.entered, one.left) for one in project.audiences.sizes("pros")]
        assert sizes == [(2, 1, 1), (2, 2, 0)]
        project.run()
        assert len(project.audiences.sizes("pros")) == 2


def furnish(club: Club) -> dict[str, Any]:
    """Audiences of every kind, and a sync of accounts beside that of people."""
    audiences: dict[str, Any] = {
        "pros": PRO, "later": {"where": {"attribute": "seen", "since": "2026-11-22"}},
        "others": {"where": {"none": [{"segment": "pros"}]}},
        "first": {"where": {"all": []}, "limit": {"most": 2, "by": "plan"}},
        "named": {"where": {"attribute": "id", "starts_with": "a"}},
        "rich": {"where": {"related": "firm", "where": {"attribute": "tier", "is": "gold"}}},
        "fans": {"where": {"segment": "beta"}, "exclude": {"segment": "rich"}},
    }  # fmt: skip
    for name, document in audiences.items():
        club.audience(name, **document)
    club.sync["segment"] = {"name": "beta", "create": True}
    club.sync["removed"], club.use["removed"] = "leave_segment", "keep"
    firms = {
        "sync": "firms", "preset": "import", "kind": "object", "object_type": "firm",
        "source": "shop", "sql": "SELECT object_id, tier FROM firms", "identify_by": "object_id",
        "relationships": {"sql": "SELECT object_id, user_id FROM staff", "identify_by": "user_id"},
    }  # fmt: skip
    club.write("syncs/firms.yml", firms)
    return audiences


def table(club: Club, name: str, *rows: str) -> None:
    (club.folder / "data" / f"{name}.csv").write_text("\n".join(rows) + "\n")


@pytest.mark.door("python")
def test_A21_what_was_not_touched_is_not_looked_at_and_would_be_the_same(small: Club) -> None:
    club = small
    audiences, chance = furnish(club), random.Random(8)
    people = [f"{letter}{number}" for letter in "abc" for number in range(3)]
    looks = 0
    with club.project() as project:
        for step in range(3):
            known = people[: 9 if step < 2 else 7]
            club.rows(*(
                (one, "pro" if step % 3 == 1 or chance.random() < 0.5 else "free",
                 f"2026-11-{chance.randrange(20, 24)}")
                for one in known
            ))  # fmt: skip
            table(club, "firms", "object_id,tier", *(
                f"f{one},{chance.choice(['gold', 'tin'])}" for one in range(3)
            ))  # fmt: skip
            table(club, "staff", "object_id,user_id", *(
                f"f{chance.randrange(3)},{one}" for one in known
            ))  # fmt: skip
            for sync in ["people", "firms"] if step < 2 else ["firms", "people"]:
                before = asked(project)
                project.run([sync])
                looks += sum(asked(project)[name] > before.get(name, 0) for name in audiences)
            found = {name: inside(project, name) for name in audiences}
            project.audiences.compute()
            assert {name: inside(project, name) for name in audiences} == found
    assert looks


def asked(project: rowlift.Project) -> dict[str, int]:
    """How often each audience was to be looked at."""
    home = project.audiences.home
    known = home.store.audiences.of(home.workspace_id)
    return {name: known[uid].asked for name, uid in home.audiences.items() if uid in known}


@pytest.mark.door("python")
def test_A21_a_run_lets_those_be_looked_at_that_it_touches(small: Club) -> None:
    furnish(small)
    small.people(ann="pro", bob="free")
    table(small, "firms", "object_id,tier", "f0,gold")
    table(small, "staff", "object_id,user_id", "f0,ann")

    def touched(project: rowlift.Project, sync: str) -> set[str]:
        before = asked(project)
        project.run([sync])
        after = asked(project)
        return {name for name in after if after[name] > before[name]}

    with small.project() as project:
        project.run(["people"])
        project.run(["firms"])
        assert touched(project, "people") == set()
        table(small, "firms", "object_id,tier", "f0,tin")
        assert touched(project, "firms") == {"rich", "fans"}  # who left one may enter the other
        small.rows(("ann", "pro", "2026-11-22"), ("bob", "free", "2026-11-21"))
        assert touched(project, "people") == {"pros", "later", "first", "named", "fans"}
        small.people(ann="pro", bob="free", cid="pro")
        assert touched(project, "people") >= {"pros", "first", "rich"}


@pytest.mark.door("python")
def test_A21_sizes_are_kept_as_long_as_events(club: Club) -> None:
    club.people(ann="pro")
    club.audience("pros", **PRO)
    with club.project() as project:
        project.run()
        home, keep = project.audiences.home, RetentionSpec()
        club.people(ann="pro", bob="pro")
        project.run()
        for days, left in ((364, 2), (366, 1)):
            prune_intake(home.store.database, home.workspace_id, keep, time.time() + days * 86_400)
            assert len(project.audiences.sizes("pros")) == left
        (newest,) = project.audiences.sizes("pros")
        assert newest.members == 2, "how many it has is told as long as there are any"


@pytest.mark.door("python")
def test_A21_audiences_made_from_others_follow_them(club: Club) -> None:
    club.people(ann="pro", bob="free", cid="team")
    club.audience("all_others", where={"none": [{"segment": "some_paying"}]})
    club.audience("some_paying", where={"any": [{"segment": "vips"}, {"segment": "z_pros"}]})
    club.audience("z_pros", **PRO)
    with club.project() as project:
        project.create_segment("vips")
        project.run()
        assert inside(project, "some_paying") == ["ann"]
        assert inside(project, "all_others") == ["bob", "cid"]
        project.add_to_segment("vips", ["cid"])
        assert {one.name for one in project.audiences.list() if one.is_due} == {
            "all_others", "some_paying", "z_pros"
        }  # fmt: skip
        project.audiences.compute()
        assert inside(project, "some_paying") == ["ann", "cid"]
        assert inside(project, "all_others") == ["bob"]


@pytest.mark.door("python")
def test_A21_who_is_suppressed_is_in_no_audience(club: Club) -> None:
    club.people(ann="pro", bob="pro")
    club.audience("pros", **PRO)
    with club.project() as project:
        project.run()
        project.suppress(["id:ann"])
        assert inside(project) == ["bob"]
        project.audiences.compute()
        assert inside(project) == ["bob"]
        assert [one.id for one in project.audiences.sample("pros").people] == ["bob"]
        project.unsuppress(["id:ann"])
        project.audiences.compute()
        assert inside(project) == ["ann", "bob"]


@pytest.mark.door("python")
def test_A21_time_passes(club: Club) -> None:
    today = datetime.now(UTC).date().isoformat()
    club.rows(("ann", "pro", today))
    club.audience("seen", where={"attribute": "seen", "within_last": "2d"})
    club.audience("pros", **PRO)
    club.save()
    clock = QuickClock()
    with rowlift.Project(club.folder, clock=clock, env=club.env) as project:
        project.run()
        assert inside(project, "seen") == ["ann"]
        clock.sleep(3 * 86_400)
        assert {one.name for one in project.audiences.list() if one.is_due} == {"seen"}
        project.audiences.compute()
        assert inside(project, "seen") == []


@pytest.mark.door("python")
def test_A21_what_people_do_is_known_at_once(club: Club) -> None:
    club.audience("buyers", where={"event": "Bought", "at_least": 2})
    with club.project() as project:
        bought = {"type": "track", "userId": "ann", "event": "Bought"}
        ingest = project.ingest
        body = json.dumps({"batch": [bought, bought]}).encode()
        ingest.accept([Accepted(ingest.home.workspace_id, "", time.time(), body)])
        while ingest.write_some():
            pass
        (one,) = project.audiences.compute()
        assert (one.members, inside(project, "buyers")) == (1, ["ann"])


@pytest.mark.door("cli")
def test_A21_nobody_is_put_into_an_audience_by_hand_or_by_a_sync(small: Club) -> None:
    small.people(ann="pro", bob="free")
    small.audience("pros", **PRO)
    small.run()
    names = small.folder / "names.txt"
    names.write_text("bob\n")
    done = run_cli("segments", "add", "pros", "--ids", str(names), cwd=small.folder)
    assert (done.code, "SEGMENT_COMPUTED" in done.stderr) == (2, True), done.stderr
    small.sync["segment"] = {"name": "pros", "create": True}
    small.save()
    done = run_cli("check", cwd=small.folder)
    assert "NAME_TWICE" in done.stderr
    assert "audiences/pros.yml" in done.stderr


@pytest.mark.door("cli")
def test_A21_audiences_in_a_circle_are_refused_by_their_way(small: Club) -> None:
    small.people(ann="pro")
    small.audience("one", where={"segment": "two"})
    small.audience("two", where={"none": [{"segment": "three"}]})
    small.audience("three", where={"attribute": "plan", "is": "pro"}, exclude={"segment": "one"})
    small.save()
    done = run_cli("check", cwd=small.folder)
    assert "one → two → three → one" in done.stderr
    assert done.stderr.count("AUDIENCE_CYCLE") == 3


@pytest.mark.door("cli")
def test_A21_a_segment_that_is_not_there_is_told_and_waited_for(small: Club) -> None:
    small.people(ann="pro")
    small.audience("friends", where={"segment": "vips"})
    small.save()
    done = run_cli("audiences", "compute", cwd=small.folder)
    assert done.code == 1
    assert "There is no segment" in done.stdout
    small.run()
    with small.project() as project:
        (one,) = project.audiences.list()
        assert (one.status, one.reason_code) == (Status.FAILED, "NAME_UNKNOWN")
        assert "rowlift segments create NAME" in one.reason
        project.create_segment("vips")
        project.add_to_segment("vips", ["ann"])
        (one,) = project.audiences.compute()
        assert (one.status, one.reason, one.members) == (Status.COMPLETED, "", 1)


@pytest.mark.door("cli")
def test_A21_the_cli_tries_lists_and_compares(small: Club) -> None:
    small.people(ann="pro", bob="free", cid="pro")
    small.audience("pros", **PRO)
    small.audience("all", where={"all": []})
    small.run()
    cli = partial(run_cli, "audiences", cwd=small.folder)
    assert "pros" in cli().stdout
    shown = json.loads(cli("show", "pros", "-o", "json").stdout)
    assert shown["audience"]["members"] == 2
    draft = small.folder / "draft.yml"
    draft.write_text("where: {attribute: plan, is_not: pro}\n")
    tried = json.loads(cli("try", "pros", str(draft), "-o", "json").stdout)["sample"]
    assert (tried["size"], [one["id"] for one in tried["people"]]) == (1, ["bob"])
    overlap = json.loads(cli("overlap", "pros", "all", "-o", "json").stdout)["overlap"]
    assert (overlap["first_members"], overlap["second_members"], overlap["common"]) == (2, 3, 2)
    with small.project() as project:
        assert inside(project) == ["ann", "cid"]
    draft.write_text("where: {attribute: plan}\n")
    assert "needs a test beside attribute" in cli("try", "pros", str(draft)).stderr
    assert "VALUE_WRONG" in cli("dance").stderr
    assert "NAME_UNKNOWN" in cli("show", "prose").stderr


@pytest.mark.door("python")
def test_A21_a_name_that_changes_keeps_the_people_and_one_that_returns_takes_them(
    club: Club,
) -> None:
    club.people(ann="pro")
    club.audience("pros", **PRO)
    with club.project() as project:
        project.run()
    club.drop("pros")
    club.audience("payers", renamed_from="pros", **PRO)
    with club.project() as project:
        project.run()
        assert [one.name for one in project.segments()] == ["payers"]
        assert told(project, "payers") == [("ann", "entered", "payers")]
    club.drop("payers")
    with club.project() as project:
        assert project.audiences.list() == []
        assert inside(project, "payers") == ["ann"]
    club.audience("payers", **PRO)
    with club.project() as project:
        project.run()
        assert len(told(project, "payers")) == 1


@pytest.mark.door("python")
def test_A21_an_audience_keeps_nobody_whom_a_sync_deletes(club: Club) -> None:
    club.sync |= {"removed": "delete", "guards": {"removals": "off"}}
    club.people(ann="pro", bob="pro")
    club.audience("pros", **PRO)
    with club.project() as project:
        project.run()
        assert inside(project) == ["ann", "bob"]
        club.people(ann="pro")
        project.run()
        assert inside(project) == ["ann"]
        assert [one.id for one in project.people()] == ["ann"]


@pytest.mark.door("python")
def test_A21_a_segment_filled_by_hand_is_not_taken(club: Club) -> None:
    club.people(ann="pro")
    with club.project() as project:
        project.run()
        project.create_segment("pros")
        project.add_to_segment("pros", ["ann"])
    club.audience("pros", where={"attribute": "plan", "is": "free"})
    with club.project() as project:
        (one,) = project.audiences.compute()
        assert (one.status, one.reason_code) == (Status.FAILED, "NAME_TWICE")
        assert inside(project) == ["ann"]


@pytest.mark.door("python")
@pytest.mark.parametrize("point", POINTS)
def test_A21_F12_an_audience_that_is_killed_goes_on(tmp_path: Path, point: str) -> None:
    club = Club(tmp_path / "acme")
    club.people(ann="pro", bob="pro", cid="free")
    club.run()
    club.audience("pros", **PRO)
    code = forked(_compute, str(club.folder), f"{point}:1:kill", seconds=_SECONDS)
    assert code == -9
    with club.project() as project:
        project.audiences.compute()
        assert inside(project) == ["ann", "bob"]
        assert len(told(project)) == 2
        (size,) = project.audiences.sizes("pros")
        assert size.members == 2


def _compute(folder: str, spec: str) -> None:
    with rowlift.Project(folder, env={}) as project:
        faults.arm(spec)
        project.audiences.compute()


@pytest.mark.door("python")
def test_A21_two_who_compute_at_once_move_everybody_once(
    club: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    club.people(**{f"p{number}": "pro" for number in range(50)})
    club.run()
    club.audience("pros", **PRO)
    monkeypatch.setattr(members, "SLICE", 7)
    with club.project() as one, club.project() as other:
        one.audiences.list()
        threads = [threading.Thread(target=project.audiences.compute) for project in (one, other)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        one.audiences.compute()
        assert len(inside(one)) == 50
        assert len(told(one)) == 50


@pytest.mark.door("api")
def test_A21_the_api_makes_tries_computes_and_compares(small: Club) -> None:
    small.people(ann="pro", bob="free")
    small.run()
    with serving(small.folder) as api, api.as_user(Role.EDITOR) as editor:
        made = editor.post("/definitions/audience", json={"name": "pros", "document": PRO})
        assert made.status_code == 201, made.text
        (listed,) = editor.get("/audiences").json()["items"]
        assert (listed["name"], listed["is_due"], listed["looked_at"]) == ("pros", True, None)
        free: dict[str, Any] = {"document": {"where": {"attribute": "plan", "is": "free"}}}
        tried = editor.post("/audiences/pros/try", json=free).json()
        assert (tried["size"], tried["people"][0]["id"]) == (1, "bob")
        assert editor.post("/audiences/pros/compute").json()["members"] == 1
        (member,) = editor.get("/segments/pros/members").json()["items"]
        assert (member["id"], member["sync"]) == ("ann", "pros")
        assert editor.get("/segments/pros").json()["is_audience"] is True
        (size,) = editor.get("/audiences/pros/sizes").json()["items"]
        assert (size["members"], size["entered"]) == (1, 1)
        assert editor.get("/audiences/pros/overlap/pros").json()["common"] == 1
        assert editor.get("/audiences/prose").status_code == 404
        wrong = {"name": "bad", "document": {"where": {"attribute": "plan"}}}
        assert editor.post("/definitions/audience", json=wrong).status_code == 422
        loop = {"name": "loop", "document": {"where": {"segment": "loop"}}}
        refused = editor.post("/definitions/audience", json=loop)
        assert "AUDIENCE_CYCLE" in refused.text
        with api.as_user(Role.VIEWER) as viewer:
            assert viewer.post("/audiences/pros/try", json={}).status_code == 403
            assert viewer.post("/audiences/pros/compute").status_code == 403


@pytest.mark.door("api")
def test_A21_renaming_an_audience_renames_it_in_those_made_from_it(small: Club) -> None:
    small.people(ann="pro")
    small.run()
    with serving(small.folder) as api, api.as_user(Role.EDITOR) as editor:
        editor.post("/definitions/audience", json={"name": "pros", "document": PRO})
        made_of_it = {"where": {"any": [{"segment": "pros"}]}}
        editor.post("/definitions/audience", json={"name": "both", "document": made_of_it})
        done = editor.post(
            "/definitions/audience/pros/rename", json={"to": "paying"},
            headers={"if-match": '"1"'},
        )  # fmt: skip
        assert done.status_code == 200, done.text
        both = editor.get("/definitions/audience/both").json()
        assert both["document"]["where"] == {"any": [{"segment": "paying"}]}


@pytest.mark.door("python")
def test_A21_the_service_computes_what_is_due(small: Club) -> None:
    small.people(ann="pro")
    small.audience("pros", **PRO)
    small.run()
    small.audience("others", where={"none": [{"segment": "pros"}]})
    small.people(ann="pro", bob="free")
    with small.project() as project:
        ended = threading.Event()
        runner = EmbeddedRunner(lambda *told: pytest.fail(str(told)), ended.set)
        at_work = project.serving()
        scheduler = Scheduler(at_work, runner, at_work.start())
        project.run()
        for _ in range(4):  # one audience, the other, and the run that was asked for meanwhile
            ended.clear()
            scheduler.tick()
            if runner.running():
                assert ended.wait(_SECONDS)
        assert inside(project, "others") == ["bob"]


@pytest.mark.door("python")
def test_A21_an_unknown_audience_names_those_there_are(small: Club) -> None:
    small.audience("pros", **PRO)
    with small.project() as project:
        with pytest.raises(ConfigError, match="no audience") as caught:
            project.audiences.get("pro")
        assert (caught.value.code, "pros" in caught.value.mend) == ("NAME_UNKNOWN", True)


@pytest.mark.door("python")
def test_A21_in_a_waterfall_everybody_is_in_one_at_most(club: Club) -> None:
    club.people(ann="pro", bob="free", cid="pro", dora="team")
    paying = {"where": {"attribute": "plan", "one_of": ["pro", "team"]}}
    anybody = {"where": {"attribute": "plan", "present": True}}
    for place, (name, whom) in enumerate(
        {"z_pros": PRO, "paying": paying, "all_others": anybody}.items(), start=1
    ):
        club.audience(name, **whom, waterfall={"name": "care", "place": place * 10})
    with club.project() as project:
        project.run()
        found = {one.name: (one.members, one.words) for one in project.audiences.list()}
        assert {name: size for name, (size, _) in found.items()} == {
            "z_pros": 2, "paying": 1, "all_others": 1,
        }  # fmt: skip
        assert "not those who are in “z_pros” or who are in “paying”" in found["all_others"][1]
        club.people(ann="team", bob="pro", cid="pro", dora="team")
        project.run()
        assert [inside(project, name) for name in ("z_pros", "paying", "all_others")] == [
            ["bob", "cid"], ["ann", "dora"], [],
        ]  # fmt: skip
    club.audience("paying", **paying, waterfall={"name": "care", "place": 10})
    with club.project() as project, pytest.raises(ProjectInvalid, match="both at place 10"):
        project.run()


@pytest.mark.door("python")
def test_A21_a_split_keeps_everybody_where_they_are(club: Club) -> None:
    club.people(**{f"p{number}": "pro" for number in range(400)})
    club.audience("pros", **PRO, split={"control": 25, "treated": 70.5})
    with club.project() as project:
        project.run()
        parts = {name: {*inside(project, f"pros.{name}")} for name in ("control", "treated")}
        sizes = {one.name: one.members for one in project.audiences.list()}
        assert sizes["pros"] == 400
        assert (70 <= sizes["pros.control"] <= 130, 240 <= sizes["pros.treated"] <= 320) == (
            True, True,
        ), sizes  # fmt: skip
        assert not parts["control"] & parts["treated"]
        assert "25 % of the people" in project.audiences.get("pros.control").words
        words = project.audiences.get("pros").words
        assert words.endswith("; split into control (25 %) and treated (70.5 %).")
        club.people(**{f"p{number}": "free" if number < 200 else "pro" for number in range(600)})
        project.run()
        for name, before in parts.items():
            stayed = {one for one in before if int(str(one)[1:]) >= 200}
            now = {*inside(project, f"pros.{name}")}
            assert stayed == {one for one in now if int(str(one)[1:]) < 400}, name
    club.audience("pros", **PRO, split={"control": 60, "treated": 60})
    with club.project() as project, pytest.raises(ProjectInvalid, match="split into 120 %"):
        project.run()
