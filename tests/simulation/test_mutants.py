"""The list of planted faults fits the code, and what must find them does."""

import pytest
from torture.simulation.mutants import ROOT, Mutant, hunt, mutants

PLANTED = 20
RULES = 10
HISTORIES = "tests/integration/test_import_histories.py"
TRAPS = [f"T{n}" for n in (1, 2, 3, 4, *range(6, 14), *range(16, 20))]
SOURCE = ROOT / "src" / "rowlift"


@pytest.mark.parametrize("mutant", mutants(), ids=lambda one: one.name)
def test_every_fault_can_still_be_planted(mutant: Mutant) -> None:
    assert mutant.old != mutant.new
    compile(mutant.applied_to(SOURCE), mutant.file, "exec")


def test_there_is_enough_to_find() -> None:
    assert len({one.name for one in mutants()}) == len(mutants())
    assert sum(not one.test for one in mutants()) >= PLANTED
    assert sum(one.test == HISTORIES for one in mutants()) >= RULES
    assert {one.breaks for one in mutants()} >= set(TRAPS)


def test_T1_ids_by_content_are_found() -> None:
    (mutant,) = mutants("ids by content")
    assert hunt(mutant, seeds=20).found


@pytest.mark.parametrize("name", ["nobody is merged", "clear takes what others wrote"])
def test_broken_rules_are_found(name: str) -> None:
    (mutant,) = mutants(name)
    assert hunt(mutant).found
