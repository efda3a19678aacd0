"""A project folder as a whole: what is read, and how each mistake is answered."""

import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.project.kinds import FOLDER, KINDS
from rowlift.core.errors import ConfigError
from rowlift.core.nouns import Kind, Mode, Preset, Removed
from rowlift.core.rules import RULES
from rowlift.core.specs import (
    GuardSpec,
    LimitSpec,
    SegmentSpec,
    SyncSpec,
    Threshold,
    UseSpec,
    WorkspaceSpec,
)
from rowlift.project.files import ConnectorKinds, load, read
from rowlift.project.problems import Problem, ProjectInvalid

SHORT = "sync: s\nsource: warehouse\nsql: SELECT 1\nidentify_by: user_id\n"
OF_ACCOUNTS = "sync: s\nsource: warehouse\nsql: SELECT 1\nkind: account\n"
STRAIGHT = "workspace: none\ndestinations: [{use: crm}]\n"


@pytest.fixture
def shop(tmp_path):
    return shutil.copytree(FOLDER / "shop", tmp_path / "shop")


def problems(root, name: str, text: str) -> list[str]:
    (root / name).write_text(text)
    return [str(problem) for problem in read(root, KINDS).problems]


def sync_problems(root, text: str) -> list[str]:
    return problems(root, "syncs/s.yml", text)


def sync_of(root, text: str) -> SyncSpec:
    (root / "syncs/s.yml").write_text(text)
    return load(root, KINDS).syncs["s"]


def connection_problems(root, sources: str = "{}", destinations: str = "{}") -> list[str]:
    shutil.rmtree(root / "syncs")
    text = f"profiles:\n  dev:\n    sources: {sources}\n    destinations: {destinations}\n"
    return problems(root, "connections.yml", text)


def test_the_example_is_read_whole(shop):
    project = load(shop, KINDS)
    assert project.profile == "dev"
    assert project.workspace == WorkspaceSpec("acme", ("id", "email"))
    assert project.sources["warehouse"].type == "postgres"
    assert project.sources["warehouse"].config["password"] == "${PGPASSWORD}"
    assert project.destinations["crm"].config == {"write_key": "${SEGMENT_WRITE_KEY}"}
    assert project.syncs["zendesk_tickets"] == SyncSpec(
        name="zendesk_tickets",
        preset=Preset.TRAITS,
        kind=Kind.PERSON,
        source="warehouse",
        sql=(FOLDER / "shop/models/zendesk_tickets.sql").read_text(),
        identify_by="user_id",
        limits=LimitSpec(25, 10_000_000, 16_384),
        guards=GuardSpec(Threshold(percent=10), Threshold(percent=50)),
        cursor="strict",
        schedule={"every": "12h"},
        destinations=(UseSpec("crm", "user_id", {"has_open_ticket": "open_ticket"}),),
    )


def test_presets_give_their_defaults(shop):
    traits = sync_of(shop, SHORT)
    assert (traits.preset, traits.on_bad_rows, traits.cursor) == ("traits", "stop", "held_rows")
    assert traits.limits == LimitSpec(25, 10_000_000, 16_384)
    assert traits.schedule == {"every": "12h"}
    imported = sync_of(shop, SHORT + "preset: import\n")
    assert (imported.preset, imported.on_bad_rows, imported.cursor) == (
        "import",
        "reject",
        "strict",
    )
    assert imported.limits == LimitSpec(300, 100_000_000, None)
    assert imported.schedule is None


def test_every_default_can_be_overridden(shop):
    sync = sync_of(
        shop,
        SHORT
        + """
description: All settings.
renamed_from: old
preset: import
on_bad_rows: stop
cursor: held_rows
limits: {columns: 30, rows: 1000, record_bytes: none}
guards: {removals: off, rejects: 20}
schedule: {cron: "30 6 * * 1-5", timezone: Europe/Berlin, start_at: 2027-01-31T08:00}
overlap: 5m
second_identifier: reject
empty_values: delete
empty_strings: as_null
suppressed: fail
removed: leave_segment
segment: {name: Open tickets, create: true}
destinations:
  - {use: crm, match: email, only: [plan, mrr], fields: {mrr: revenue}, removed: keep}
""",
    )
    assert sync.description == "All settings."
    assert sync.renamed_from == "old"
    assert (sync.on_bad_rows, sync.cursor, sync.overlap_seconds) == ("stop", "held_rows", 300)
    assert sync.limits == LimitSpec(30, 1000, None)
    assert sync.guards == GuardSpec(None, Threshold(rows=20))
    assert sync.schedule == {
        "cron": "30 6 * * 1-5",
        "timezone": "Europe/Berlin",
        "start_at": "2027-01-31T08:00",
    }
    assert (sync.second_identifier, sync.suppressed) == ("reject", "fail")
    assert (sync.empty_values, sync.empty_strings) == ("delete", "as_null")
    assert sync.removed is Removed.LEAVE_SEGMENT
    assert sync.segment == SegmentSpec("Open tickets", create=True)
    assert SyncSpec.from_json(sync.to_json()) == sync
    assert sync.destinations == (
        UseSpec("crm", "email", {"mrr": "revenue"}, ("plan", "mrr"), (), Mode.UPSERT, Removed.KEEP),
    )


