"""Random histories of imports end as the plain model says, whatever the order and the slices."""

import copy
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import identity as model
from models.workspace import Desk, canonical, spec

HISTORIES = int(os.environ.get("ROWLIFT_HISTORIES", "30"))

IDS = st.sampled_from(["i1", "i2", "i3", "i4"])
EMAILS = st.sampled_from([f"{name}@x.org" for name in "abcd"])
ANONYMOUS = st.sampled_from(["w", "x", "y", "z"])
KEYS = {"user_id": IDS, "email": EMAILS, "anonymous_id": ANONYMOUS}


@st.composite
def imports(draw):
    identify_by = draw(st.sampled_from(list(KEYS)))
    keys = draw(st.lists(KEYS[identify_by], unique=True, max_size=4))
    rows = [draw(import_row(key, identify_by)) for key in keys]
    return {
        "identify_by": identify_by,
        "attach": draw(st.booleans()),
        "allow_change": draw(st.booleans()),
        "rows": rows,
        "order": draw(st.permutations(range(len(rows)))),
        "slice_rows": draw(st.integers(1, 4)),
    }


@st.composite
def import_row(draw, key, identify_by):
    if draw(st.integers(0, 5)) == 0:
        return {"key": key, "op": "delete"}
    found = {"key": key, "values": {draw(st.sampled_from("pq")): draw(st.integers(0, 9))}}
    others = {"id": IDS, "email": EMAILS, "anonymous_id": ANONYMOUS}
    for kind in model.OTHERS[identify_by]:
        if value := draw(st.none() | others[kind]):
            found[kind] = value
    return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("identity")
    desk = Desk(f"sqlite:///{folder / 'state.db'}", folder / "files")
    yield desk
    desk.close()


@pytest.mark.timeout(900)
@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=st.lists(imports(), min_size=1, max_size=3))
def test_a_history_ends_as_the_model_says(desk, history):
    desk.clear()
    expected = []
    for one in history:
        rows = [model.Row(**copy.deepcopy(each)) for each in one["rows"]]
        by = model.Rules(one["identify_by"], attach=one["attach"], allow_change=one["allow_change"])
        model.import_rows(expected, rows, by)
        codes = {row.key: row.code for row in rows}
        assert imported(desk, one) == codes
        assert stored(desk) == sorted(map(canonical_person, expected))


def imported(desk, one):
    sync = spec(one["identify_by"], second_identifier="attach" if one["attach"] else "reject")
    rows = [as_due(one["rows"][at], one["identify_by"]) for at in one["order"]]
    plan = desk.run(sync, rows, allow_change=one["allow_change"], slice_rows=one["slice_rows"])
    return {key: row["code"] for key, row in plan.items()}


def as_due(row, identify_by):
    attributes = dict(row.get("values", {}))
    attributes |= {kind: row[kind] for kind in ("id", "email", "anonymous_id") if kind in row}
    if identify_by == "email":
        attributes["email"] = row["key"]
    return {"key": row["key"], "op": row.get("op", "upsert"), "attributes": canonical(attributes)}


def stored(desk):
    return sorted(
        canonical([each["id"], each["email"], sorted(each["anonymous"]), each["attributes"]])
        for each in desk.people()
    )


def canonical_person(person):
    values = {name: value for name, (value, _) in person.values.items()}
    return canonical([person.id, person.email, sorted(person.anonymous), values])
