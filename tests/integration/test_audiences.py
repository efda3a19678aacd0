"""Conditions of audiences, compared with what their words say, on real databases."""

import json
from datetime import UTC, datetime, timedelta
from random import Random

import hypothesis
import pytest
from hypothesis import strategies as st

from models import audiences as model
from rowlift.project.audiences import AudienceFile
from rowlift.state.store import Store
from rowlift.workspace import tables
from rowlift.workspace.conditions import World, first, whoever
from servers.room import unique_name

NOW = datetime(2026, 11, 21, 13, 5, 7, 250_000, tzinfo=UTC)
NAMES = ["plan", "mrr", "vip", "tags", "born", "seen", "größe 'x'", "x" * 100]
TEXTS = ["pro", "Pro", "p", "ro", "1", "true", "größer", "100%", "a_b", "it's", "[1]", ""]
NUMBERS = [0, 1, -1, 15, 0.1, -2.5, 1e-7, 1e300, 999_999_999_999_999, 1_795_266_307]
DAYS = ["2026-11-21", "2026-11-20", "2026-11-28", "0001-01-01", "9999-12-31"]
MOMENTS = [
    "2026-11-21T13:05:07.25Z", "2026-11-21T13:05:07Z", "2026-11-21T00:00:00",
    "2026-11-14T13:05:07.250001", "2026-11-22T13:05:07Z", "2026-11-20T13:05:07.25",
]  # fmt: skip
WRONG = ["2026-11-21 10:00", "2026-11-211", "21.11.2026", "2026-11-21\nT"]
SCALARS = [*TEXTS, *NUMBERS, *DAYS, *MOMENTS, *WRONG, True, False]
EVENTS = ["order", "Order", "login"]
TYPES = ["1", "course"]
SEGMENTS = ["vips", "trial"]
SPANS = ["1d", "7d", "1h", "0s", "52w"]


def _attributes(random, *, empty=0.3):
    found = {}
    for name in NAMES:
        value = random.choice(SCALARS)
        if random.random() < 0.15:
            value = random.choices(SCALARS, k=random.randrange(3))
        elif random.random() < 0.05:
            value = {"is": value}
        if random.random() > empty:
            found[name] = value
    return found


def _people(random):
    """People with hostile values of all types under every name, and what they did."""
    moments = [NOW - timedelta(days=days, seconds=random.randrange(3)) for days in (0, 1, 7, -1)]
    return [
        {
            "identifiers": {
                "id": f"u{number}" if number % 3 else None,
                "email": f"u{number}@example.com" if number % 3 != 1 else None,
            },
            "attributes": _attributes(random),
            "segments": [one for one in SEGMENTS if random.random() < 0.3],
            "events": [
                {
                    "name": random.choice(EVENTS),
                    "type": random.choice(["track", "track", "page"]),
                    "at": random.choice(moments).timestamp(),
                    "properties": _attributes(random),
                }
                for _ in range(random.randrange(5))
            ],
            "objects": [
                {
                    "object_id": f"o{number}-{index}",
                    "type": random.choice(TYPES),
                    "attributes": _attributes(random),
                    "relationship": _attributes(random),
                }
                for index in range(random.randrange(3))
            ],
        }
        for number in range(150)
    ]


def _text(values):
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _record(workspace, pid, attributes):
    return {
        "pid": pid, "workspace_id": workspace, "attributes": _text(attributes), "origins": "[]",
        "sync_uid": "", "run_id": 0, "as_of": 0, "first_writer": "", "other_writers": False,
        "contributors": "", "revision": 1, "created_at": 0, "updated_at": 0,
    }  # fmt: skip


def _write(connection, people, workspace=7):
    """Write people as the workspace keeps them; somebody else's stand beside them."""
    next_pid = 100_000
    for pid, one in enumerate(people, 1):
        email = one["identifiers"]["email"]
        person = {"id": one["identifiers"]["id"], "email": email, "email_key": email}
        whole = _record(workspace, pid, one["attributes"]) | person
        connection.execute(tables.people.insert(), whole)
        connection.execute(
            tables.people.insert(), whole | {"pid": -pid, "workspace_id": workspace + 1}
        )
        for event in one["events"]:
            row = {
                "workspace_id": workspace, "pid": pid, "kind": event["type"],
                "name": event["name"], "properties": _text(event["properties"]),
                "message_id": "", "at": event["at"], "received_at": 0,
            }  # fmt: skip
            connection.execute(tables.tracked.insert(), row)
        for thing in one["objects"]:
            next_pid += 1
            names = {"object_type": thing["type"], "object_id": thing["object_id"]}
            row = _record(workspace, next_pid, thing["attributes"]) | names
            connection.execute(tables.objects.insert(), row)
            ends = {"person_pid": pid, "object_pid": next_pid}
            row = _record(workspace, next_pid, thing["relationship"]) | ends
            connection.execute(tables.relationships.insert(), row)
        for name in one["segments"]:
            row = {
                "segment_id": SEGMENTS.index(name), "pid": pid, "sync_uid": "", "entered_at": 0,
            }  # fmt: skip
            connection.execute(tables.segment_members.insert(), row)