def test_a_destination_inherits_what_it_does_not_say(shop):
    text = SHORT + "removed: delete\ndestinations: [{use: crm}]\n"
    assert sync_of(shop, text).destinations == (UseSpec("crm", "user_id", removed=Removed.DELETE),)


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("kind: person\nidentify_by: id\n", "user_id"),
        ("kind: person\nidentify_by: email\n", "email"),
        ("kind: person\nidentify_by: anonymous_id\n", "anonymous_id"),
        ("kind: account\n", "group_id"),
        ("kind: account\nidentify_by: object_id\n", "object_id"),
    ],
)
def test_identifiers_by_kind(shop, lines, key):
    sync = sync_of(shop, "sync: s\nsource: warehouse\nsql: SELECT 1\n" + lines)
    assert sync.identify_by == key


def test_a_schedule_can_be_switched_off(shop):
    assert sync_of(shop, SHORT + "schedule: off\n").schedule is None


def test_specs_survive_json(shop):
    for sync in load(shop, KINDS).syncs.values():
        assert SyncSpec.from_json(sync.to_json()) == sync
    odd = sync_of(
        shop, SHORT + "guards: {removals: off, rejects: 7}\ndestinations: [{use: crm, only: [é]}]\n"
    )
    assert SyncSpec.from_json(odd.to_json()) == odd


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "presett: traits",
            '5:1: "presett" is not a known key of the sync. Did you mean "preset"?',
        ),
        ("destinations: [{use: crm, mach: email}]", '5:27: "mach" is not a known key of destin'),
        ("preset: trait", '5:9: preset must be traits or import; it is "trait". Did you mean "tr'),
        ("suppressed: no", '5:13: suppressed must be skip or fail; it is "no".'),
        ("description: 12", "5:14: description must be text: put it in quotes; it is 12."),
        ("description: yes\nlimits: {rows: 012}", "6:16: A number cannot start with 0."),
        ("limits: {rows: 1_000}", "5:16: limits.rows must be a whole number without quotes; it is"),
        ("limits: {columns: true}", "5:19: limits.columns must be a whole number"),
        ("limits: {columns: 1}", "5:19: limits.columns must be at least 2; it is 1."),
        ("limits: {record_bytes: 0}", "5:24: limits.record_bytes must be a number of bytes"),
        ("limits: 5", "5:9: limits must hold keys, for example {key: value}."),
        ("guards: {removals: 101%}", "5:20: guards.removals must be a share such as 10%"),
        ("overlap: 12:30:45", "5:10: overlap must be a duration: a whole number and s, m, h, d"),
        ("overlap: -5m", "5:10: overlap must be a duration"),
        ("schedule: {every: 0h}", "5:19: schedule.every must be at least 1m"),
        ("schedule: {every: 1 fortnight}", "5:19: schedule.every must be a duration"),
        ("schedule: {every: 1h, cron: '* * * * *'}", "5:11: schedule has both every and cron"),
        ("schedule: {timezone: Europe/Berlin}", "5:11: schedule needs every, at or cron"),
        ("schedule: {every: 1h, at: '08:00'}", "5:11: schedule has both every and at"),
        ("schedule: {days: [mon]}", "5:11: schedule has days, which need a time"),
        ("schedule: {days: [mon], cron: '0 8 * * *'}", "5:11: schedule has days, which need"),
        ("schedule: {days: [monday], at: '08:00'}", "5:18: schedule.days must be a list of days"),
        ("schedule: {days: [], at: '08:00'}", "5:18: schedule.days must be a list of days"),
        ("schedule: {days: [[mon]], at: '08:00'}", "5:18: schedule.days must be a list of days"),
        ("schedule: {at: 8:00}", "5:16: schedule.at must be a time"),
        ("schedule: {at: '24:00'}", "5:16: schedule.at must be a time"),
        (
            "schedule: {every: 1h, start_at: 9999-12-30T08:00}",
            "5:33: schedule.start_at must lie in the years 1970 to 2999",
        ),
        (
            "schedule: {cron: '0 8 * * *', timezone: Asia/Tokyo, start_at: 0001-01-01T00:00}",
            "5:63: schedule.start_at must lie in the years 1970 to 2999",
        ),
        ("schedule: 12h", "5:11: schedule must hold keys"),
        ("destinations: crm", "5:15: destinations must be a list, for example [a, b]; it is"),
        ("destinations: [crm]", "5:16: destinations[1] must hold keys"),
        ("destinations:", "5:1: There is no value here."),
        ("destinations: [{match: email}]", '5:16: The key "use" is missing in destinations[1].'),
        ("destinations: [{use: cmr}]", '5:22: There is no destination "cmr" in connections.yml.'),
        ("destinations: [{use: crm}, {use: crm}]", '5:34: The destination "crm" is used twice'),
        ("destinations: [{use: crm, only: [a], exclude: [b]}]", "5:47: only and exclude contrad"),
        ("destinations: [{use: crm, fields: {a: x, b: x}}]", "5:39: Two columns would become"),
        ("destinations: [{use: crm, exclude: [a], fields: {a: x}}]", '5:53: fields renames "a"'),
        ("kind: relationship", "5:7: kind cannot be relationship: give the sync a second query"),
        ("segment: Tickets", "5:10: segment must hold keys"),
        ("segment: {name: ' '}", "5:17: segment.name must be a name of 1 to 128 printable"),
        ("removed: leave_segment", "5:10: removed: leave_segment, but the sync has no segment"),
        ("workspace: none", "5:12: workspace: none and no destinations"),
        ("query: models/zendesk_tickets.sql", "3:6: A sync needs its query: either"),
        ("renamed_from: zendesk_tickets", '5:15: renamed_from names "zendesk_tickets", which sti'),
    ],
)
def test_a_mistake_in_a_sync_is_said_at_its_place(shop, line, expected):
    found = sync_problems(shop, SHORT + line + "\n")
    assert found[0].startswith(f"syncs/s.yml:{expected}"), found
    with pytest.raises(ProjectInvalid):
        load(shop, KINDS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("source: warehouse\nsql: SELECT 1\nidentify_by: id\n", '1:1: The key "sync" is missing'),
        ("sync: s\nsource: warehouse\nidentify_by: id\n", "1:1: A sync needs its query"),
        ("sync: s\nsource: warehouse\nsql: SELECT 1\n", '1:1: The key "identify_by" is missing'),
        (SHORT.replace("user_id", "phone"), "4:14: identify_by must be user_id, id, email"),
        (SHORT.replace("user_id", "group_id"), "4:14: identify_by: group_id does not identify pe"),
        (OF_ACCOUNTS + "segment: {name: VIP}\n", "5:10: segments are of people; this sync's rows"),
        (SHORT + STRAIGHT + "segment: {name: VIP}\n", "7:10: segments are in the workspace, which"),
        (SHORT + "kind: account\n", "4:14: identify_by: user_id does not identify accounts."),
        (SHORT.replace("warehouse", "warehous"), '2:9: There is no source "warehous" in connecti'),
        (SHORT.replace("SELECT 1", "'  '"), "3:6: The query is empty."),
        (SHORT.replace("sync: s", "sync: zendesk_tickets"), ""),
        (SHORT.replace("sync: s", 'sync: "Zendesk <b>"'), "1:7: sync must be a name: lower-case"),
        (SHORT.replace("sync: s", "sync: ../../etc"), "1:7: sync must be a name: lower-case"),
        (SHORT.replace("sync: s", "sync: " + "x" * 500), "1:7: sync must be a name: lower-case"),
        (SHORT.replace("sync: s", "sync: 2024"), "1:7: sync must be a name, which is text; it is"),
    ],
)
def test_a_sync_needs_its_parts(shop, text, expected):
    found = sync_problems(shop, text)
    if "zendesk_tickets" in text:
        expected = "1:7"
        found = [one.replace("syncs/zendesk_tickets.yml", "syncs/s.yml") for one in found]
        assert "is taken by the sync in" in found[0]
    assert found[0].startswith(f"syncs/s.yml:{expected}"), found


