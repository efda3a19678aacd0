"""Uids outlive renames, absence and return."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from rowlift.state.definitions import Declared
from rowlift.state.store import Store
from rowlift.state.tables import definitions, workspaces

KIND = "destination"


@pytest.fixture
def store(tmp_path: Path, state_url: str) -> Iterator[Store]:
    opened = Store.open(tmp_path / "data", state_url)
    yield opened
    opened.close()


def apply(store: Store, **declared: str | tuple[str, str]) -> dict[str, str]:
    """Declare name=body, or name=(body, renamed_from)."""
    given = {
        name: Declared(one) if isinstance(one, str) else Declared(one[0], renamed_from=one[1])
        for name, one in declared.items()
    }
    return store.definitions.apply(1, KIND, given)


def known(store: Store) -> dict[str, tuple[str, int, bool]]:
    """Return uid → body, version and whether it is archived."""
    with store.database.read() as connection:
        return {
            row.uid: (row.body, row.version, row.archived_at is not None)
            for row in connection.execute(sa.select(definitions))
        }


def test_a_uid_stays_while_the_body_changes(store: Store) -> None:
    first = apply(store, crm="a")
    second = apply(store, crm="b")
    assert first == second
    assert known(store) == {first["crm"]: ("b", 2, False)}


def test_what_did_not_change_is_not_written(store: Store) -> None:
    first = apply(store, crm="a", mail="a")
    before = known(store)
    assert apply(store, mail="a", crm="a") == first
    assert known(store) == before


def test_a_rename_keeps_the_uid(store: Store) -> None:
    uid = apply(store, crm="a")["crm"]
    assert apply(store, sales=("a", "crm")) == {"sales": uid}
    assert apply(store, sales=("a", "crm")) == {"sales": uid}, "the hint may stay in the file"
    assert store.definitions.names(1, KIND) == {uid: "sales"}


def test_a_new_one_may_take_a_name_that_was_given_up(store: Store) -> None:
    uid = apply(store, crm="a")["crm"]
    apply(store, sales=("a", "crm"))
    both = apply(store, sales=("a", "crm"), crm="new")
    assert both["sales"] == uid
    assert both["crm"] != uid


def test_what_vanished_is_archived_and_returns_under_its_uid(store: Store) -> None:
    uids = apply(store, crm="a", mail="a")
    assert apply(store, mail="a") == {"mail": uids["mail"]}
    assert known(store)[uids["crm"]] == ("a", 2, True)
    assert apply(store, crm="a", mail="a") == uids
    assert known(store)[uids["crm"]][2] is False


def test_kinds_and_workspaces_do_not_mix(store: Store) -> None:
    first = store.definitions.apply(1, "source", {"crm": Declared("a")})
    second = store.definitions.apply(2, "source", {"crm": Declared("a")})
    third = apply(store, crm="a")
    assert len({*first.values(), *second.values(), *third.values()}) == 3
    apply(store)
    assert [archived for _, _, archived in known(store).values()].count(True) == 1


def test_many_at_once_make_one_of_each(store: Store) -> None:
    def declare(_: int) -> tuple[int, dict[str, str]]:
        return store.definitions.workspace("acme", {"a": 1}), apply(store, crm="a", mail="a")

    with ThreadPoolExecutor(12) as pool:
        results = list(pool.map(declare, range(24)))
    assert all(one == results[0] for one in results)
    assert len(known(store)) == 2
    with store.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(workspaces)) == 1
