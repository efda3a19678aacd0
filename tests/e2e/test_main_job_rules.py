"""Rules, identity and history over rows of real PostgreSQL and MariaDB servers."""

import csv
import io

import pytest

from e2e.jobs import ran

pytestmark = pytest.mark.door("cli")

PEOPLE = (
    "CREATE TABLE people (id varchar(80), email varchar(120), plan varchar(20), seats int)",
    """
INSERT INTO people VALUES
    ('u1', 'ada@example.com', 'pro', 3), ('u2', 'ben@example.com', 'free', 1),
    ('u3', 'cleo@example.com', 'pro', 7)
""",
)
EVENTS = """
CREATE TABLE tickets AS
SELECT CASE WHEN i % 100 = 7 THEN NULL ELSE 'u' || i / 2 END AS user_id, i AS number
FROM generate_series(1, 1000) AS t(i)
"""
ALL = "SELECT id, email, plan, seats FROM people"


def report(done, code=0):
    return ran(done, code)


def rejected(done):
    """The rejects of `runs RUN --errors -o json` by identifier: code and target."""
    return {one["identifier"]: (one["code"], one["target"]) for one in done.json["rejects"]}


def due(found):
    return {one["destination"]: one["counts"]["due"] for one in found["deliveries"]}


def test_A6_at_most_25_columns_and_at_least_one_trait(cli, postgres_job):
    columns = [f"{i} AS c{i}" for i in range(25)]
    for name, chosen in (("most", columns[:24]), ("many", columns), ("none", [])):
        sql = f"SELECT {', '.join(['7 AS user_id', *chosen])}"
        postgres_job.sync(name, sql)
    postgres_job.sync("mail", "SELECT 'A@Example.com' AS email, 1 AS score", identify_by="email")
    postgres_job.sync("anon", "SELECT 'a-1' AS anonymous_id, 1 AS score",
                      identify_by="anonymous_id")  # fmt: skip
    done = cli("run", "-o", "json")
    assert done.code == 1
    assert {one["sync"]: (one["status"], one["reason_code"]) for one in done.json["runs"]} == {
        "most": ("Completed", ""), "mail": ("Completed", ""), "anon": ("Completed", ""),
        "many": ("Stopped by guard", "TOO_MANY_COLUMNS"),
        "none": ("Stopped by guard", "NO_TRAITS"),
    }  # fmt: skip
    assert postgres_job.people()["A@Example.com"] == {"email": "A@Example.com", "score": 1}
    assert [row["anonymous_id"] for row in postgres_job.stored("anonymous_ids")] == ["a-1"]


def test_A7_nulls_and_duplicates_are_counted_over_the_whole_result(cli, postgres_job, sink):
    postgres_job.sql(EVENTS)
    postgres_job.sync("traits", "SELECT user_id, number FROM tickets ORDER BY number DESC",
                      postgres_job.segment(sink.url))  # fmt: skip
    for command in ("preview", "run"):
        seen = cli(command, "traits")
        assert seen.code == 4
        said = seen.stdout + seen.stderr
        assert "The identifier is null in 10 rows" in said
        assert "The identifier appears more than once in 978 rows" in said
        assert "WHERE user_id IS NOT NULL" in said
        assert "SELECT DISTINCT" in said
        assert "GROUP BY" in said
    assert sink.seen == []
    assert postgres_job.people() == {}
    mended = "SELECT user_id, max(number) AS number FROM tickets WHERE user_id IS NOT NULL"
    postgres_job.sync("traits", f"{mended} GROUP BY user_id", "segment")
    assert report(cli("run", "traits", "-o", "json"))["counts"]["added"] == 501
    assert len(sink.taken.by_key) == 501


def test_A8_too_many_rows_stop_it_before_anything_is_sent(cli, postgres_job, sink):
    sql = "SELECT i AS user_id, i AS n FROM generate_series(1, 5001) AS t(i)"
    postgres_job.sync("traits", sql, postgres_job.segment(sink.url), limits={"rows": 5000})
    stopped = cli("run", "traits")
    assert stopped.code == 4
    assert "TOO_MANY_ROWS" in stopped.stderr
    assert sink.seen == []
    assert postgres_job.people() == {}
    postgres_job.sync("traits", sql.replace("5001", "5000"), "segment", limits={"rows": 5000})
    assert due(report(cli("run", "traits", "-o", "json"))) == {"segment": 5000}