@pytest.mark.parametrize(
    ("identifiers", "key", "preset", "is_allowed"),
    [
        ("[id]", "user_id", "traits", True),
        ("[id]", "email", "traits", False),
        ("[email]", "id", "import", False),
        ("[email]", "email", "import", True),
        ("[id]", "anonymous_id", "traits", True),
        ("[id]", "anonymous_id", "import", False),
    ],
)
def test_the_workspace_decides_the_identifiers(shop, identifiers, key, preset, is_allowed):
    shutil.rmtree(shop / "syncs")
    (shop / "syncs").mkdir()
    text = f"version: 1\nworkspace: {{name: acme, identifiers: {identifiers}}}\n"
    (shop / "rowlift.yml").write_text(text)
    found = sync_problems(shop, SHORT.replace("user_id", key) + f"preset: {preset}\n")
    expected = f"syncs/s.yml:4:14: The sync identifies people by {key}, but workspace.identifiers"
    assert bool(found) is not is_allowed
    assert all(one.startswith(expected) for one in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 2\nworkspace: {name: a}\n", "1:10: version must be 1; a higher number was wri"),
        ("version: true\nworkspace: {name: a}\n", "1:10: version must be 1"),
        ("version: 1\n", '1:1: The key "workspace" is missing in rowlift.yml.'),
        ("version: 1\nworkspace: {name: A}\n", "2:19: workspace.name must be a name"),
        ("version: 1\nworkspace: {name: a, identifiers: []}\n", "2:35: workspace.identifiers need"),
        ("version: 1\nworkspace: {name: a, identifiers: [phone]}\n", "2:36: workspace.identifiers"),
        *(
            (
                f"version: 1\nworkspace: {{name: a, public_url: {url}}}\n",
                "2:34: workspace.public_url",
            )
            for url in (
                "rowlift.example.com",
                "'https://a:b@x.org'",
                "'javascript:x'",
                "'https://x/?y'",
            )
        ),
        (
            "version: 1\nworkspace: {name: a, allow_email_change_by_id: no}\n",
            "2:48: workspace.allo",
        ),
    ],
)
def test_a_mistake_in_rowlift_yml_is_said(shop, text, expected):
    assert problems(shop, "rowlift.yml", text)[0].startswith(f"rowlift.yml:{expected}")


