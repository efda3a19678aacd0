"""A school as CSV files: people, courses, and what joins them; with a workspace and a CRM."""

import csv
import json
from contextlib import closing

import sqlalchemy as sa

import rowlift
from rowlift.testing.clock import QuickClock
from rowlift.workspace.tables import objects, people, relationships

PEOPLE = [("id", "email", "name"), ("1", "ann@x.org", "Ann"), ("2", "bob@x.org", "Bob")]
COURSES = [("object_type", "object_id", "title"), ("course", "c1", "SQL"), ("", "acme", "Acme")]
LINKS = [
    ("id", "object_type", "object_id", "role", "deleted"),
    ("1", "course", "c1", "pupil", ""),
    ("2", "course", "c1", "teacher", "no"),
]


class School:
    """Three tables as CSV files: people, what they belong to, and what joins them."""

    def __init__(self, folder, state_url):
        self.folder = folder
        self.env = {"ROWLIFT_STATE_URL": state_url}
        (folder / "syncs").mkdir()
        (folder / "data").mkdir()
        self.settings()
        self.tables(people=PEOPLE, courses=COURSES, links=LINKS)
        self.syncs = {}
        self.crm = {"use": "crm", "match": "user_id"}
        self.destination()

    def settings(self, **workspace):
        self._write("rowlift.yml", {"version": 1, "workspace": {"name": "school", **workspace}})

    def destination(self, **settings):
        crm = {"type": "sandbox", "path": str(self.folder / "crm.jsonl"), **settings}
        profile = {
            "sources": {"files": {"type": "files", "root": str(self.folder / "data")}},
            "destinations": {"crm": crm},
        }
        self._write("connections.yml", {"profiles": {"dev": profile}, "default": "dev"})

    def tables(self, **tables):
        for name, rows in tables.items():
            with (self.folder / "data" / f"{name}.csv").open("w", newline="") as file:
                csv.writer(file).writerows(rows)

    def sync(self, name, **settings):
        usual = {"preset": "import", "source": "files", "identify_by": "id"}
        self.syncs[name] = {"sync": name, **usual, **self.syncs.get(name, {}), **settings}
        self._write(f"syncs/{name}.yml", self.syncs[name])

    def people(self, **settings):
        self.sync("people", sql="SELECT * FROM people", **settings)

    def courses(self, **settings):
        sql = "SELECT * FROM courses"
        self.sync("courses", kind="object", identify_by="object_id", sql=sql, **settings)

    def related(self, sql="SELECT * FROM links", **settings):
        self.people(relationships={"sql": sql, "identify_by": "id", **settings})

    def run(self, project, name, **how):
        with project(self) as opened:
            return opened.run([name], **how)[0]

    def rejects(self, project, run):
        with project(self) as opened:
            return [(one["query"], one["row_number"], one["code"]) for one in opened.rejects(run)]

    def _write(self, name, document):
        (self.folder / name).write_text(json.dumps(document))

    def stored(self, table, *columns):
        engine = sa.create_engine(self.env["ROWLIFT_STATE_URL"])
        query = sa.select(*(table.c[name] for name in columns)).order_by(table.c.pid)
        with closing(engine.connect()) as connection:
            found = [tuple(row) for row in connection.execute(query)]
        engine.dispose()
        return found

    def links(self):
        """(person, object, attributes) of every relationship in the workspace."""
        engine = sa.create_engine(self.env["ROWLIFT_STATE_URL"])
        query = (
            sa.select(people.c.id, objects.c.object_id, relationships.c.attributes)
            .join_from(relationships, people, people.c.pid == relationships.c.person_pid)
            .join(objects, objects.c.pid == relationships.c.object_pid)
            .order_by(people.c.id)
        )
        with closing(engine.connect()) as connection:
            found = [(*row[:2], json.loads(row[2])) for row in connection.execute(query)]
        engine.dispose()
        return found


def project(school):
    return rowlift.Project(school.folder, clock=QuickClock(), env=school.env)
