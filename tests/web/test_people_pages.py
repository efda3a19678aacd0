"""People, segments and the list of who is suppressed, by the forms of their pages."""

from collections.abc import Iterator

import pytest

from doors.api import Api
from rowlift.core.rights import Right, Role
from rowlift.web.rights import csrf_token
from web.test_pages import Reader
from world import World


@pytest.fixture
def admin(api: Api, shop: World) -> Iterator[Reader]:
    shop.rows(("ann", "ann@example.com", "pro"), ("anna", "", "free"), ("", "x@example.com", "pro"))
    shop.run()
    with Reader(api, Role.ADMIN) as reader:
        yield reader


def actions(api: Api) -> list[str]:
    return [one.action for one in api.project.access.audit.page()]


@pytest.mark.door("api")
def test_a_person_is_found_by_how_an_identifier_begins(admin: Reader) -> None:
    told = admin.get("/people?q=an", "application/json").json()
    assert [one["id"] for one in told["items"]] == ["ann", "anna"]
    assert "2 people with an identifier that begins with “an”" in admin.get("/people?q=an").text
    assert admin.get("/people?q=ann").headers["location"] == "/people/ann"


@pytest.mark.door("api")
def test_C5_a_page_tells_what_a_person_has_and_why(admin: Reader, api: Api, shop: World) -> None:
    shop.rows(("ann", "ann@example.com", "free"))
    run = shop.run()
    shown = admin.get("/people/id:ann").text
    assert "pro" in shown
    assert f'href="/runs/{run.id}"' in shown
    told = admin.get("/people/id:ann", "application/json").json()
    assert told["why"]["email"] == api.project.why("ann").email
    (plan,) = [one for one in told["why"]["attributes"] if one["name"] == "plan"]
    assert [(one["before"], one["after"]) for one in plan["changes"]] == [("pro", "free")]
    assert {one["target"] for one in told["why"]["syncs"][0]["targets"]} == {"workspace", "crm"}
    api.project.create_segment("Friends")
    api.project.add_to_segment("Friends", ["ann"])
    api.project.suppress(["id:stranger"])
    known, stranger = admin.get("/people/ann").text, admin.get("/people/id:stranger").text
    assert f"query <code>{plan['query']}</code>" in known
    assert "hand or messages" in known
    assert "This person is suppressed" in stranger
    assert "PERSON_SUPPRESSED" in stranger


@pytest.mark.door("api")
def test_C9_a_person_is_suppressed_and_processed_again(admin: Reader, api: Api) -> None:
    answer = admin.post("/people/ann/suppress", note="asked")
    assert answer.headers["location"] == "/people/ann?said=suppressed"
    assert api.project.person("ann").suppressed
    assert "Process again" in admin.get("/people/ann").text
    assert "asked" in admin.get("/suppressed").text
    admin.post("/people/ann/unsuppress")
    assert not api.project.person("ann").suppressed
    assert actions(api)[:2] == ["unsuppress", "suppress"]


@pytest.mark.door("api")
def test_a_person_is_erased_once_their_identifier_is_typed(admin: Reader, api: Api) -> None:
    assert "rows at your source" in admin.get("/people/id:ann/erase").text
    wrong = admin.post("/people/id:ann/erase", typed="anne")
    assert (wrong.status_code, 'value="anne"' in wrong.text) == (422, True)
    assert 'aria-invalid="true"' in wrong.text
    assert api.project.person("ann")
    gone = admin.post("/people/id:ann/erase", typed="ann")
    assert gone.headers["location"] == "/people?said=erased"
    assert admin.get("/people/id:ann").status_code == 404
    assert [one.subject for one in api.project.access.audit.page(1)] == [""]


@pytest.mark.door("api")
def test_all_that_is_kept_of_a_person_is_a_file(admin: Reader, api: Api) -> None:
    answer = admin.get("/api/v1/people/ann/export")
    assert 'filename="person.json"' in answer.headers["content-disposition"]
    assert answer.json()["person"]["email"] == "ann@example.com"
    assert actions(api)[0] == "person.export"
    with api.by_token(Role.EDITOR, [Right.VALUES]) as program:
        assert program.get("/people/ann/export").status_code == 403


@pytest.mark.door("api")
def test_B11_a_segment_is_made_and_filled_by_hand(admin: Reader, api: Api) -> None:
    assert admin.post("/segments", name=" ").status_code == 422
    assert admin.post("/segments", name="Beta").headers["location"] == "/segments/Beta"
    told = admin.post("/segments/Beta/add", people="ann\nnobody@example.com\n")
    assert "1 person entered" in told.text
    assert "nobody@example.com" in told.text
    assert api.project.segment("Beta").members == 1
    assert "Nobody is named" in admin.post("/segments/Beta/add", people=" ").text
    assert "1 person left" in admin.post("/segments/Beta/remove", people="ann").text
    assert api.project.segment("Beta").members == 0
    assert actions(api)[:3] == ["segment.remove", "segment.add", "segment.create"]
    with Reader(api, Role.VIEWER) as viewer:
        shown = viewer.get("/segments/Beta").text
        assert "ann" not in shown
        assert "Put in" not in shown


@pytest.mark.door("api")
def test_C9_people_are_suppressed_from_a_file(admin: Reader, api: Api) -> None:
    token = admin.client.cookies["rowlift"]

    def send(content: bytes) -> str:
        return admin.client.post(
            "/suppressed/add", data={"csrf": csrf_token(token), "note": "by law"},
            files={"file": ("list.txt", content)}, headers={"accept": "text/html"},
        ).text  # fmt: skip

    assert "FILE_UNREADABLE" in send(b"\xff\xfe\x00")
    assert "Nobody is named" in send(b"\n")
    assert "3 identifiers suppressed, of 1 person" in send(
        b"\xef\xbb\xbfann\r\nzoe@example.com\r\n"
    )
    assert api.project.person("ann").suppressed
    assert "None of them is suppressed" in admin.post("/suppressed/lift", again="nobody").text
    assert "1 identifier no longer" in admin.post("/suppressed/lift", again="zoe@example.com").text
