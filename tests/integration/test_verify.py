"""What destinations and the workspace hold, read back and compared with what was delivered."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rowlift
from crashes.child import KILLED
from doors.forks import forked
from rowlift.core import faults
from rowlift.core.errors import DestinationError
from rowlift.operations.verified import interval
from rowlift.testing.texts import HOSTILE_TEXTS
from school import PEOPLE, School, project

HEAD = ("id", "email", "name", "score")
ROWS = [
    ("1", "ann@x.org", "Ann", "1.5"),
    ("2", "bob@x.org", "=SUM(A1)", ""),
    ("3", "cy@x.org", 'a "b"\nc', "-5"),
    ("4", "dee@x.org", "'=x", "1e-7"),
    ("5", "eve@x.org", "Eve", "0"),
]


@pytest.fixture
def school(tmp_path, state_url):
    return School(tmp_path, state_url)


@pytest.fixture
def plain(tmp_path):
    """A school where it does not matter which database keeps the state."""
    return School(tmp_path, f"sqlite:///{tmp_path}/state.db")


def connect(school, form="jsonl", **others):
    """Lets the school deliver to files and to the sandbox."""
    crm = {"type": "sandbox", "path": str(school.folder / "crm.jsonl")}
    lake = {"type": "files", "path": str(school.folder / "lake"), "format": form}
    sources = {"files": {"type": "files", "root": str(school.folder / "data")}}
    profile = {"sources": sources, "destinations": {"crm": crm, "lake": lake, **others}}
    document = {"profiles": {"dev": profile}, "default": "dev"}
    (school.folder / "connections.yml").write_text(json.dumps(document))


LAKE = {"use": "lake", "match": "user_id"}


def counts(one):
    return (one.equal, one.drifted, one.missing, one.returned, one.strangers, one.not_comparable)


def verified(school, destination, sync="people", **how):
    with project(school) as opened:
        return opened.verifications.verify(destination, sync, **how).syncs


def rewrite(path, edit):
    """Edits the one file of a folder by hand: a list of rows, each with what stands in it."""
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(one) + "\n" for one in edit(rows)))
        return
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            names, *lines = csv.reader(file)
    else:
        table = pq.read_table(path)
        names, lines = table.column_names, [[*one.values()] for one in table.to_pylist()]
    rows = [
        {"op": one[0], "key": {"user_id": one[1]}, "message_id": one[2],
         "attributes": dict(zip(names[3:], one[3:], strict=True))}
        for one in lines
    ]  # fmt: skip
    edited = [
        [one["op"], one["key"]["user_id"], one["message_id"], *one["attributes"].values()]
        for one in edit(rows)
    ]
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\r\n").writerows([names, *edited])
    else:
        columns = [pa.array(one, pa.string()) for one in zip(*edited, strict=True)]
        pq.write_table(pa.table(columns, names=names), path)


@pytest.mark.door("cli")
@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_C14_files_are_read_back_and_what_differs_is_told(plain, cli, form):
    connect(plain, form)
    plain.tables(people=[HEAD, *ROWS])
    plain.people(destinations=[LAKE], removed="delete")
    with project(plain) as opened:
        opened.run(["people"])
    good = cli("verify", "lake", env=plain.env)
    assert (good.code, "100 % of all records match." in good.stdout) == (0, True), good

    def edit(rows):
        ann, bob, cy, dee, eve = rows
        bob["attributes"]["name"] = "=1+1"
        zoe = {**eve, "key": {"user_id": "=zoe"}}
        return [ann, bob, cy, dee, zoe]

    (path,) = (plain.folder / "lake" / "people").glob(f"*.{form}")
    rewrite(path, edit)
    found = cli("verify", "lake", "-o", "json", env=plain.env)
    (one,) = found.json["verification"]["syncs"]
    told = ("checked", "equal", "drifted", "missing", "returned", "strangers", "not_comparable")
    assert (found.code, [one[name] for name in told]) == (1, [5, 3, 1, 1, 0, 1, 0])
    assert (one["match_rate"], one["words"]) == (0.6, "60 % of all records match.")
    assert one["attributes"] == [{"name": "name", "records": 1}]
    listed = cli("verify", "lake", "--csv", env=plain.env)
    rows = {one["kind"]: one for one in csv.DictReader(listed.stdout.splitlines())}
    assert rows["drifted"]["wrote"] == path.name
    assert rows["drifted"]["ours"].lstrip("'") == "=SUM(A1)"
    assert not any(
        cell.startswith(("=", "+", "@")) for row in rows.values() for cell in row.values()
    )
    assert (rows["missing"]["key"], rows["stranger"]["key"].lstrip("'")) == ("5", "=zoe")
    shown = cli("verify", "lake", "--repair", env=plain.env)
    assert "1 drifted · 1 missing there · 1 orphans there" in shown.stdout
    assert "people: 2 records due again" in shown.stderr
    assert cli("run", "people", "-q", env=plain.env).code == 0
    after = cli("verify", "lake", env=plain.env)
    assert (after.code, "5 match · 1 orphans there" in after.stdout) == (1, True), after.stdout


@pytest.mark.door("python")
def test_C14_hostile_values_come_back_as_they_are(plain):
    connect(plain)
    rows = [(str(at), f"p{at}@x.org", text, "") for at, text in enumerate(HOSTILE_TEXTS)]
    plain.tables(people=[HEAD, *rows])
    plain.people(destinations=[LAKE, plain.crm])
    for form in ("jsonl", "csv", "parquet"):
        connect(plain, form)
        with project(plain) as opened:
            opened.run(["people"])
            if form != "jsonl":  # the folder has files of several kinds from now on
                opened.reset("people", target="lake")
                opened.run(["people"])
            for destination in ("lake", "crm", "workspace"):
                (one,) = opened.verifications.verify(destination, "people").syncs
                assert (one.checked, one.differs) == (one.equal, 0), (form, destination, one)
                assert one.checked > len(rows) / 2


@pytest.mark.door("python")
def test_C14_the_sandbox_tells_what_came_back_and_what_is_under_way_is_no_drift(school):
    connect(school)
    school.tables(people=[HEAD, *ROWS])
    school.people(destinations=[school.crm], removed="delete")
    school.related()
    school.tables(links=[("id", "object_id"), ("1", "acme")])
    school.courses()
    with project(school) as opened:
        opened.run(["courses", "people"])
        school.tables(people=[HEAD, *ROWS[:4]])
        opened.run(["people"], allow_removals=True)
        both = opened.verifications.verify("crm").syncs
        assert [(one.query, counts(one)) for one in both] == [
            ("", (4, 0, 0, 0, 0, 0)), ("relationships", (1, 0, 0, 0, 0, 0)),
        ]  # fmt: skip
        log = school.folder / "crm.jsonl"
        by_hand = [
            {"op": "upsert", "key": {"user_id": "5"}, "attributes": {"name": "Eve"}},
            {"op": "upsert", "key": {"user_id": "1"}, "attributes": {"name": "Anne"}},
            {"op": "delete", "key": {"user_id": "2"}, "attributes": {}},
        ]
        messages = [{**one, "message_id": f"hand-{at}"} for at, one in enumerate(by_hand)]
        request = {"batch": "", "keys": [], "attempt": 0, "answered": True, "messages": messages}
        with log.open("a") as file:
            file.write(json.dumps({**request, "timestamp": ""}) + "\n")
        found, _ = opened.verifications.verify("crm").syncs
        assert counts(found) == (2, 1, 1, 1, 0, 0)
        assert {(one.kind, one.key, one.attribute, one.wrote) for one in found.samples} == {
            ("drifted", "1", "email", "message hand-1"),
            ("drifted", "1", "name", "message hand-1"),
            ("drifted", "1", "score", "message hand-1"),
            ("missing", "2", "", "message hand-2"), ("returned", "5", "", "message hand-0"),
        }  # fmt: skip
        # A repair sends nothing by itself, under new message ids, and no stranger is touched.
        (done,) = opened.verifications.repair("crm", orphans=True).syncs
        assert (done.records, done.removals) == (2, 1)
        before = log.read_bytes()
        assert [one.due for one in (opened.verifications.repair("crm"),)] == [0]
        told = opened.plan("people", school.folder / "it.plan").targets["crm"]
        assert (told["due"], log.read_bytes()) == (3, before)
        opened.run(["people"])
        again, _ = opened.verifications.verify("crm").syncs
        assert counts(again) == (4, 0, 0, 0, 0, 0)
        (drawn, _) = opened.verifications.verify("crm", sample=3).syncs
        assert (drawn.checked, drawn.strangers) == (3, None)
        assert "with 95 % confidence it is between" in drawn.words
        # One is due, as the sandbox does not take it: that is no drift.
        school.tables(people=[HEAD, ("1", "ann@x.org", "Ann", "2"), *ROWS[1:4]])
        school.destination(path=str(log), reject=["1"])
    with project(school) as opened:
        opened.run(["people"])
        (waits, _) = opened.verifications.verify("crm").syncs
    assert (waits.not_comparable, waits.drifted) == (1, 0)


@pytest.mark.door("python")
@pytest.mark.parametrize("when", ["before", "after"])
def test_C14_F12_a_repair_that_is_killed_is_whole_or_did_not_begin(plain, when):
    plain.people(destinations=[plain.crm])
    with project(plain) as opened:
        opened.run(["people"])
        log = plain.folder / "crm.jsonl"
        message = {"op": "delete", "key": {"user_id": "1"}, "attributes": {}, "message_id": "hand"}
        request = {"batch": "", "keys": [], "attempt": 0, "answered": True, "messages": [message]}
        with log.open("a") as file:
            file.write(json.dumps({**request, "timestamp": ""}) + "\n")
        opened.verifications.verify("crm")
    spec = f"verify.repair.{when}_commit:1:kill"
    assert forked(repair_and_die, str(plain.folder), plain.env, spec, seconds=60) == KILLED
    with project(plain) as opened:
        assert opened.verifications.repair("crm").due == (1 if when == "before" else 0)
        told = opened.plan("people", plain.folder / "it.plan").targets["crm"]
        assert told["due"] == 1
        opened.run(["people"])
        (found,) = opened.verifications.verify("crm").syncs
        assert counts(found) == (2, 0, 0, 0, 0, 0)
        assert len(log.read_text().splitlines()) == 3  # the first sync, the hand, the repair


def repair_and_die(folder, env, spec):
    with rowlift.Project(folder, env=env) as opened:
        faults.arm(spec)
        opened.verifications.repair("crm")


@pytest.mark.door("python")
def test_C14_the_workspace_says_which_sync_wrote_over_a_value(school):
    school.tables(people=[HEAD, *ROWS], plans=[("id", "name"), ("1", "Anna")])
    school.people()
    school.sync("plans", sql="SELECT * FROM plans")
    with project(school) as opened:
        opened.run(["people", "plans"])
        (found,) = opened.verifications.verify("workspace", "people").syncs
        (one,) = found.samples
        assert (one.key, one.ours, one.theirs, one.wrote) == ("1", "Ann", "Anna", "plans, run 2")
        assert opened.verifications.repair("workspace", "people").due == 1
        opened.run(["people"])
        assert opened.verifications.verify("workspace", "people").differs == 0
        assert opened.person("1").attributes[0].value == "Ann"
        (found,) = opened.verifications.verify("workspace", "plans").syncs
        assert [(one.ours, one.wrote) for one in found.samples] == [("Anna", "people, run 3")]
        school.tables(plans=[("id", "name"), ("1", "Hannah")])
        opened.run(["plans"])
        (found,) = opened.verifications.verify("workspace", "people").syncs
        (one,) = found.samples
        opened.erase("2")
        assert list(opened.verifications.differences("workspace", "people")) == [one]
        opened.erase("1")
        assert not list(opened.verifications.differences("workspace", "people"))
        (found,) = opened.verifications.verify("workspace", "people").syncs
        assert (found.equal, found.differs) == (3, 0)


@pytest.mark.door("python")
def test_C14_who_is_suppressed_or_erased_and_still_there_is_an_orphan(plain):
    connect(plain)
    plain.tables(people=[HEAD, *ROWS])
    plain.people(destinations=[plain.crm, LAKE])
    with project(plain) as opened:
        opened.run(["people"])
        opened.suppress(["id:1"])
        opened.erase("2")
        for name in ("crm", "lake"):
            (found,) = opened.verifications.verify(name).syncs
            assert counts(found) == (3, 0, 0, 0, 1, 0), name
            assert [(one.kind, one.key) for one in found.samples] == [("stranger", "2")]


@pytest.mark.door("python")
def test_C14_files_under_a_syncs_former_names_are_read_but_not_those_of_others(plain):
    connect(plain)
    plain.people(destinations=[LAKE])
    with project(plain) as opened:
        opened.run(["people"])
    rename(plain, "people", "persons")
    plain.tables(people=[*PEOPLE[:2], ("2", "bob@x.org", "Bobby")])
    with project(plain) as opened:
        opened.run(["persons"])
        assert {one.name for one in (plain.folder / "lake").iterdir()} == {"people", "persons"}
        (found,) = opened.verifications.verify("lake").syncs
        assert counts(found) == (2, 0, 0, 0, 0, 0)
    del plain.syncs["persons"]["renamed_from"]
    plain.sync("persons")
    plain.people(destinations=[])  # another sync under the name that it had
    with project(plain) as opened:
        (found,) = opened.verifications.verify("lake").syncs
        assert counts(found) == (1, 0, 1, 0, 0, 0)


def rename(school, former, name):
    plan = school.syncs.pop(former) | {"renamed_from": former}
    (school.folder / "syncs" / f"{former}.yml").unlink()
    school.sync(**plan | {"name": name, "sync": name})


SPOILS = {
    "jsonl": [
        (lambda file: file.write_bytes(file.read_bytes()[:-9]), "its last line is cut"),
        (lambda file: file.write_text("{\n"), "line 1 is no record"),
        (lambda file: file.chmod(0), "Permission denied"),
    ],
    "csv": [
        (lambda file: file.write_bytes(file.read_bytes()[:-2]), "its last line is cut"),
        (lambda file: file.write_text('op,key,message_id,a\r\nupsert,"1\r\n'), "line 2 is no"),
        (lambda file: file.write_text("op,key,message_id,a\r\nupsert,1,2\r\n"), "line 2 is no"),
        (lambda file: file.write_text("op,key,message_id,a\r\nupsert,,2,3\r\n"), "line 2 is no"),
    ],
    "parquet": [(lambda file: file.write_bytes(file.read_bytes()[:-9]), "no whole Parquet")],
}


@pytest.mark.door("python")
@pytest.mark.parametrize("form", SPOILS)
def test_C14_a_file_that_cannot_be_read_is_named_with_a_way_to_mend_it(plain, form):
    connect(plain, form)
    plain.people(destinations=[LAKE])
    with project(plain) as opened:
        opened.run(["people"])
        (path,) = (plain.folder / "lake" / "people").glob("*")
        whole = path.read_bytes()
        for spoil, why in SPOILS[form]:
            spoil(path)
            if path.stat().st_mode & 0o777 == 0 and can_read(path):
                continue  # nobody keeps root from reading
            with pytest.raises(DestinationError) as caught:
                opened.verifications.verify("lake")
            told = caught.value
            assert (told.code, str(path) in told.message) == ("HELD_UNREADABLE", True)
            assert why in told.message
            path.chmod(0o600)
            path.write_bytes(whole)
        path.unlink()
        (found,) = opened.verifications.verify("lake").syncs
        assert (found.missing, found.equal) == (2, 0)


def can_read(path: Path) -> bool:
    try:
        path.read_bytes()
    except PermissionError:
        return False
    return True


@pytest.mark.door("cli")
def test_C14_what_cannot_be_read_or_is_not_there_is_refused(plain, cli):
    hook = {"type": "webhook", "url": "https://example.org/hook"}
    connect(plain, hook=hook, seg={"type": "segment", "write_key": "k"})
    plain.people(destinations=[LAKE, {"use": "hook", "match": "user_id"}])
    for name in ("hook", "seg"):
        refused = cli("verify", name, "-o", "json", env=plain.env)
        error = refused.json["error"]
        assert (refused.code, error["code"]) == (4, "NOT_READABLE")
        assert "can be verified" in error["mend"]
    assert cli("verify", "lak", env=plain.env).code == 2
    assert cli("verify", "crm", "--sync", "people", env=plain.env).code == 2
    nothing = cli("verify", "lake", env=plain.env)
    assert (nothing.code, "Nothing could be compared." in nothing.stdout) == (0, True)
    ended = cli("verify", "lake", "--cancel", env=plain.env)
    assert (ended.code, ended.stderr) == (0, "Nobody verifies it now.\n")


def test_an_interval_holds_the_share_and_stays_a_share():
    assert interval(10, 10) == (pytest.approx(0.7225, abs=1e-4), 1.0)
    assert interval(0, 10) == (0.0, pytest.approx(0.2775, abs=1e-4))
    assert interval(50, 100) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))