class Known:
    """A database with people in it, the people, and the world that conditions are asked about."""

    def __init__(self, database, people, world):
        self.database, self.people, self.world = database, people, world

    def __repr__(self):
        return f"{len(self.people)} people"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def known(request, tmp_path_factory):
    url, server = None, None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server").create_database(unique_name())
        url = server.url
    store = Store.open(tmp_path_factory.mktemp("known"), url)
    database = store.database
    people = _people(Random(21))
    with database.transaction("test") as connection:
        _write(connection, people)
    named = {name: number for number, name in enumerate(SEGMENTS)}
    world = World(7, named, NOW.timestamp(), database.is_sqlite)
    yield Known(database, people, world)
    store.close()
    if server:
        server.server.drop_database(server.name)


def _asked(known, audience):
    spec = AudienceFile.model_validate({"audience": "a", **audience}).spec()
    chosen = whoever(known.world, spec.where, spec.exclude)
    if spec.limit:
        chosen = first(known.world, chosen, spec.limit)
    with known.database.read() as connection:
        return list(connection.scalars(chosen))


wanted = st.sampled_from([one for one in SCALARS if one != ""])
parts = st.sampled_from([one for one in TEXTS if one])
numbers = st.sampled_from(NUMBERS)
bounds = st.sampled_from([*DAYS, *MOMENTS])
spans = st.sampled_from(SPANS)
tests = st.one_of(
    st.fixed_dictionaries({"is": wanted}),
    st.fixed_dictionaries({"is_not": wanted}),
    st.fixed_dictionaries({"one_of": st.lists(wanted, min_size=1, max_size=4)}),
    st.fixed_dictionaries({"contains": wanted}),
    st.fixed_dictionaries({"starts_with": parts}),
    st.fixed_dictionaries({"ends_with": parts}),
    st.fixed_dictionaries({"more_than": numbers}),
    st.fixed_dictionaries({"at_least": numbers}, optional={"at_most": numbers}),
    st.fixed_dictionaries({"less_than": numbers}),
    st.fixed_dictionaries({"since": bounds}, optional={"before": bounds}),
    st.fixed_dictionaries({"before": bounds}),
    st.fixed_dictionaries({"within_last": spans}),
    st.fixed_dictionaries({"within_next": spans}),
    st.just({"present": True}),
    st.just({"missing": True}),
)


def valued(names):
    """Conditions on values of such names."""
    return st.tuples(st.sampled_from(names), tests).map(lambda one: {"attribute": one[0], **one[1]})


def joined(conditions):
    """Conditions joined and nested."""
    return st.recursive(
        conditions,
        lambda inner: st.tuples(
            st.sampled_from(["all", "any", "none"]), st.lists(inner, max_size=3)
        ).map(lambda one: {one[0]: one[1]}),
        max_leaves=6,
    )


few = st.integers(0, 3)
happened = st.fixed_dictionaries(
    {"event": st.sampled_from(EVENTS)},
    optional={
        "type": st.sampled_from(["track", "page"]), "at_least": few, "at_most": few,
        "within_last": spans, "where": joined(valued(NAMES)),
    },
)  # fmt: skip
related = st.fixed_dictionaries(
    {"related": st.sampled_from([1, "course", "nothing"])},
    optional={
        "where": joined(valued([*NAMES, "object_id"])), "relationship": joined(valued(NAMES)),
    },
)  # fmt: skip
inside = st.fixed_dictionaries({"segment": st.sampled_from(SEGMENTS)})
conditions = joined(st.one_of(valued([*NAMES, "id", "email"]), happened, related, inside))
audiences = st.fixed_dictionaries({"where": conditions}, optional={"exclude": conditions})


@hypothesis.settings(max_examples=200)
@hypothesis.given(audience=audiences)
def test_whoever_the_words_mean_is_found(known, audience):
    expected = [pid for pid, one in enumerate(known.people, 1) if model.belongs(one, audience, NOW)]
    assert sorted(_asked(known, audience)) == expected


EACH = [
    *({name: value} for name in ("is", "is_not", "contains") for value in SCALARS if value != ""),
    *({name: value} for name in ("starts_with", "ends_with") for value in TEXTS if value),
    *(
        {name: value}
        for name in ("more_than", "at_least", "less_than", "at_most")
        for value in NUMBERS
    ),
    *({name: value} for name in ("since", "before") for value in [*DAYS, *MOMENTS]),
    *({name: value} for name in ("within_last", "within_next") for value in SPANS),
    {"one_of": ["pro", 15, True]},
    {"present": True},
    {"missing": True},
]


def test_each_test_of_each_value_takes_whom_it_should(known):
    """And some tests of each name take some people and leave others."""
    names = {}
    for test in EACH:
        where = {"attribute": "plan", **test}
        expected = [pid for pid, one in enumerate(known.people, 1) if model.holds(one, where, NOW)]
        assert sorted(_asked(known, {"where": where})) == expected, test
        names.setdefault(next(iter(test)), set()).add(0 < len(expected) < len(known.people))
    assert all(True in found for found in names.values())


def test_the_first_of_them_are_those_with_the_highest_numbers(known):
    where = {"attribute": "email", "present": True}
    limit = {"most": 20, "by": "mrr"}
    meant = [pid for pid, one in enumerate(known.people, 1) if one["identifiers"]["email"]]

    def number(pid):
        value = known.people[pid - 1]["attributes"].get("mrr")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return value if is_number else None

    for order, sign in (("highest", -1), ("lowest", 1)):
        ranked = sorted(
            meant, key=lambda pid: (number(pid) is None, sign * (number(pid) or 0), pid)
        )
        found = _asked(known, {"where": where, "limit": limit | {"order": order}})
        assert found == ranked[:20]