def test_A9_records_over_16384_bytes_are_discarded_counted_and_listed(cli, postgres_job, sink):
    sql = "SELECT i AS user_id, repeat('é', CASE i WHEN 2 THEN 9000 ELSE 9 END) AS note"
    to = postgres_job.segment(sink.url)
    postgres_job.sync("traits", f"{sql} FROM generate_series(1, 3) AS t(i)", to)
    done = cli("run", "traits")
    assert done.code == 1
    assert "RECORD_TOO_LARGE 1" in done.stdout
    assert sorted(sink.taken.by_key) == ["1", "3"]
    assert rejected(cli("runs", "1", "--errors", "-o", "json")) == {
        "2": ("RECORD_TOO_LARGE", "segment")
    }


def test_A15_A16_only_changes_are_sent_and_no_match_makes_a_person(cli, job, sink):
    job.sql(*PEOPLE)
    job.imported("SELECT id, email FROM people WHERE id = 'u1'", name="base")
    assert cli("run", "base").code == 0
    job.sync("traits", "SELECT id AS user_id, plan, seats FROM people", job.segment(sink.url))
    first = report(cli("run", "traits", "-o", "json"))
    written = first["counts"]["workspace"]
    assert (written["create"], written["update"]) == (2, 1)
    job.sql("UPDATE people SET plan = 'max' WHERE id = 'u2'")
    job.sync("traits", "SELECT id AS user_id, plan, seats FROM people", "segment", job.files())
    assert due(report(cli("run", "traits", "-o", "json"))) == {"segment": 1, "lake": 3}
    assert list(sink.taken.records.values())[3]["traits"] == {"plan": "max", "seats": 1}
    assert job.people()["u1"] == {"email": "ada@example.com", "plan": "pro", "seats": 3}


def test_A16_no_match_makes_a_new_person(cli, postgres_job):
    postgres_job.sql(*PEOPLE)
    postgres_job.sync("traits", "SELECT id AS user_id, plan FROM people")
    assert report(cli("run", "traits", "-o", "json"))["counts"]["workspace"]["create"] == 3
    assert postgres_job.people().keys() == {"u1", "u2", "u3"}


def test_bad_rows_that_stop_a_run_leave_everything_untouched(job, sink):
    job.sql(*PEOPLE)
    to = [job.segment(sink.url), job.files()]
    job.sync("traits", "SELECT id AS user_id, email, plan FROM people", *to, removed="clear")
    assert job.cli("run", "traits").code == 0
    before, lines, sent = job.untouched(), job.lines(), len(sink.seen)
    job.sql("UPDATE people SET plan = 'max', email = 'broken' WHERE id = 'u1'",
            "DELETE FROM people WHERE id = 'u2'",
            "INSERT INTO people VALUES (NULL, NULL, 'x', 1), ('u4', NULL, 'new', 1)")  # fmt: skip
    stopped = job.cli("run", "traits")
    assert stopped.code == 4
    assert "EMAIL_INVALID" in stopped.stderr
    assert "ID_NULL" in stopped.stderr
    assert job.untouched() == before
    assert (job.lines(), len(sink.seen)) == (lines, sent)
    job.sql("DELETE FROM people WHERE id IS NULL", "UPDATE people SET email = NULL")
    mended = ran(job.cli("run", "traits", "-o", "json"))
    assert [mended["counts"][name] for name in ("added", "changed", "removed")] == [1, 2, 1]


def test_B5_people_are_identified_as_the_workspace_says(cli, postgres_job):
    postgres_job.sql(*PEOPLE)
    postgres_job.settings["identifiers"] = ["email"]
    postgres_job.save()
    postgres_job.imported(ALL)
    refused = cli("run", "people")
    assert refused.code == 2
    assert "IDENTIFIER_NOT_ALLOWED" in refused.stderr
    assert "workspace.identifiers" in refused.stderr
    postgres_job.imported("SELECT email, plan FROM people", identify_by="email")
    assert cli("run", "people").code == 0
    assert postgres_job.people().keys() == {
        "ada@example.com", "ben@example.com", "cleo@example.com"
    }  # fmt: skip


