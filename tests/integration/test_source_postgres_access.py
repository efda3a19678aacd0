"""PostgreSQL as a source: how it is reached, by whom, and that nothing can be written."""

import socket
import ssl
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
import trustme
from adbc_driver_manager import Error as AdbcError
from pydantic import ValidationError

from corpus import samples
from postgres_shop import CANARY, READERS, read, refusal
from rowlift.core.errors import ConnectError, SourceError
from rowlift.kit.pgadbc import AdbcStream
from rowlift.kit.pgcopy import CopyStream
from rowlift.kit.pgerrors import Explainer
from rowlift.kit.pgsession import PgSession, begin
from rowlift.sources.dialects.postgres import POSTGRES
from rowlift.sources.postgres import PostgresConfig
from servers.postgres import GROUP_OF_CERTIFIED


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("disable", "not encrypted"),
        ("require", "not verified"),
        ("verify-ca", "was verified (verify-ca)"),
        ("verify-full", "was verified (verify-full)"),
        (None, "was verified (verify-full)"),
    ],
)
def test_each_tls_mode_does_what_it_says(shop, mode, words, reader):
    root = {} if mode in (None, "verify-ca", "verify-full") else {"sslrootcert": None}
    source = shop.source(sslmode=mode, reader=reader, **root)
    assert read(source, "SELECT 1 AS id").num_rows == 1
    (tls,) = [finding for finding in source.check() if finding.step == "tls"]
    assert words in tls.message
    encrypted = shop.rows(
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
        f"WHERE usename = '{shop.reader}'"
    )
    assert encrypted == [(mode != "disable",)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sslrootcert": "untrusted"}, "authority"),
        ({"sslrootcert": "untrusted", "sslmode": "verify-ca"}, "authority"),
        ({"sslrootcert": None, "sslmode": "verify-full"}, "authority"),
        ({"host": "127.0.0.2"}, "not for 127.0.0.2"),
        ({"sslcert": "untrusted", "sslkey": "untrusted"}, "cannot be used"),
    ],
)
def test_F34_a_certificate_that_does_not_fit_is_refused(shop, change, words):
    stranger = str(shop.database.server.untrusted_ca_file)
    source = shop.source(**{k: stranger if v == "untrusted" else v for k, v in change.items()})
    error = refusal(source.now)
    assert (type(error), error.code) == (ConnectError, "TLS_FAILED")
    assert words in error.message
    failed = list(source.check())[-1]
    assert (failed.step, failed.level, failed.code) == ("tls", "error", "TLS_FAILED")


@pytest.mark.parametrize("reader", READERS)
def test_a_certificate_of_our_own_is_shown(shop, server_room, tmp_path, reader):
    shop.database.execute(f"GRANT {GROUP_OF_CERTIFIED} TO {shop.reader}")
    missing = refusal(shop.source(reader=reader).now)
    assert (missing.code, "sslcert" in missing.mend) == ("TLS_FAILED", True)
    certificates = server_room.certificates()
    key = tmp_path / "client.key"
    key.touch(0o600)
    key.write_bytes(certificates.key_file.read_bytes())
    ours = {"sslcert": str(certificates.cert_file), "sslkey": str(key)}
    source = shop.source(reader=reader, **ours)
    assert read(source, "SELECT 1 AS id").num_rows == 1


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("key", ["sslrootcert", "sslcert", "sslkey"])
def test_a_file_that_is_not_there_is_named_and_nobody_asked(shop, key, reader):
    source = shop.source(**{key: "/nowhere/some.pem"}, reader=reader)
    error = refusal(lambda: source.query("SELECT 1 AS id"))
    assert error.message == f"{key}: there is no file /nowhere/some.pem that can be read."
    assert error.mend == f"Check {key}."
    (failed,) = source.check()
    assert (failed.step, failed.code, failed.message) == ("tls", "TLS_FAILED", error.message)


def test_a_wrong_host_name_passes_verify_ca(shop):
    assert shop.source(host="127.0.0.2", sslmode="verify-ca").now() > 0


