import pytest

SUITES = ("deliveries", "destinations", "extractions", "forwards", "sources")

pytest.register_assert_rewrite(*(f"rowlift.testing.{name}" for name in SUITES))