WAREHOUSE = "host: h, database: d, user: u"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{type: postgress}", '3:25: "postgress" is not a type of source. Did you mean "postgres"'),
        ("{type: postgres, hots: h, database: d, user: u}", '3:15: The key "host" is missing in w'),
        ("{host: h}", '3:18: The key "type" is missing in profiles.dev.sources.w.'),
        (f"{{type: postgres, {WAREHOUSE}, port: x}}", "3:66: port must be a whole number"),
        (f"{{type: postgres, {WAREHOUSE}, port: 0}}", "3:66: port must be at least 1."),
        (f"{{type: postgres, {WAREHOUSE}, port: 05432}}", "3:72: A number cannot start with 0."),
        (f"{{type: postgres, {WAREHOUSE}, verify: 7}}", "3:66: verify must be true or false."),
        (f"{{type: postgres, {WAREHOUSE}, password: 12}}", "3:66: password must be text: put it"),
        (f"{{type: postgres, {WAREHOUSE}, password: ~}}", "3:66: There is no value here."),
        ("{type: postgres, host: h, database: d, user: root}", "3:15: w (postgres): user root can"),
    ],
)
def test_a_mistake_in_a_connection_is_said(shop, source, expected):
    found = connection_problems(shop, sources=f"{{w: {source}}}")
    assert found[0].startswith(f"connections.yml:{expected}"), found


def test_an_unknown_key_of_a_connection_names_the_nearest(shop):
    found = connection_problems(shop, f"{{w: {{type: postgres, {WAREHOUSE}, pasword: x}}}}")
    key = '"pasword" is not a known key of w (postgres).'
    assert found == [f'connections.yml:3:66: {key} Did you mean "password"? [KEY_UNKNOWN]']


def test_profiles_are_chosen_by_argument_then_default(shop):
    source = f"{{type: postgres, {WAREHOUSE}}}"
    text = "profiles:\n" + "".join(
        f"  {name}: {{sources: {{warehouse: {source}}}, destinations: {{crm: "
        "{type: segment, write_key: '${KEY}'}}}\n"
        for name in ("dev", "prod")
    )
    words = "There are several profiles and no default: dev and prod. [KEY_MISSING]"
    assert problems(shop, "connections.yml", text) == [f"connections.yml:1:1: {words}"]
    assert load(shop, KINDS, profile="prod").profile == "prod"
    assert problems(shop, "connections.yml", "default: prod\n" + text) == []
    assert load(shop, KINDS).profile == "prod"
    assert load(shop, KINDS, profile="dev").profile == "dev"
    assert [str(one) for one in read(shop, KINDS, profile="prd").problems] == [
        'connections.yml:3:3: There is no profile "prd". Did you mean "prod"? [NAME_UNKNOWN]'
    ]