def test_F34_a_server_without_tls_is_never_spoken_to_in_plain(shop):
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    heard.append(client.recv(1000))
                    client.sendall(b"N")  # PostgreSQL's answer when it has no TLS
                    heard.append(client.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        port = listener.getsockname()[1]
        source = shop.source(port=port, sslmode="require", sslrootcert=None)
        error = refusal(source.now)
        listener.shutdown(socket.SHUT_RDWR)
        server.join(10)
    assert (error.code, "offers no encryption" in error.message) == ("TLS_FAILED", True)
    assert all(CANARY.encode() not in said for said in heard)
    assert heard[1] == b""


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_F34_a_certificate_that_expired_is_refused(shop, tmp_path, mode):
    authority, long_ago = trustme.CA(), datetime(2020, 1, 1, tzinfo=UTC)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(
        "127.0.0.1", not_before=long_ago, not_after=long_ago + timedelta(days=90)
    ).configure_cert(context)
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, suppress(ssl.SSLError):
                    client.recv(8)
                    client.sendall(b"S")  # PostgreSQL's answer when it has TLS
                    heard.append(context.wrap_socket(client, server_side=True).recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        port, ca_file = listener.getsockname()[1], str(tmp_path / "ca.pem")
        error = refusal(shop.source(port=port, sslmode=mode, sslrootcert=ca_file).now)
        listener.shutdown(socket.SHUT_RDWR)
        server.join(10)
    assert (error.code, "expired" in error.message) == ("TLS_FAILED", True)
    assert heard == []


@pytest.mark.parametrize(
    ("change", "code", "step"),
    [
        ({"password": CANARY + "x"}, "LOGIN_FAILED", "login"),
        ({"password": ""}, "LOGIN_FAILED", "login"),
        ({"user": "nobody at all"}, "LOGIN_FAILED", "login"),
        ({"database": "no such database"}, "DATABASE_UNKNOWN", "login"),
        ({"port": 1}, "CONNECT_FAILED", "network"),
        ({"host": "no-such-host.invalid"}, "CONNECT_FAILED", "network"),
    ],
)
def test_F29_F33_why_there_is_no_session(shop, change, code, step):
    source = shop.source(connect_timeout=2, **change)
    for action in (source.now, source.catalog, lambda: source.query("SELECT 1 AS id")):
        error = refusal(action)
        assert (type(error), error.code) == (ConnectError, code)
        assert error.mend
    failed = list(source.check())[-1]
    assert (failed.step, failed.level, failed.code) == (step, "error", code)


@pytest.mark.parametrize("reader", READERS)
def test_S21_public_only_reaches_what_is_allowed_and_nothing_else(shop, reader):
    closed = shop.source(public_only=True, reader=reader)
    error = refusal(closed.now)
    assert (type(error), error.code) == (ConnectError, "ADDRESS_REFUSED")
    assert "not public" in error.message
    failed = list(closed.check())[-1]
    assert (failed.step, failed.level, failed.code) == ("network", "error", "ADDRESS_REFUSED")
    opened = shop.source(
        public_only=True, allow_networks=[shop.database.server.host], reader=reader
    )
    assert read(opened, "SELECT 1 AS id").num_rows == 1
    assert "verify-full" in str(list(opened.check()))


def test_a_server_that_is_known_is_logged_in_to_anew_each_time(shop):
    one = shop.config().parameters()
    AdbcStream(one, "SELECT 1", SCHEMA, 10).close()
    shop.database.execute(f"ALTER ROLE {shop.reader} NOLOGIN")
    for _ in range(2):
        with pytest.raises(AdbcError, match="not permitted to log in"):
            AdbcStream(one, "SELECT 1", SCHEMA, 10)
    shop.database.execute(f"ALTER ROLE {shop.reader} LOGIN")
    AdbcStream(one, "SELECT 1", SCHEMA, 10).close()


def test_a_stream_that_is_over_stops_no_other_one(shop):
    config, sql = shop.config(), WRAPPED.format(sql="SELECT 1 AS id")
    before = AdbcStream(config.parameters(), sql, SCHEMA, 20)
    before.close()
    stream = AdbcStream(config.parameters(), sql, SCHEMA, 20)
    before.cancel()
    before.close()
    try:
        stream.start(POSTGRES, 5)
        assert pa.Table.from_batches(stream, SCHEMA).num_rows == 1
    finally:
        stream.close()


@pytest.mark.parametrize("way", ["psycopg", "adbc"])
def test_S21_the_connection_goes_to_the_address_that_was_checked(shop, way):
    config = shop.config(host="never-looked-up.invalid", sslmode="verify-ca")
    pinned = {**config.parameters(), "hostaddr": "127.0.0.1"}
    if way == "adbc":
        AdbcStream(pinned, "SELECT 1", SCHEMA, 10).close()
    else:
        psycopg.connect(**pinned).close()


def test_S9_refused_and_unknown_hosts_read_the_same(shop):
    hosts = {"127.0.0.1": 1, "no-such-host.invalid": 5432}
    sources = (shop.source(host=host, port=port) for host, port in hosts.items())
    messages = [refusal(source.now).message for source in sources]
    for message, (host, port) in zip(messages, hosts.items(), strict=True):
        assert message == f"PostgreSQL at {host}:{port} cannot be reached."


@pytest.mark.parametrize(
    "change",
    [
        {"host": "h?sslmode=disable"},
        {"host": "h;AutoDetect"},
        {"host": "h host=10.0.0.1"},
        {"host": "h,other"},
        {"host": "/var/run/postgresql"},
        {"host": "@abstract"},
        {"host": "service=x"},
        {"host": "user:pw@h"},
        {"host": "h:5432"},
        {"host": "h/db"},
        {"host": "h\x00"},
        {"host": ""},
        {"host": "postgresql://h"},
        {"port": 0},
        {"port": "5432 host=x"},
        {"sslmode": "prefer"},
        {"sslmode": "verify-ca", "sslrootcert": None},
        {"password": "a\x00b"},
        {"service": "x"},
        {"passfile": "/etc/passwd"},
        {"options": "-c default_transaction_read_only=off"},
        {"hostaddr": "10.0.0.1"},
        {"dsn": "host=x"},
        {"application_name": "x"},
    ],
)
def test_S8_nothing_but_typed_fields_reaches_the_driver(change):
    given = {"host": "h", "database": "d", "user": "u", "sslrootcert": "ca"}
    assert PostgresConfig(**given)
    with pytest.raises(ValidationError):
        PostgresConfig(**(given | change))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("field", ["database", "user"])
def test_S8_options_inside_a_name_are_inert(shop, field, reader):
    source = shop.source(**{field: "x sslmode=disable service=y host=10.0.0.1", "reader": reader})
    error = refusal(lambda: source.query("SELECT 1 AS id"))
    assert error.code in ("LOGIN_FAILED", "DATABASE_UNKNOWN")
    assert next(iter(source.check())).message == "The server answers."


@pytest.mark.parametrize("host", ["::1", "db", "db.example.com.", "10.0.0.1", "my_db-1"])
def test_hosts_that_are_hosts_are_taken(host):
    assert PostgresConfig(host=host, database="d", user="u").parameters()["host"] == host


@pytest.mark.parametrize(
    ("host", "root", "mode"),
    [
        ("127.0.0.1", None, "disable"),
        ("localhost", None, "disable"),
        ("::1", None, "disable"),
        ("db", None, "require"),
        ("10.0.0.1", None, "require"),
        ("127.0.0.1", "ca.pem", "verify-full"),
    ],
)
def test_encryption_is_the_default_beyond_this_machine(host, root, mode):
    config = PostgresConfig(host=host, database="d", user="u", sslrootcert=root)
    assert config.parameters()["sslmode"] == mode


def test_a_missing_driver_is_named_and_the_schema_needs_none():
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from rowlift.sources.postgres import Postgres, PostgresConfig\n"
        "from rowlift.core.errors import SourceError\n"
        "PostgresConfig.model_json_schema()\n"
        "try: Postgres(PostgresConfig(host='h', database='d', user='u'))\n"
        "except SourceError as error: print(error, error.mend)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "psycopg is not installed. [DRIVER_MISSING]" in done.stdout
    assert 'pip install "rowlift[postgres]"' in done.stdout


UNSAFE = [one["sql"] for one in samples("unsafe/postgres.toml")]
RUNS = {one["sql"] for one in samples("unsafe/postgres.toml") if one.get("server") == "runs"}

# --- who reads, and that nobody writes ------------------------------------------------------

SAFE = [
    "SELECT id FROM app.people",
    "SELECT id FROM app.people; -- the end",
    "SELECT id FROM app.people -- no new line after this",
    "/* people */ SELECT id, name AS \"update\" FROM app.people WHERE name <> 'delete; drop'",
    "WITH p AS (SELECT id FROM app.people) SELECT id FROM p UNION ALL SELECT id FROM p",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT n FROM r",
    "SELECT DISTINCT ON (name) id, name FROM app.people ORDER BY name, id",
    "SELECT p.id, q.n FROM app.people p, LATERAL (SELECT p.id * 2 AS n) q",
    "SELECT id, row_number() OVER (ORDER BY id) AS n FROM app.people",
    "SELECT count(*) FILTER (WHERE id > 5) AS id, array_agg(id ORDER BY id) AS ids FROM app.people",
    "SELECT jsonb_build_object('id', id) AS id FROM app.people WHERE name ~* 'NAME' LIMIT 3",
    "SELECT extract(epoch FROM now())::int8 AS id, interval '1 day' AS i, $$;$$ AS d, E'\\'' AS e",
    "SELECT id FROM app.people TABLESAMPLE SYSTEM (100) FETCH FIRST 3 ROWS ONLY",
    "VALUES (1, 'a'), (2, NULL)",
    "TABLE app.adults",
    "(SELECT n AS id FROM app.totals)",
    "SELECT '{{x}} %s %(x)s $1 ?' AS id",
    "SELECT id FROM app.people p WHERE EXISTS (SELECT FROM app.adults a WHERE a.id = p.id)",
]


@pytest.mark.parametrize("reader", READERS)
def test_S1_safe_queries_run(shop, reader):
    source = shop.source(reader=reader)
    for sql in SAFE:
        assert read(source, sql).num_rows > 0, sql


FINGERPRINT = """
SELECT json_build_array(
    (SELECT json_agg(p ORDER BY p.id) FROM app.people p),
    (SELECT json_agg(c.oid::regclass::text || c.relacl::text ORDER BY c.oid) FROM pg_class c
        WHERE c.relpersistence <> 't' AND c.relnamespace::regnamespace::text !~ '^pg_'),
    (SELECT json_agg(proname ORDER BY oid) FROM pg_proc WHERE oid > 16383),
    (SELECT json_agg(rolname || rolsuper ORDER BY oid) FROM pg_roles
        WHERE rolname IN ('postgres', 'stolen', 'reader_' || current_database())),
    (SELECT count(*) FROM pg_largeobject_metadata),
    (SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'stolen'),
    (SELECT (last_value, is_called) FROM app.numbers),
    (SELECT json_agg(s.name || s.setting ORDER BY s.name) FROM pg_settings s)
)::text
"""


WRAPPED = "SELECT q::text AS c0 FROM (\n{sql}\n) AS q"
SCHEMA = pa.schema([("c0", pa.string())])


def by_describe(config: PostgresConfig, sql: str) -> str:
    explain = Explainer(POSTGRES, {"user": "", "timeout": ""}, (CANARY,))
    session = PgSession(POSTGRES, config.parameters, explain, 5)
    try:
        return str(session.describe(sql))
    finally:
        session.close()


def by_copy(config: PostgresConfig, sql: str) -> str:
    connection = psycopg.connect(**config.parameters(), autocommit=True)
    stream = CopyStream(connection, WRAPPED.format(sql=sql), SCHEMA, 10)
    try:
        begin(connection, POSTGRES, 5)
        stream.start()
        return str(pa.Table.from_batches(stream, SCHEMA).to_pylist())
    finally:
        stream.close()


def by_adbc(config: PostgresConfig, sql: str) -> str:
    stream = AdbcStream(config.parameters(), WRAPPED.format(sql=sql), SCHEMA, 20)
    try:
        stream.start(POSTGRES, 5)
        return str(pa.Table.from_batches(stream, SCHEMA).to_pylist())
    finally:
        stream.close()


def test_S1_unsafe_queries_are_refused_and_change_nothing(shop):
    before = shop.rows(FINGERPRINT)
    source = shop.source()
    for sql in UNSAFE:
        assert refusal(lambda sql=sql: read(source, sql)).mend, sql
    assert shop.rows(FINGERPRINT) == before
    assert len(UNSAFE) >= 39


@pytest.mark.parametrize("way", [by_describe, by_copy, by_adbc])
def test_S1_without_our_parser_the_server_refuses_as_well(shop, way):
    before = shop.rows(FINGERPRINT)
    server = shop.database.server
    config = PostgresConfig(
        host=server.host,
        port=server.port,
        database=shop.database.name,
        user=shop.reader,
        password=CANARY,
        sslmode="require",
    )
    ran = {}
    for sql in UNSAFE:
        with suppress(psycopg.Error, SourceError, AdbcError, OSError, pa.ArrowException):
            ran[sql] = way(config, sql)
    assert shop.rows(FINGERPRINT) == before
    assert not Path("/tmp/rowlift_stolen").exists()
    assert "root:" not in str(ran)
    if way is not by_describe:  # these have no lasting effect, and the parser refuses them
        assert set(ran) <= RUNS


@pytest.mark.parametrize(
    ("grant", "reason"),
    [
        ("ALTER ROLE {reader} SUPERUSER", "is a superuser"),
        ("GRANT {other} TO {reader}; ALTER ROLE {other} SUPERUSER", "may become the superuser"),
        ("GRANT pg_read_server_files TO {reader}", "is a member of pg_read_server_files"),
        ("GRANT pg_write_server_files TO {reader}", "is a member of pg_write_server_files"),
        ("GRANT pg_execute_server_program TO {reader}", "pg_execute_server_program"),
        ("GRANT pg_execute_server_program TO {other}; GRANT {other} TO {reader}", "program"),
        ("ALTER ROLE {reader} REPLICATION", "may replicate"),
    ],
)
def test_S1_a_user_no_session_can_contain_is_refused(shop, other_role, grant, reason):
    shop.database.execute(grant.format(reader=shop.reader, other=other_role))
    source = shop.source()
    error = refusal(lambda: source.query("SELECT 1 AS id"))
    assert (error.code, reason in error.message) == ("UNSAFE_USER", True)
    assert "allow_unsafe_user: true" in error.mend
    found = [finding for finding in source.check() if finding.code == "UNSAFE_USER"]
    assert [(finding.step, finding.level) for finding in found] == [("read_only", "error")]
    allowed = shop.source(allow_unsafe_user=True)
    assert read(allowed, "SELECT 1 AS id").num_rows == 1
    assert "warning" in [finding.level for finding in allowed.check()]


@pytest.fixture
def other_role(shop):
    role = f"other_{shop.database.name}"
    shop.database.execute(f"CREATE ROLE {role}")
    yield role
    shop.database.execute(f"DROP ROLE {role}")


def by_step(source):
    return {finding.step: finding for finding in source.check()}


def test_a_user_who_may_only_select_is_found_good(shop):
    found = by_step(shop.source())
    steps = ["network", "tls", "login", "read_only", "privileges", "version", "clock"]
    assert list(found) == steps
    assert {found[step].level for step in steps if step != "privileges"} == {"ok"}
    assert found["privileges"].level == "note"
    assert "4 of 7 tables" in found["privileges"].message
    assert f"GRANT SELECT ON ALL TABLES IN SCHEMA locked TO {shop.reader};" in (
        found["privileges"].mend
    )


@pytest.mark.parametrize(
    ("grant", "named"),
    [
        ("GRANT INSERT ON app.people TO {reader}", "app.people"),
        ("GRANT UPDATE (name) ON app.people TO {reader}", "app.people"),
        ("GRANT DELETE, TRUNCATE ON app.secret TO {reader}", "app.secret"),
        ('GRANT INSERT ON "Other Schema"."Odd ""Table" TO {reader}', '"Odd ""Table"'),
        ("GRANT CREATE ON SCHEMA app TO {reader}", "schema app"),
        ("GRANT CREATE ON DATABASE {database} TO {reader}", "database {database}"),
        ("ALTER ROLE {reader} CREATEDB", "role CREATEDB"),
    ],
)
def test_S1_write_grants_are_a_warning_whose_advice_mends_them(shop, grant, named):
    names = {"reader": shop.reader, "database": shop.database.name}
    shop.database.execute(grant.format(**names))
    source = shop.source()
    found = by_step(source)["read_only"]
    assert (found.level, found.code) == ("warning", "WRITE_RIGHTS")
    assert named.format(**names) in found.message
    assert read(source, "SELECT 1 AS id").num_rows == 1
    shop.database.execute(found.mend)
    if "UPDATE (name)" not in grant:
        assert by_step(source)["read_only"].level == "ok"


def test_an_owner_is_advised_to_use_another_user(shop):
    shop.database.execute(f"ALTER TABLE app.people OWNER TO {shop.reader}")
    found = by_step(shop.source())["read_only"]
    assert found.code == "WRITE_RIGHTS"
    assert f"GRANT CONNECT ON DATABASE {shop.database.name} TO rowlift_reader;" in found.mend
    assert 'GRANT USAGE ON SCHEMA "Other Schema", app, locked TO rowlift_reader;' in found.mend


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT id FROM app.secret", ["app.secret"]),
        ("SELECT id FROM locked.safe", ["locked.safe"]),
        ('SELECT id FROM "Other Schema"."Odd ""Table"', ['"Other Schema"."Odd ""Table"']),
        ("SELECT s.id FROM app.people p, app.SECRET s, locked.safe", ["app.secret", "locked.safe"]),
    ],
)
def test_F33_a_refused_table_comes_with_the_grants_that_open_it(shop, sql, names):
    source = shop.source()
    error = refusal(lambda: source.query(sql))
    assert error.code == "PERMISSION_DENIED"
    assert f"User {shop.reader} may not read {', '.join(names)} in database" in error.message
    shop.database.execute(error.mend)
    assert read(source, sql) is not None


