"""Files into a state that is served elsewhere, and a state out into files."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

import rowlift
from rowlift.core.errors import ConfigError
from rowlift.operations.opening import found
from rowlift.state.definitions import Author

CANARY = "CANARY-91bb"
SIGNING = "whsec_" + "Q0FOQVJZ" * 4
SECRET = {"headers", "secret"}
ODD_SQL = "SELECT user_id, plan,\n\t'x' AS \"a b\"  -- ende \nFROM people\n"
GOOD = "SELECT user_id, plan FROM people"
TWICE = "SELECT 'u1' AS user_id, plan FROM people"


def served(folder: Path) -> "rowlift.Project":
    """A service in a folder of its own without files, over the state in the shop's folder."""
    elsewhere = folder / "served"
    elsewhere.mkdir(exist_ok=True)
    return rowlift.Project(elsewhere, env={"ROWLIFT_DATA_DIR": str(folder / ".rowlift")})


@pytest.mark.door("cli")
def test_A5_apply_previews_a_new_trait_and_refuses_it_otherwise(cli, shop):
    shop.sync("traits", TWICE)
    stopped = cli("apply")
    assert (stopped.code, "PREVIEW_STOPS" in stopped.stderr) == (4, True)
    shop.sync("traits", GOOD)
    done = cli("apply")
    assert done.code == 0
    assert "+ sync traits created" in done.stdout
    shop.sync("more", TWICE, preset="import")
    assert cli("apply").code == 0
    shop.sync("more", TWICE)
    assert "PREVIEW_STOPS" in cli("apply").stderr, "an import becomes a trait"
    with served(shop.folder) as project:
        assert [one.version for one in project.definitions.versions("sync", "traits")] == [1]


def test_a_dry_run_says_what_would_change_and_changes_nothing(cli, shop):
    shop.sync("traits", GOOD)
    said = cli("apply", "--dry-run", "-o", "json").json
    assert [(one["kind"], one["name"], one["change"]) for one in said["changes"]] == [
        ("workspace", "shop", "created"), ("source", "warehouse", "created"),
        ("sync", "traits", "created"),
    ]  # fmt: skip
    assert said["applied"] is False
    again = cli("apply", "-o", "json").json
    assert again["changes"] == said["changes"]
    assert cli("apply", "-o", "json").json["changes"] == []


def test_apply_shows_the_difference_and_archives_only_with_prune(cli, shop):
    shop.sync("traits", GOOD)
    shop.sync("more", GOOD)
    assert cli("apply").code == 0
    shop.sync("traits", f"{GOOD} WHERE seats > 1")
    (shop.folder / "syncs" / "more.yml").unlink()
    left = cli("apply")
    assert "· sync more left" in left.stdout
    assert "+sql: " in left.stdout
    with served(shop.folder) as project:
        assert [one.name for one in project.ls()] == ["more", "traits"], "it goes on elsewhere"
    assert "- sync more archived" in cli("apply", "--prune").stdout
    with served(shop.folder) as project:
        assert [one.name for one in project.ls()] == ["traits"]


@pytest.mark.door("cli")
def test_B18_what_was_applied_is_what_a_service_elsewhere_runs(cli, shop):
    path = str(shop.folder / "warehouse.duckdb")
    shop.sources["warehouse"] = {"type": "duckdb", "path": path}
    shop.save()
    shop.sync("traits", GOOD)
    assert cli("apply").code == 0
    with served(shop.folder) as project:
        (run,) = project.run()
        assert run.counts["added"] == 3
    shop.sync("traits", f"{GOOD} WHERE seats > 1")
    assert cli("apply").code == 0
    with served(shop.folder) as project:
        (run,) = project.run(allow_removals=True)
        assert run.counts["removed"] == 1


@pytest.mark.door("python")
def test_S28_an_export_names_variables_in_the_place_of_secrets(cli, tmp_path):
    found(tmp_path, {}, "acme", Author())
    hook = {"type": "webhook", "url": "https://example.com", "headers": {"X-Key": CANARY}}
    with rowlift.Project(tmp_path, env={}) as project:
        project.definitions.create("destination", "hook", hook)
    out = cli("export", "files")
    assert (out.code, out.stdout.split()[-1]) == (0, "HOOK_HEADERS_X_KEY")
    files = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert CANARY not in "".join(path.read_text() for path in files) + out.stdout
    assert cli("export", "files").code == 2, "nothing is overwritten"
    assert cli("-C", "files", "check").code == 0


