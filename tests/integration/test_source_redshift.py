"""Redshift as a source, by Amazon's driver, on a PostgreSQL in Redshift's dress."""

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import pytest
from pydantic import ValidationError

from corpus import samples
from postgres_shop import refusal
from rowlift.core.errors import ConnectError, SourceError
from rowlift.engine.preview import preview
from rowlift.sources.dialects import redshift_wire as wire
from rowlift.sources.dialects.redshift_server import Server
from rowlift.sources.postgres import Postgres, PostgresConfig
from rowlift.sources.redshift import Redshift, RedshiftConfig
from rowlift.testing.fake import deliveries
from rowlift.testing.folder import Folder
from servers import RedshiftDatabase, RedshiftServer
from servers.ssh import ssh_server
from unit.canonforms import spec

PASSWORD = "canary p@ss/w:rd %1?&='\\é"
SETUP = """
CREATE SCHEMA app; CREATE SCHEMA "Other Schema"; CREATE SCHEMA locked;
CREATE TABLE app.people (id int PRIMARY KEY, name varchar(40), price numeric(10,2), ok boolean,
    seen timestamptz, facts json, fee real, day date, code char(3));
INSERT INTO app.people SELECT i, 'name ' || i, i / 4.0, i % 2 = 0,
    timestamptz 'epoch' + i * interval '1 hour', '{{"n": 1, "a": [true, null]}}', 0.1, '2026-11-22',
    'ab' FROM generate_series(1, 100) i;
CREATE TABLE app.secret (id int, salary int);
CREATE TABLE locked.safe (id int);
CREATE TABLE "Other Schema"."Odd ""Table" (id int);
ANALYZE;
GRANT USAGE ON SCHEMA app, "Other Schema" TO {user};
GRANT SELECT ON app.people TO {user};
"""


@dataclass
class Shop:
    """A database with a reader who may only SELECT, and sources that are closed at the end."""

    database: RedshiftDatabase
    sources: list[Redshift]

    @property
    def user(self) -> str:
        return self.database.user

    def settings(self, **options: Any) -> dict[str, Any]:
        return self.database.settings(**options)

    def source(self, **options: Any) -> Redshift:
        self.sources.append(Redshift(RedshiftConfig(**self.settings(**options))))
        return self.sources[-1]

    def postgres(self) -> Postgres:
        """The same rows without the dress."""
        server = self.database.server.postgres
        given = self.settings(port=server.port, sslrootcert=str(server.ca_file))
        return Postgres(PostgresConfig(**given))


@contextmanager
def opened(server: RedshiftServer) -> Iterator[Shop]:
    with server.database(PASSWORD) as database:
        database.execute(SETUP.format(user=database.user))
        made = Shop(database, [])
        yield made
        for source in made.sources:
            source.close()


@pytest.fixture(scope="module")
def shop(redshift_server: RedshiftServer) -> Iterator[Shop]:
    """One for all tests that change no rights."""
    with opened(redshift_server) as found:
        yield found


@pytest.fixture
def own_shop(redshift_server: RedshiftServer) -> Iterator[Shop]:
    with opened(redshift_server) as found:
        yield found


@pytest.mark.door("python")
def test_A1_B1_rows_of_redshift_become_people_and_unchanged_ones_are_not_sent_again(shop, tmp_path):
    rows = 10_000
    shop.database.execute(
        "CREATE TABLE app.many AS SELECT 'u' || i AS user_id, i AS n, i / 3.0 AS share,"
        f" now() AS seen FROM generate_series(1, {rows}) i; GRANT SELECT ON app.many TO {shop.user}"
    )
    log = tmp_path / "sent.jsonl"
    folder = Folder(
        tmp_path / "acme",
        {"type": "redshift", **shop.settings()},
        {"type": "sandbox", "path": str(log), "batch_rows": 1000},
        sql="SELECT * FROM app.many",
    )
    with folder.project() as project:
        (first,) = project.run(["people"])
        (again,) = project.run(["people"])
    assert (first.counts["added"], again.counts["unchanged"]) == (rows, rows)
    assert len(deliveries(log)) == rows


