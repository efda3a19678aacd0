"""What SQL traits promise, through the command line."""

import json

import pytest

pytestmark = pytest.mark.door("cli")

TICKETS = """
CREATE OR REPLACE TABLE tickets AS
SELECT CASE WHEN i % 100 = 7 THEN NULL ELSE 'u' || (i // 2) END AS user_id, i AS number
FROM range(1, 1001) AS numbers(i)
"""


def run_of(result):
    return result.json["runs"][0]


def test_A3_any_select_of_the_warehouse_can_be_a_query(cli, shop):
    sql = """
    WITH ranked AS (
        SELECT user_id, plan, row_number() OVER (PARTITION BY plan ORDER BY seats DESC) AS place
        FROM people
    )
    SELECT user_id, plan, place::VARCHAR || ' of ' || count(*) OVER () AS place
    FROM ranked QUALIFY place = 1 ORDER BY user_id;
    """
    shop.sync(sql=sql)
    done = cli("run", "traits")
    assert done.code == 0
    assert shop.people() == {
        "u2": {"plan": "free", "place": "1 of 3"}, "u3": {"plan": "pro", "place": "1 of 3"}
    }  # fmt: skip


def test_A3_a_query_can_be_about_accounts(cli, shop, sink):
    to = shop.segment(sink.url)
    sql = "SELECT 'acme' AS group_id, 12 AS seats"
    shop.sync("accounts", sql, to, kind="account", identify_by="group_id")
    assert cli("run", "accounts").code == 0
    (record,) = sink.taken.records.values()
    assert (record["type"], record["groupId"], record["traits"]) == ("group", "acme", {"seats": 12})
    assert shop.people() == {}


def test_A5_preview_before_create_shows_people_and_changes_nothing(cli, shop, sink):
    shop.sync("traits", "SELECT user_id, plan, seats FROM people", shop.webhook(sink.url))
    seen = cli("preview", "traits")
    assert seen.code == 0
    assert "user_id  plan  seats" in seen.stdout
    assert "u3" in seen.stdout
    assert "No rule is broken" in seen.stdout
    assert shop.people() == {}
    assert sink.seen == []
    assert "No runs yet" in cli("runs").stdout


@pytest.mark.parametrize(
    ("identify_by", "column"),
    [("user_id", "user_id"), ("email", "email"), ("anonymous_id", "anonymous_id")],
)
def test_A6_identifier_columns(cli, shop, identify_by, column):
    sql = f"SELECT '{column[0]}@example.com' AS {column}, 1 AS score"
    shop.sync(sql=sql, identify_by=identify_by)
    assert cli("run", "traits").code == 0
    ((who, attributes),) = shop.people().items()
    assert attributes["score"] == 1
    assert who == (None if column == "anonymous_id" else f"{column[0]}@example.com")


def test_A6_the_other_identifiers_are_traits_too(cli, shop, sink):
    shop.sync("traits", "SELECT user_id, email, plan FROM people", shop.segment(sink.url))
    assert cli("run", "traits").code == 0
    assert sink.taken.by_key["u1"]["traits"] == {"email": "ada@example.com", "plan": "pro"}
    assert shop.people()["u1"] == {"email": "ada@example.com", "plan": "pro"}


def test_A6_an_identifier_alone_is_refused(cli, shop):
    shop.sync(sql="SELECT user_id FROM people")
    seen = cli("preview", "traits")
    assert seen.code == 4
    assert "NO_TRAITS" in seen.stdout
    assert "Select at least one more column" in seen.stdout


def test_A6_no_identifier_shows_what_to_write(cli, shop):
    shop.sync(sql="SELECT email AS mail, plan FROM people")
    seen = cli("run", "traits")
    assert seen.code == 4
    assert "NO_IDENTIFIER" in seen.stderr
    assert 'AS "user_id"' in seen.stderr


def test_A7_nulls_and_duplicates_of_the_whole_result_stop_it(cli, shop, sink):
    shop.sql(TICKETS)
    shop.sync("traits", "SELECT user_id, number FROM tickets ORDER BY number DESC",
              shop.webhook(sink.url))  # fmt: skip
    seen = cli("preview", "traits")
    assert seen.code == 4
    assert "The identifier is null in 10 rows" in seen.stdout
    assert "WHERE user_id IS NOT NULL" in seen.stdout
    assert "The identifier appears more than once in 978 rows: 'u1" in seen.stdout
    assert "SELECT DISTINCT" in seen.stdout
    assert "GROUP BY" in seen.stdout
    done = cli("run", "traits")
    assert done.code == 4
    assert "988 of 1,000 rows break the rules; nothing was changed or sent" in done.stderr
    assert "SELECT DISTINCT" in done.stderr
    assert sink.seen == []
    assert shop.people() == {}
    assert "Stopped by guard" in cli("runs").stdout