def test_B7_preview_shows_the_columns_and_100_rows_of_select_star(cli, job):
    job.sql("CREATE TABLE many (id int, email varchar(60), born date, active boolean)")
    rows = ", ".join(f"({i}, 'p{i}@example.com', '2000-01-01', TRUE)" for i in range(250))
    job.sql(f"INSERT INTO many VALUES {rows}")
    job.imported("SELECT * FROM many")
    found = cli("preview", "people", "-o", "json").json["preview"]
    assert [column["name"] for column in found["columns"]] == ["id", "email", "born", "active"]
    assert (len(found["rows"]), found["counts"]["rows"]) == (100, 250)
    assert found["rows"][0]["values"][:3] == [0, "p0@example.com", "2000-01-01"]
    assert job.people() == {}


@pytest.mark.parametrize("identify_by", ["id", "email"])
def test_B10_people_are_matched_by_id_or_by_email(cli, postgres_job, identify_by):
    postgres_job.sql(*PEOPLE)
    postgres_job.imported("SELECT id, email FROM people", name="base")
    column = "id" if identify_by == "id" else "upper(email) AS email"
    postgres_job.imported(f"SELECT {column}, plan FROM people", name="plans",
                          identify_by=identify_by)  # fmt: skip
    done = cli("run", "-o", "json")
    assert done.code == 0
    written = done.json["runs"][1]["counts"]["workspace"]
    assert (written["create"], written["update"]) == (0, 3)
    assert {one["plan"] for one in postgres_job.people().values()} == {"pro", "free"}


@pytest.mark.parametrize(("empty_values", "left"), [("ignore", "pro"), ("delete", None)])
def test_B12_empty_values_are_ignored_or_delete_the_attribute(
    cli, job, sink, empty_values, left
):  # fmt: skip
    job.sql(*PEOPLE)
    job.imported(ALL, job.segment(sink.url), empty_values=empty_values)
    assert cli("run", "people").code == 0
    job.sql("UPDATE people SET plan = NULL WHERE id = 'u1'",
            "UPDATE people SET plan = '' WHERE id = 'u2'")  # fmt: skip
    assert due(report(cli("run", "people", "-o", "json"))) == {"segment": 2}
    assert job.people()["u1"].get("plan") == left
    assert job.people()["u2"]["plan"] == ""
    traits = sink.taken.by_key["u1"]["traits"]
    assert traits.get("plan", "absent") == ("absent" if left else None)


FRESH = {
    "postgres": "SELECT id, email, plan FROM people WHERE extract(epoch FROM changed_at) >= "
    "{{last_sync_time}} AND changed_at >= to_timestamp({{ last_sync_time }})",
    "mysql": "SELECT id, email, plan FROM people WHERE unix_timestamp(changed_at) >= "
    "{{last_sync_time}} AND changed_at >= FROM_UNIXTIME({{ last_sync_time }})",
}


def test_B15_the_second_run_reads_only_fresh_rows_and_a_failed_row_holds_it(cli, job):
    job.sql(
        "CREATE TABLE people (id int, email varchar(60), plan varchar(9), changed_at timestamp)",
        "INSERT INTO people VALUES (1, 'a@example.com', 'pro', '2020-01-01 00:00:00'), "
        "(2, 'b@example.com', 'pro', '2020-01-01 00:00:00')",
    )
    job.imported(FRESH[job.warehouse.kind])
    first = report(cli("run", "people", "-o", "json"))
    assert first["counts"]["read"] == 2
    assert first["last_sync_time"] > 1_700_000_000
    later = "changed_at = '2037-01-01 00:00:00'"
    job.sql(f"UPDATE people SET plan = 'max', {later} WHERE id = 1",
            "INSERT INTO people VALUES (3, 'broken', 'pro', '2037-01-01 00:00:00')")  # fmt: skip
    second = report(cli("run", "people", "-o", "json"), code=1)
    assert second["counts"]["read"] == 2
    assert second["counts"]["removed"] == 0
    assert second["last_sync_time"] == first["last_sync_time"]
    job.sql("UPDATE people SET email = 'c@example.com' WHERE id = 3")
    third = report(cli("run", "people", "-o", "json"))
    assert third["last_sync_time"] >= first["last_sync_time"]
    assert {key: one["plan"] for key, one in job.people().items()} == {
        "1": "max", "2": "pro", "3": "pro"
    }  # fmt: skip


