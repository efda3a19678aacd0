"""Customer.io against a workspace that judges every request by the published contract."""

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import ValidationError

from rowlift.core.errors import DestinationError
from rowlift.core.nouns import Feed, Kind, Op, Outcome, Outcomes, Verdict
from rowlift.destinations.customerio import Customerio
from rowlift.destinations.customerio_segment import CustomerioSegment
from rowlift.kit.http import Http
from rowlift.testing import misbehaviour as m
from rowlift.testing.answers import (
    NONSENSE,
    REFUSALS,
    SILENCES,
    STOPS,
    TROUBLE,
    UNCONFIRMED,
    UNREADABLE,
    WAITS,
    redirects,
)
from rowlift.testing.deliveries import Delivering, HttpDeliverySuite
from rowlift.testing.destinations import (
    COLUMNS,
    DestinationSuite,
    HttpDestinationSuite,
    batch_of,
    rows_of,
)
from rowlift.testing.sink import key_of
from rowlift.testing.texts import HOSTILE_TEXTS
from rowlift.testing.track import TrackServer
from rowlift.testing.trackrules import faults

LOOPBACK = ["127.0.0.0/8"]
API_KEY = "k3y-that-nobody-may-see"
CLIENT = Http(LOOPBACK)
ANY_SIZE = 1_000_000
PERSON = {"type": "person", "action": "identify", "identifiers": {"id": "a"}}
# `{}` is what it documents; another member or two would not be misread.
CONFIRMING = {"another object", "no success"}


@pytest.fixture(scope="module", autouse=True)
def closed_client():
    yield
    CLIENT.close()


@pytest.fixture
def server():
    with TrackServer(api_key=API_KEY) as server:
        yield server


def settings(server):
    return {
        "site_id": "site", "api_key": API_KEY, "endpoint": server.url, "allow_networks": LOOPBACK,
    }  # fmt: skip


def feed(kind=Kind.PERSON, match="user_id", **changes):
    return Feed("sync-uid", "people", kind, match, match, COLUMNS, **changes)


def customerio(server, of=None, **changes):
    config = Customerio.Config(**settings(server) | changes)
    return Customerio(config, of or feed(), CLIENT)


def deliver(built, *rows):
    return built.deliver(batch_of(built, rows_of(*rows)))


class Receiving:
    """A workspace that takes values of any size, so that the suites reach the destination's."""

    type = "customerio"
    secrets = (API_KEY,)
    reads_reply = False

    @pytest.fixture
    def place(self):
        with TrackServer(api_key=API_KEY, value_bytes=ANY_SIZE) as server:
            yield server

    def settings(self, sink):
        return settings(sink)


class TestPeople(Receiving, HttpDestinationSuite):
    pass


class TestDeliveries(Receiving, HttpDeliverySuite):
    pass


class TestPeopleByEmail(Receiving, DestinationSuite):
    feed = feed(match="email")

    def destination(self, place, feed):
        return customerio(place, feed)

    def arrived(self, place):
        return [(key_of(one), one["attributes"]) for one in place.taken.records.values()]


class TestObjects(TestPeopleByEmail):
    feed = feed(Kind.ACCOUNT, "group_id")


# What is sent


def operation(server, at=0):
    return list(server.taken.records.values())[at]


def test_a_person_is_identified_with_the_run_as_its_moment(server):
    outcomes = deliver(customerio(server), ["u1"], [{"name": "Ann", "old": None}])
    assert outcomes == Outcomes(Outcome(Verdict.DELIVERED))
    assert operation(server) == {
        "type": "person",
        "action": "identify",
        "identifiers": {"id": "u1"},
        "timestamp": 1795255200,
        "attributes": {"name": "Ann", "old": None},
    }
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/api/v2/batch")
    assert request.headers["content-type"] == "application/json"
    assert "content-encoding" not in request.headers


@pytest.mark.parametrize(
    ("match", "key", "identifiers"),
    [
        ("user_id", "u1", {"id": "u1"}),
        ("email", "ann@x.org", {"email": "ann@x.org"}),
        ("phone", "+4930123", {"phone": "+4930123"}),
        ("cio_id", "a3000001", {"cio_id": "a3000001"}),
    ],
)
def test_a_person_is_named_by_one_identifier(server, match, key, identifiers):
    deliver(customerio(server, feed(match=match)), [key])
    assert operation(server)["identifiers"] == identifiers