def test_A8_too_many_rows_stop_before_sending(cli, shop, sink):
    shop.sync("traits", "SELECT user_id, plan FROM people", shop.webhook(sink.url),
              limits={"rows": 2})  # fmt: skip
    seen = cli("preview", "traits")
    assert seen.code == 4
    assert "TOO_MANY_ROWS" in seen.stdout
    done = cli("run", "traits")
    assert done.code == 4
    assert "TOO_MANY_ROWS" in done.stderr
    assert sink.seen == []
    assert shop.people() == {}


def test_A9_records_over_16384_bytes_are_discarded_counted_and_listed(cli, shop, sink):
    sql = "SELECT user_id, repeat('é', CASE user_id WHEN 'u2' THEN 9000 ELSE 10 END) AS note"
    shop.sync("traits", f"{sql} FROM people", shop.segment(sink.url))
    done = cli("run", "traits")
    assert done.code == 1
    assert "RECORD_TOO_LARGE 1" in done.stdout
    assert sorted(sink.taken.by_key) == ["u1", "u3"]
    listed = cli("runs", "1", "--errors")
    assert "u2" in listed.stdout
    assert "RECORD_TOO_LARGE" in listed.stdout


def test_A9_a_record_of_16384_bytes_passes(cli, shop, sink):
    to = shop.segment(sink.url)
    shop.sync("traits", "SELECT 'u1' AS user_id, 'x' AS note", to)
    assert cli("run", "traits").code == 0
    (request,) = sink.requests
    small = len(request.body) - len('{"batch":[]}')
    for length, code in ((16_384, 0), (16_385, 1)):
        note = length - small + 1
        shop.sync("traits", f"SELECT 'u1' AS user_id, repeat('x', {note}) AS note", to)
        assert cli("run", "traits").code == code
    assert len(sink.requests) == 2


def test_A10_marks_and_counts_over_the_whole_result(cli, shop):
    shop.sync("base", "SELECT user_id, email FROM people WHERE user_id <> 'u3'")
    assert cli("run", "base").code == 0
    shop.sync(sql="SELECT user_id, plan FROM people")
    seen = cli("preview", "traits")
    assert "✓ 2 known   ? 1 unknown   · 0 made only by this sync" in seen.stdout
    assert "✓  u1" in seen.stdout
    assert "?  u3" in seen.stdout
    assert cli("run", "traits").code == 0
    again = cli("preview", "traits", "-o", "json").json["preview"]
    assert again["counts"]["known"] == 2
    assert again["counts"]["own"] == 1
    marks = {row["identifier"]: row["mark"] for row in again["rows"]}
    assert marks == {"u1": "known", "u2": "known", "u3": "own"}


def test_A10_all_unknown_warns_only_when_people_came_from_elsewhere(cli, shop):
    shop.sync(sql="SELECT email AS user_id, plan FROM people")
    assert "ALL_UNKNOWN" not in cli("preview", "traits").stdout
    shop.sync("base", "SELECT user_id, seats FROM people")
    assert cli("run", "base").code == 0
    seen = cli("preview", "traits")
    assert seen.code == 0
    assert "None of the 3 rows is known" in seen.stdout
    assert "really new" in seen.stdout


def test_A11_destinations_can_be_chosen_or_left_out(cli, shop, sink):
    hook, lake = shop.webhook(sink.url), shop.files()
    shop.sync("quiet")
    shop.sync("one", "SELECT user_id, plan FROM people", hook)
    shop.sync("both", "SELECT user_id, seats FROM people", hook, lake)
    assert cli("run").code == 0
    assert len(sink.taken.records) == 6
    assert len(shop.lines("both")) == 3
    assert shop.lines("one") == shop.lines("quiet") == []
    assert len(shop.people()) == 3