def test_the_vendors_driver_speaks_to_another_process(shop):
    source = shop.source()
    assert source.query("SELECT id FROM app.people").read_all().num_rows == 100
    assert sys.modules["redshift_connector"].Connection in wire.Connection.__mro__
    said = "SELECT pid, application_name FROM pg_stat_activity WHERE usename = current_user"
    ((pid, name),) = zip(*source.query(said).read_all().to_pydict().values(), strict=True)
    assert (pid != os.getpid(), name) == (True, "rowlift")


def test_the_same_rows_have_the_same_fingerprint_as_on_postgresql(shop):
    sql = "SELECT id, name, price, ok, fee, facts, day FROM app.people ORDER BY id"
    with closing(shop.postgres()) as postgres:
        theirs = postgres.query(sql).read_all()
    ours = shop.source(fetch_rows=7).query(sql).read_all()
    assert [field.metadata for field in ours.schema] == [field.metadata for field in theirs.schema]
    assert ours == theirs.cast(ours.schema)


def test_columns_are_named_with_their_types(shop):
    columns = shop.source().describe("SELECT *, 'x' AS word, NULL AS nothing FROM app.people")
    assert [(one.name, one.type_name, one.value_type) for one in columns] == [
        ("id", "integer", "int"),
        ("name", "character varying(40)", "text"),
        ("price", "numeric(10,2)", "decimal"),
        ("ok", "boolean", "bool"),
        ("seen", "timestamp with time zone", "timestamptz"),
        ("facts", "super", "json"),
        ("fee", "real", "float"),
        ("day", "date", "date"),
        ("code", "character(3)", "text"),
        ("word", "text", "text"),
        ("nothing", "text", "text"),
    ]


def test_the_catalogue_has_types_and_estimates(shop):
    found = {(table.schema, table.name): table for table in shop.source().catalog()}
    people = found["app", "people"]
    assert people.rows_estimate == 100
    assert [column.type_name for column in people.columns][:3] == [
        "integer", "character varying(40)", "numeric(10,2)",
    ]  # fmt: skip
    assert ("app", "secret") not in found
    assert found["redshift", "svv_columns"].rows_estimate is None


def test_a_query_of_every_kind_of_page_is_whole(shop):
    for rows in (1, 7, 100, 1000):
        source = shop.source(fetch_rows=rows)
        assert source.query("SELECT id FROM app.people").read_all().num_rows == 100


# what a run is told


@pytest.mark.door("python")
def test_A18_a_missing_right_names_table_user_and_grants(shop, tmp_path):
    source = {"type": "redshift", **shop.settings()}
    sink = {"type": "sandbox", "path": "sent.jsonl"}
    folder = Folder(tmp_path / "acme", source, sink, sql="SELECT id AS user_id FROM locked.safe")
    with folder.project() as project, pytest.raises(SourceError) as refused:
        project.run(["people"])
    assert refused.value.code == "PERMISSION_DENIED"
    assert refused.value.message == (
        f"User {shop.user} may not read locked.safe in database {shop.database.plain.name}."
    )
    assert refused.value.mend.splitlines() == [
        f"GRANT USAGE ON SCHEMA locked TO {shop.user};",
        f"GRANT SELECT ON locked.safe TO {shop.user};",
    ]


def test_a_table_of_the_path_and_an_odd_name_are_found(own_shop):
    own_shop.database.execute(f"ALTER ROLE {own_shop.user} SET search_path = app, redshift")
    for table, named in (("secret", "app.secret"), ('"Other Schema"."Odd ""Table"',) * 2):
        error = refusal(lambda table=table: own_shop.source().describe(f"SELECT * FROM {table}"))
        assert error.mend == f"GRANT SELECT ON {named} TO {own_shop.user};"


