"""Prints requirement id, test and door, and fails when a test does not drive the door it names.

A test called test_A7_... proves requirement A7, test_A7_F3_... both. Ids of the parts A, B and C
are promises to a user, so their tests carry `@pytest.mark.door(...)` and use that door's driver.
Ids of the parts F (faults), T (traps) and S (security) are listed and need no door.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TEST = re.compile(r"test_((?:[ABCFTS]\d+_)+)")
ID = re.compile(r"([ABCFTS])(\d+)_")
PROMISED = "ABC"
DRIVERS = {
    "cli": {"cli", "run_cli"},
    "api": {"api"},
    "ui": {"page"},
    "python": {"project", "rowlift.Project", "Project"},
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Proof:
    """One test that says it proves a requirement."""

    part: str
    number: int
    place: str
    doors: frozenset[str]
    used: frozenset[str]

    @property
    def row(self) -> str:
        return f"{self.part}{self.number:<5} {', '.join(sorted(self.doors)) or '-':8} {self.place}"

    @property
    def fault(self) -> str | None:
        if self.part in PROMISED and not self.doors:
            return f"{self.place}: no @pytest.mark.door"
        for door in sorted(self.doors):
            if door not in DRIVERS:
                return f"{self.place}: no such door: {door}"
            if not DRIVERS[door] & self.used:
                return f"{self.place}: says door {door} and uses none of {sorted(DRIVERS[door])}"
        return None


def doors(marks: list[ast.expr]) -> Iterator[str]:
    """The doors named by marks: decorators, or the value of `pytestmark`."""
    for mark in marks:
        for call in ast.walk(mark):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.door":
                yield from (ast.literal_eval(word) for word in call.args)


def inherited(body: list[ast.stmt]) -> set[str]:
    marks = [
        statement.value
        for statement in body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "pytestmark"
    ]
    return set(doors(marks))


def names(function: Function) -> set[str]:
    """Everything the body of a test reads: a fixture that is asked for and left alone is not."""
    nodes = [node for statement in function.body for node in ast.walk(statement)]
    return {ast.unparse(node) for node in nodes if isinstance(node, ast.Name | ast.Attribute)}


def proofs(body: list[ast.stmt], place: str, outer: set[str]) -> Iterator[Proof]:
    here = outer | inherited(body)
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from proofs(
                node.body, f"{place}::{node.name}", here | set(doors(node.decorator_list))
            )
        elif isinstance(node, Function) and (found := TEST.match(node.name)):
            for part, number in ID.findall(found[1]):
                yield Proof(
                    part=part,
                    number=int(number),
                    place=f"{place}::{node.name}",
                    doors=frozenset(here | set(doors(node.decorator_list))),
                    used=frozenset(names(node)),
                )


def main(folder: Path) -> int:
    found = [
        proof
        for file in sorted(folder.rglob("test_*.py"))
        for proof in proofs(ast.parse(file.read_text()).body, str(file), set())
    ]
    found.sort(key=lambda proof: (proof.part, proof.number, proof.place))
    faults = [proof.fault for proof in found if proof.fault is not None]
    for proof in found:
        print(proof.row)
    ids, places = {(one.part, one.number) for one in found}, {one.place for one in found}
    print(f"{len(ids)} requirements, {len(places)} tests")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