@pytest.mark.parametrize(("kind", "key"), [(Kind.ACCOUNT, "acme"), (Kind.OBJECT, '["1","acme"]')])
def test_an_account_is_an_object_of_type_1(server, kind, key):
    deliver(customerio(server, feed(kind, "object_id")), [key], [{"seats": 50}])
    assert operation(server) == {
        "type": "object",
        "action": "identify",
        "identifiers": {"object_type_id": "1", "object_id": "acme"},
        "attributes": {"seats": 50},
    }


def test_a_named_object_type_has_the_number_of_the_connection(server):
    of = feed(Kind.OBJECT, "object_id", object_type="boat")
    deliver(customerio(server, of, object_types={"boat": "3"}), ['["boat","b1"]', '["2","b1"]'])
    types = [operation(server, at)["identifiers"]["object_type_id"] for at in (0, 1)]
    assert types == ["3", "2"]
    with pytest.raises(DestinationError) as caught:
        customerio(server, of)
    assert caught.value.code == "CANNOT_DO"
    assert "object_types" in caught.value.mend


def link(*parts):
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def test_a_relationship_is_added_to_the_person_with_its_attributes(server):
    built = customerio(server, feed(Kind.RELATIONSHIP, "email"), object_types={"boat": "3"})
    keys = [link("1", 'ac"me', "ann@x.org"), link("boat", "b1", "bo@x.org")]
    assert not deliver(built, keys, [{"role": "admin"}, {}]).rows
    assert operation(server) == {
        "type": "person",
        "action": "add_relationships",
        "identifiers": {"email": "ann@x.org"},
        "cio_relationships": [
            {
                "identifiers": {"object_type_id": "1", "object_id": 'ac"me'},
                "relationship_attributes": {"role": "admin"},
            }
        ],
    }
    assert operation(server, 1)["cio_relationships"] == [
        {"identifiers": {"object_type_id": "3", "object_id": "b1"}}
    ]


# What becomes of it


def test_people_come_change_and_go(server):
    built = customerio(server)
    deliver(built, ["u1", "u2"], [{"email": "a@x.org", "plan": "pro"}, {"plan": "free"}])
    deliver(built, ["u1", "u3"], [{"plan": None}] * 2, Op.CLEAR)
    deliver(built, ["u2"], [{}], Op.DELETE)
    (ann,) = server.workspace.people
    assert ann.identifiers == {"id": "u1", "email": "a@x.org"}
    assert ann.attributes == {}


def test_objects_and_relationships_come_change_and_go(server):
    objects = customerio(server, feed(Kind.ACCOUNT, "group_id"))
    links = customerio(server, feed(Kind.RELATIONSHIP, "user_id"))
    keys = [link("1", "acme", "u1"), link("1", "acme", "u2"), link("1", "init", "u1")]
    deliver(objects, ["acme", "init"], [{"seats": 5, "plan": "pro"}] * 2)
    deliver(links, keys, [{"role": "admin"}] * 3)
    deliver(objects, ["acme"], [{"plan": None}], Op.CLEAR)
    deliver(objects, ["init"], [{}], Op.DELETE)
    deliver(links, keys[:1], [{"role": None}], Op.CLEAR)
    deliver(links, keys[1:2], [{}], Op.DELETE)
    assert server.workspace.objects == {("1", "acme"): {"seats": 5}}
    assert server.workspace.relationships == {("1", "acme", ("id", "u1")): {}}


def test_who_is_suppressed_is_gone_and_stays_away(server):
    built = customerio(server)
    deliver(built, ["u1", "u2"], [{"email": "a@x.org"}, {}])
    deliver(built, ["u1"], [{}], Op.SUPPRESS)
    deliver(built, ["u1"], [{"plan": "pro"}])
    assert [one.identifiers for one in server.workspace.people] == [{"id": "u2"}]
    deliver(built, ["u1"], [{}], Op.UNSUPPRESS)
    deliver(built, ["u1"], [{"plan": "free"}])
    assert server.workspace.person("id", "u1").attributes == {"plan": "free"}


