"""From real servers: rights, encryption, any SELECT, and what happens when the source fails."""

import contextlib
import re
import socket
import threading

import pytest

from e2e.jobs import PASSWORD, ran, staged, staged_rows

pytestmark = pytest.mark.door("cli")

PEOPLE = (
    "CREATE TABLE people (id varchar(20), email varchar(60), plan varchar(20), seats int)",
    """
INSERT INTO people VALUES
    ('u1', 'ada@example.com', 'pro', 3), ('u2', 'ben@example.com', 'free', 1),
    ('u3', 'cleo@example.com', 'pro', 7)
""",
)
ENDLESS = {
    "postgres": "SELECT a * 10000 + b AS id, repeat('x', 200) AS note "
    "FROM generate_series(1, 10000) AS a, generate_series(1, 10000) AS b",
    "mysql": "SELECT a.seq * 10000 + b.seq AS id, repeat('x', 200) AS note "
    "FROM seq_1_to_10000 AS a, seq_1_to_10000 AS b",
}
LATE_ERROR = {
    "postgres": "SELECT i AS id, 1 / (5000 - i) AS share FROM generate_series(1, 6000) AS t(i)",
    "mysql": "SELECT seq AS id, IF(seq = 5000, (SELECT seq FROM seq_1_to_2), 1) AS share "
    "FROM seq_1_to_6000",
}
NO_SSL = {
    "postgres": b"N",  # the answer of a PostgreSQL without TLS
    "mysql": bytes.fromhex("4a0000000a352e352e352d31302e342e300001000000")
    + b"abcdefgh\0"
    + bytes.fromhex("fef7080200ff8115000000000000000000")
    + b"ijklmnopqrst\0mysql_native_password\0",
}


def statements(text):
    """The GRANT and REVOKE lines in what a command said."""
    return re.findall(r"\b(?:GRANT|REVOKE) [^;]+;", text)


def test_A1_B1_people_of_each_database_get_their_attributes(cli, job, sink):
    job.sql(*PEOPLE)
    job.imported("SELECT * FROM people", job.segment(sink.url))
    job.sync("traits", "SELECT id AS user_id, plan FROM people WHERE seats > 2")
    assert cli("run").code == 0
    assert sink.taken.by_key["u1"]["traits"] == {
        "email": "ada@example.com", "plan": "pro", "seats": 3
    }  # fmt: skip
    assert job.people().keys() == {"u1", "u2", "u3"}
    assert "nothing to send" in cli("run", "people").stdout


def test_a_query_that_only_the_database_can_read_runs_with_a_note(cli, postgres_job):
    postgres_job.sql(*PEOPLE)
    postgres_job.imported("SELECT * FROM ONLY (people) ORDER BY id USING >")
    assert "[SQL_UNREAD]" in cli("check").stderr
    assert "[SQL_UNREAD]" in cli("preview", "people").stdout
    assert cli("run").code == 0
    assert postgres_job.people().keys() == {"u1", "u2", "u3"}
    postgres_job.imported("SELECT id, FROM people")
    refused = cli("run", "people")
    assert (refused.code, "[QUERY_SYNTAX]" in refused.stderr) == (1, True)


def test_A2_debug_prints_the_grants_that_mend(cli, postgres_job):
    postgres_job.sql(
        "CREATE SCHEMA crm", "CREATE TABLE crm.leads (id int)", "CREATE TABLE crm.deals (id int)"
    )
    found = cli("debug", "-o", "json").json["connections"]["warehouse"]
    (rights,) = [one for one in found if one["step"] == "privileges"]
    assert "0 of 2 tables and views can be read" in rights["message"]
    postgres_job.sql(*statements(rights["mend"]))
    assert "2 of 2 tables and views can be read" in cli("debug").stdout


