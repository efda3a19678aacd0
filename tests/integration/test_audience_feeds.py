"""Audiences as what syncs read: who entered and who left reaches destinations."""

import threading
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from doors.cli import run_cli
from rowlift.core.errors import SourceError
from rowlift.core.nouns import Status
from rowlift.operations.traces import Standing
from rowlift.project.problems import ProjectInvalid
from rowlift.scheduler.scheduler import Scheduler
from rowlift.testing.fake import applied
from rowlift.workers.embedded import EmbeddedRunner
from world import World

PRO = {"where": {"attribute": "plan", "is": "pro"}}
CIO = {"type": "customerio_segment", "segment_id": 7, "site_id": "a", "api_key": "${CIO_KEY}"}
_SECONDS = 60
LIST = {"use": "list"}
FEED: dict[str, Any] = {"audience": "pros", "destinations": [LIST]}


class Club(World):
    """People with plans, an audience of some of them, and a sync of that audience."""

    def __init__(self, folder: Path, state_url: str = "") -> None:
        super().__init__(folder, ("user_id", "email", "plan", "seats"))
        self.env = {"ROWLIFT_STATE_URL": state_url} if state_url else {}
        self.sync |= {"workspace": "write"}
        self.others = {"list": {}, "cio": CIO}
        (folder / "audiences").mkdir()
        self.write("audiences/pros.yml", {"audience": "pros", **PRO})
        self.feed()

    def people(self, **plans: str) -> None:
        each = enumerate(plans.items())
        self.rows(*((key, f"{key}@x.org", plan, number) for number, (key, plan) in each))

    def feed(self, **settings: Any) -> None:
        self.write("syncs/feed.yml", {"sync": "feed", **FEED, **settings})

    def sent(self, name: str = "list") -> dict[str, Any]:
        return {key: one["attributes"] for key, one in applied(self.log(name)).items()}


@pytest.fixture
def club(tmp_path: Path, state_url: str) -> Club:
    return Club(tmp_path / "acme", state_url)


@pytest.fixture
def small(tmp_path: Path) -> Club:
    return Club(tmp_path / "acme")


@pytest.mark.door("python")
def test_A21_an_audience_feeds_a_destination_with_who_enters_and_who_leaves(club: Club) -> None:
    club.people(ann="pro", bob="free", cid="pro")
    told = {"name": "pros", "attributes": ["plan", "seats", "email"], "trait": "is_pro"}
    club.feed(audience=told)
    with club.project() as project:
        assert [one.status for one in project.run()] == [Status.COMPLETED] * 2
        assert club.sent() == {
            "ann": {"email": "ann@x.org", "is_pro": True, "plan": "pro", "seats": "0"},
            "cid": {"email": "cid@x.org", "is_pro": True, "plan": "pro", "seats": "2"},
        }
        club.people(ann="free", bob="pro", cid="pro", dora="free")
        feed, _ = project.run()
        assert (feed.counts["added"], feed.counts["changed"], feed.counts["removed"]) == (1, 1, 0)
        sent = club.sent()
        assert {key: one["is_pro"] for key, one in sent.items()} == {
            "ann": False, "bob": True, "cid": True,
        }  # fmt: skip
        assert sent["ann"]["plan"] == "free"
        club.people(ann="pro", bob="pro", cid="pro", dora="free")
        feed, _ = project.run()
        assert (feed.counts["changed"], club.sent()["ann"]["is_pro"]) == (1, True)
        feed, _ = project.run()
        assert (feed.counts["unchanged"], feed.counts["changed"]) == (3, 0)
        traces = {one.sync: one.targets for one in project.why("ann").syncs}
        (listed,) = traces["feed"]
        assert (listed.target, listed.standing) == ("list", Standing.UNCHANGED)
        project.erase("cid")
        (feed,) = project.run(["feed"])
        assert (feed.counts["read"], feed.counts["removed"]) == (2, 0)


@pytest.mark.door("python")
def test_A21_a_manual_segment_feeds_as_well_and_leavers_are_removed(small: Club) -> None:
    small.people(ann="pro", bob="free")
    small.feed(audience="vips", identify_by="email", removed="delete")
    with small.project() as project:
        project.create_segment("vips")
        project.run(["people"])
        project.add_to_segment("vips", ["ann", "bob"])
        (feed,) = project.run(["feed"])
        assert feed.status is Status.COMPLETED
        assert {key: one["vips"] for key, one in small.sent().items()} == {
            "ann@x.org": True, "bob@x.org": True,
        }  # fmt: skip
        project.remove_from_segment("vips", ["bob"])
        project.run(["feed"])
        assert [*small.applied("list")] == ["ann@x.org"]