class Uninstalled(dict):
    """A registry whose driver is missing, as it is without its extra."""

    def __getitem__(self, name):
        raise ConfigError("DRIVER_MISSING", f"The driver for {name} is not installed.")

    def get(self, name, default=None):
        return self[name]


def test_a_missing_driver_matters_only_where_it_is_used(shop):
    kinds = ConnectorKinds(KINDS.sources, Uninstalled(segment=None))
    assert [one.code for one in read(shop, kinds).problems] == ["DRIVER_MISSING"]
    with (shop / "connections.yml").open("a") as file:
        file.write(f"  bare: {{sources: {{warehouse: {{type: postgres, {WAREHOUSE}}}}}}}\n")
    shutil.rmtree(shop / "syncs")
    assert read(shop, kinds, profile="bare").problems == []


def test_two_syncs_cannot_claim_one_former_name(shop):
    (shop / "syncs/t.yml").write_text(SHORT.replace("sync: s", "sync: t") + "renamed_from: old\n")
    assert sync_problems(shop, SHORT + "renamed_from: old\n") == [
        'syncs/t.yml:5:15: "s" says too that it was "old" before. [NAME_TWICE]'
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("models/zendesk_ticket.sql", "FILE_MISSING"),
        ("models", "FILE_MISSING"),
        ("../secret.sql", "FILE_OUTSIDE_ROOT"),
        ("models/../../secret.sql", "FILE_OUTSIDE_ROOT"),
        ("/etc/passwd", "FILE_OUTSIDE_ROOT"),
        ("models/link.sql", "FILE_OUTSIDE_ROOT"),
        ("models/loop.sql", "FILE_UNREADABLE"),
        ("models/latin.sql", "FILE_UNREADABLE"),
        ("models/pipe.sql", "FILE_MISSING"),
        ('"a\\0b"', "FILE_UNREADABLE"),
        ("x" * 5000, "FILE_UNREADABLE"),
        ("models/empty.sql", "SQL_EMPTY"),
    ],
)
def test_a_query_is_a_text_file_of_the_project(shop, query, expected):
    (shop.parent / "secret.sql").write_text("SELECT 1")
    (shop / "models/link.sql").symlink_to(shop.parent / "secret.sql")
    (shop / "models/loop.sql").symlink_to(shop / "models/loop.sql")
    (shop / "models/latin.sql").write_bytes(b"SELECT '\xe9'")
    (shop / "models/empty.sql").write_text(" \n")
    os.mkfifo(shop / "models/pipe.sql")
    text = SHORT.replace("sql: SELECT 1", f"query: {query}")
    (shop / "syncs/s.yml").write_text(text)
    found = read(shop, KINDS).problems
    assert [one.code for one in found] == [expected]
    assert found[0].place is not None
    assert str(found[0].place).isprintable()


def test_a_folder_without_a_project_says_so(tmp_path):
    with pytest.raises(ProjectInvalid) as caught:
        load(tmp_path, KINDS)
    assert caught.value.code == "NO_PROJECT"
    assert caught.value.exit_code == 2
    (tmp_path / "rowlift.yaml").touch()
    assert read(tmp_path, KINDS).problems[0].mend == "Rename rowlift.yaml to rowlift.yml."


def test_all_problems_of_all_files_are_raised_at_once(shop):
    (shop / "rowlift.yml").write_text("version: 2\nworkspace: {name: acme}\n")
    (shop / "syncs/a.yml").write_text("sync: [\n")
    (shop / "syncs/b.yaml").write_text(SHORT + "cursor: x\nmode: y\n")
    with pytest.raises(ProjectInvalid) as caught:
        load(shop, KINDS)
    places = [str(one.place) for one in caught.value.problems]
    assert places == ["rowlift.yml:1:10", "syncs/a.yml:2:1", "syncs/b.yaml:5:9", "syncs/b.yaml:6:7"]
    assert str(caught.value) == (
        "rowlift.yml:1:10: version must be 1; a higher number was written for a newer Rowlift; "
        "it is 2. (and 3 more) [VALUE_WRONG]"
    )


