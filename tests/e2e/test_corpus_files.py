"""Hostile project files through the program: exit code 2, one stable code, a place, a mend."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from corpus import Sample, ident, samples
from doors.cli import CliResult
from rowlift.cli.app import run
from rowlift.core.rules import RULES

SOUND = "sync: {name}\nsource: w\nsql: SELECT user_id, plan FROM people\nidentify_by: user_id\n"
ROWLIFT = "version: 1\nworkspace: {name: acme}\n"
SOURCE = "{type: duckdb, path: w.duckdb}"
CRM = "{type: sandbox, path: crm.jsonl}"


def connections(sources: str = "", destinations: str = "") -> str:
    return (
        f"profiles:\n  dev:\n    sources:\n      w: {SOURCE}\n{sources}"
        f"    destinations:\n      crm: {CRM}\n{destinations}"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "syncs").mkdir()
    (tmp_path / "rowlift.yml").write_text(ROWLIFT)
    (tmp_path / "connections.yml").write_text(connections())
    (tmp_path / "syncs" / "sound.yml").write_text(SOUND.replace("{name}", "sound"))
    return tmp_path


def problems(document: dict) -> dict[str, list[tuple[str, str]]]:
    """Code and place of each problem, by its file, after a look at its words."""
    found = defaultdict(list)
    for one in document["problems"]:
        assert one["code"] in RULES
        assert one["mend"]
        assert one["message"].isprintable()
        place = one["place"]
        found[place["path"]].append((one["code"], f"{place['line']}:{place['column']}"))
    return found


def calm(done: CliResult) -> None:
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "INTERNAL" not in said


def texts(sample: Sample) -> str:
    name = sample.name
    if sample.list == "lines":
        return SOUND.replace("{name}", name) + sample["text"] + "\n"
    return sample["text"].replace("{name}", name)


def outcome(sample: Sample, found: list[tuple[str, str]]) -> tuple[str, str]:
    """The problem that the corpus expects, or the first; no place where it gives none."""
    expected = [one for one in found if one[0] == sample.code]
    code, at = (expected or found or [("", "")])[0]
    return code, at if "at" in sample.given else ""


def test_every_hostile_sync_is_told_at_its_place(cli, folder):
    some = samples("config.toml", "lines") + samples("config.toml", "syncs")
    for one in some:
        path = folder / "syncs" / f"{one.name}.yml"
        path.write_text(texts(one), encoding="utf-8", newline="")
    done = cli("check", "-o", "json")
    calm(done)
    assert done.code == 2
    found = problems(done.json)
    came = {one.name: outcome(one, found[f"syncs/{one.name}.yml"]) for one in some}
    assert came == {one.name: (one.code, one.get("at", "")) for one in some}
    assert found["syncs/sound.yml"] == []
    refused = cli("run", "-q")
    calm(refused)
    assert refused.code == 2
    assert not (folder / ".rowlift").exists()


@pytest.mark.parametrize("kind", ["sources", "destinations"])
def test_every_hostile_connection_is_told_at_its_line(cli, folder, kind):
    some = samples("config.toml", kind)
    lines = "".join(f"      {one.name}: {one['text']}\n" for one in some)
    (folder / "connections.yml").write_text(connections(**{kind: lines}), encoding="utf-8")
    first = 5 if kind == "sources" else 7
    done = cli("check", "-o", "json")
    calm(done)
    assert done.code == 2
    found = defaultdict(list)
    for code, at in problems(done.json)["connections.yml"]:
        found[int(at.partition(":")[0])].append((code, at))
    came = {one.name: outcome(one, found[line])[0] for line, one in enumerate(some, first)}
    assert came == {one.name: one.code for one in some}


@pytest.mark.parametrize("sample", samples("files.toml"), ids=ident)
def test_a_file_that_spoils_the_project_is_told(folder, capfd, sample):
    text = sample["text"]
    (folder / sample["file"]).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert run(["check", "-C", str(folder), "-o", "json"]) == 2
    out, err = capfd.readouterr()
    calm(CliResult(2, out, err))
    found = problems(json.loads(out))[sample["file"]]
    assert outcome(sample, found) == (sample.code, sample.get("at", ""))
    assert run(["run", "-C", str(folder), "-o", "json"]) == 2
    out, err = capfd.readouterr()
    calm(CliResult(2, out, err))
    assert json.loads(out)["error"]["mend"]
