import pytest

from machine.examples import run_examples


@pytest.mark.timeout(900)
def test_whatever_is_done_to_a_project_it_comes_together() -> None:
    assert run_examples(examples=4, steps=12, seed=3) > 0
