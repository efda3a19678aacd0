"""Fifty random histories side by side, others each day: an undo brings back what their record says.

A history is one person's rows, run by run. What the workspace and the destination held before the
undone run was written down when it was so.
"""

from random import Random

import pytest

from rowlift.testing.fake import deliveries, key_of
from school import School, project
from today import TODAY

HISTORIES = 50
HEAD = ("id", "plan", "town", "size")
VALUES = (("free", "pro", ""), ("Rome", "Bonn", ""), ("1", "2", ""))
CHANGED, GONE, OTHERS = 0.4, 0.2, 0.3
SEEDS = [
    (TODAY * 10 + number, ("keep", "clear", "delete")[(TODAY + number) % 3]) for number in (0, 1)
]


@pytest.mark.door("python")
@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("seed", "removed"), SEEDS)
def test_C6_fifty_histories_are_as_they_were_but_for_what_changed_since(
    seed, removed, state_url, tmp_path
):
    chance = Random(seed)
    school = School(tmp_path, state_url)
    policy = chance.choice(("ignore", "delete"))
    uses = [school.crm | {"removed": removed}]
    school.people(removed=removed, empty_values=policy, destinations=uses)
    school.sync("other", sql="SELECT * FROM other")
    story = Story(school, chance, [f"k{number:02}" for number in range(HISTORIES)])

    story.run()
    story.run()
    before = story.seen()
    run = story.run()
    story.run()
    others = [who for who in story.names if chance.random() < OTHERS]
    school.tables(other=[("id", "plan", "tag"), *((who, "gold", "vip") for who in others)])
    school.run(project, "other")
    now = story.seen()

    with project(school) as opened:
        plan = opened.plan_undo(run, tmp_path / "undo.plan")
        undone = opened.run(plan=tmp_path / "undo.plan")[0]
    told = {name: count for name, count in undone.counts.items() if name != "workspace"}
    assert told == plan.counts
    assert undone.counts["workspace"]["rejected"] == 0
    assert undone.deliveries[0].counts["due"] == plan.targets["crm"]["due"]
    after, expected = story.seen(), {who: story.expected(who, before[who], now[who]) for who in now}
    assert story.differences(after, expected) == []

    with project(school) as opened:
        opened.resume("people")
        held = opened.run(["people"], allow_removals=True)[0]
        assert held.counts["added"] + held.counts["changed"] + held.counts["returned"] == 0
        assert story.differences(story.seen(), after) == []
        opened.undo(undone.id)
    assert story.differences(plain(story.seen()), plain(now)) == []


class Story:
    """The rows of each person, run by run, and what was there of them after each."""

    def __init__(self, school, chance, names):
        self.school, self.chance, self.names = school, chance, names
        self.rows = []

    def run(self):
        """Let some rows change, come and go; returns the run's number."""
        last = self.rows[-1] if self.rows else {}
        self.rows.append({who: self._next(last.get(who)) for who in self.names})
        there = [(who, *row) for who, row in self.rows[-1].items() if row]
        self.school.tables(people=[HEAD, *there])
        return self.school.run(project, "people", allow_removals=True).id

    def _next(self, row):
        if self.rows and self.chance.random() > CHANGED:
            return row
        if self.chance.random() < GONE:
            return None
        return tuple(self.chance.choice(values) for values in VALUES)

    def expected(self, who, before, now):
        """What an undo of the third run leaves: it changes what that run alone did."""
        _, was, after, last = (one[who] for one in self.rows)
        if was == after or after != last:
            return now
        here = {name: one for name, one in before[0].items() if name not in now[0]}
        here |= {
            name: one if one[1] == "other" else before[0].get(name)
            for name, one in now[0].items()
        }  # fmt: skip
        return {name: one for name, one in here.items() if one}, before[1]

    def seen(self):
        """Of each person the attributes in the workspace, with their syncs, and at the CRM."""
        there = {who: {} for who in self.names}
        for message in deliveries(self.school.folder / "crm.jsonl"):
            who = key_of(message)
            whole = {} if message["op"] == "delete" else there[who] | message["attributes"]
            there[who] = {name: value for name, value in whole.items() if value is not None}
        with project(self.school) as opened:
            here = {
                one.id: {each.name: (each.value, each.sync) for each in one.attributes}
                for one in opened.people(HISTORIES * 2)
            }
        return {who: (here.get(who, {}), there[who]) for who in self.names}

    def differences(self, found, expected):
        """Whose state is another one, with the history of it."""
        return [
            (who, found[who], expected[who], [rows[who] for rows in self.rows])
            for who in self.names
            if found[who] != expected[who]
        ]


def plain(seen):
    """Without who wrote what."""
    return {
        who: ({name: value for name, (value, _) in here.items()}, there)
        for who, (here, there) in seen.items()
    }