def test_A2_debug_prints_the_grants_that_mend_on_mariadb(cli, mariadb_job):
    mariadb_job.sql(*PEOPLE)
    reader, name = mariadb_job.warehouse.reader, mariadb_job.warehouse.database.name
    mariadb_job.sql(f"REVOKE SELECT ON `{name}`.* FROM '{reader}'@'%'",
                    "CREATE TABLE other (id int)",
                    f"GRANT SELECT ON `{name}`.other TO '{reader}'@'%'")  # fmt: skip
    mariadb_job.imported("SELECT id, plan FROM people")
    refused = cli("run", "people")
    assert refused.code == 1
    (grant,) = statements(refused.stderr)
    assert f"`{reader}`@`%`" in grant or f"'{reader}'@'%'" in grant
    mariadb_job.sync("plans", "SELECT id AS user_id, plan FROM people")
    told = [line.strip() for line in cli("run").stdout.splitlines()]
    assert told.count(grant) == 2, "of several syncs, each has its statements to copy"
    mariadb_job.sql(grant)
    assert cli("run", "people").code == 0


def test_A2_debug_says_that_the_user_could_write(cli, job):
    job.sql(*PEOPLE)
    table = "people" if job.warehouse.kind == "postgres" else f"`{job.warehouse.database.name}`.*"
    user = job.warehouse.reader if job.warehouse.kind == "postgres" else (
        f"'{job.warehouse.reader}'@'%'"
    )  # fmt: skip
    assert "WRITE_RIGHTS" not in cli("debug").stdout
    job.sql(f"GRANT INSERT, DELETE ON {table} TO {user}")
    warned = cli("debug")
    assert warned.code == 0
    assert "could write" in warned.stdout
    assert "[WRITE_RIGHTS]" in warned.stdout
    if job.warehouse.kind == "postgres":
        job.sql(*statements(warned.stdout))
        assert "WRITE_RIGHTS" not in cli("debug").stdout


QUERIES = {
    "cte": "WITH pro AS (SELECT id, seats FROM people WHERE plan = 'pro') SELECT * FROM pro",
    "recursive": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2) "
    "SELECT p.id, n.i AS seats FROM people p JOIN n ON n.i = p.seats",
    "windowed": "SELECT id, rank() OVER (PARTITION BY plan ORDER BY seats DESC) AS place "
    "FROM people",
    "united": "SELECT id, 1 AS n FROM people WHERE seats = 1 "
    "UNION ALL SELECT id, 2 FROM people WHERE seats = 7",
    "grouped": "SELECT max(id) AS id, count(*) AS n FROM people GROUP BY plan HAVING count(*) > 1",
    "exists": "SELECT id, (SELECT count(*) FROM people q WHERE q.plan = p.plan) AS peers "
    "FROM people p WHERE EXISTS (SELECT 1 FROM people q WHERE q.seats > p.seats)",
    "commented": "/* of the shop */ SELECT id, seats -- all\nFROM people ORDER BY id DESC;\n",
}
LATERAL = (
    "SELECT p.id, best.seats FROM people p, LATERAL "
    "(SELECT max(q.seats) AS seats FROM people q WHERE q.plan = p.plan) AS best"
)


def test_A3_any_select_of_the_database_can_be_a_query(cli, job):
    job.sql(*PEOPLE)
    for name, sql in QUERIES.items():
        job.imported(sql, name=name, removed="keep")
    if job.warehouse.kind == "postgres":
        job.imported(LATERAL, name="lateral")
    done = cli("run", "-o", "json")
    assert done.code == 0, done.stderr
    rows = {one["sync"]: one["counts"]["read"] for one in done.json["runs"]}
    expected = {
        "cte": 2, "recursive": 1, "windowed": 3, "united": 2, "grouped": 1, "exists": 2,
        "commented": 3,
    }  # fmt: skip
    assert rows == expected | ({"lateral": 3} if job.warehouse.kind == "postgres" else {})
    assert job.people()["u1"]["place"] == 2


def test_A14_people_are_identified_and_accounts_are_grouped_on_the_wire(cli, job, sink):
    job.sql(*PEOPLE)
    to = job.segment(sink.url)
    job.sync("traits", "SELECT id AS user_id, email, plan, seats FROM people", to)
    sql = "SELECT plan AS group_id, sum(seats) AS seats, count(*) AS people FROM people GROUP BY 1"
    job.sync("accounts", sql, to, kind="account", identify_by="group_id")
    assert cli("run").code == 0
    calls = list(sink.taken.records.values())
    people = {one["userId"]: one for one in calls if one["type"] == "identify"}
    accounts = {one["groupId"]: one for one in calls if one["type"] == "group"}
    assert len(calls) == len(people) + len(accounts) == 5
    assert people["u2"]["traits"] == {"email": "ben@example.com", "plan": "free", "seats": 1}
    assert accounts["pro"]["traits"] == {"seats": 10, "people": 2}
    assert "userId" not in accounts["pro"]
    anonymous = {one["anonymousId"] for one in accounts.values()}
    assert len(anonymous) == 2
    assert all(re.fullmatch(r"rowlift:.+:(pro|free)", one) for one in anonymous)
    assert all("anonymousId" not in one for one in people.values())
    assert len(job.people()) == 3
    assert {row["object_id"] for row in job.stored("objects")} == {"pro", "free"}


