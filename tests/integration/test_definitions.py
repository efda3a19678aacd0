"""Definitions made in Rowlift, through the Python door, on both state databases."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import rowlift
from crashes.child import KILLED
from doors.forks import forked
from rowlift.core import faults
from rowlift.core.errors import ConfigError, GuardStop, RowliftError, StateError
from rowlift.operations.opening import found
from rowlift.project.problems import ProjectInvalid
from rowlift.state.definitions import Author
from rowlift.testing.clock import QuickClock
from rowlift.testing.fake import applied
from rowlift.testing.sink import Sink
from world import World

CANARY = "CANARY-5e1d"
TRAITS = {
    "source": "shop",
    "sql": "SELECT user_id, plan\nFROM people\n",
    "identify_by": "user_id",
    "destinations": [{"use": "crm"}],
}
NEW, OTHER = (base64.b64encode(bytes([one]) * 32).decode() for one in (1, 2))


@pytest.fixture
def world(tmp_path: Path, state_url: str | None) -> World:
    world = World(tmp_path / "project")
    world.env = {"ROWLIFT_STATE_URL": state_url} if state_url else {}
    world.env["ROWLIFT_SHARED_NETWORKS"] = "127.0.0.0/8, desk.internal"
    world.rows(("u1", "pro"), ("u2", "free"))
    return world


@pytest.fixture
def project(world: World) -> Iterator["rowlift.Project"]:
    """A service in a folder without files: what it has, it has from its state."""
    found(world.folder, world.env, "acme", Author("setup"))
    with rowlift.Project(world.folder, clock=QuickClock(), env=world.env) as opened:
        yield opened


def furnish(project: "rowlift.Project") -> None:
    definitions = project.definitions
    definitions.create("source", "shop", {"type": "files", "root": "data"})
    definitions.create("destination", "crm", {"type": "sandbox", "path": "crm.jsonl"})


def refusal(of: type[RowliftError], call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(of) as raised:
        call(*args, **kwargs)
    return raised.value.code


@pytest.mark.door("python")
def test_A5_a_trait_is_made_only_after_a_good_preview(project, world):
    furnish(project)
    definitions = project.definitions
    world.rows(("u1", "pro"), ("u1", "free"))
    code = refusal(GuardStop, definitions.create, "sync", "traits", TRAITS)
    assert code == "PREVIEW_STOPS"
    assert [one.name for one in definitions.list("sync")] == []
    world.rows(("u1", "pro"), ("u2", "free"))
    definitions.create("sync", "traits", TRAITS)
    project.run(["traits"])
    assert applied(world.log())["u2"]["attributes"] == {"plan": "free"}


@pytest.mark.door("python")
def test_A5_an_import_becomes_a_trait_only_after_a_good_preview(project, world):
    furnish(project)
    world.rows(("u1", "pro"), ("u1", "free"))
    definitions = project.definitions
    definitions.create("sync", "traits", {**TRAITS, "preset": "import"})
    code = refusal(GuardStop, definitions.edit, "sync", "traits", TRAITS, expected=1)
    assert code == "PREVIEW_STOPS"
    world.rows(("u1", "pro"))
    definitions.edit("sync", "traits", TRAITS, expected=1)
    definitions.edit("sync", "traits", {**TRAITS, "preset": "import"}, expected=2)
    world.rows(("u1", "pro"), ("u1", "free"))
    code = refusal(GuardStop, definitions.restore, "sync", "traits", 2, expected=3)
    assert code == "PREVIEW_STOPS", "what it was is judged by what the source has now"


@pytest.mark.door("python")
def test_B18_an_edit_takes_effect_at_the_next_run(project, world):
    furnish(project)
    made = project.definitions.create("sync", "traits", TRAITS)
    project.run(["traits"])
    sql = "SELECT user_id, plan, 1 AS score FROM people"
    edited = project.definitions.edit(
        "sync", "traits", {**TRAITS, "sql": sql}, expected=made.version
    )
    assert (edited.version, edited.uid) == (2, made.uid)
    project.run(["traits"])
    assert applied(world.log())["u2"]["attributes"] == {"plan": "free", "score": 1}


@pytest.mark.door("python")
def test_B19_archiving_a_sync_keeps_what_it_imported(project):
    furnish(project)
    made = project.definitions.create("sync", "traits", TRAITS)
    project.run(["traits"])
    gone = project.definitions.archive("sync", "traits", expected=made.version)
    assert gone.archived_at
    assert project.ls() == []
    assert {one.id for one in project.people()} == {"u1", "u2"}
    back = project.definitions.restore("sync", "traits", expected=gone.version)
    assert (back.uid, back.archived_at) == (made.uid, None)
    (run,) = project.run(["traits"])
    assert run.counts["unchanged"] == 2, "its image and ledgers stayed"


@pytest.mark.door("python")
def test_C11_versions_say_who_changed_what_and_come_back(project):
    furnish(project)
    ada = project.definitions.by("ada", "ui")
    ada.create("sync", "traits", TRAITS)
    project.definitions.by("bob", "api").edit(
        "sync", "traits", {**TRAITS, "description": "Plans"}, expected=1
    )
    versions = ada.versions("sync", "traits")
    assert [(one.version, one.actor, one.origin) for one in versions] == [
        (2, "bob", "api"), (1, "ada", "ui"),
    ]  # fmt: skip
    assert "+description: Plans" in ada.diff("sync", "traits", 2).splitlines()
    restored = ada.restore("sync", "traits", 1, expected=2)
    assert restored.version == 3
    assert "description" not in restored.document


def test_the_second_of_two_editors_is_told(project):
    furnish(project)
    project.definitions.create("sync", "traits", TRAITS)
    project.definitions.edit("sync", "traits", {**TRAITS, "description": "a"}, expected=1)
    late = {**TRAITS, "description": "b"}
    edit = project.definitions.edit
    assert refusal(GuardStop, edit, "sync", "traits", late, expected=1) == "EDIT_CONFLICT"
    assert project.definitions.get("sync", "traits").document["description"] == "a"


def test_what_files_declare_is_read_only_and_its_versions_are_kept(world):
    world.sync["workspace"] = "write"
    world.run()
    world.sync["description"] = "More"
    world.run()
    with world.project() as project:
        made = project.definitions.get("sync", "people")
        assert (made.managed, made.version) == ("files", 2)
        assert "+description: More" in project.definitions.diff("sync", "people", 2)
        edit = project.definitions.edit
        code = refusal(ConfigError, edit, "sync", "people", TRAITS, expected=2)
        assert code == "MANAGED_IN_FILES"
        project.pause("people")
        assert project.paused() == ["people"]


def test_files_and_rowlift_stand_side_by_side_until_they_clash(world):
    with world.project() as project:
        project.definitions.create("sync", "traits", TRAITS)
        assert [one.name for one in project.ls()] == ["people", "traits"]
    (world.folder / "syncs" / "traits.yml").write_text(json.dumps({"sync": "traits", **TRAITS}))
    with world.project() as project:
        assert refusal(ConfigError, project.ls) == "NAME_TWICE"


def test_a_name_that_files_gave_up_and_rowlift_took_is_not_given_back_unasked(world):
    world.run()
    gone = (world.folder / "syncs" / "people.yml").read_text()
    (world.folder / "syncs" / "people.yml").unlink()
    with rowlift.Project(world.folder, env=world.env) as project:
        project.definitions.create("sync", "people", TRAITS)
    (world.folder / "syncs" / "people.yml").write_text(gone)
    with rowlift.Project(world.folder, env=world.env) as project:
        assert refusal(ConfigError, project.ls) == "NAME_TWICE"


def test_a_definition_that_files_broke_stands_aside(world):
    with world.project() as project:
        project.definitions.create("sync", "traits", {**TRAITS, "source": "shop"})
    profile = {"sources": {}, "destinations": {"crm": {"type": "sandbox", "path": "crm.jsonl"}}}
    connections = {"default": "dev", "profiles": {"dev": profile}}
    (world.folder / "connections.yml").write_text(json.dumps(connections))
    (world.folder / "syncs" / "people.yml").unlink()
    with rowlift.Project(world.folder, env=world.env) as project:
        assert project.ls() == []
        assert refusal(ProjectInvalid, project.preview, "traits") == "NAME_UNKNOWN"
        assert '"shop"' in project.definitions.get("sync", "traits").problem


def test_a_rename_reaches_the_syncs_that_use_it(project):
    furnish(project)
    project.definitions.create("sync", "traits", TRAITS)
    project.run(["traits"])
    project.definitions.rename("destination", "crm", "sales", expected=1)
    renamed = project.definitions.get("sync", "traits")
    assert renamed.document["destinations"] == [{"use": "sales"}]
    (run,) = project.run(["traits"])
    assert run.counts["unchanged"] == 2
    moved = project.definitions.rename("sync", "traits", "plans", expected=renamed.version)
    assert (moved.document["sync"], moved.uid) == ("plans", renamed.uid)


def test_a_name_that_is_taken_stays_with_who_has_it(project):
    furnish(project)
    create, again = project.definitions.create, project.definitions.rename
    create("sync", "traits", TRAITS)
    create("sync", "more", TRAITS)
    assert refusal(ConfigError, create, "sync", "more", TRAITS) == "NAME_TWICE"
    assert refusal(ConfigError, again, "sync", "more", "traits", expected=1) == "NAME_TWICE"
    assert refusal(ConfigError, again, "workspace", "acme", "else", expected=1) == "VALUE_WRONG"


def test_settings_are_edited_unless_a_sync_needs_them(project):
    furnish(project)
    project.definitions.create("sync", "traits", TRAITS)
    settings = {"version": 1, "workspace": {"name": "acme", "identifiers": ["email"]}}
    edit = project.definitions.edit
    assert refusal(ConfigError, edit, "workspace", "acme", settings, expected=1) == "IN_USE"
    kept = {"version": 1, "workspace": {"name": "acme"}, "retention": {"runs": "30d"}}
    assert edit("workspace", "acme", kept, expected=1).version == 2


def test_what_a_sync_uses_cannot_be_archived(project):
    furnish(project)
    project.definitions.create("sync", "traits", TRAITS)
    archive = project.definitions.archive
    assert refusal(ConfigError, archive, "source", "shop", expected=1) == "IN_USE"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({**TRAITS, "identify": "user_id"}, "KEY_UNKNOWN"),
        ({**TRAITS, "source": "shopp"}, "NAME_UNKNOWN"),
        ({**TRAITS, "sql": "DELETE FROM people"}, "SQL_NOT_A_QUERY"),
        ({**TRAITS, "sql": None}, "VALUE_WRONG"),
        ({**TRAITS, "sql": "SELECT 1", "query": "models/x.sql"}, "VALUE_WRONG"),
        ({**TRAITS, "destinations": [{"use": "crm", "match": "fax"}]}, "CANNOT_DO"),
        ("sync: [", "YAML_INVALID"),
    ],
)
def test_a_document_is_judged_like_a_file(project, document, code):
    furnish(project)
    assert refusal(ProjectInvalid, project.definitions.create, "sync", "traits", document) == code


# secrets


def hook(sink: Sink, **more: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {CANARY}"}
    reach = ["127.0.0.0/8"]
    return {"type": "webhook", "url": sink.url, "headers": headers, "allow_networks": reach, **more}


def dumped(world: World) -> bytes:
    """Everything that lies in the folder and in the state database."""
    files = [path.read_bytes() for path in world.folder.rglob("*") if path.is_file()]
    engine = sa.create_engine(world.env["ROWLIFT_STATE_URL"])
    with engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
        rows = [connection.exec_driver_sql(f"SELECT * FROM {one}").all() for one in tables]
    engine.dispose()
    state = world.folder.parent / "state.db"
    raw = [path.read_bytes() for path in state.parent.glob("state.db*")]
    return b"".join([*files, *raw, repr(rows).encode()])


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as opened:
        yield opened


@pytest.mark.door("python")
def test_B3_a_secret_is_used_and_never_shown_again(project, world, sink):
    furnish(project)
    definitions = project.definitions
    made = definitions.create("destination", "hook", hook(sink))
    definitions.create("sync", "traits", {**TRAITS, "destinations": [{"use": "hook"}]})
    project.run(["traits"])
    assert sink.seen[0].headers["authorization"] == f"Bearer {CANARY}"
    assert list(made.secrets) == ["headers.Authorization"]
    assert made.document["url"] == sink.url, "the rest can be read back"
    told = [definitions.list(), definitions.versions("destination", "hook"), project.debug()]
    assert CANARY not in repr(told) + definitions.diff("destination", "hook", 1)
    assert CANARY.encode() not in dumped(world)


def test_S24_secrets_are_sealed_with_a_key_that_only_its_owner_reads(project, world, sink):
    project.definitions.create("destination", "hook", hook(sink))
    key = world.folder / ".rowlift" / "secret.key"
    assert key.stat().st_mode & 0o777 == 0o600
    text = key.read_bytes()
    key.unlink()
    with rowlift.Project(world.folder, env=world.env) as again:
        assert again.debug()["hook"][0].code == "SECRET_KEY_MISSING"
        create = again.definitions.create
        code = refusal(StateError, create, "destination", "other", hook(sink))
        assert code == "SECRET_KEY_MISSING", "a new key would hide that the old one is gone"
    key.write_bytes(text)
    with rowlift.Project(world.folder, env=world.env) as again:
        assert {one.code for one in again.debug()["hook"]} == {""}, "nothing was lost"


def test_S24_a_rotated_key_opens_what_the_old_one_sealed(project, world, sink):
    project.definitions.create("destination", "hook", hook(sink))
    key = world.folder / ".rowlift" / "secret.key"
    old = key.read_text()
    assert project.definitions.rotate_key() == 1
    project.definitions.rotate_key()
    assert old.strip() not in key.read_text()
    assert {one.code for one in project.debug()["hook"]} == {""}


def test_F67_who_runs_on_while_keys_are_rotated_seals_with_the_newest(project, world, sink):
    project.definitions.create("destination", "hook", hook(sink))
    for name in ("desk", "more"):
        with rowlift.Project(world.folder, env=world.env) as other:
            for _ in range(2):
                other.definitions.rotate_key()
        project.definitions.create("destination", name, hook(sink))
        assert {one.code for one in project.debug()["hook"]} == {""}
    with rowlift.Project(world.folder, env=world.env) as again:
        found = again.debug()
    assert {one.code for name in ("hook", "desk", "more") for one in found[name]} == {""}


@pytest.mark.usefixtures("project")
def test_S24_F67_a_key_from_the_environment_leaves_no_file(world, sink):
    world.env["ROWLIFT_SECRET_KEY"] = NEW
    with rowlift.Project(world.folder, env=world.env) as keyed:
        keyed.definitions.create("destination", "hook", hook(sink))
    assert not (world.folder / ".rowlift" / "secret.key").exists()
    for given, code in ((OTHER, "SECRET_KEY_MISSING"), ("short", "SECRET_KEY_WRONG")):
        with rowlift.Project(world.folder, env={**world.env, "ROWLIFT_SECRET_KEY": given}) as wrong:
            assert wrong.debug()["hook"][0].code == code
    both = {**world.env, "ROWLIFT_SECRET_KEY": f"{OTHER} {NEW}"}
    with rowlift.Project(world.folder, env=both) as rotating:
        assert rotating.definitions.rotate_key() == 1
    with rowlift.Project(world.folder, env={**world.env, "ROWLIFT_SECRET_KEY": OTHER}) as rotated:
        assert {one.code for one in rotated.debug()["hook"]} == {""}


@pytest.mark.parametrize("point", ["before_commit", "after_commit"])
def test_F67_a_key_that_was_rotated_halfway_loses_no_secret(project, world, sink, point):
    project.definitions.create("destination", "hook", hook(sink))
    spec = f"secrets.rotate.{point}:1:kill"
    assert forked(rotate_and_die, str(world.folder), world.env, spec, seconds=60) == KILLED
    with rowlift.Project(world.folder, env=world.env) as again:
        assert {one.code for one in again.debug()["hook"]} == {""}
        again.definitions.rotate_key()
        assert {one.code for one in again.debug()["hook"]} == {""}


def rotate_and_die(folder, env, spec):
    faults.arm(spec)
    with rowlift.Project(folder, env=env) as project:
        project.definitions.rotate_key()


def test_S8_another_host_needs_the_secret_again(project, sink):
    definitions = project.definitions
    made = definitions.create("destination", "hook", hook(sink))
    moved = {**made.document, "url": f"{sink.url}/elsewhere"}
    edit = definitions.edit
    assert refusal(ConfigError, edit, "destination", "hook", moved, expected=1) == "SECRET_AGAIN"
    slower = edit("destination", "hook", {**made.document, "batch_rows": 5}, expected=1)
    assert slower.secrets == made.secrets, "it stays the same secret"
    given = {**moved, "headers": {"Authorization": "Bearer new"}}
    edited = edit("destination", "hook", given, expected=2)
    assert edited.document["headers"] != made.document["headers"]
    restore = definitions.restore
    code = refusal(ConfigError, restore, "destination", "hook", 1, expected=3)
    assert code == "SECRET_AGAIN", "nor does an older version send it back"


@pytest.mark.parametrize(
    ("kind", "document", "moved"),
    [
        (
            "source",
            {"type": "postgres", "host": "db.example.com", "user": "u", "password": CANARY,
             "database": "shop"},
            ({"host": "evil.example"}, {"port": 6543}, {"sslmode": "disable"},
             {"public_only": True}),
        ),
        (
            "source",
            {"type": "snowflake", "account": "acme", "user": "u", "password": CANARY,
             "database": "shop"},
            ({"account": "evil"},),
        ),
        (
            "destination",
            {"type": "segment", "write_key": CANARY},
            ({"endpoint": "https://evil.example/v1"},),
        ),
        (
            "destination",
            {"type": "customerio", "site_id": "s", "api_key": CANARY},
            ({"region": "eu"},),
        ),
        (
            "channel",
            {"type": "webhook", "url": "https://desk.example.com", "secret": f"whsec_{'QUJD' * 8}"},
            ({"url": "https://evil.example"}, {"allow_networks": ["desk.internal"]}),
        ),
    ],
)  # fmt: skip
def test_S8_every_kind_that_holds_a_secret_asks_for_it_again(project, kind, document, moved):
    made = project.definitions.create(kind, "one", document)
    assert made.secrets
    for change in moved:
        with pytest.raises(ConfigError) as raised:
            project.definitions.edit(kind, "one", {**made.document, **change}, expected=1)
        assert raised.value.code == "SECRET_AGAIN", (change, str(raised.value))
        assert CANARY not in str(raised.value)
    quiet = {**made.document, "description": "Ours"}
    assert project.definitions.edit(kind, "one", quiet, expected=1).secrets == made.secrets


def test_S8_nobody_borrows_the_secret_of_another(project, sink):
    definitions = project.definitions
    made = definitions.create("destination", "hook", hook(sink))
    thief = hook(sink, headers=made.document["headers"])
    assert refusal(ConfigError, definitions.create, "destination", "thief", thief) == "VALUE_WRONG"


@pytest.mark.parametrize("wrong", [{"url": 1}, {"bath": 1}, {"headers": {"X Y": CANARY}}])
def test_S25_no_error_repeats_a_secret(project, sink, wrong):
    document = hook(sink, secret=CANARY, **wrong) | wrong
    with pytest.raises(ProjectInvalid) as raised:
        project.definitions.create("destination", "hook", document)
    assert CANARY not in "".join(f"{one} {one.mend}" for one in raised.value.problems)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"type": "segment", "write_key": "${HOME}"}, "VALUE_WRONG"),
        ({"type": "segment", "write_key": "${file:/etc/hostname}"}, "VALUE_WRONG"),
        ({"type": "webhook", "url": "https://${HOME}.example.com"}, "VALUE_WRONG"),
        ({"type": "sandbox", "path": "/etc/crm.jsonl"}, "FILE_OUTSIDE_ROOT"),
        ({"type": "sandbox", "path": "../crm.jsonl"}, "FILE_OUTSIDE_ROOT"),
        ({"type": "sandbox", "path": ".rowlift/state.db"}, "FILE_OUTSIDE_ROOT"),
        ({"type": "sandbox", "path": "."}, "FILE_OUTSIDE_ROOT"),
        ({"type": "sandbox", "path": "connections.yml"}, "FILE_OUTSIDE_ROOT"),
        ({"type": "files", "path": "models"}, "FILE_OUTSIDE_ROOT"),
        ({"type": "files", "path": "out/../syncs/people"}, "FILE_OUTSIDE_ROOT"),
    ],
)
def test_S28_what_is_made_here_reads_no_variable_and_no_file_of_the_server(project, document, code):
    create = project.definitions.create
    assert refusal(ProjectInvalid, create, "destination", "hook", document) == code


@pytest.mark.parametrize("reach", ["0.0.0.0/0", "10.1.2.3", "::1", "intranet", "127.0.0.0/7"])
def test_S20_what_is_made_here_opens_no_network_that_the_operator_does_not_share(project, reach):
    document = {"type": "webhook", "url": "https://desk.internal/", "allow_networks": [reach]}
    create = project.definitions.create
    assert refusal(ProjectInvalid, create, "destination", "hook", document) == "ADDRESS_REFUSED"
    create("destination", "hook", document | {"allow_networks": ["Desk.internal", "127.0.0.9"]})


@pytest.mark.usefixtures("project")
def test_S28_the_operator_may_share_variables_and_folders(world, tmp_path):
    env = {**world.env, "KEY": "k", "ROWLIFT_SHARED_VARIABLES": "KEY"}
    env["ROWLIFT_FILE_ROOTS"] = str(tmp_path / "open")
    with rowlift.Project(world.folder, env=env) as shared:
        create = shared.definitions.create
        create("destination", "segment", {"type": "segment", "write_key": "${KEY}"})
        create("destination", "crm", {"type": "sandbox", "path": str(tmp_path / "open" / "x")})
        assert sorted(shared.debug()) == ["crm", "segment"]
