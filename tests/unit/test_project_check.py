"""The offline check: files, the guard of the SQL, and what destinations can do."""

import shutil

import pytest

from data.project.kinds import FOLDER, KINDS
from rowlift.core.errors import Place, SourceError
from rowlift.core.nouns import Accepts, Kind, Removed
from rowlift.kit.sqlguard import GuardedQuery, Unread
from rowlift.project.check import check

ACCEPTS = {
    "segment": Accepts(
        frozenset({Kind.PERSON}),
        frozenset({"user_id", "email"}),
        removed=frozenset({Removed.KEEP, Removed.CLEAR}),
    )
}


@pytest.fixture
def shop(tmp_path):
    return shutil.copytree(FOLDER / "shop", tmp_path / "shop")


def refuse_second_line(sql, kind):
    assert kind == "postgres"
    if "\n" in sql:
        raise SourceError("SQL_WRITES", "It writes.", mend="Stop.", place=Place("query", 2, 6))
    return GuardedQuery(sql)


def test_a_sound_project_has_no_problems(shop):
    asked = []

    def guard(sql, kind):
        asked.append((sql.split(maxsplit=1)[0], kind))
        return GuardedQuery(sql)

    assert check(shop, KINDS, accepts=ACCEPTS, guard=guard) == ()
    assert asked == [("SELECT", "postgres")]


def test_T20_two_syncs_that_write_one_attribute_to_a_destination_are_told(shop):
    use = "destinations: [{use: crm, match: user_id%s}]\n"
    for name, more in (("a", ""), ("b", ", fields: {stage: plan}"), ("c", ", exclude: [plan]")):
        text = f"sync: {name}\nsource: warehouse\nidentify_by: user_id\nsql: {name}\n{use % more}"
        (shop / f"syncs/{name}.yml").write_text(text)
    names = {"a": ("user_id", "plan"), "b": ("user_id", "stage", "size"), "c": ("user_id", "plan")}

    def columns(sql, kind):
        assert kind == "postgres"
        return GuardedQuery(sql, names.get(sql, ()))

    (found,) = check(shop, KINDS, guard=columns)
    assert (found.code, found.is_warning) == ("ATTRIBUTE_SHARED", True)
    assert found.message.startswith("b and a both write plan to crm")
    assert found.place.path == "syncs/b.yml"


def test_a_refused_query_has_its_place_in_the_file(shop):
    found = check(shop, KINDS, guard=refuse_second_line)
    assert [str(one) for one in found] == [
        "models/zendesk_tickets.sql:2:6: It writes. [SQL_WRITES]"
    ]
    assert found[0].mend == "Stop."


def test_a_query_that_only_its_source_can_read_is_told(shop):
    unread = Unread("USING", Place("query", 2, 6))
    (found,) = check(shop, KINDS, guard=lambda sql, _: GuardedQuery(sql, unread=unread))
    assert (str(found.place), found.is_warning) == ("models/zendesk_tickets.sql:2:6", True)


def test_a_refused_inline_query_has_the_place_of_its_key(shop):
    text = "sync: s\nsource: warehouse\nidentify_by: id\nsql: |\n  SELECT\n  1\n"
    (shop / "syncs/zendesk_tickets.yml").write_text(text)
    found = check(shop, KINDS, guard=refuse_second_line)
    assert [str(one.place) for one in found] == ["syncs/zendesk_tickets.yml:4:6"]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("match: phone", ['crm (segment) cannot match by "phone".']),
        ("removed: delete", ["crm (segment) cannot do removed: delete."]),
        ("match: id", []),
        ("removed: clear", []),
    ],
)
def test_what_a_destination_cannot_do_is_said(shop, setting, expected):
    text = "sync: s\nsource: warehouse\nsql: SELECT 1\nidentify_by: id\ndestinations:\n"
    (shop / "syncs/zendesk_tickets.yml").write_text(f"{text}- use: crm\n  {setting}\n")
    found = check(shop, KINDS, accepts=ACCEPTS)
    assert [one.message for one in found] == expected
    assert all(one.code == "CANNOT_DO" and one.place.line == 7 for one in found)


def test_a_kind_and_an_inherited_setting_stand_at_the_destination(shop):
    text = "sync: s\nkind: account\nsource: warehouse\nsql: SELECT 1\nremoved: delete\n"
    (shop / "syncs/zendesk_tickets.yml").write_text(f"{text}destinations: [{{use: crm}}]\n")
    found = check(shop, KINDS, accepts=ACCEPTS)
    assert {str(one.place) for one in found} == {"syncs/zendesk_tickets.yml:6:16"}
    assert [one.message for one in found] == [
        "crm (segment) cannot take rows of kind account.",
        'crm (segment) cannot match by "group_id".',
        "crm (segment) cannot do removed: delete.",
    ]
    assert found[2].mend == "Set removed to clear or keep for it."


def test_warnings_stand_beside_problems(shop):
    connections = (shop / "connections.yml").read_text()
    (shop / "connections.yml").write_text(connections.replace("${PGPASSWORD}", "plain"))
    (shop / "rowlift.yml").write_text("version: 1\n")
    found = check(shop, KINDS)
    assert [(one.code, one.is_warning) for one in found] == [
        ("SECRET_IN_FILE", True),
        ("KEY_MISSING", False),
    ]