def test_A18_permission_errors_name_table_user_and_the_grants_that_mend(cli, postgres_job):
    postgres_job.sql(*PEOPLE, "CREATE SCHEMA hr",
                     "CREATE TABLE hr.pay AS SELECT id, seats * 10 AS pay FROM people")  # fmt: skip
    postgres_job.imported("SELECT id, plan, pay FROM people JOIN hr.pay USING (id)")
    for command in ("preview", "run"):
        refused = cli(command, "people")
        assert refused.code == 1
        said = " ".join(refused.stderr.split())
        assert f"User {postgres_job.warehouse.reader} may not read hr.pay" in said
        assert "[PERMISSION_DENIED]" in said
    postgres_job.sql(*statements(refused.stderr))
    assert ran(cli("run", "people", "-o", "json"))["counts"]["read"] == 3


TLS = {
    "postgres": {
        "plain": {"sslmode": "disable", "sslrootcert": None},
        "required": {"sslmode": "require", "sslrootcert": None},
        "verified": {},
        "stranger": {"sslrootcert": "untrusted"},
        "elsewhere": {"host": "127.0.0.2"},
    },
    "mysql": {
        "plain": {"ssl_mode": "DISABLED", "ssl_ca": None},
        "required": {"ssl_mode": "REQUIRED", "ssl_ca": None},
        "verified": {},
        "stranger": {"ssl_ca": "untrusted"},
        "elsewhere": {"host": "127.0.0.2"},
    },
}
TLS_WORDS = {
    "postgres": ("not encrypted", "not verified", "was verified (verify-full)"),
    "mysql": ("not encrypted", "server not verified", "server verified"),
}


def test_B2_tls_is_off_required_or_verified_and_refused_if_it_cannot_be(cli, job):
    kind = job.warehouse.kind
    job.sql(*PEOPLE)
    untrusted = str(job.warehouse.database.server.untrusted_ca_file)
    for name, options in TLS[kind].items():
        given = {key: untrusted if one == "untrusted" else one for key, one in options.items()}
        job.sources[name] = job.settings_of(**given)
        job.imported("SELECT id, plan FROM people", name=name, source=name)
    job.save()
    checked = cli("debug", "-o", "json")
    assert checked.code == 3
    tls = {
        name: next(one for one in findings if one["step"] == "tls")
        for name, findings in checked.json["connections"].items()
        if name in TLS[kind]
    }
    for name, words in zip(("plain", "required", "verified"), TLS_WORDS[kind], strict=True):
        assert words in tls[name]["message"]
    assert [tls[name]["level"] for name in TLS[kind]][2:] == ["ok", "error", "error"]
    done = cli("run", "-o", "json")
    assert done.code == 1
    status = {one["sync"]: (one["status"], one["reason_code"]) for one in done.json["runs"]}
    assert status == {
        "plain": ("Completed", ""), "required": ("Completed", ""), "verified": ("Completed", ""),
        "stranger": ("Failed", "TLS_FAILED"), "elsewhere": ("Failed", "TLS_FAILED"),
    }  # fmt: skip