@pytest.mark.door("python")
def test_C9_a_suppression_that_was_not_answered_is_lifted_too(tmp_path):
    """One of them has left the query by then, and one is suppressed still."""
    with TrackServer(api_key=API_KEY, value_bytes=ANY_SIZE) as server:
        given = settings(server) | {"suppressed": "suppress"}
        shop = Delivering(
            tmp_path, "customerio", given, workspace="none", use={"removed": "delete"}
        )
        shop.rows(["u1", "u2", "u3", "u4"])
        shop.run()
        server.always(m.lost_reply())
        with shop.folder.project() as project:
            project.suppress(["u1", "u2", "u3"])
        assert server.workspace.suppressed == {("id", "u1"), ("id", "u2"), ("id", "u3")}
        shop.rows(["u1", "u3", "u4"])
        server.always(None)
        with shop.folder.project() as project:
            project.unsuppress(["u1", "u2"], wait=False)
            project.run(["people"], allow_removals=True)
        assert server.workspace.suppressed == {("id", "u3")}
        people = [one.identifiers["id"] for one in server.workspace.people]
        assert sorted(people) == ["u1", "u4"]
        with shop.folder.project() as project:
            project.unsuppress(["u3"])
        assert shop.delivery(shop.run()).counts["due"] == 0
        assert server.workspace.suppressed == set()
        assert len(server.workspace.people) == 3


# What is answered


def test_F53_the_rows_it_names_are_rejected_and_the_others_are_not(server):
    rows = [{"plan": "x"}, {"plan": "x" * 1001}, {"plan": "x"}]
    outcomes = deliver(customerio(server), ["u1", "u2", "u" * 151], rows)
    assert outcomes.default == Outcome(Verdict.DELIVERED)
    assert outcomes.rows == {
        1: Outcome(
            Verdict.REJECTED, "REFUSED", "invalid: attributes.plan: has more than 1000 bytes"
        ),
        2: Outcome(Verdict.REJECTED, "REFUSED", "invalid: identifiers.id: has more than 150 bytes"),
    }
    assert [one.identifiers for one in server.workspace.people] == [{"id": "u1"}]


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"errors":[{"batch_index":2,"reason":"invalid"}]}',
        b'{"errors":[{"batch_index":-1,"reason":"invalid"}]}',
        b'{"errors":[{"batch_index":true,"reason":"invalid"}]}',
        b'{"errors":[{"index":0,"reason":"invalid"}]}',
        b'{"errors":["no"]}',
        b"[]",
        b"",
    ],
)
def test_F53_a_207_that_does_not_say_which_rows_leaves_all_in_doubt(server, body):
    server.misbehave(m.status(207, body))
    outcomes = deliver(customerio(server), ["u1", "u2"])
    assert (outcomes.default.verdict, outcomes.default.code) == (
        Verdict.IN_DOUBT,
        "REPLY_UNREADABLE",
    )
    assert not outcomes.rows


@pytest.mark.parametrize(
    "answer", [one for one in UNCONFIRMED if one.name not in CONFIRMING], ids=str
)
def test_T16_only_an_object_without_errors_confirms(server, answer):
    server.misbehave(answer.way)
    assert deliver(customerio(server), ["u1"]).default.verdict is Verdict.IN_DOUBT


def test_wrong_credentials_stop_the_delivery(server):
    with pytest.raises(DestinationError) as caught:
        deliver(customerio(server, api_key="wrong"), ["u1"])
    assert caught.value.code == "CREDENTIALS_REFUSED"


# Members of a manual segment


def segment(server, segment_id=7, match="user_id", **changes):
    config = CustomerioSegment.Config(**settings(server), segment_id=segment_id, **changes)
    return CustomerioSegment(config, feed(match=match), CLIENT)


def changes(*ops):
    """Return rows of u0, u1, … with one operation each."""
    rows = rows_of([f"u{at}" for at in range(len(ops))])
    return replace(rows, ops=pa.array([op.value for op in ops]))


