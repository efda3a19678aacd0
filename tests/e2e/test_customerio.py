"""From a query to a Customer.io workspace and back out of it, through the command line."""

import pytest

from rowlift.testing.track import Person, TrackServer

pytestmark = pytest.mark.door("cli")

PEOPLE = "SELECT user_id, email, plan, seats FROM people"


@pytest.fixture
def server():
    with TrackServer() as server:
        yield server


def delivery(result):
    return result.json["runs"][0]["deliveries"][0]


def test_what_changes_reaches_customerio_and_what_it_refuses_is_listed(cli, shop, server):
    use = {"use": shop.customerio(server.url), "removed": "delete"}
    shop.sync("people", PEOPLE, use, preset="import")
    shop.sql("UPDATE people SET plan = repeat('x', 1001) WHERE user_id = 'u2'")
    first = cli("run", "people", "-o", "json")
    assert first.code == 1
    assert delivery(first)["counts"]["delivered"] == 2
    listed = cli("runs", "1", "--errors").stdout
    assert "u2" in listed
    assert "attributes.plan: has more than 1000 bytes" in listed

    shop.sql(
        "UPDATE people SET plan = NULL, seats = 9 WHERE user_id = 'u2'",
        "DELETE FROM people WHERE user_id = 'u3'",
    )
    again = cli("run", "people", "--allow-removals", "-o", "json")
    assert (again.code, delivery(again)["counts"]["delivered"]) == (0, 2)
    assert server.workspace.people == [
        Person({"id": "u1", "email": "ada@example.com"}, {"plan": "pro", "seats": 3}),
        Person({"id": "u2", "email": "ben@example.com"}, {"seats": 9}),
    ]


def test_accounts_become_objects_of_type_1(cli, shop, server):
    sql = "SELECT 'acme' AS group_id, 12 AS seats"
    shop.sync("accounts", sql, shop.customerio(server.url), kind="account", identify_by="group_id")
    assert cli("run", "accounts").code == 0
    assert server.workspace.objects == {("1", "acme"): {"seats": 12}}


def test_objects_and_relationships_follow_their_rows(cli, shop, server):
    mail, lake = shop.customerio(server.url, object_types={"course": "2"}), shop.files()
    shop.sql(
        "CREATE TABLE courses AS SELECT 'course' AS object_type, 'c1' AS object_id, 'SQL' AS title",
        "CREATE TABLE links AS SELECT user_id, 'course' AS object_type, 'c1' AS object_id,"
        " plan AS role, false AS deleted FROM people WHERE user_id <> 'u3'",
    )
    courses = "SELECT * FROM courses"
    shop.sync("courses", courses, mail, lake, kind="object", identify_by="object_id")
    links = {"sql": "SELECT * FROM links", "identify_by": "id"}
    shop.sync("people", PEOPLE, mail, lake, preset="import", relationships=links)
    assert cli("run", "courses").code == 0
    assert cli("run", "people").code == 0
    ann, ben = (("2", "c1", ("id", who)) for who in ("u1", "u2"))
    assert server.workspace.objects == {("2", "c1"): {"title": "SQL"}}
    assert server.workspace.relationships == {ann: {"role": "pro"}, ben: {"role": "free"}}

    shop.sql(
        "UPDATE links SET deleted = true WHERE user_id = 'u1'",
        "UPDATE links SET role = 'tutor' WHERE user_id = 'u2'",
    )
    assert cli("run", "people").code == 0
    assert server.workspace.relationships == {ben: {"role": "tutor"}}
    ended = [one["key"] for one in shop.lines("people") if one["op"] == "delete"]
    assert ended == [{"object_type": "course", "object_id": "c1", "user_id": "u1"}]


def test_who_leaves_the_result_leaves_the_segment(cli, shop, server):
    server.workspace.segments[7] = {("id", "somebody")}
    settings = {"type": "customerio_segment", "segment_id": 7}
    use = {"use": shop.customerio(server.url, "pros", **settings), "removed": "leave_segment"}
    shop.sync("pros", "SELECT user_id, plan FROM people WHERE plan = 'pro'", use)
    assert cli("run", "pros").code == 0
    shop.sql("UPDATE people SET plan = 'free' WHERE user_id = 'u1'")
    assert cli("run", "pros", "--allow-removals").code == 0
    assert server.workspace.segments[7] == {("id", "somebody"), ("id", "u3")}


def told(server, who):
    """What Customer.io was told to do with somebody, in turn."""
    found = [one for one in server.taken.records.values() if one["identifiers"] == {"id": who}]
    return [one["action"] for one in found]


def test_C9_who_is_suppressed_is_suppressed_there_until_they_are_processed_again(cli, shop, server):
    use = {"use": shop.customerio(server.url, suppressed="suppress"), "removed": "delete"}
    shop.sync("people", PEOPLE, use, preset="import")
    assert cli("run", "people").code == 0
    assert cli("suppress", "u1").code == 0
    assert server.workspace.suppressed == {("id", "u1"), ("email", "ada@example.com")}
    shop.sql("UPDATE people SET plan = 'gone' WHERE user_id = 'u1'")
    left = cli("run", "people", "-o", "json")
    assert (left.code, delivery(left)["counts"]["suppressed"]) == (0, 1)
    assert told(server, "u1") == ["identify", "suppress"]

    # What they are unsuppressed by does not depend on the setting any more.
    use = {"use": shop.customerio(server.url), "removed": "delete"}
    shop.sync("people", PEOPLE, use, preset="import")
    assert cli("suppress", "--undo", "u1").code == 0
    assert told(server, "u1") == ["identify", "suppress", "unsuppress", "identify"]
    assert server.workspace.person("id", "u1").attributes == {"plan": "gone", "seats": 3}
    idle = cli("run", "people", "-o", "json")
    assert (idle.code, delivery(idle)["counts"]["due"]) == (0, 0)


def test_debug_tells_the_wrong_region_and_no_key(cli, shop, server):
    shop.customerio(server.url, region="eu")
    shop.sync()
    told = cli("debug")
    assert told.code != 0
    assert "Set region: us." in told.stdout
    assert "Basic" not in told.stdout