def test_exported_files_take_over_what_was_made_in_rowlift(cli, shop):
    shop.sync("traits", GOOD)
    assert cli("run").code == 0
    with rowlift.Project(shop.folder) as project:
        made = project.definitions.create("sync", "plans", {
            "source": "warehouse", "sql": GOOD, "identify_by": "user_id", "preset": "import",
        })  # fmt: skip
    assert cli("export", "files").code == 0
    there = {"ROWLIFT_DATA_DIR": str(shop.folder / ".rowlift")}
    refused = cli("-C", "files", "apply", env=there)
    assert (refused.code, "NAME_TWICE" in refused.stderr) == (2, True)
    taken = cli("-C", "files", "apply", "--take-over", env=there)
    assert "~ sync plans taken over" in taken.stdout
    with served(shop.folder) as project:
        found = {one.name: (one.uid, one.managed) for one in project.definitions.list("sync")}
    assert found["plans"] == (made.uid, "files")


def test_versions_are_listed_compared_and_put_back(cli, tmp_path):
    found(tmp_path, {}, "acme", Author())
    with rowlift.Project(tmp_path, env={}) as project:
        project.definitions.create("destination", "crm", {"type": "sandbox", "path": "a.jsonl"})
        changed = {"type": "sandbox", "path": "b.jsonl"}
        project.definitions.edit("destination", "crm", changed, expected=1)
    of = ("versions", "crm", "--kind", "destination")
    assert [one["version"] for one in cli(*of, "-o", "json").json["versions"]] == [2, 1]
    assert "+path: b.jsonl" in cli(*of, "--diff", "2").stdout
    assert "is at version 3, as it was at 1" in cli(*of, "--restore", "1").stdout
    assert cli(*of, "--diff", "3", "--against", "1").stdout.strip() == ""
    assert cli(*of, "--diff", "9").code == 1


def test_a_key_is_rotated(cli, tmp_path):
    found(tmp_path, {}, "acme", Author())
    with rowlift.Project(tmp_path, env={}) as project:
        project.definitions.create("destination", "segment", {
            "type": "segment", "write_key": CANARY,
        })  # fmt: skip
    before = (tmp_path / ".rowlift" / "secret.key").read_text()
    assert "1 secret sealed" in cli("state", "rotate-key").stdout
    assert (tmp_path / ".rowlift" / "secret.key").read_text() != before


EVERY: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "source": ("lager-2", {"type": "duckdb", "path": "warehouse.duckdb"}),
    "destination": ("hook", {
        "type": "webhook", "url": "https://example.com", "headers": {"X-Key": CANARY},
    }),
    "channel": ("ops", {"type": "webhook", "url": "https://example.com/hook", "secret": SIGNING}),
    "sync": ("people", {
        "description": "Wer zahlt: „alle“\n# no comment\n- no list", "preset": "import",
        "source": "lager-2", "sql": ODD_SQL, "identify_by": "user_id",
        "schedule": {"cron": "0 7 * * mon"}, "guards": {"removals": "12%"},
        "destinations": [{"use": "hook", "match": "user_id", "fields": {"plan": "yes"}}],
        "relationships": {
            "sql": "SELECT user_id AS id, plan AS object_id FROM people ", "identify_by": "id",
        },
    }),
    "forward": ("orders", {
        "destination": "hook", "types": ["track"], "names": ["on", "Order: paid"],
        "traits": {"plan": "null"},
    }),
    "audience": ("no", {"where": {"all": [
        {"attribute": "plan", "one_of": ["no", "on", "1e3", "~", "0x1f", " a ", "é\u2028b"]},
        {"attribute": "n", "at_least": 1.50},
    ]}, "split": {"a": 50, "b": 50}}),
}  # fmt: skip


@pytest.mark.door("cli")
def test_B18_what_is_exported_is_applied_and_exported_again_to_the_byte(cli, shop):
    made, first = shop.folder / "made", shop.folder / "first"
    made.mkdir()
    found(made, {}, "acme", Author())
    with rowlift.Project(made, env={}) as project:
        for kind, (name, document) in EVERY.items():
            project.definitions.create(kind, name, document)
    out = cli("-C", "made", "export", "first", "-o", "json").json["files"]
    (first / "warehouse.duckdb").write_bytes((shop.folder / "warehouse.duckdb").read_bytes())
    secrets = dict(zip(out["variables"], (CANARY, SIGNING), strict=True))
    applied = cli("-C", "first", "apply", env=secrets)
    assert applied.code == 0, applied.stderr
    assert cli("-C", "first", "export", "second", env=secrets).code == 0
    assert read(shop.folder / "second") == read(first)
    with rowlift.Project(first, env=secrets) as project:
        for kind, (name, document) in EVERY.items():
            there = project.definitions.get(kind, name)
            plain = {key: value for key, value in document.items() if key not in SECRET}
            assert plain.items() <= there.document.items()
            for refused in (
                partial(project.definitions.edit, kind, name, document, expected=there.version),
                partial(project.definitions.archive, kind, name, expected=there.version),
            ):
                with pytest.raises(ConfigError, match="read-only here"):
                    refused()


def read(folder: Path) -> Mapping[str, bytes]:
    files = (one for one in folder.rglob("*.*") if one.suffix in {".yml", ".sql"})
    return {str(one.relative_to(folder)): one.read_bytes() for one in files}
