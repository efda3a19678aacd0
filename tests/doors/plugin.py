"""Fixtures: one per public door."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from doors.cli import CliResult, run_cli


@pytest.fixture
def cli(tmp_path: Path) -> Callable[..., CliResult]:
    """`run_cli` in the test's own folder unless it is told another."""
    return partial(run_cli, cwd=tmp_path)
