"""Two clean runs after a fault, and everything that must hold then."""

import json

from crashes.checker import Expected, check_all, counted
from crashes.story import BATCH_ROWS, IN_FLIGHT
from faults.arena import POISONED, Arena
from faults.shops import PASSWORD


def heal(arena: Arena) -> None:
    """Make two clean runs, and remember what was sent before the second."""
    arena.run()
    (arena.folder / "log.size").write_text(str(arena.log.stat().st_size))
    (arena.folder / "report.json").write_text(json.dumps(arena.run()))


def prove(arena: Arena, *, deaths: int) -> tuple[int, int, int]:
    """Heal, assert everything, and return how many rows were lost, wrong and sent again.

    `deaths` is how often a process died or stopped with batches in flight.
    """
    heal(arena)
    return prove_healed(arena, deaths=deaths)


def prove_healed(arena: Arena, *, deaths: int) -> tuple[int, int, int]:
    """Assert everything about an arena in which two clean runs were made."""
    expected = expectation(arena, deaths)
    check_all(expected)
    check_no_secret(arena)
    return counted(expected)


def expectation(arena: Arena, deaths: int) -> Expected:
    """Return what must have arrived."""
    source = {
        row[0]: {"email": row[1], "plan": row[2], "orders": row[3]}
        for row in arena.rows
        if row[0] is not None
    }
    refused = frozenset({POISONED} & source.keys())
    most = deaths * IN_FLIGHT * BATCH_ROWS
    return Expected(arena.folder, arena.state_url, refused, most, source)


def check_no_secret(arena: Arena) -> None:
    """Assert that no file of the project or its data holds the source's password."""
    secret = PASSWORD.encode()
    telling = [
        path for path in arena.folder.rglob("*") if path.is_file() and secret in path.read_bytes()
    ]
    assert not telling, telling