@pytest.mark.parametrize("leaving", [Op.CLEAR, Op.DELETE])
def test_members_of_a_segment_come_and_go_in_one_batch(server, leaving):
    server.workspace.segments[7] = {("id", "u1"), ("id", "u9")}
    built = segment(server)
    batch = batch_of(built, changes(Op.UPSERT, leaving, Op.UPSERT, leaving))
    outcomes = built.deliver(batch)
    assert {outcomes.default, *outcomes.rows.values()} == {Outcome(Verdict.DELIVERED)}
    assert server.workspace.segments[7] == {("id", "u0"), ("id", "u2"), ("id", "u9")}
    removal, addition = server.requests
    assert (removal.path, json.loads(removal.body)) == (
        "/api/v1/segments/7/remove_customers?id_type=id",
        {"ids": ["u1", "u3"]},
    )
    assert (addition.path, json.loads(addition.body)) == (
        "/api/v1/segments/7/add_customers?id_type=id",
        {"ids": ["u0", "u2"]},
    )


@pytest.mark.parametrize("op", [Op.UPSERT, Op.CLEAR])
def test_changes_of_one_sort_are_one_request_whose_answer_is_for_all(server, op):
    server.workspace.segments[7] = set()
    built = segment(server)
    server.misbehave(m.status(503, retry_after="7"))
    outcomes = built.deliver(batch_of(built, changes(op, op)))
    assert outcomes == Outcomes(Outcome(Verdict.PENDING, "UNAVAILABLE", "503", 7.0))
    assert len(server.seen) == 1


def test_each_half_of_a_batch_has_its_own_answer(server):
    server.workspace.segments[7] = {("id", "u1")}
    built = segment(server)
    server.misbehave(m.status(500))
    outcomes = built.deliver(batch_of(built, changes(Op.UPSERT, Op.CLEAR)))
    assert outcomes.default.verdict is Verdict.DELIVERED
    assert {at: one.verdict for at, one in outcomes.rows.items()} == {1: Verdict.IN_DOUBT}
    assert server.workspace.segments[7] == {("id", "u0"), ("id", "u1")}


def test_members_are_named_as_the_sync_matches_and_hostile_ones_stay_whole(server):
    server.workspace.segments[7] = set()
    built = segment(server, match="email")
    built.deliver(batch_of(built, rows_of(HOSTILE_TEXTS)))
    assert server.workspace.segments[7] == {("email", text) for text in HOSTILE_TEXTS}


def test_a_full_request_of_members_is_taken(server):
    server.workspace.segments[7] = set()
    built = segment(server)
    rows = rows_of([f"u{at:0>149}" for at in range(built.limits.batch_rows)])
    assert built.deliver(batch_of(built, rows)).default.verdict is Verdict.DELIVERED
    assert len(server.workspace.segments[7]) == 1000


def test_a_segment_that_does_not_exist_stops_the_delivery(server):
    with pytest.raises(DestinationError) as caught:
        deliver(segment(server), ["u1"])
    assert caught.value.code == "ENDPOINT_GONE"


@pytest.mark.parametrize(
    "answer", [*WAITS, *NONSENSE, *TROUBLE, *REFUSALS, *SILENCES, *UNREADABLE], ids=str
)
def test_F44_F45_F46_F47_F48_F50_F51_members_are_what_an_answer_makes_of_them(server, answer):
    server.workspace.segments[7] = set()
    built = segment(server)
    server.misbehave(answer.way)
    outcomes = deliver(built, ["u1", "u2"])
    found = outcomes.default
    assert not outcomes.rows
    assert (found.verdict, found.code, found.retry_after) == (
        answer.verdict, answer.code, answer.wait,
    )  # fmt: skip


def test_F46_F52_a_segment_whose_endpoint_refuses_stops_and_follows_nobody(server):
    server.workspace.segments[7] = set()
    built = segment(server)
    for answer in (*STOPS, *redirects(f"{server.url}/elsewhere")):
        server.misbehave(answer.way)
        with pytest.raises(DestinationError) as caught:
            deliver(built, ["u1"])
        assert (caught.value.code, bool(caught.value.mend)) == (answer.code, True)
    assert {one.path.partition("?")[0] for one in server.seen} == {
        "/api/v1/segments/7/add_customers"
    }


def test_another_segment_is_another_account(server):
    assert segment(server, 7).account != segment(server, 8).account
    (finding,) = segment(server).check()
    assert finding.level == "ok"


# Settings and the connection test