@pytest.mark.parametrize(
    ("sql", "code", "place"),
    [
        ("SELECT id\nFROM app.nothing", "TABLE_UNKNOWN", "query:2:6"),
        ("SELECT id FROM nowhere.people", "TABLE_UNKNOWN", "query:1:16"),
        ("SELECT\n  nothing FROM app.people", "COLUMN_UNKNOWN", "query:2:3"),
        ("SELECT 1 / 0 AS a", "QUERY_FAILED", None),
    ],
)
def test_what_is_wrong_with_a_query_is_told_with_its_place(shop, sql, code, place):
    error = refusal(lambda: shop.source().query(sql).read_all())
    assert (error.code, error.place and str(error.place)) == (code, place)


def test_F31_a_query_that_takes_too_long_is_ended_by_the_server(shop):
    sql = "SELECT count(*) AS n FROM generate_series(1, 30000) a, generate_series(1, 30000) b"
    error = refusal(lambda: shop.source(statement_timeout=1).query(sql).read_all())
    assert (error.code, "1 seconds" in error.message) == ("QUERY_TIMEOUT", True)
    assert "statement_timeout" in error.mend


@pytest.mark.parametrize(
    ("change", "code", "step"),
    [
        ({"password": "canary wrong"}, "LOGIN_FAILED", "login"),
        ({"user": "nobody at all"}, "LOGIN_FAILED", "login"),
        ({"database": "no such database"}, "DATABASE_UNKNOWN", "login"),
        ({"port": 1}, "CONNECT_FAILED", "network"),
        ({"host": "no-such-host.invalid"}, "CONNECT_FAILED", "network"),
        ({"host": "127.0.0.2"}, "TLS_FAILED", "tls"),
    ],
)
def test_F29_F33_F34_why_there_is_no_session(shop, change, code, step):
    source = shop.source(connect_timeout=2, **change)
    error = refusal(source.now)
    assert (type(error), error.code, bool(error.mend)) == (ConnectError, code, True)
    failed = list(source.check())[-1]
    assert (failed.step, failed.level, failed.code) == (step, "error", code)


# encryption and the way


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_F34_a_server_of_an_unknown_authority_is_refused(shop, mode, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(shop.database.server.postgres.untrusted_ca_file))
    error = refusal(shop.source(sslmode=mode).now)
    assert (error.code, "authority" in error.message) == ("TLS_FAILED", True)


@pytest.mark.parametrize(
    ("mode", "host", "level"),
    [("verify-full", "localhost", "ok"), ("verify-ca", "127.0.0.2", "ok"),
     ("disable", "127.0.0.1", "ok")],
)  # fmt: skip
def test_each_tls_mode_does_what_it_says(shop, mode, host, level):
    source = shop.source(sslmode=mode, host=host)
    assert source.now() > 0
    (tls,) = [found for found in source.check() if found.step == "tls"]
    assert tls.level == level
    assert ("not encrypted" if mode == "disable" else f"verified ({mode})") in tls.message


def test_F34_a_server_without_tls_never_gets_the_password(shop):
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            client, _ = listener.accept()
            with client:
                heard.append(client.recv(1000))
                client.sendall(b"N")
                heard.append(client.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=[listener])
        server.start()
        error = refusal(shop.source(port=listener.getsockname()[1]).now)
        server.join(10)
    assert error.code == "CONNECT_FAILED"  # for all we know it is no warehouse
    assert heard[1] == b""


def test_S21_public_only_reaches_what_is_allowed_and_nothing_else(shop):
    assert refusal(shop.source(public_only=True).now).code == "ADDRESS_REFUSED"
    assert shop.source(public_only=True, allow_networks=["127.0.0.1"]).now() > 0