def test_B15_a_type_error_shows_the_conversion(cli, postgres_job):
    postgres_job.sql("CREATE TABLE people (id int, changed_at timestamptz)")
    postgres_job.imported("SELECT * FROM people WHERE changed_at >= {{last_sync_time}}")
    for command in ("preview", "plan", "run"):
        seen = cli(command, "people")
        assert seen.code == 1
        assert "as a moment: to_timestamp({{last_sync_time}})" in seen.stderr


def test_B16_B22_history_has_statuses_codes_and_a_csv_of_rejects(cli, postgres_job):
    postgres_job.sql(*PEOPLE)
    postgres_job.imported(f"{ALL} ORDER BY seats, id NULLS FIRST")
    assert cli("run", "people").code == 0
    postgres_job.sql(
        "INSERT INTO people VALUES (NULL, 'x@example.com', 'pro', 20), "
        "('=cmd|''/c calc''!A0', 'no address', 'pro', 21), ('u7', 'a,\"b', 'pro', 22)"
    )
    failed = report(cli("run", "people", "-o", "json"), code=1)
    assert failed["status"] == "Some rows failed"
    assert failed["counts"]["rejected"] == 3
    assert failed["finished_at"] >= failed["created_at"]
    text = cli("runs", "2", "--errors", "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    found = [(row["row_number"], row["identifier"], row["code"]) for row in rows]
    assert found == [
        ("4", "", "ID_NULL"), ("5", "'=cmd|'/c calc'!A0", "EMAIL_INVALID"),
        ("6", "u7", "EMAIL_INVALID"),
    ]  # fmt: skip
    assert all(row["reason"] for row in rows)
    listed = cli("runs", "--failed").stdout
    assert "Some rows failed" in listed
    assert "Completed" not in listed


def test_B18_an_edit_takes_effect_at_the_next_run(cli, postgres_job, sink):
    postgres_job.sql(*PEOPLE)
    to = postgres_job.segment(sink.url)
    postgres_job.imported("SELECT id, plan FROM people", to)
    assert cli("run", "people").code == 0
    postgres_job.imported("SELECT id, plan, seats * 2 AS chairs FROM people WHERE id <> 'u3'",
                          {"use": to, "fields": {"chairs": "seats"}})  # fmt: skip
    assert due(report(cli("run", "people", "-o", "json"))) == {"segment": 2}
    assert sink.taken.by_key["u1"]["traits"] == {"plan": "pro", "seats": 6}
    assert postgres_job.people()["u1"] == {"plan": "pro", "chairs": 6}


def test_B21_columns_are_named_exactly_and_a_wrong_case_shows_the_as(cli, postgres_job):
    postgres_job.sql(*PEOPLE)
    postgres_job.imported('SELECT id, plan AS "Plan Name", seats AS "größe" FROM people')
    postgres_job.imported('SELECT id AS "ID", plan FROM people', name="wrong")
    seen = cli("preview", "people")
    assert "COLUMN_UPPER_CASE" in seen.stdout
    assert cli("run", "people").code == 0
    assert postgres_job.people()["u1"] == {"Plan Name": "pro", "größe": 3}
    wrong = cli("run", "wrong")
    assert wrong.code == 4
    assert 'SELECT "ID" AS "id"' in wrong.stderr


def test_B23_taken_and_invalid_identifiers_are_refused_row_by_row(cli, job, sink):
    job.sql(*PEOPLE)
    job.imported(ALL, name="base")
    assert cli("run", "base").code == 0
    job.sql(
        "CREATE TABLE more (id varchar(20), email varchar(60), vip int)",
        "INSERT INTO more VALUES ('u9', 'ADA@example.com', 1), ('u8', 'no address', 1), "
        "('u7', 'gus@example.com', 1), ('u2', 'ben@example.com', 1)",
    )
    job.imported("SELECT * FROM more", job.segment(sink.url), name="more")
    done = report(cli("run", "more", "-o", "json"), code=1)
    assert done["status"] == "Some rows failed"
    assert rejected(cli("runs", "2", "--errors", "-o", "json")) == {
        "u9": ("EMAIL_TAKEN", "workspace"), "u8": ("EMAIL_INVALID", ""),
    }  # fmt: skip
    assert job.people().keys() == {"u1", "u2", "u3", "u7"}
    job.sql("UPDATE more SET id = 'u3', email = 'gus@example.com' WHERE id = 'u7'",
            "DELETE FROM more WHERE id IN ('u8', 'u9')")  # fmt: skip
    job.imported("SELECT email, id, vip FROM more", name="by_mail", identify_by="email")
    assert cli("run", "by_mail").code == 1
    assert rejected(cli("runs", "3", "--errors", "-o", "json"))["gus@example.com"] == (
        "ID_TAKEN", "workspace"
    )  # fmt: skip
    assert job.people()["u7"]["vip"] == 1
    assert "vip" not in job.people()["u3"]


@pytest.mark.parametrize("allowed", [False, True])
def test_B23_an_identifier_that_is_set_changes_only_if_allowed(cli, postgres_job, allowed):
    postgres_job.settings["allow_email_change_by_id"] = allowed
    postgres_job.save()
    postgres_job.sql(*PEOPLE)
    postgres_job.imported(ALL)
    assert cli("run", "people").code == 0
    postgres_job.sql("UPDATE people SET email = 'new@example.com' WHERE id = 'u1'")
    done = report(cli("run", "people", "-o", "json"), code=0 if allowed else 1)
    assert postgres_job.people()["u1"]["email"] == ("new" if allowed else "ada") + "@example.com"
    assert ("EMAIL_IMMUTABLE" in done["counts"]["workspace"]["codes"]) is not allowed
    postgres_job.sql("UPDATE people SET id = 'u2-new' WHERE id = 'u2'")
    postgres_job.imported("SELECT email, id FROM people WHERE plan = 'free'", name="by_mail",
                          identify_by="email")  # fmt: skip
    refused = report(cli("run", "by_mail", "-o", "json"), code=1)
    assert "ID_IMMUTABLE" in refused["counts"]["workspace"]["codes"]


def test_B24_300_columns_pass_and_301_do_not(cli, mariadb_job):
    columns = [f"{i} AS c{i}" for i in range(300)]
    mariadb_job.imported(f"SELECT 'u1' AS id, {', '.join(columns[:299])}")
    mariadb_job.imported(f"SELECT 'u1' AS id, {', '.join(columns)}", name="wide")
    assert cli("run", "people").code == 0
    assert len(mariadb_job.people()["u1"]) == 299
    refused = cli("run", "wide")
    assert refused.code == 4
    assert "TOO_MANY_COLUMNS" in refused.stderr
    assert "301" in refused.stderr


def test_C2_a_plan_is_applied_as_it_is_on_postgresql_state(cli, postgres_job, sink):
    state = postgres_job.warehouse.database.server.create_database(
        f"{postgres_job.warehouse.database.name}_state"
    )
    env = {"ROWLIFT_STATE_URL": state.url}
    try:
        postgres_job.env |= env
        postgres_job.sql(*PEOPLE)
        postgres_job.imported(ALL, postgres_job.segment(sink.url), removed="clear")
        planned = cli("plan", "people", "--out", "people.plan", "-o", "json", env=env)
        assert planned.code == 0, planned.stderr
        assert planned.json["plan"]["counts"]["added"] == 3
        assert sink.seen == []
        assert postgres_job.people() == {}
        postgres_job.sql("UPDATE people SET plan = 'after the plan'")
        applied = report(cli("run", "--plan", "people.plan", "-o", "json", env=env))
        assert due(applied) == {"segment": 3}
        assert {one["plan"] for one in postgres_job.people().values()} == {"pro", "free"}
        again = cli("run", "--plan", "people.plan", env=env)
        assert again.code == 4
        assert "PLAN_STALE" in again.stderr
        assert due(report(cli("run", "people", "-o", "json", env=env))) == {"segment": 3}
    finally:
        state.server.drop_database(state.name)