def test_F34_a_server_without_tls_never_gets_the_password_in_plain(cli, job):
    kind = job.warehouse.kind
    heard: list[bytes] = []

    def serve(listener):
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    if kind == "mysql":
                        client.sendall(NO_SSL[kind])
                        heard.append(client.recv(1000))
                    else:
                        heard.append(client.recv(1000))
                        client.sendall(NO_SSL[kind])
                        heard.append(client.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        mode = "sslmode" if kind == "postgres" else "ssl_mode"
        weakest = {"postgres": "require", "mysql": "REQUIRED"}[kind]
        job.source(port=listener.getsockname()[1], **{mode: weakest})
        job.imported("SELECT id, plan FROM people")
        done = cli("run", "people")
        listener.shutdown(socket.SHUT_RDWR)
    assert done.code == 3
    assert "TLS_FAILED" in done.stderr
    assert heard
    assert all(job.warehouse.reader.encode() not in said for said in heard)
    assert heard[-1] == b""


def test_B3_debug_tests_the_connection_and_shows_all_but_secrets(cli, job):
    job.sql(*PEOPLE)
    good = cli("debug")
    assert good.code == 0
    server = job.warehouse.database.server
    assert f"Logged in as {job.warehouse.reader}" in good.stdout
    (job.folder / "password").write_text("not " + PASSWORD)
    job.sources["gone"] = job.settings_of(port=1, connect_timeout=2)
    job.save()
    bad = cli("debug")
    assert bad.code == 3
    assert "LOGIN_FAILED" in bad.stdout
    assert job.warehouse.reader in bad.stdout
    assert "CONNECT_FAILED" in bad.stdout
    assert f"{server.host}:1" in bad.stdout
    assert "canary" not in good.stdout + good.stderr + bad.stdout + bad.stderr


def test_F29_a_source_that_is_down_fails_the_run_and_keeps_last_sync_time(cli, job, sink):
    job.sql(*PEOPLE)
    job.imported("SELECT id, plan FROM people", job.segment(sink.url), removed="clear")
    before = ran(cli("run", "people", "-o", "json"))["last_sync_time"]
    job.source(port=1, connect_timeout=2)
    failed = cli("run", "people")
    assert failed.code == 3
    assert "CONNECT_FAILED" in failed.stderr
    (last, _) = cli("runs", "-o", "json").json["runs"]
    assert (last["status"], last["last_sync_time"]) == ("Failed", before)
    job.source()
    assert ran(cli("run", "people", "-o", "json"))["counts"]["unchanged"] == 3
    assert len(sink.taken.records) == 3


@pytest.mark.timeout(180)
def test_F30_T7_a_connection_cut_in_mid_stream_sends_and_removes_nothing(cli, job, sink):
    job.sql(*PEOPLE)
    to = job.segment(sink.url)
    job.imported("SELECT id, plan FROM people", to, removed="clear")
    assert cli("run", "people").code == 0
    before = job.untouched()
    sql = ENDLESS[job.warehouse.kind]
    job.imported(sql, to, removed="clear")
    running = job.start("run", "people")
    staged_rows(job, running)
    assert job.warehouse.stop_backends() > 0
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 1, stdout + stderr
    assert "SOURCE_DROPPED" in stderr
    assert cli("runs", "-o", "json").json["runs"][0]["status"] == "Failed"
    assert job.untouched() == before
    assert len(sink.taken.records) == 3
    assert staged(job) == []
    job.imported("SELECT id, plan FROM people", to, removed="clear")
    assert ran(cli("run", "people", "-o", "json"))["counts"]["unchanged"] == 3


def test_F33_a_lost_right_and_a_changed_password_are_told_by_name(cli, postgres_job, sink):
    postgres_job.sql(*PEOPLE)
    postgres_job.imported("SELECT id, plan FROM people", postgres_job.segment(sink.url))
    assert cli("run", "people").code == 0
    reader = postgres_job.warehouse.reader
    postgres_job.sql(f"REVOKE SELECT ON people FROM {reader}")
    lost = cli("run", "people")
    assert lost.code == 1
    assert "may not read public.people" in lost.stderr
    postgres_job.sql(f"ALTER ROLE {reader} PASSWORD 'another'")
    refused = cli("run", "people")
    assert refused.code == 3
    assert f'refused the login of user "{reader}"' in refused.stderr
    assert "canary" not in lost.stderr + refused.stderr
    assert len(sink.taken.records) == 3


def test_F39_T7_an_error_in_a_late_row_sends_nothing(cli, job, sink):
    job.imported(LATE_ERROR[job.warehouse.kind], job.segment(sink.url))
    failed = cli("run", "people")
    assert failed.code == 1
    assert "QUERY_FAILED" in failed.stderr
    assert sink.seen == []
    assert job.people() == {}
    (last,) = cli("runs", "-o", "json").json["runs"]
    assert last["status"] == "Failed"
    assert last["last_sync_time"] == 0