def test_a_server_behind_ssh_is_read_and_its_name_verified(shop, tmp_path):
    with ssh_server(tmp_path) as bastion:
        source = shop.source(ssh=bastion.keys, host="localhost")
        assert source.query("SELECT id FROM app.people").read_all().num_rows == 100
        elsewhere = shop.source(ssh=bastion.keys, host="127.0.0.2")
        assert refusal(elsewhere.now).code == "TLS_FAILED"
        assert ("localhost", shop.database.server.port) in bastion.asked
        for one in (source, elsewhere):
            one.close()


# nothing is written


def test_the_check_finds_a_reader_good_and_says_what_is_missing(shop):
    found = {one.step: one for one in shop.source().check()}
    assert {step: one.level for step, one in found.items()} == {
        "network": "ok", "tls": "ok", "login": "ok", "read_only": "ok", "privileges": "note",
        "version": "ok", "clock": "ok",
    }  # fmt: skip
    assert (
        f"GRANT SELECT ON ALL TABLES IN SCHEMA locked TO {shop.user};" in found["privileges"].mend
    )


def test_a_user_who_could_write_is_warned_of(own_shop):
    user = own_shop.user
    own_shop.database.execute(
        f"GRANT INSERT ON app.people TO {user}; GRANT CREATE ON SCHEMA app TO {user}"
    )
    (found,) = [one for one in own_shop.source().check() if one.step == "read_only"]
    assert (found.level, found.code) == ("warning", "WRITE_RIGHTS")
    assert "app.people" in found.message
    assert found.mend.splitlines() == [
        f"REVOKE CREATE ON SCHEMA app FROM {user}, PUBLIC;",
        f"REVOKE INSERT, UPDATE, DELETE ON app.people FROM {user};",
    ]


def test_S2_a_superuser_is_refused(own_shop):
    own_shop.database.execute(f"ALTER ROLE {own_shop.user} SUPERUSER")
    source = own_shop.source()
    assert refusal(lambda: source.query("SELECT 1 AS a")).code == "UNSAFE_USER"
    (found,) = [one for one in source.check() if one.code == "UNSAFE_USER"]
    assert (found.level, "CREATE USER" in found.mend) == ("error", True)
    allowed = own_shop.source(allow_unsafe_user=True)
    assert allowed.query("SELECT 1 AS a").read_all().num_rows == 1


def test_S2_without_our_parser_a_user_who_could_write_still_writes_nothing(own_shop):
    own_shop.database.execute(f"GRANT ALL ON app.people TO {own_shop.user}")
    passed = []
    with Server(RedshiftConfig(**own_shop.settings())).session() as session:
        for one in samples("unsafe/redshift.toml"):
            sql = one["sql"].replace("people", "app.people")
            with suppress(SourceError):
                session.execute("BEGIN READ ONLY")
                session.columns(sql)
                passed.append(sql)
            session.execute("ROLLBACK")
    assert all(";" not in sql or "\\'" in sql for sql in passed)
    assert own_shop.database.rows("SELECT count(*) FROM app.people") == [(100,)]


@pytest.mark.parametrize(
    "given",
    [
        {"user": ""},
        {"sslmode": "require"},
        {"host": "a.example.com,b.example.com"},
        {"options": "-c x=y"},
        {"iam": {"region": "eu-central-1", "workgroup": "w"}},  # beside a password
        {"password": "", "iam": {"region": "eu-central-1"}},
        {"password": "", "iam": {"region": "eu-central-1", "workgroup": "w", "access_key_id": "a"}},
    ],
)
def test_S8_nothing_else_reaches_the_driver(shop, given):
    with pytest.raises(ValidationError):
        RedshiftConfig(**shop.settings(**given))


# AWS identities


DENIED = "<R><Error><Code>AccessDenied</Code><Message>not allowed</Message></Error></R>"
GIVEN = (
    "<R><{action}Result><DbUser>{user}</DbUser><DbPassword>{password}</DbPassword>"
    "<Expiration>2100-01-01T00:00:00Z</Expiration></{action}Result></R>"
)