def test_the_check_asks_for_the_region(server):
    (finding,) = customerio(server).check()
    assert (finding.level, finding.step) == ("ok", "login")
    server.region = "eu"
    (finding,) = customerio(server).check()
    assert (finding.level, finding.code, finding.mend) == (
        "error",
        "VALUE_WRONG",
        "Set region: eu.",
    )
    (finding,) = customerio(server, api_key="wrong").check()
    assert (finding.level, finding.code) == ("error", "CREDENTIALS_REFUSED")
    server.misbehave(m.status(200, b"<html>" + API_KEY.encode()))
    (finding,) = customerio(server).check()
    assert (finding.level, finding.code) == ("error", "REPLY_UNREADABLE")
    assert API_KEY not in repr(finding)


def test_a_workspace_that_does_not_answer_fails_its_check(server):
    built = customerio(server)
    server.close()
    (finding,) = built.check()
    assert (finding.level, finding.code) == ("error", "UNREACHABLE")


@pytest.mark.parametrize(
    ("region", "host"), [("us", "track.customer.io"), ("eu", "track-eu.customer.io")]
)
def test_the_region_chooses_the_host(region, host):
    asked = []

    def nowhere(*name_and_port):
        asked.append(name_and_port[0])
        raise OSError

    config = Customerio.Config(site_id="site", api_key=API_KEY, region=region)
    built = Customerio(config, feed(), Http(resolver=nowhere))
    assert deliver(built, ["u1"]).default.code == "UNREACHABLE"
    assert asked == [host]


def test_limits_follow_the_settings(server):
    limits = customerio(server).limits
    assert (limits.batch_rows, limits.requests_per_second) == (100, 100)
    limits = customerio(server, batch_rows=1000, requests_per_second=900).limits
    assert (limits.batch_rows, limits.requests_per_second) == (1000, 900)


def test_a_full_request_is_not_too_large(server):
    built = customerio(server, batch_rows=1000)
    one = pc.binary_length(built.encode(rows_of(["u000"])))[0].as_py()
    room = built.limits.batch_bytes - built.limits.envelope_bytes
    value = "x" * min(1000, room // 1000 - one - 1)
    rows = rows_of([f"u{at:03}" for at in range(1000)], [{"name": value, "score": 0}] * 1000)
    assert built.deliver(batch_of(built, rows)) == Outcomes(Outcome(Verdict.DELIVERED))
    assert 490_000 < server.requests[0].raw_size <= built.limits.batch_bytes


@pytest.mark.parametrize(
    "wrong",
    [
        {"region": "de"},
        {"site_id": ""},
        {"api_key": ""},
        {"batch_rows": 0},
        {"requests_per_second": 0},
        {"object_types": {"boat": "x"}},
        {"object_types": {"boat": "0"}},
    ],
)
def test_a_wrong_setting_is_refused(server, wrong):
    with pytest.raises(ValidationError):
        customerio(server, **wrong)


# The workspace that stands in for the vendor's


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        ({}, "type"),
        ({"type": "person", "action": "fly"}, "action"),
        ({"type": "object", "action": "suppress"}, "action"),
        ({"type": "person", "action": "identify"}, "identifiers"),
        ({"type": "person", "action": "identify", "identifiers": {}}, "identifiers"),
        (
            {"type": "person", "action": "delete", "identifiers": {"id": "a", "email": "b"}},
            "identifiers",
        ),
        ({"type": "person", "action": "delete", "identifiers": {"id": 7}}, "identifiers.id"),
        ({"type": "object", "action": "delete", "identifiers": {"object_id": "a"}}, "identifiers"),
        (PERSON | {"timestamp": 1795255200000}, "timestamp"),
        (PERSON | {"traits": {}}, "traits"),
        (PERSON | {"attributes": {f"a{at}": 1 for at in range(301)}}, "attributes"),
        (PERSON | {"action": "add_relationships"}, "cio_relationships"),
        (
            PERSON | {"action": "add_relationships", "cio_relationships": [{"identifiers": {}}]},
            "cio_relationships.0.identifiers",
        ),
    ],
)
def test_the_stand_in_refuses_what_the_contract_does(operation, field):
    assert field in dict(faults(operation))


def test_the_stand_in_lets_nobody_take_an_identifier(server):
    built = customerio(server)
    deliver(built, ["u1", "u2"], [{"email": "a@x.org"}, {"email": "A@x.org"}])
    assert server.workspace.failures == [(("id", "u2"), "email")]
    assert server.workspace.person("id", "u2").identifiers == {"id": "u2"}
