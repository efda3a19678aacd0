"""What we are made of: locked, audited, listed, and built the same by everybody."""

import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
AUDIT = runpy.run_path(str(ROOT / "tools" / "audit.py"))

SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/=\\n]{40}|\bAKIA[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[0-9A-Za-z]{36}|\bxox[abprs]-[0-9]{8,}|\bAIza[0-9A-Za-z_-]{35}"
    r"|\b[rs]k_live_[0-9A-Za-z]{16,}|\beyJ[\w-]{16,}\.eyJ[\w-]{16,}\."
)


def test_S38_every_lock_pins_versions_and_hashes_and_is_installed_by_them() -> None:
    for lock in LOCKS:
        for block in re.split(r"\n(?=\S)", lock.read_text().strip()):
            assert re.match(r"(#|\S+==\S+ \\\n    --hash=sha256:[0-9a-f]{64})", block), block
    for place in ("Makefile", "deploy/Containerfile"):
        for words in re.findall(r"install\b(?:[^\n]|\\\n)*", (ROOT / place).read_text()):
            assert "-r" not in words.split() or "--require-hashes" in words


def test_S38_the_base_install_needs_few_packages_and_no_driver_of_a_server() -> None:
    needed = PROJECT["project"]["dependencies"]
    direct = {AUDIT["normal"](re.split(r"[<>=]", one)[0]) for one in needed}
    assert len(direct) <= 25
    assert direct <= AUDIT["locked"](ROOT / "requirements" / "base.txt").keys()
    assert not direct & {
        "psycopg",
        "pymysql",
        "google-cloud-bigquery",
        "snowflake-connector-python",
    }


def test_S38_the_image_has_what_the_base_install_has_and_two_drivers() -> None:
    base, image, dev = (
        AUDIT["locked"](ROOT / "requirements" / f"{name}.txt") for name in ("base", "image", "dev")
    )
    drivers = {"psycopg", "psycopg-binary", "pymysql"}
    assert image == base | {name: dev[name] for name in drivers}


def reported(**changed: Any) -> dict[str, Any]:
    return {"dependencies": [{"name": "Ruamel.YAML", "version": "1.0", "vulns": []} | changed]}


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (reported(), []),
        (reported(skip_reason="not found"), ["ruamel-yaml 1.0: not judged: not found"]),
        (reported(version="2.0"), ["ruamel-yaml 1.0: not judged: the report is of 2.0"]),
        ({"dependencies": []}, ["ruamel-yaml 1.0: not judged: it is not in the report"]),
        (
            reported(vulns=[{"id": "CVE-1", "fix_versions": ["1.1"]}]),
            ["ruamel-yaml 1.0: CVE-1, mended in 1.1"],
        ),
    ],
)
def test_S39_what_nobody_judged_fails_as_what_is_known_to_be_bad(
    report: dict[str, Any], told: list[str]
) -> None:
    assert list(AUDIT["faults"](report, {"ruamel-yaml": "1.0"})) == told


def test_S40_no_secret_is_in_the_repository() -> None:
    folders = ("src", "tests", "tools", "docs", "bench", "torture", "deploy", ".ci")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    ours = [path for path in files if not {"node_modules", "__pycache__"} & {*path.parts}]
    found = {
        str(path.relative_to(ROOT))
        for path in ours
        if SECRETS.search(path.read_text(errors="replace"))
    }
    assert found == set()
    assert SECRETS.search("key = AKIA" + "Q" * 16)


def test_S40_the_lint_looks_for_what_is_unsafe_and_says_where_it_does_not() -> None:
    lint = PROJECT["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    assert [one for one in lint["ignore"] if re.match(r"S\d*$", one)] == ["S608"]
    assert {
        place: safe
        for place, left in lint["per-file-ignores"].items()
        if place.startswith("src") and (safe := [one for one in left if re.match(r"S\d*$", one)])
    } == {"src/rowlift/testing/**": ["S101"]}


def test_S40_two_builds_of_the_wheel_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    built = []
    for name in ("here", "there"):
        copy = tmp_path / name
        copy.mkdir(mode=0o700 if name == "there" else 0o755)
        for one in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copyfile(ROOT / one, copy / one)  # a time of its own
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "src", copy / "src", ignore=ignored, copy_function=shutil.copyfile)
        [wheel] = WheelBuilder(str(copy)).build(directory=str(tmp_path / f"{name}-dist"))
        built.append(Path(wheel).read_bytes())
    assert built[0] == built[1]


def test_S40_a_release_lists_what_it_is_made_of() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "tools.sbom"], check=True, cwd=ROOT, capture_output=True, timeout=60
    )
    bill = json.loads(made.stdout)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    listed = {one["name"]: one["version"] for one in bill["components"]}
    assert listed == AUDIT["locked"](ROOT / "requirements" / "base.txt")
    assert len(listed) == len({one["bom-ref"] for one in bill["components"]})


def test_S40_a_finder_learns_how_to_report() -> None:
    told = (ROOT / "SECURITY.md").read_text()
    assert all(word in told for word in ("in private", "five working days", "newest release"))