class Aws(BaseHTTPRequestHandler):
    """Answers for AWS: a temporary password for whoever signed."""

    user: ClassVar[str]
    asked: ClassVar[list[Mapping[str, str]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        signed = self.headers.get("Authorization", "")
        self.asked.append({"body": body, "signed": signed})
        if "AKIDGOOD" not in signed:
            self._answer(403, {}, DENIED)
            return
        given = {"dbUser": self.user, "dbPassword": PASSWORD, "expiration": 4102444800}
        action = parse_qs(body).get("Action", [""])[0]
        xml = GIVEN.format(action=action, user=self.user, password=escape(PASSWORD))
        self._answer(200, given, xml)

    def _answer(self, status: int, document: Mapping[str, Any], xml: str) -> None:
        is_json = "json" in self.headers["Content-Type"]
        body = (json.dumps(document) if is_json else xml).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def aws(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Aws]]:
    Aws.user, Aws.asked = shop.user, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Aws) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        yield Aws
        server.shutdown()
        thread.join()


def identity(**keys: Any) -> dict[str, Any]:
    return {"region": "eu-central-1", "access_key_id": "AKIDGOOD",
            "secret_access_key": "canary", **keys}  # fmt: skip


@pytest.mark.parametrize(
    ("user", "where", "asked"),
    [
        ("reader", {"cluster_identifier": "shop"}, "Action=GetClusterCredentials&"),
        ("", {"cluster_identifier": "shop"}, "Action=GetClusterCredentialsWithIAM"),
        ("", {"workgroup": "shop"}, '"workgroupName": "shop"'),
    ],
)
def test_an_aws_identity_logs_in_with_one_temporary_password(shop, aws, user, where, asked):
    source = shop.source(user=user, password="", iam=identity(**where))
    assert source.query("SELECT id FROM app.people").read_all().num_rows == 100
    assert source.now() > 0
    (request,) = aws.asked
    assert asked in request["body"]
    assert "AWS4-HMAC-SHA256 Credential=AKIDGOOD" in request["signed"]


def test_an_aws_identity_that_may_not_is_told_what_its_policy_lacks(shop, aws):
    iam = identity(cluster_identifier="shop") | {"access_key_id": "AKIDBAD"}
    source = shop.source(user="reader", password="", iam=iam)
    error = refusal(source.now)
    assert (error.code, "redshift:GetClusterCredentials" in error.mend) == ("LOGIN_FAILED", True)
    assert "canary" not in f"{error} {list(source.check())}"
    assert aws.asked


def test_aws_that_cannot_be_reached_is_told(shop, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    source = shop.source(user="", password="", iam=identity(workgroup="shop"))
    assert refusal(source.now).code == "CONNECT_FAILED"


# what is proven of a whole result


def test_rules_are_proven_in_the_warehouse(shop, tmp_path):
    shop.database.execute(
        "CREATE TABLE app.keys (user_id varchar, n int); INSERT INTO app.keys VALUES ('a', 1),"
        " ('A', 2), ('a ', 3), ('b', 4), ('b', 5), ('', 6), (NULL, 7);"
        f"GRANT SELECT ON app.keys TO {shop.user}"
    )
    found = preview(shop.source(), spec(sql="SELECT user_id, n FROM app.keys"), scratch=tmp_path)
    assert {problem.code: problem.count for problem in found.problems} == {
        "ID_NULL": 1, "ID_BLANK": 1, "ID_DUPLICATE": 2,
    }  # fmt: skip


def test_a_moment_of_last_sync_time_can_be_compared(shop):
    moment = "TIMESTAMP 'epoch' + 7200 * INTERVAL '1 second'"
    sql = f"SELECT id FROM app.people WHERE seen < {moment} ORDER BY id"
    assert shop.source().query(sql).read_all()["id"].to_pylist() == [1]
