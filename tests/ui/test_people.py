"""A person's page in a real browser: identifiers edited, a merge undone."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from doors.api import PASSWORD, Api, served_by
from intake import Asked
from rowlift import Project
from rowlift.core.rights import Role
from rowlift.operations.callers import CONSOLE
from rowlift.operations.opening import found
from rowlift.state.definitions import Author
from ui.conftest import Reader
from ui.looks import broken, too_wide

Readers = Callable[..., Reader]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A workspace of messages: Mia and Zoe visited before they said who they are."""
    folder = tmp_path_factory.mktemp("people")
    found(folder, {}, "acme", Author("console", "cli"))

    def make() -> Project:
        return Project(folder, env={})

    with make() as project, served_by(make) as url:
        password = PASSWORD.format("admin")
        accounts = project.access.accounts
        accounts.create_user("admin@example.com", Role.ADMIN, password, by=CONSOLE)
        asked = Asked(project)
        with ThreadPoolExecutor(1) as elsewhere:  # the browser's loop runs in this thread
            for name in ("mia", "zoe"):
                visit = {"type": "identify", "anonymousId": f"web-{name}", "traits": {"page": "/"}}
                known = {"type": "identify", "userId": name, "traits": {"plan": "pro"}}
                for one in (visit, known, known | {"anonymousId": f"web-{name}"}):
                    elsewhere.submit(asked.send, one).result()
        yield Api(url, project)


@pytest.fixture(params=["mia", "zoe"], ids=["scripts", "no scripts"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def reader(name: str, readers: Readers) -> Reader:
    return readers(java_script_enabled=name == "mia")


def test_no_page_of_a_person_breaks_a_rule_of_accessibility_or_is_wider_than_its_window(
    readers: Readers,
) -> None:
    reader, wrong = readers(), []
    for path in ("/people/id:mia", "/people/id:mia/identifiers"):
        page = reader.see(path)
        for summary in page.locator("details.ask summary").all():
            summary.click()
        wrong += [*broken(page), *too_wide(page)]
    assert wrong == []


@pytest.mark.door("ui")
def test_B23_a_merge_is_undone_on_the_page_of_a_person(
    reader: Reader, served: Api, name: str
) -> None:
    page = reader.see(f"/people/id:{name}")
    page.get_by_text("Part again…").click()
    page.get_by_text("comes back as a person of their own").wait_for()
    page.get_by_role("button", name="Part them again").click()
    page.get_by_text("They are two people again.").wait_for()
    assert page.get_by_text("Merged with them").count() == 0
    assert served.project.person(f"web-{name}").id is None
    assert served.project.access.audit.page(1)[0].action == "merge.undo"


@pytest.mark.door("ui")
def test_B23_identifiers_are_edited_on_the_page_of_a_person(
    reader: Reader, served: Api, name: str
) -> None:
    number = served.project.person(f"id:{name}").number
    page = reader.see(f"/people/id:{name}")
    page.get_by_role("link", name="Identifiers…").click()
    page.get_by_text("stays the same person here").wait_for()
    page.get_by_label("E-mail address").fill("nobody at all")
    page.get_by_role("button", name="Change identifiers").click()
    page.get_by_role("alert").get_by_text("This is no valid e-mail address.").wait_for()
    page.get_by_label("E-mail address").fill(f"{name}@example.com")
    page.locator("#id").fill(f"c-{name}")
    page.get_by_role("button", name="Change identifiers").click()
    page.get_by_text("The identifiers are changed.").wait_for()
    assert page.url.endswith(f"/people/id%3Ac-{name}?said=identified")
    changed = served.project.person(f"id:c-{name}")
    assert (changed.number, changed.email) == (number, f"{name}@example.com")
    assert name not in str(served.project.access.audit.page(1)[0])
