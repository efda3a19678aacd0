"""What a notebook shows of the answers of the Python door."""

from html.parser import HTMLParser

import pytest

from world import World

EVIL = "<script>alert(1)</script>"


class Cells(HTMLParser):
    """The texts of a table's cells, and every tag that there is."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.door("python")
def test_S18_previews_runs_and_people_are_tables_without_markup_of_the_data(tmp_path) -> None:
    world = World(tmp_path / "acme", ("user_id", "email", "plan"))
    world.sync |= {"workspace": "write", "description": EVIL}
    world.rows(("ann", "ann@example.com", EVIL), ("bob", "bob@example.com", "x" * 500))
    with world.project() as project:
        ran = project.run()
        for shown in (project.preview("people"), project.people(), project.runs(), ran):
            cells = Cells(shown._repr_html_())
            assert cells.tags == {"table", "caption", "thead", "tbody", "tr", "th", "td"}
            assert "people" in " ".join(cells.texts).lower()
        people = Cells(project.people()._repr_html_())
    assert f"plan: {EVIL}" in people.texts
    assert max(map(len, people.texts)) == 200