BEHIND = """
CREATE TABLE app.base (id int); REVOKE ALL ON app.base FROM {reader};
CREATE VIEW app.through WITH (security_invoker) AS SELECT id FROM app.base;
CREATE FUNCTION app.counted() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM app.base';
CREATE FUNCTION app.closed() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
REVOKE EXECUTE ON FUNCTION app.closed() FROM PUBLIC;
CREATE SEQUENCE app."No"; REVOKE ALL ON SEQUENCE app."No" FROM {reader};
GRANT SELECT ON app.through TO {reader};
"""


@pytest.mark.parametrize(
    ("sql", "grant"),
    [
        ("SELECT id FROM app.through", "SELECT ON base"),
        ("SELECT app.counted()", "SELECT ON base"),
        ("SELECT app.closed()", "EXECUTE ON FUNCTION closed"),
        ('SELECT last_value FROM app."No"', 'SELECT ON SEQUENCE "No"'),
        ("SELECT id FROM locked.nothing", "USAGE ON SCHEMA locked"),
    ],
)
def test_F33_what_is_refused_behind_a_table_comes_with_its_grant(shop, sql, grant):
    shop.database.execute(BEHIND.format(reader=shop.reader))
    source = shop.source()
    error = refusal(lambda: read(source, sql))
    assert (error.code, error.mend) == ("PERMISSION_DENIED", f"GRANT {grant} TO {shop.reader};")


