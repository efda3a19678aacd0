"""The test servers themselves: real, over TLS that is verified."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pymysql
import pytest
from sqlalchemy import create_engine, text

from servers.room import unique_name

PG_TLS = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def test_postgres_speaks_verified_tls(postgres_database):
    with postgres_database.connect() as connection:
        assert connection.execute(PG_TLS).fetchone() == (True, "TLSv1.3")


def test_postgres_can_be_reached_without_tls(postgres_database):
    with psycopg.connect(postgres_database.dsn(sslmode="disable")) as connection:
        assert connection.execute(PG_TLS).fetchone() == (False, None)


def test_postgres_under_another_authority_is_refused(postgres_server):
    stranger = str(postgres_server.untrusted_ca_file)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(postgres_server.dsn(sslrootcert=stranger))


def test_postgres_at_the_wrong_host_is_refused(postgres_server):
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        psycopg.connect(postgres_server.dsn(host=postgres_server.wrong_host))


def test_postgres_checks_the_password(postgres_server):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_server.dsn(password="wrong"))


def test_postgres_stops_backends(postgres_database):
    with postgres_database.connect() as connection:
        assert postgres_database.server.stop_backends(postgres_database.name) == 1
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_mariadb_speaks_verified_tls(mariadb_database):
    with mariadb_database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_version'")
        assert cursor.fetchone() == ("Ssl_version", "TLSv1.3")


def test_mariadb_can_be_reached_without_tls(mariadb_server):
    with mariadb_server.connect(ssl_disabled=True) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_version'")
        assert cursor.fetchone() == ("Ssl_version", "")


def test_mariadb_under_another_authority_is_refused(mariadb_server):
    stranger = str(mariadb_server.untrusted_ca_file)
    with pytest.raises(pymysql.OperationalError, match="certificate verify failed"):
        mariadb_server.connect(ssl_ca=stranger)


def test_mariadb_at_the_wrong_host_is_refused(mariadb_server):
    with pytest.raises(pymysql.OperationalError, match="certificate is not valid for"):
        mariadb_server.connect(host=mariadb_server.wrong_host)


def test_mariadb_checks_the_password(mariadb_server):
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        mariadb_server.connect(password="wrong")


def test_mariadb_has_no_account_without_a_password(mariadb_server):
    for user in ("", "root"):
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            mariadb_server.connect(user=user, password="")


def test_mariadb_stops_backends(mariadb_database):
    with mariadb_database.connect() as connection, connection.cursor() as cursor:
        assert mariadb_database.server.stop_backends(mariadb_database.name) == 1
        with pytest.raises(pymysql.OperationalError):
            cursor.execute("SELECT 1")


def test_a_state_database_begins_empty(state_url):
    engine = create_engine(state_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE one (n INTEGER)"))
        assert connection.scalar(text("SELECT count(*) FROM one")) == 0
    engine.dispose()


def test_a_database_url_survives_its_password(postgres_database, mariadb_database):
    for database in (postgres_database, mariadb_database):
        engine = create_engine(database.url)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
        engine.dispose()


def test_bigquery_takes_several_writers_at_once(bigquery_server):
    """Asyncio's lock, which the emulator has, fails or hangs among several event loops."""

    def write(_: int) -> int:
        name = unique_name()
        bigquery_server.execute(
            f"CREATE SCHEMA {name}",
            f"CREATE TABLE {name}.people (id INT64)",
            f"INSERT INTO {name}.people VALUES (1), (2)",
            f"DROP SCHEMA {name} CASCADE",
        )
        return 1

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(write, range(20))) == 20
