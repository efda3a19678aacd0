"""What the workspace promises of kinds, modes, suppression and held rows, by the command line."""

import csv

import pytest

pytestmark = pytest.mark.door("cli")

PEOPLE = "SELECT user_id AS id, plan FROM people ORDER BY 1"
TEAMS = "SELECT 'team' AS object_type, plan AS object_id, count(*) AS size FROM people GROUP BY 2"
LINKS = """
SELECT user_id AS id, 'team' AS object_type, plan AS object_id, seats,
    CASE WHEN user_id = 'u1' THEN {ended} END AS deleted
FROM people
"""


def imported(shop, name, sql, **keys):
    return shop.sync(name, sql, preset="import", **{"identify_by": "id"} | keys)


def run_of(done):
    return done.json["runs"][0]


def last_sync_time(cli):
    return cli("state", "people", "-o", "json").json["state"]["last_sync_time"]


def test_B4_B5_B14_a_second_query_relates_people_and_objects_until_deleted_says_so(cli, shop):
    imported(shop, "teams", TEAMS, kind="object", identify_by="object_id")
    assert cli("run", "teams").code == 0

    def related(ended):
        links = {"sql": LINKS.format(ended=ended), "identify_by": "id"}
        imported(shop, "people", PEOPLE, relationships=links)
        counts = run_of(cli("run", "people", "-o", "json"))["counts"]["relationships"]
        team = cli("objects", "show", "team", "pro", "-o", "json").json["object"]
        return counts["workspace"], sorted(one["id"] for one in team["relationships"])

    counts, pros = related("NULL")
    assert (counts["create"], pros) == (3, ["u1", "u3"])
    counts, pros = related("TRUE")
    assert (counts["delete"], pros) == (1, ["u3"])
    assert related("0")[1] == ["u1", "u3"]
    assert "u1" in shop.people()
    shown = cli("people", "show", "u2").stdout
    assert "1 relationship" in shown
    assert "team free  seats 1" in shown


def test_B14_whom_a_relationship_does_not_know_is_rejected_and_tried_again(cli, shop):
    links = {"sql": LINKS.format(ended="NULL"), "identify_by": "id"}
    imported(shop, "people", PEOPLE, relationships=links)
    done = cli("run", "people")
    assert (done.code, last_sync_time(cli)) == (1, 0)
    listed = cli("runs", "1", "--errors", "--csv").stdout
    rows = list(csv.DictReader(listed.splitlines()))
    assert [(one["query"], one["code"]) for one in rows] == [
        ("relationships", "OBJECT_UNKNOWN")
    ] * 3
    imported(shop, "teams", TEAMS, kind="object", identify_by="object_id")
    assert cli("run", "teams").code == cli("run", "people").code == 0
    assert last_sync_time(cli) > 0


@pytest.mark.parametrize(
    ("mode", "counts", "plans"),
    [
        ("upsert", (1, 2, 0), {"u1": "pro", "u2": "free", "u3": "pro"}),
        ("update", (0, 2, 1), {"u1": "pro", "u2": "free"}),
        ("create", (1, 0, 2), {"u1": None, "u2": None, "u3": "pro"}),
    ],
)
def test_B9_the_mode_says_who_is_added_and_who_is_changed(cli, shop, mode, counts, plans):
    imported(shop, "seats", "SELECT user_id AS id, seats FROM people WHERE user_id <> 'u3'")
    assert cli("run", "seats").code == 0
    imported(shop, "people", PEOPLE, mode=mode)
    done = cli("run", "people", "-o", "json")
    written = run_of(done)["counts"]["workspace"]
    assert done.code == 0
    assert tuple(written[name] for name in ("create", "update", "skipped")) == counts
    assert {who: one.get("plan") for who, one in shop.people().items()} == plans


@pytest.mark.parametrize(("choice", "code"), [("skip", 0), ("fail", 1)])
def test_B13_suppressed_people_are_passed_over_or_fail_the_run(cli, shop, choice, code):
    imported(shop, "people", PEOPLE, suppressed=choice)
    assert cli("suppress", "id:u2").code == 0
    assert cli("run", "people").code == code
    assert (last_sync_time(cli) > 0) == (choice == "skip")
    assert set(shop.people()) == {"u1", "u3"}
    rows = list(csv.DictReader(cli("runs", "1", "--errors", "--csv").stdout.splitlines()))
    told = [(one["row_number"], one["identifier"], one["code"], one["reason"]) for one in rows]
    failed = ("2", "u2", "PERSON_SUPPRESSED", "The person is suppressed.")
    assert told == ([failed] if choice == "fail" else [])


def test_C3_a_bad_row_is_held_until_it_is_mended_and_the_cursor_goes_on(cli, shop):
    """Rows of a few seats are seen while last_sync_time is 0 only."""
    sql = "SELECT user_id AS id, email, plan FROM people WHERE seats > {{last_sync_time}}"
    shop.sql("UPDATE people SET email = 'no address' WHERE user_id = 'u2'")
    imported(shop, "people", sql, cursor="held_rows")

    def parts(*names):
        done = cli("run", "people", "-o", "json")
        return (done.code, *(run_of(done)["counts"][name] for name in names))

    assert parts("read", "rejected", "held") == (1, 3, 1, 1)
    assert last_sync_time(cli) > 0
    assert parts("read", "retried", "held") == (1, 0, 1, 1)
    shop.sql(
        "ALTER TABLE people ALTER seats TYPE BIGINT",
        "UPDATE people SET email = 'ben@example.com', plan = 'team', seats = 99999999999"
        " WHERE user_id = 'u2'",
    )
    assert parts("read", "retried", "rejected", "held") == (0, 1, 0, 0, 0)
    assert shop.people()["u2"] == {"email": "ben@example.com", "plan": "team"}