@pytest.mark.door("python")
def test_A21_the_workspace_is_a_source_for_any_query_of_its_people(small: Club) -> None:
    small.people(ann="pro", bob="free", cid="pro")
    sql = (
        "SELECT id AS user_id, attributes->>'plan' AS plan, p.id IN (SELECT id FROM members.pros) "
        "AS is_pro FROM people p WHERE email LIKE '%x.org'"
    )
    with small.project() as project:
        project.run(["people"])
        small.write(
            "syncs/feed.yml",
            {
                "sync": "feed", "source": "workspace", "sql": sql, "preset": "import",
                "identify_by": "user_id", "workspace": "none", "destinations": [{"use": "list"}],
            },
        )  # fmt: skip
    with small.project() as project:
        seen = project.preview("feed")
        assert [one.values for one in seen.rows][1] == ("bob", "free", False)
        project.run(["feed"])
        tables = {(one.schema, one.name) for one in project.catalog("workspace").tables}
        assert tables == {("main", "people"), ("members", "pros"), ("former", "pros")}
    assert small.sent()["bob"] == {"plan": "free", "is_pro": False}


@pytest.mark.door("python")
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"source": "shop"}, "audience and source cannot both be there"),
        ({"sql": "SELECT 1"}, "audience and sql cannot both be there"),
        ({"workspace": "write"}, "audience and workspace cannot both be there"),
        ({"kind": "account"}, "kind: account is not for the people of an audience"),
        ({"identify_by": "anonymous_id"}, "identify_by: anonymous_id does not identify"),
        ({"audience": {"name": "pros", "attributes": ["pros"]}}, "trait pros would be twice"),
        ({"audience": {"attributes": ["plan"]}}, 'The key "name" is missing'),
        ({"destinations": [{"use": "cio"}]}, "(customerio_segment) is a list: it would get who"),
        (
            {"destinations": [{"use": "crm"}, {**LIST, "removed": "delete"}]},
            "elsewhere they are taken",
        ),
        ({"destinations": []}, "The people of an audience go nowhere"),
        ({"audience": None}, 'The key "source" is missing'),
    ],
)
def test_A21_what_cannot_stand_beside_an_audience_is_said(
    small: Club, settings: dict[str, Any], said: str
) -> None:
    small.people(ann="pro")
    small.feed(**settings)
    with small.project() as project, pytest.raises(ProjectInvalid) as wrong:
        project.run(["feed"])
    assert said in str(wrong.value)


@pytest.mark.door("python")
def test_A21_a_feed_of_nobody_yet_waits_and_an_unknown_segment_is_named(small: Club) -> None:
    small.people(bob="free")
    small.feed(audience={"name": "pros", "attributes": ["plan", "never heard of"]})
    with small.project() as project:
        feed, _ = project.run()
        assert (feed.status, feed.counts["read"]) == (Status.COMPLETED, 0)
    small.feed(audience="prose")
    with small.project() as project, pytest.raises(SourceError) as unknown:
        project.run(["feed"])
    assert str(unknown.value) == (
        'There is no segment "prose" yet. Did you mean "pros"? [TABLE_UNKNOWN]'
    )


@pytest.mark.door("python")
def test_A21_the_service_sends_who_entered_as_soon_as_they_did(small: Club) -> None:
    small.people(ann="pro")
    small.feed(schedule="off")
    with small.project() as project:
        ended = threading.Event()
        runner = EmbeddedRunner(lambda *told: pytest.fail(str(told)), ended.set)
        at_work = project.serving()
        scheduler = Scheduler(at_work, runner, at_work.start())
        project.service.trigger(["people"])
        for _ in range(20):  # a run, its deliveries, the audience, and what reads it
            ended.clear()
            scheduler.tick()
            if runner.running():
                assert ended.wait(_SECONDS)
            if small.sent():
                break
        assert small.sent() == {"ann": {"pros": True}}
        (asked, _) = project.service.requests()
        assert (asked.sync, asked.asked_by) == ("feed", "audience pros")


@pytest.mark.door("cli")
def test_A21_the_cli_runs_previews_and_explains_a_feed(small: Club) -> None:
    small.people(ann="pro", bob="free")
    small.save()
    for words, said in (
        (["check"], "valid"),
        (["run"], "2 rows"),
        (["preview", "feed"], "pros"),
        (["ls"], "workspace"),
        (["export", "copy"], "files in copy"),
        (["plan", "feed"], "unchanged"),
    ):
        done = run_cli(*words, cwd=small.folder)
        assert (done.code, said in done.stdout) == (0, True), (words, done)
    copy = YAML(typ="safe").load((small.folder / "copy" / "syncs" / "feed.yml").read_text())
    assert copy == {"sync": "feed", **FEED}