def test_no_message_carries_control_characters(shop):
    evil = '"\\e[31mred\\nline"'
    (shop / "syncs/\x1b[31m.yml").write_text("a: b: c\n")
    found = sync_problems(
        shop, f"{SHORT}{evil}: 1\npreset: {evil}\ndestinations: [{{use: {evil}}}]\n"
    )
    assert len(found) >= 4
    assert all(one.isprintable() for one in found)


def loaded(root) -> tuple[Problem, ...]:
    """Load a folder and return what is wrong; any other exception than ours fails the test."""
    try:
        load(root, KINDS)
    except ProjectInvalid as error:
        return error.problems
    return ()


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    """One copy of the shop for each file that is overwritten again and again."""
    names = ("rowlift.yml", "connections.yml", "syncs/s.yml")
    roots = {name: tmp_path_factory.mktemp("shops") / "shop" for name in names}
    return {name: shutil.copytree(FOLDER / "shop", root) for name, root in roots.items()}


yamlish = st.lists(
    st.sampled_from(
        [
            *":-[]{}'\"#&*!|>%@`?,~. \n\t0a",
            *["\n  ", ": ", "- ", "sync", "source", "query", "sql", "limits", "guards", "schedule"],
            *["destinations", "use", "fields", "version", "workspace", "name", "profiles", "dev"],
            *["sources", "type", "postgres", "segment", "write_key", "${", "}", "A", "file:/etc"],
            *["012", "true", "null", "12h", "10%", "user_id", "warehouse", "crm", "<<", "---"],
        ]
    )
).map("".join)


@pytest.mark.parametrize("name", ["rowlift.yml", "connections.yml", "syncs/s.yml"])
@given(text=yamlish | st.text())
def test_any_text_loads_or_is_invalid(shops, name, text):
    root = shops[name]
    (root / name).write_text(text, encoding="utf-8", errors="replace")
    found = loaded(root)
    assert bool(found) is (read(root, KINDS).spec is None)
    assert all(one.code in RULES and one.place for one in found)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KEYS = ["preset", "kind", "limits", "guards", "schedule", "destinations", "overlap", "query"]


@given(key=st.sampled_from([*KEYS, "segment", "identify_by", "workspace", "sync"]), value=values)
def test_any_value_of_any_key_loads_or_is_invalid(shops, key, value):
    root = shops["syncs/s.yml"]
    lines = [one for one in SHORT.splitlines() if not one.startswith(f"{key}:")]
    flow = _flow(value)
    (root / "syncs/s.yml").write_text("\n".join([*lines, f"{key}: {flow}\n"]), encoding="utf-8")
    assert all(one.code in RULES and one.place for one in loaded(root))


def _flow(value) -> str:
    """Write a value as YAML flow text; text is escaped, so that every character can stand in it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(one) for one in value) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value) + '"'
    return {None: "null", True: "true", False: "false"}.get(value, str(value))


OBJECTS = """sync: s
kind: object
source: warehouse
sql: SELECT object_id, title FROM courses
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (OBJECTS + "object_type: [a]\n", "5:14: object_type must be the name or number of a type"),
        (OBJECTS + "identify_by: email\n", "5:14: identify_by: email does not identify objects."),
        (SHORT + "object_type: 2\n", "object_type is of objects; this sync's rows are people."),
        (
            OBJECTS + "relationships: {identify_by: id}\n",
            "5:16: relationships needs its query: either query, a file, or sql, the text itself.",
        ),
        (
            OBJECTS + "relationships: {sql: SELECT 1, identify_by: phone}\n",
            "relationships.identify_by must be user_id, id or email",
        ),
        (
            OBJECTS + "workspace: none\nrelationships: {sql: SELECT 1, identify_by: id}\n"
            "destinations: [{use: crm, match: object_id}]\n",
            "relationships need the workspace, which knows the people and objects they join.",
        ),
        (
            OBJECTS
            + "attributes: {title: set_if_empty}\ndestinations: [{use: crm, match: object_id}]\n",
            "crm would overwrite title: set_if_empty is a rule of the workspace",
        ),
    ],
)
def test_objects_relationships_and_rules_of_attributes_are_checked(shop, text, expected):
    found = sync_problems(shop, text)
    assert expected in found[0], found


def test_objects_have_a_type_that_may_be_a_number(shop):
    assert sync_problems(shop, OBJECTS + "object_type: 2\n") == []
