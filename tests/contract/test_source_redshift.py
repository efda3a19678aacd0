"""Redshift keeps the contract of a source behind a network, on a PostgreSQL in its dress."""

from collections.abc import Iterator

import pytest

from documented import since
from rowlift.operations.probes import LITERALS
from rowlift.testing.extractions import NetworkSourceSuite, Origin
from rowlift.testing.values import VALUES, Value
from servers import RedshiftServer

PASSWORD = "s3cret:/@ %41'x"
ROWS = "INSERT INTO people VALUES (1, 'Ada'), (2, ''), (3, NULL)"


@pytest.fixture(scope="module")
def warehouse(redshift_server: RedshiftServer) -> Iterator[Origin]:
    with redshift_server.database(PASSWORD) as database:
        database.execute(
            f"CREATE TABLE people (id int, name text); {ROWS};"
            f"GRANT SELECT ON people TO {database.user}"
        )
        running = (
            f"SELECT 1 FROM pg_stat_activity WHERE usename = '{database.user}' AND state = 'active'"
        )
        yield Origin(
            "redshift",
            database.settings(),
            database.stop_backends,
            lambda: len(database.rows(running)),
        )


class TestRedshift(NetworkSourceSuite):
    since = since("redshift")
    driver = "redshift_connector"
    lacks = ("service", "catalogue", "types", "login", "pages")
    streams = False  # a page is given when it is whole
    secrets = (PASSWORD,)
    values = (
        *VALUES,
        Value("float", "0.1", "'0.1'::real"),
        Value("text", "a", "'a'::char(5)"),
    )
    literals = LITERALS["redshift"]
    big = "SELECT i AS id, repeat('x', 200) AS name FROM generate_series(0, 199999) AS g(i)"
    late_error = (
        "SELECT 1 / (150000 - i) AS id, repeat('x', 200) AS name "
        "FROM generate_series(0, 199999) AS g(i)"
    )
    endless = (
        "SELECT count(*) AS n FROM generate_series(1, 30000) AS a, generate_series(1, 30000) AS b, "
        "generate_series(1, 30000) AS c"
    )

    def escaped(self, text: str) -> str:
        return super().escaped(text).replace("\\", "\\\\")

    @pytest.fixture
    def origin(self, warehouse: Origin) -> Origin:
        return warehouse
