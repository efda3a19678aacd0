"""Queries before there is a sync: previewed without being kept, begun from templates and tables."""

from typing import Any

import pytest

from doors.api import Api
from rowlift.core.rights import Right, Role
from rowlift.kit.sqlguard import guard
from rowlift.kit.sqlwriting import Filter, select
from rowlift.registry import source_kind
from world import World

KINDS = ("bigquery", "duckdb", "files", "mysql", "postgres", "redshift", "snowflake", "sqlite")
HOSTILE = "a\"b`c]d'e;--"


def trial(**given: Any) -> dict[str, Any]:
    document = {"source": "shop", "identify_by": "user_id", "preset": "traits"}
    return {"document": document | given}


@pytest.mark.door("api")
def test_A5_a_query_is_previewed_before_there_is_a_sync(api: Api, shop: World) -> None:
    with api.as_user(Role.EDITOR) as editor:
        sql = "SELECT user_id, plan FROM people"
        seen = editor.post("/definitions/sync/preview", json=trial(sql=sql)).json()
        assert seen["whole"]
        assert seen["counts"]["rows"] == 2
        assert [one["values"][0] for one in seen["rows"]] == ["ann", None]
        assert [one["code"] for one in seen["problems"]] == ["ID_NULL"]
        wrong = editor.post("/definitions/sync/preview", json=trial(sql="DELETE FROM people"))
        assert (wrong.status_code, wrong.json()["code"]) == (422, "SQL_NOT_A_QUERY")
    assert [one.name for one in api.project.ls()] == ["people"]
    assert shop.folder.is_dir()


def test_values_of_a_query_that_is_not_kept_are_for_who_may_see_them(api: Api) -> None:
    sql = "SELECT user_id, plan FROM people"
    with api.by_token(Role.EDITOR, [Right.READ, Right.EDIT]) as program:
        for answer in (
            program.post("/definitions/sync/preview", json=trial(sql=sql)),
            program.get("/sources/shop/sample", params={"table": "people"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "RIGHT_MISSING")


@pytest.mark.door("api")
def test_A4_templates_are_offered_in_the_sources_dialect(api: Api) -> None:
    with api.as_user(Role.VIEWER) as viewer:
        found = viewer.get("/templates", params={"source": "shop"}).json()["items"]
        assert {"zendesk_open_ticket", "rfm"} < {one["name"] for one in found}
        assert not any(one["fits"] for one in found)
        assert viewer.get("/templates", params={"source": "nobody"}).status_code == 404
        every = viewer.get("/templates").json()["items"]
        assert [one["name"] for one in every] == [one["name"] for one in found]
        made = viewer.get("/templates/zendesk_open_ticket", params={"layout": "fivetran"}).json()
        assert 'from zendesk.ticket as t\njoin zendesk."user" as u' in made["sql"]
        assert made["sample"][0] == ["ann", True, 2]
        assert list(made["columns"]) == ["user_id", "has_open_ticket", "num_open_tickets"]
        places = {"source": "shop", "set": ["table=purchases", "amount=total"]}
        made = viewer.get("/templates/rfm", params=places).json()
        assert "sum(o.total)" in made["sql"]
        assert made["placeholders"]["orders"] == "purchases"
        for wrong, code in (("nothing=x", "VALUE_WRONG"), ("amount", "VALUE_WRONG")):
            answer = viewer.get("/templates/rfm", params={"set": wrong})
            assert (answer.status_code, answer.json()["code"]) == (422, code)
        unknown = viewer.get("/templates/rmf").json()
        assert "rfm" in unknown["detail"]


@pytest.mark.door("api")
def test_B7_a_table_shows_its_first_rows_and_becomes_a_query(api: Api) -> None:
    with api.as_user(Role.EDITOR) as editor:
        table = editor.get("/sources/shop/catalog").json()["tables"][0]
        where = {"table_schema": table["schema"], "table": table["name"]}
        seen = editor.get("/sources/shop/sample", params=where).json()
        assert seen["rows"][0][0] == "ann"
        wish = {**where, "columns": ["plan"], "key": "email", "identify_by": "user_id"}
        made = editor.post("/sources/shop/compose", json=wish).json()["sql"]
        assert guard(made, "duckdb").named == ("user_id", "plan")
        seen = editor.post("/definitions/sync/preview", json=trial(sql=made)).json()
        assert seen["rows"][0]["identifier"] == "ann@example.com"
        wrong = editor.post("/sources/shop/compose", json={**wish, "columns": ["pla"]})
        assert "plan" in wrong.json()["detail"]
        nothing = editor.get("/sources/shop/sample", params={"table": "peple"})
        assert (nothing.status_code, nothing.json()["code"]) == (404, "NAME_UNKNOWN")


@pytest.mark.parametrize("kind", KINDS)
def test_S20_names_and_values_stay_names_and_values(kind: str) -> None:
    dialect = source_kind(kind).dialect
    filters = [
        Filter(HOSTILE, "is", HOSTILE), Filter("n", "over", "1", "number"), Filter("x", "present"),
        Filter("y", "is", "true", "bool"), Filter("z", "contains", HOSTILE),
    ]  # fmt: skip
    sql = select(dialect, ("s" + HOSTILE, HOSTILE), {HOSTILE: "id", "plan": "plan"}, filters)
    read = guard(sql, dialect)
    assert read.named[1].lower() == "plan"
    assert read.tables[0][-1].lower() == HOSTILE
