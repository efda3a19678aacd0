"""Random histories of imports through the Python door, each compared with the plain model.

One seed is one project with many small histories side by side: their people and objects have
nothing in common, but they share the settings of each run. After every run the rejects and the
whole workspace are compared, down to the sync and run that wrote each value.
"""

import json
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

import rowlift
from models.imports import BAD_EMAIL, World
from rowlift.testing.clock import QuickClock
from rowlift.workspace.tables import anonymous_ids, objects, people, relationships

HISTORIES = 50  # of one seed
UNDONE = 0.4  # of the merges that stand, before each run
SWAPPED = 0.4  # of the histories, in each run of a sync by id
MET = 0.3  # of the rows by anonymous id

COLUMNS = {
    "people": ("id", "email", "p", "q"),
    "names": ("email", "id", "p", "r"),
    "mails": ("email", "anonymous_id", "q", "r"),
    "visits": ("anonymous_id", "email", "p", "q"),
    "courses": ("object_type", "object_id", "p", "q"),
}
LINKS = ("object_type", "object_id", "role", "deleted")
USUAL = {
    "kind": "person", "mode": "upsert", "second_identifier": "attach", "removed": "keep",
    "empty_values": "ignore", "empty_strings": "keep", "attributes": {}, "on_bad_rows": "reject",
    "guards": {"rejects": "off", "unknown": "off"},
}  # fmt: skip
SYNCS = {
    "people": USUAL | {"identify_by": "id", "relationships": {"identify_by": "id"}},
    "names": USUAL | {"identify_by": "email", "relationships": {"identify_by": "email"}},
    "mails": USUAL | {"identify_by": "email"},
    "visits": USUAL | {"identify_by": "anonymous_id", "preset": "traits"},
    "courses": USUAL | {"identify_by": "object_id", "kind": "object"},
}
DECK = ["people"] * 3 + ["names"] + ["mails"] * 3 + ["visits"] * 2 + ["courses"]
BLANK = {"people": 0.3, "names": 0.3, "mails": 0.1, "visits": 0.7}  # second identifiers


