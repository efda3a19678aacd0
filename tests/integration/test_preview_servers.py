"""The proofs of a preview on real servers: types and collations do not change what they find."""

import uuid
from contextlib import closing

import pytest

from e2e.jobs import postgres_warehouse
from rowlift.engine.preview import preview
from rowlift.sources.mysql import MySQL, MySQLConfig
from rowlift.sources.postgres import Postgres, PostgresConfig
from rowlift.testing.folder import Folder
from rowlift.testing.proxy import Proxy
from unit.canonforms import spec

PASSWORD = "preview"
NOTE_BYTES = 20_000
ROWS = ["('a', 1)", "('A', 2)", "('a ', 3)", "('é', 4)", "('e', 5)", "('b', 6)", "('b', 7)",
        "('', 8)", "(NULL, 9)"]  # fmt: skip
INSERT = f"INSERT INTO people (user_id, n) VALUES {', '.join(ROWS)}"


@pytest.fixture
def shop(postgres_database):
    database, user = postgres_database, f"{postgres_database.name}_reader"
    database.execute(
        "CREATE TABLE people (user_id text, n int, uid uuid DEFAULT gen_random_uuid());"
        f"{INSERT}; CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}';"
        f"GRANT SELECT ON people TO {user}"
    )
    config = PostgresConfig(
        host=database.server.host, port=database.server.port, database=database.name,
        user=user, password=PASSWORD, sslrootcert=str(database.server.ca_file),
    )  # fmt: skip
    with closing(Postgres(config)) as source:
        yield source
    database.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")


@pytest.fixture
def maria(mariadb_database):
    database, user = mariadb_database, f"p_{uuid.uuid4().hex[:12]}"
    database.execute(
        "CREATE TABLE people (user_id varchar(20) COLLATE utf8mb4_general_ci, n int)",
        INSERT,
        f"CREATE USER {user} IDENTIFIED BY '{PASSWORD}'",
        f"GRANT SELECT ON {database.name}.* TO {user}",
    )
    config = MySQLConfig(
        host=database.server.host, port=database.server.port, database=database.name,
        user=user, password=PASSWORD, ssl_mode="VERIFY_IDENTITY",
        ssl_ca=str(database.server.ca_file),
    )  # fmt: skip
    with closing(MySQL(config)) as source:
        yield source
    database.execute(f"DROP USER {user}")


@pytest.fixture(params=["shop", "maria"])
def source(request):
    return request.getfixturevalue(request.param)


def test_rules_are_proven_whatever_the_collation(source, tmp_path):
    found = preview(source, spec(sql="SELECT user_id, n FROM people"), scratch=tmp_path)
    assert {problem.code: problem.count for problem in found.problems} == {
        "ID_NULL": 1, "ID_BLANK": 1, "ID_DUPLICATE": 2,
    }  # fmt: skip
    assert found.counts["rows"] == len(ROWS)
    assert found.problems[-1].examples == ("'b' in 2 rows",)
    assert {row.identifier for row in found.rows if row.problem == "ID_DUPLICATE"} == {"b"}


def test_numbers_can_identify(source, tmp_path):
    found = preview(source, spec(sql="SELECT n AS id, user_id AS u FROM people;"), scratch=tmp_path)
    assert (found.key, found.problems, found.counts["rows"]) == ("id", (), len(ROWS))


def test_uuids_can_identify(shop, tmp_path):
    found = preview(shop, spec(sql="SELECT uid AS user_id, n FROM people"), scratch=tmp_path)
    assert (found.problems, found.counts["rows"]) == ((), len(ROWS))


@pytest.mark.door("python")
def test_C1_beyond_the_first_hundred_rows_only_identifiers_leave_the_database(
    postgres_server, tmp_path
):
    note = f"repeat('x', {NOTE_BYTES}) AS note"
    sql = f"SELECT n::text AS user_id, {note} FROM generate_series(1, 1000) AS t(n)"
    with (
        postgres_warehouse(postgres_server) as warehouse,
        Proxy(postgres_server.host, postgres_server.port) as proxy,
    ):
        source = {**warehouse.settings(), "host": "127.0.0.1", "port": proxy.port}
        sandbox = {"type": "sandbox", "path": str(tmp_path / "sent.jsonl")}
        with Folder(tmp_path / "acme", source, sandbox, sql=sql).project() as project:
            found = project.preview("people")
    assert (found.whole, [(one.fate.value, one.rows) for one in found.met]) == (
        True, [("new", 1000)],
    )  # fmt: skip
    assert 100 * NOTE_BYTES < proxy.longest < 200 * NOTE_BYTES
