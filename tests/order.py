"""Which files begin first: several workers take whole files in turn, and none ends long after.

A file on one worker makes its servers, services and browsers once.
"""

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Those that took longest, waiting ones among busy ones; all others follow, unit tests at the end.
FIRST = (
    "integration/test_crash_walk.py",
    "simulation/test_simulator.py",
    "contract/test_sources.py",
    "ui/test_states.py",
    "ui/test_connections.py",
    "integration/test_kinds.py",
    "ui/test_journeys.py",
    "contract/test_source_sqlserver.py",
    "ui/test_studio.py",
    "web/test_pages.py",
    "integration/test_segments.py",
    "ui/test_browser.py",
    "e2e/test_main_job_rules.py",
    "contract/test_source_bigquery.py",
    "ui/test_new_sync.py",
    "integration/test_service.py",
    "integration/test_faults_process.py",
    "contract/test_deliveries.py",
    "integration/test_advice.py",
    "integration/test_merges.py",
    "integration/test_suppression.py",
    "integration/test_schedules.py",
    "integration/test_source_mysql.py",
    "e2e/test_main_job_sources.py",
    "integration/test_state_processes.py",
)
LAST = "unit"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of long files first and the quick ones last.

    Those that workers could not tell apart by their ids would be lost but for one.
    """
    for item in items:
        route = getattr(item, "operation_label", None)
        if route:  # schemathesis leaves it out of the id
            item._id = dataclasses.replace(item.id, params=route)  # noqa: SLF001
    twice = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if twice:
        raise pytest.UsageError(f"two tests have one id: {twice[0]}")
    items.sort(key=lambda item: _rank(item.path))


def _rank(path: Path) -> int:
    name = path.relative_to(HERE).as_posix() if path.is_relative_to(HERE) else ""
    if name in FIRST:
        return FIRST.index(name)
    return len(FIRST) + name.startswith(LAST)
