import os

import hypothesis
import pytest

from scratch import use_memory

# A busy machine is slow now and then; the timeout of the whole test is what guards.
hypothesis.settings.register_profile("rowlift", deadline=None)
hypothesis.settings.load_profile("rowlift")

use_memory()

pytest_plugins = ["doors.plugin", "servers.plugin"]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With CI set, a run that skipped anything has failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("CI: skipped tests count as failures", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
