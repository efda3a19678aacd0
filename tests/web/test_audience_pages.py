"""Pages of audiences, as a browser without scripts uses them."""

import re

import pytest

from doors.api import Api
from rowlift.core.rights import Role
from web.test_pages import Reader
from world import World

PRO = "where: {attribute: plan, is: pro}\nsplit: {control: 50}\n"


def headed(text: str) -> str:
    """What stands in the heading of a page."""
    return re.sub(r"\s+", " ", text.partition("<h1")[2].partition(">")[2].partition("</h1>")[0])


@pytest.mark.door("ui")
def test_an_audience_is_tried_made_computed_changed_and_deleted(api: Api, shop: World) -> None:
    shop.run()
    with Reader(api, Role.EDITOR) as editor:
        assert "No audiences yet" in editor.get("/audiences").text
        tried = editor.post("/new/audience", name="", document=PRO, do="try").text
        assert "1 person now" in tried
        assert "People whose plan is “pro”" in tried
        assert "ann@example.com" in tried
        wrong = editor.post("/new/audience", name="pros", document="where: {plan: pro}", do="keep")
        assert "plan: pro" in wrong.text
        assert 'class="message bad"' in wrong.text
        made = editor.post("/new/audience", name="pros", document=PRO, do="keep")
        assert made.headers["location"] == "/audiences/pros"
        twice = editor.post("/new/audience", name="pros", document=PRO, do="keep").text
        assert 'href="#name"' in twice
        editor.post("/audiences/pros/compute")
        page = editor.get("/audiences/pros").text
        assert headed(page) == "pros"
        assert "split into control (50 %)" in page
        assert headed(editor.get("/audiences/pros.control").text) == "pros.control"
        assert "its conditions" in editor.get("/segments/pros").text
        form = editor.get("/audiences/pros/edit").text
        assert "control: 50" in form
        changed = {"document": "where: {attribute: plan, is: free}", "version": "1", "do": "keep"}
        assert editor.post("/audiences/pros/edit", **changed).status_code == 303
        late = editor.post("/audiences/pros/edit", **changed).text
        assert "EDIT_CONFLICT" in late
        assert editor.post("/audiences/pros/delete", version="2").status_code == 303
        assert "No audiences yet" in editor.get("/audiences").text