class History:
    """One seed: a project, its model, and the names of all that was done."""

    def __init__(self, seed: int, folder: Path, state_url: str) -> None:
        self.chance = random.Random(seed)
        self.folder = folder
        self.url = state_url
        self.world = World()
        self.settings = {name: json.loads(json.dumps(one)) for name, one in SYNCS.items()}
        self.tables = {name: {"rows": [], "links": []} for name in SYNCS}
        self.allow_change = False
        self.done = []
        self.steps = {}  # id of a run → its number
        (folder / "syncs").mkdir(parents=True)

    def live(self) -> None:
        """Raises AssertionError where the workspace is not what the model says."""
        engine = sa.create_engine(self.url)
        try:
            for number, name in enumerate(self.chance.sample(DECK, len(DECK)), 1):
                self.step(number, name)
                self.compare(self.stored(engine), self.expected())
        finally:
            engine.dispose()

    def step(self, number, name):
        if self.world.merges:
            self.undo()
        self.draw(name)
        self.save()
        with self.project() as project:
            report = project.run([name], allow_removals=True)[0]
            found = {
                (one["query"], one["identifier"], one["code"]) for one in project.rejects(report.id)
            }
        self.steps[report.id] = number
        settings, tables = self.settings[name], self.tables[name]
        self.done.append(f"{number}: {name} {settings} {tables} {self.allow_change=}")
        told = self.world.run(name, settings, tables, number, allow_change=self.allow_change)
        self.compare({"rejects": found}, {"rejects": told})

    def compare(self, found, expected):
        wrong = [
            f"{what} {kind}: {one}"
            for what in expected
            for kind, some, others in (
                ("too much", found[what], expected[what]),
                ("missing", expected[what], found[what]),
            )
            for one in Counter(some) - Counter(others)
        ]
        assert not wrong, "\n".join([*wrong, *self.done])

    def undo(self):
        """Part some of those who were merged."""
        merged = sorted(name for one in self.world.merges for name in one.before.anonymous)
        parted = [one for one in merged if self.chance.random() < UNDONE]
        with self.project() as project:
            numbers = {
                one.anonymous_ids[0]: one.number
                for one in project.merges(10_000)
                if one.undone_at is None
            }
            for stranger in parted:
                project.undo_merge(numbers[stranger])
                self.world.undo(stranger)
        self.done.append(f"undone: {parted}")

    # what is drawn

    def draw(self, name):
        """New settings now and then, new rows each time; some rows stay as they were."""
        settings, chance = self.settings[name], self.chance
        self.allow_change = chance.random() < 0.7
        settings["mode"] = chance.choice((*["upsert"] * 4, "update", "create"))
        settings["removed"] = chance.choice(("keep", "keep", "clear", "delete"))
        settings["empty_values"] = chance.choice(("ignore", "delete"))
        settings["empty_strings"] = chance.choice(("keep", "keep", "as_null"))
        if name != "courses":
            settings["second_identifier"] = chance.choice(("attach", "attach", "attach", "reject"))
            policies = ("ignore", "delete", "set_if_empty")
            own = chance.sample(COLUMNS[name][2:], chance.randint(0, 2))
            settings["attributes"] = {column: chance.choice(policies) for column in own}
        if second := settings.get("relationships"):
            second.pop("replace_for", None)
            if chance.random() < 0.5:
                second["replace_for"] = chance.choice(("person", "object"))
        whole = [self.island(name, number) for number in range(HISTORIES)]
        self.tables[name] = {
            "rows": [row for rows, _ in whole for row in rows],
            "links": [row for _, links in whole for row in links],
        }
        for rows in self.tables[name].values():
            chance.shuffle(rows)

    def island(self, name, number):
        """The rows and links of one history, some of them those of the last run."""
        before = self.tables[name]
        mine = [row for row in before["rows"] if f"-{number}-" in next(iter(ends(name, row)))]
        rows = {ends(name, row): row for row in mine if self.chance.random() < 0.5}
        for _ in range(self.chance.randint(0, 3)):
            row = self.row(name, number)
            rows[ends(name, row)] = row
        if name == "people" and self.chance.random() < SWAPPED:
            self.swap(rows)
        links = {}
        for _ in range(self.chance.randint(0, 2) if "relationships" in self.settings[name] else 0):
            link = self.link(name, number)
            links[tuple(link.values())[:3]] = link
        return list(rows.values()), list(links.values())

    def swap(self, rows):
        """Pass the addresses of a history's rows around."""
        emails = [row["email"] for row in rows.values()]
        self.chance.shuffle(emails)
        for (key, row), email in zip(rows.items(), emails, strict=True):
            rows[key] = row | {"email": email}

    def row(self, name, number):
        drawn = {column: self.value(column, number) for column in COLUMNS[name]}
        for at, column in enumerate(COLUMNS[name][:2]):
            is_key = at == 0 or name == "courses"
            if not is_key and self.chance.random() < BLANK[name]:
                drawn[column] = None
            if not is_key and column == "email" and self.chance.random() < 0.05:
                drawn[column] = BAD_EMAIL
        if name == "visits" and self.chance.random() < MET:
            drawn |= self.meeting(number)
        return drawn

    def meeting(self, number):
        """The anonymous id of a stranger beside the address of somebody known, if there are two."""
        strangers, emails = self.strangers(number), self.emails(number)
        if not (strangers and emails):
            return {}
        return {
            "anonymous_id": self.chance.choice(strangers), "email": self.chance.choice(emails),
        }  # fmt: skip

    def link(self, name, number):
        own = self.settings[name]["relationships"]["identify_by"]
        first = {own: self.value(own, number).lower()}
        return first | {column: self.value(column, number) for column in LINKS}

    def value(self, column, number):
        chance = self.chance
        if column == "anonymous_id" and chance.random() < 0.5 and (known := self.strangers(number)):
            return chance.choice(known)
        if column in ("id", "anonymous_id", "object_id"):
            return f"{column[0]}-{number}-{chance.choice('abcde' if column[0] == 'a' else 'abc')}"
        if column == "email":
            return f"{chance.choice('abc')}-{number}-@{chance.choice(('x.org', 'x.org', 'X.org'))}"
        if column == "object_type":
            return chance.choice(("course", "1"))
        if column == "deleted":
            return chance.choice((None, None, "no", "true", "T", "1"))
        return chance.choice(("one", "two", "", None))

    def strangers(self, number):
        """The anonymous ids of those who are known by nothing else."""
        return sorted(
            anonymous
            for person in self.world.people
            if person.id is None and person.email is None
            for anonymous in person.anonymous
            if f"-{number}-" in anonymous
        )

    def emails(self, number):
        """The addresses of those who have one."""
        found = (person.email for person in self.world.people if person.email)
        return sorted(one for one in found if f"-{number}-" in one)

    # the project

    def project(self):
        return rowlift.Project(self.folder, clock=QuickClock(), env={"ROWLIFT_STATE_URL": self.url})

    def save(self):
        workspace = {"name": "w", "allow_email_change_by_id": self.allow_change}
        self.write("rowlift.yml", {"version": 1, "workspace": workspace})
        profile = {"sources": {"file": {"type": "sqlite", "path": str(self.folder / "source.db")}}}
        self.write("connections.yml", {"default": "dev", "profiles": {"dev": profile}})
        for name, settings in self.settings.items():
            sync = {"sync": name, "preset": "import", "source": "file", **settings}
            sync["sql"] = f"SELECT * FROM {name}"
            if second := settings.get("relationships"):
                sync["relationships"] = second | {"sql": f"SELECT * FROM {name}_links"}
            self.write(f"syncs/{name}.yml", sync)
        with closing(sqlite3.connect(self.folder / "source.db")) as source, source:
            for name, tables in self.tables.items():
                fill(source, name, COLUMNS[name], tables["rows"])
                own = self.settings[name].get("relationships", {}).get("identify_by", "id")
                fill(source, f"{name}_links", (own, *LINKS), tables["links"])

    def write(self, name, document):
        (self.folder / name).write_text(json.dumps(document))

    # what is compared

    def expected(self):
        world = self.world
        named = {one: name_of(one.id, one.email, one.anonymous) for one in world.people}
        return {
            "people": sorted(str((*named[one], told(one.values))) for one in world.people),
            "objects": sorted(
                str((*ends, told(one.values))) for ends, one in world.objects.items()
            ),
            "relationships": sorted(
                str((named[one][:2], *thing, told(link.values)))
                for (one, thing), link in world.relationships.items()
            ),
        }

    def stored(self, engine):
        with engine.connect() as connection:
            owned = connection.execute(sa.select(anonymous_ids)).all()
            everybody = connection.execute(sa.select(people)).all()
            things = connection.execute(sa.select(objects)).all()
            links = connection.execute(sa.select(relationships)).all()
            uids = dict(connection.execute(sa.text("SELECT uid, name FROM definitions")).all())
        anonymous = {}
        for one in owned:
            anonymous.setdefault(one.pid, set()).add(one.anonymous_id)
        named = {
            one.pid: name_of(one.id, one.email, anonymous.get(one.pid, ())) for one in everybody
        }
        ends = {one.pid: (one.object_type, one.object_id) for one in things}
        values = self.values(uids)
        return {
            "people": sorted(str((*named[one.pid], values(one))) for one in everybody),
            "objects": sorted(str((*ends[one.pid], values(one))) for one in things),
            "relationships": sorted(
                str((named[one.person_pid][:2], *ends[one.object_pid], values(one)))
                for one in links
            ),
        }

    def values(self, uids) -> Callable[[object], object]:
        def read(record):
            attributes = json.loads(record.attributes)
            writers = dict.fromkeys(attributes, (record.sync_uid, record.run_id))
            for group in json.loads(record.origins):
                writers |= dict.fromkeys(group["names"], (group["sync"], group["run"]))
            return told(
                {
                    name: (value, (uids[writers[name][0]], self.steps[writers[name][1]]))
                    for name, value in attributes.items()
                }
            )

        return read


def ends(name, row):
    """What a row is identified by."""
    own = [row[column] for column in COLUMNS[name][:2]]
    return tuple(reversed(own)) if name == "courses" else (own[0].lower(),)


def told(values):
    return sorted(values.items())


def name_of(id_, email, anonymous):
    return id_, email, sorted(anonymous)


def fill(source, name, columns, rows):
    typed = ", ".join(f"{column} TEXT" for column in columns)
    source.execute(f"DROP TABLE IF EXISTS {name}")
    source.execute(f"CREATE TABLE {name} ({typed})")
    marks = ", ".join("?" * len(columns))
    source.executemany(
        f"INSERT INTO {name} VALUES ({marks})", [[row[one] for one in columns] for row in rows]
    )
