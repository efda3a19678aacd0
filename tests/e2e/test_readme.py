"""The tour in README.md is what its commands print."""

import os
import re
import subprocess
from pathlib import Path

from doors.cli import PROGRAM, clean_environment

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = "⋮"
MOVING = (
    (re.compile(r"\b\d+\.\d s\b"), "T s"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "TIME"),
)


def stable(text: str) -> list[str]:
    """The lines of a text without what differs from run to run."""
    for pattern, name in MOVING:
        text = pattern.sub(name, text)
    return [line.rstrip() for line in text.splitlines()]


def fits(told: list[str], printed: list[str]) -> bool:
    """Whether a told output is the printed one, apart from what it leaves out."""
    pieces = [piece.strip("\n") for piece in "\n".join(["", *told, ""]).split(f"\n{LEFT_OUT}\n")]
    whole = "\n".join(printed)
    if len(pieces) == 1:
        return pieces[0] == whole.strip("\n")
    at = 0
    for piece in pieces:
        found = whole.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return whole.startswith(pieces[0]) and whole.strip("\n").endswith(pieces[-1])


def commands() -> list[tuple[str, list[str]]]:
    """Each command of the tour with the output the tour shows."""
    found: list[tuple[str, list[str]]] = []
    for block in BLOCK.findall(README.read_text(encoding="utf-8")):
        for line in stable(block):
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            else:
                found[-1][1].append(line)
    return found


def test_the_tour_is_what_its_commands_print(tmp_path):
    folder = tmp_path
    env = clean_environment(tmp_path)
    env["PATH"] = f"{PROGRAM.parent}{os.pathsep}{env['PATH']}"
    tour = commands()
    assert len(tour) >= 8
    for command, told in tour:
        if command.startswith("cd "):
            folder /= command.removeprefix("cd ")
            continue
        done = subprocess.run(
            ["sh", "-c", command], cwd=folder, env=env, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert fits(told, stable(done.stdout)), f"$ {command}\n{done.stdout}"


def test_a_told_output_must_fit():
    assert fits(["a", "b"], ["a", "b"])
    assert not fits(["a"], ["a", "b"])
    assert fits(["a", LEFT_OUT, "c"], ["a", "b", "c"])
    assert fits([LEFT_OUT, "c"], ["a", "b", "c"])
    assert not fits([LEFT_OUT, "b"], ["a", "b", "c"])
    assert not fits(["a", LEFT_OUT, "x", LEFT_OUT], ["a", "b", "c"])