def test_the_catalogue_shows_what_can_be_selected(shop):
    tables = {(table.schema, table.name): table for table in shop.source().catalog()}
    assert list(tables) == [
        ("app", "adults"),
        ("app", "parted"),
        ("app", "people"),
        ("app", "totals"),
    ]
    people = tables["app", "people"]
    assert people.rows_estimate == 100
    assert [(c.name, c.type_name, c.value_type) for c in people.columns] == [
        ("id", "integer", "int"),
        ("name", "text", "text"),
        ("price", "numeric(10,2)", "decimal"),
    ]
    assert tables["app", "adults"].rows_estimate is None


def test_the_catalogue_keeps_to_the_columns_that_were_granted(shop):
    shop.database.execute(f"GRANT SELECT (id) ON app.secret TO {shop.reader}")
    (secret,) = [table for table in shop.source().catalog() if table.name == "secret"]
    assert [column.name for column in secret.columns] == ["id"]


def test_T4_the_clock_is_the_servers_and_floored(shop):
    seconds = "SELECT extract(epoch FROM clock_timestamp())"
    before = shop.rows(seconds)[0][0]
    now = shop.source().now()
    assert int(before) <= now <= shop.rows(seconds)[0][0]


def test_S1_the_session_is_read_only_and_pinned(shop):
    names = {
        "transaction_read_only": "on",
        "default_transaction_read_only": "on",
        "transaction_isolation": "repeatable read",
        "TimeZone": "UTC",
        "DateStyle": "ISO, MDY",
        "IntervalStyle": "iso_8601",
        "extra_float_digits": "1",
        "statement_timeout": "7s",
        "lock_timeout": "30s",
        "idle_in_transaction_session_timeout": "10min",
        "application_name": "rowlift",
        "client_encoding": "UTF8",
    }
    calls = ", ".join(f"current_setting('{name}') AS \"{name}\"" for name in names)
    for reader in READERS:
        table = read(shop.source(reader=reader, statement_timeout=7), f"SELECT {calls}")
        assert table.to_pylist() == [names]
