from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doors.api import Api, serving
from rowlift.testing.clock import QuickClock
from world import World


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def shop(tmp_path: Path) -> World:
    """Two people, one of them without a usable identifier, in the workspace and at one place."""
    world = World(tmp_path / "acme", ("user_id", "email", "plan"))
    world.sync["workspace"] = "write"
    world.rows(("ann", "ann@example.com", "pro"), ("", "bob@example.com", "free"))
    world.save()
    return world


@pytest.fixture
def api(shop: World, clock: QuickClock) -> Iterator[Api]:
    with serving(shop.folder, clock) as served:
        yield served


@pytest.fixture
def everything() -> Callable[[Path], bytes]:
    """All that stands in the files of a folder."""

    def read(folder: Path) -> bytes:
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return b"".join(path.read_bytes() for path in files)

    return read


@pytest.fixture
def shop_bytes(shop: World, everything: Callable[[Path], bytes]) -> Callable[[], bytes]:
    """Everything that stands in the project's folder."""
    return lambda: everything(shop.folder)
