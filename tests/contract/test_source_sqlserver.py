"""SQL Server keeps the contract of a source behind a network, on a stand-in that speaks TDS."""

import pytest

from documented import since
from rowlift.operations.probes import LITERALS
from rowlift.testing.extractions import NetworkSourceSuite, Origin
from rowlift.testing.values import without
from servers import TdsDatabase

PASSWORD = "s3cret:/@ %41'x"
ROWS = "INSERT INTO people VALUES (1, 'Ada'), (2, ''), (3, NULL)"


class TestSQLServer(NetworkSourceSuite):
    reader = "mssql-python"
    driver = "libmsodbcsql"
    since = since("sqlserver")
    lacks = (
        "service", "login", "protocol", "snapshots", "grants", "estimates", "variant", "json",
    )  # fmt: skip
    secrets = (PASSWORD,)
    values = without("json")
    literals = LITERALS["tsql"]
    big = "SELECT i AS id, REPLICATE('x', 200) AS name FROM numbers"
    late_error = (
        "SELECT CAST(CASE WHEN i = 150000 THEN 'x' ELSE '1' END AS INT) AS id, "
        "REPLICATE('x', 200) AS name FROM numbers"
    )
    endless = "SELECT COUNT_BIG(*) AS n FROM numbers AS a, numbers AS b, numbers AS c"

    @pytest.fixture
    def origin(self, tds_database: TdsDatabase) -> Origin:
        database, user = tds_database, f"{tds_database.name}_r"
        database.execute(f"CREATE TABLE people (id int, name varchar); {ROWS}")
        database.admit(user, PASSWORD)
        settings = {
            "host": database.server.host,
            "port": database.server.port,
            "database": database.name,
            "user": user,
            "password": PASSWORD,
            "ssl_ca": str(database.server.ca_file),
            "host_name_in_certificate": "localhost",
            "reader": self.reader,
        }
        ask = database.server.ask
        return Origin(
            "sqlserver", settings, lambda: ask("stop", database.name), lambda: ask("running", user)
        )


class TestSQLServerFree(TestSQLServer):
    reader = "python-tds"
    driver = "sqlserver_tds_child"