def test_A12_the_name_is_a_label_and_columns_are_the_trait_names(cli, shop, sink):
    to = shop.webhook(sink.url)
    shop.sync("zendesk", "SELECT user_id, plan, seats FROM people", to)
    assert cli("run", "zendesk").code == 0
    assert sink.taken.by_key["u1"]["attributes"] == {"plan": "pro", "seats": 3}
    (shop.folder / "syncs" / "zendesk.yml").unlink()
    shop.sync("tickets", "SELECT user_id, plan, seats FROM people", to, renamed_from="zendesk")
    done = cli("run", "tickets")
    assert done.code == 0
    assert "nothing to send" in done.stdout
    assert len(sink.taken.records) == 3


def test_A14_each_row_is_one_identify_call_with_all_other_columns(cli, shop, sink):
    shop.sync("traits", "SELECT user_id, plan, seats FROM people", shop.segment(sink.url))
    assert cli("run", "traits").code == 0
    calls = list(sink.taken.records.values())
    assert {call["type"] for call in calls} == {"identify"}
    assert {call["userId"]: call["traits"] for call in calls} == {
        "u1": {"plan": "pro", "seats": 3},
        "u2": {"plan": "free", "seats": 1},
        "u3": {"plan": "pro", "seats": 7},
    }


def test_A15_only_changed_rows_are_sent_again_per_destination(cli, shop, sink):
    to = shop.webhook(sink.url)
    shop.sync("traits", "SELECT user_id, plan, seats FROM people", to)
    assert cli("run", "traits").code == 0
    again = run_of(cli("run", "traits", "-o", "json"))
    assert again["counts"]["unchanged"] == 3
    assert again["deliveries"][0]["counts"]["due"] == 0
    assert len(sink.taken.records) == 3
    shop.sql("UPDATE people SET plan = 'max' WHERE user_id = 'u2'")
    shop.sync("traits", "SELECT user_id, plan, seats FROM people", to, shop.files())
    third = run_of(cli("run", "traits", "-o", "json"))
    due = {one["destination"]: one["counts"]["due"] for one in third["deliveries"]}
    assert due == {"hook": 1, "lake": 3}
    assert sink.taken.by_key["u2"]["attributes"]["plan"] == "max"
    assert len(shop.lines()) == 3


def test_A16_no_match_makes_a_new_person(cli, shop):
    shop.sync("base", "SELECT user_id, plan FROM people WHERE user_id = 'u1'")
    assert cli("run", "base").code == 0
    shop.sync("more", "SELECT user_id, seats FROM people")
    done = run_of(cli("run", "more", "-o", "json"))
    assert (done["counts"]["workspace"]["create"], done["counts"]["workspace"]["update"]) == (2, 1)
    assert shop.people()["u1"] == {"plan": "pro", "seats": 3}
    assert shop.people()["u3"] == {"seats": 7}


def test_A19_too_many_columns(cli, shop):
    columns = ", ".join(f"{i} AS c{i}" for i in range(25))
    shop.sync(sql=f"SELECT user_id, {columns} FROM people")
    for command in ("preview", "run"):
        seen = cli(command, "traits")
        assert seen.code == 4
        said = seen.stdout + seen.stderr
        assert "TOO_MANY_COLUMNS" in said
        assert "26 columns, identifier included; at most 25" in said
    shop.sync(sql=f"SELECT user_id, {columns} FROM people".replace(", 24 AS c24", ""))
    assert cli("run", "traits").code == 0


def test_A20_duplicate_identifiers_are_named_and_counted(cli, shop):
    shop.sql("INSERT INTO people VALUES ('u2', 'other@example.com', 'pro', 1)")
    shop.sync()
    seen = cli("preview", "traits")
    assert seen.code == 4
    assert "appears more than once in 2 rows: 'u2' in 2 rows [ID_DUPLICATE]" in seen.stdout
    assert "Return each identifier once" in seen.stdout


def test_A22_history_is_imported_like_any_other_row(cli, shop):
    shop.sync(sql="SELECT user_id, DATE '1999-12-31' AS first_seen, plan FROM people")
    assert cli("run", "traits").code == 0
    assert shop.people()["u1"] == {"first_seen": "1999-12-31", "plan": "pro"}


def test_A2_debug_says_what_the_user_may(cli, shop):
    shop.sync()
    seen = cli("debug")
    assert seen.code == 0
    assert "read-only" in seen.stdout
    document = cli("debug", "-o", "json").json
    assert {one["level"] for one in document["connections"]["warehouse"]} == {"ok"}
    assert json.dumps(document).count("warehouse")
