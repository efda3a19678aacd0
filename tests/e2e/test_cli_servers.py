"""What the command line promises on real PostgreSQL and MariaDB servers."""

import pytest

pytestmark = pytest.mark.door("cli")

PASSWORD = "wrong-horse"
ROWS = """
INSERT INTO people VALUES
    ('u1', 'ada@example.com', 'pro'), ('u2', 'ben@example.com', 'free'), ('u3', NULL, 'pro')
"""


@pytest.fixture
def reader(postgres_database):
    """A PostgreSQL user who may only read the table people."""
    name = f"r_{postgres_database.name}"
    postgres_database.execute(
        "CREATE TABLE people (user_id text, email text, plan text);"
        f"{ROWS}; CREATE TABLE secrets (user_id text, salary integer);"
        f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'; GRANT SELECT ON people TO {name}"
    )
    yield name
    postgres_database.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.fixture
def warehouse(shop, postgres_database, reader):
    """The project's source is that database, read as that user."""
    server = postgres_database.server
    shop.sources["warehouse"] = {
        "type": "postgres", "host": server.host, "port": server.port, "user": reader,
        "database": postgres_database.name, "password": PASSWORD,
        "sslmode": "verify-full", "sslrootcert": str(server.ca_file),
    }  # fmt: skip
    shop.save()
    return shop.sources["warehouse"]


@pytest.mark.usefixtures("warehouse")
def test_A1_rows_of_postgresql_become_people(cli, shop, sink):
    shop.sync("traits", "SELECT user_id, plan FROM people", shop.webhook(sink.url))
    done = cli("run", "traits")
    assert done.code == 0
    assert shop.people() == {"u1": {"plan": "pro"}, "u2": {"plan": "free"}, "u3": {"plan": "pro"}}
    assert len(sink.taken.records) == 3
    assert "nothing to send" in cli("run", "traits").stdout


def test_B1_rows_of_mariadb_become_people(cli, shop, mariadb_database):
    server = mariadb_database.server
    mariadb_database.execute(
        "CREATE TABLE people (user_id varchar(20), email varchar(50), plan varchar(9))", ROWS
    )
    user = f"'r_{mariadb_database.name}'@'%'"
    mariadb_database.execute(
        f"CREATE USER {user} IDENTIFIED BY '{PASSWORD}'",
        f"GRANT SELECT ON `{mariadb_database.name}`.* TO {user}",
    )
    try:
        shop.sources["warehouse"] = {
            "type": "mysql", "host": server.host, "port": server.port,
            "user": f"r_{mariadb_database.name}", "password": PASSWORD,
            "database": mariadb_database.name, "ssl_mode": "VERIFY_IDENTITY",
            "ssl_ca": str(server.ca_file),
        }  # fmt: skip
        shop.save()
        shop.sync("people", "SELECT user_id AS id, email, plan FROM people", preset="import",
                  identify_by="id")  # fmt: skip
        assert cli("debug").code == 0
        assert cli("run", "people").code == 0
        assert shop.people()["u2"] == {"email": "ben@example.com", "plan": "free"}
        assert shop.people()["u3"] == {"plan": "pro"}
    finally:
        mariadb_database.execute(f"DROP USER {user}")


@pytest.mark.usefixtures("warehouse")
def test_A2_debug_warns_of_a_user_who_could_write(cli, shop, postgres_database, reader):
    shop.sync()
    good = cli("debug")
    assert good.code == 0
    assert "WRITE_RIGHTS" not in good.stdout
    postgres_database.execute(f"GRANT INSERT, UPDATE ON people TO {reader}")
    seen = cli("debug")
    assert seen.code == 0
    assert "WRITE_RIGHTS" in seen.stdout
    assert "people" in seen.stdout


def test_A2_a_superuser_is_refused(cli, shop, warehouse, postgres_database):
    server = postgres_database.server
    warehouse |= {"user": server.user, "password": server.password}
    shop.save()
    shop.sync(sql="SELECT user_id, plan FROM people")
    for command in (["debug"], ["run", "traits"]):
        seen = cli(*command)
        assert "UNSAFE_USER" in seen.stdout + seen.stderr
        assert seen.code != 0
    assert shop.people() == {}
    warehouse["allow_unsafe_user"] = True
    shop.save()
    assert cli("run", "traits").code == 0


@pytest.mark.usefixtures("warehouse")
def test_A18_permission_errors_name_table_user_and_grants(cli, shop, reader):
    shop.sync(sql="SELECT user_id, salary FROM secrets")
    for command in ("preview", "run"):
        seen = cli(command, "traits")
        assert seen.code == 1
        assert "PERMISSION_DENIED" in seen.stderr
        assert "secrets" in seen.stderr
        assert "GRANT SELECT ON" in seen.stderr
        assert reader in seen.stderr
    assert shop.people() == {}


@pytest.mark.usefixtures("warehouse")
def test_A7_rules_are_proven_in_the_warehouse(cli, shop, postgres_database):
    postgres_database.execute(
        "INSERT INTO people SELECT CASE WHEN i % 50 > 0 THEN 'p' || i / 2 END, NULL, 'x'"
        " FROM generate_series(1, 1000) AS t(i)"
    )
    shop.sync(sql="SELECT user_id, plan FROM people")
    seen = cli("preview", "traits")
    assert seen.code == 4
    assert "The identifier is null in 20 rows" in seen.stdout
    assert "GROUP BY" in seen.stdout


def test_B2_tls_is_verified_or_the_connection_refused(cli, shop, warehouse, postgres_database):
    shop.sync(sql="SELECT user_id, plan FROM people")
    assert cli("run", "traits").code == 0
    warehouse["sslrootcert"] = str(postgres_database.server.untrusted_ca_file)
    shop.save()
    seen = cli("run", "traits")
    assert seen.code == 3
    assert "TLS_FAILED" in seen.stderr
    warehouse |= {"sslmode": "disable"}
    del warehouse["sslrootcert"]
    shop.save()
    assert cli("run", "traits").code == 0


def test_B3_a_wrong_password_is_told_without_showing_it(cli, shop, warehouse):
    warehouse["password"] = "${PGPASSWORD}"
    shop.save()
    shop.sync(sql="SELECT user_id, plan FROM people")
    seen = cli("debug", env={"PGPASSWORD": "not-the-right-horse"})
    assert seen.code == 3
    assert "LOGIN_FAILED" in seen.stdout
    assert "horse" not in seen.stdout + seen.stderr
    unset = cli("run", "traits")
    assert unset.code == 2
    assert "PGPASSWORD is not set" in unset.stderr
    assert "connections.yml:" in unset.stderr


def test_A15_state_on_postgresql(cli, shop, sink, postgres_database):
    env = {"ROWLIFT_STATE_URL": postgres_database.url}
    shop.sync("traits", "SELECT user_id, plan FROM people", shop.webhook(sink.url))
    assert cli("run", "traits", env=env).code == 0
    assert "nothing to send" in cli("run", "traits", env=env).stdout
    assert len(sink.taken.records) == 3
    with postgres_database.connect() as state:
        assert state.execute("SELECT count(*) FROM people").fetchone() == (3,)
    assert not (shop.folder / ".rowlift" / "state.db").exists()
