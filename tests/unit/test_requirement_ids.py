"""The tool that keeps requirement ids honest."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "requirement_ids.py"


def check(folder, source):
    (folder / "test_sample.py").write_text(f"import pytest\n{source}\n")
    words = [sys.executable, TOOL, folder]
    return subprocess.run(words, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    "source",
    [
        'pytestmark = pytest.mark.door("cli")\ndef test_A7_x(cli): cli("run")',
        '@pytest.mark.door("cli")\ndef test_A7_x(): run_cli("run")',
        '@pytest.mark.door("python")\ndef test_B1_x(): rowlift.Project(".")',
        'class Test:\n  pytestmark = [pytest.mark.door("cli")]\n  def test_C1_x(self, cli): cli()',
        "def test_F3_x(): ...",
        "def test_S3_x(): ...",
        "def test_anything_else(): ...",
    ],
)
def test_an_honest_id_passes(tmp_path, source):
    done = check(tmp_path, source)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def test_A7_x(cli): cli()", "no @pytest.mark.door"),
        ('@pytest.mark.door("cli")\ndef test_A7_x(cli): ...', "uses none of"),
        ('@pytest.mark.door("python")\ndef test_B1_x(cli): cli()', "uses none of"),
        ('@pytest.mark.door("window")\ndef test_C1_x(cli): cli()', "no such door: window"),
        ('class Test:\n  def test_C1_x(self, cli): cli("run")', "no @pytest.mark.door"),
    ],
)
def test_an_empty_claim_fails(tmp_path, source, reason):
    done = check(tmp_path, source)
    assert done.returncode == 1
    assert reason in done.stderr


def test_ids_are_listed_in_order_with_test_and_door(tmp_path):
    done = check(
        tmp_path,
        "def test_F1_T2_x(): ...\n" + '@pytest.mark.door("cli")\ndef test_A10_x(cli): cli()',
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    file = tmp_path / "test_sample.py"
    assert rows[:3] == [
        ["A10", "cli", f"{file}::test_A10_x"],
        ["F1", "-", f"{file}::test_F1_T2_x"],
        ["T2", "-", f"{file}::test_F1_T2_x"],
    ]
    assert done.stdout.endswith("3 requirements, 2 tests\n")
