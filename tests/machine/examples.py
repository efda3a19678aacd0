"""Run the state machine for a number of sequences of so many steps each, from a seed."""

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from machine.rules import Everything


def run_examples(examples: int, steps: int, seed: int) -> int:
    """Raise AssertionError, with the steps that lead to it, as soon as anything is wrong.

    The first sequence is always the shortest there is. Returns how often a process was killed.
    """

    @seeded(seed)
    class Seeded(Everything):
        pass

    run_state_machine_as_test(
        Seeded,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=False,
            verbosity=Verbosity.normal,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=tuple(HealthCheck),
        ),
    )
    return Seeded.kills
