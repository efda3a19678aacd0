from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.jobs import job, mariadb_job, postgres_job
from e2e.shop import Shop
from rowlift.testing.sink import Sink

__all__ = ["job", "mariadb_job", "postgres_job"]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A project in the test's own folder, where `cli` works too."""
    return Shop(tmp_path)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as receiver:
        yield receiver
