import gc
import os
from collections.abc import Iterable

import hypothesis
import pytest

from compiled import compile_once
from scratch import use_memory
from today import TODAY

# A busy machine is slow now and then; the timeout of the whole test is what guards.
hypothesis.settings.register_profile("rowlift", deadline=None)
hypothesis.settings.load_profile("rowlift")

use_memory()
compile_once()

# Before anything imports one: pages of the documentation that are run ask for it, too.
SUITES = ("deliveries", "destinations", "extractions", "forwards", "sources")
pytest.register_assert_rewrite(*(f"rowlift.testing.{name}" for name in SUITES))

pytest_plugins = ["doors.plugin", "order", "servers.plugin"]


def pytest_collection_finish() -> None:
    """Spare the collector of garbage what stays to the end: a tenth of all CPU seconds."""
    gc.collect()
    gc.freeze()


def pytest_report_header() -> str:
    return f"samples of {TODAY}"


def lacking(reports: Iterable[pytest.TestReport]) -> dict[str, list[str]]:
    """What each suite that ran declared its source to lack, by the suite's name."""
    found: dict[str, dict[str, None]] = {}
    for report in reports:
        for name, value in report.user_properties:
            if name == "lacks":
                suite = report.nodeid.split("::")[1].removeprefix("Test")
                found.setdefault(suite, {})[str(value)] = None
    return {suite: [*names] for suite, names in sorted(found.items())}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the stand-ins cannot show."""
    found = lacking(terminalreporter.getreports("passed"))
    if found:
        terminalreporter.section("stand-ins lack, as docs/warehouses.md tells")
    for suite, names in found.items():
        terminalreporter.write_line(f"{suite}: {', '.join(names)}")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With CI set, a run that skipped anything has failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("CI: skipped tests count as failures", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
