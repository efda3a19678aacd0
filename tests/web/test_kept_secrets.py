"""Secrets typed into a form that comes back: neither lost nor shown; what was dropped is gone."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from doors.api import Api, serving
from rowlift.core.rights import Role
from rowlift.operations.opening import found
from rowlift.state.definitions import Author
from rowlift.testing.clock import QuickClock
from web.test_pages import Reader

KEYS = [f"whsec_{letter * 32}" for letter in "ABCD"]
TOKEN = "Bearer canary"


class Form(HTMLParser):
    """What a browser sends of the form with a button of some name, as the page filled it in."""

    def __init__(self, page: str, action: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._action = action
        self._is_in = False
        self.feed(page)
        assert self.fields, action

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_in = told.get("action") == self._action
        box = told.get("type") == "checkbox"
        if self._is_in and tag == "input" and told.get("name") and (not box or "checked" in told):
            self.fields[told["name"]] = told.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self._is_in = self._is_in and tag != "form"


@pytest.fixture
def api(tmp_path: Path, clock: QuickClock) -> Iterator[Api]:
    """A workspace that no file declares."""
    found(tmp_path, {}, "acme", Author("console", "cli"))
    with serving(tmp_path, clock) as served:
        yield served


@pytest.fixture
def editor(api: Api) -> Iterator[Reader]:
    with Reader(api, Role.EDITOR) as reader:
        yield reader


def test_S8_lists_of_secrets_outlast_an_error_and_come_back_to_nobody(
    editor: Reader, api: Api
) -> None:
    at = "/new/destination?type=webhook"
    typed = {
        "secrets.0": KEYS[0], "secrets.1": KEYS[1], "headers.0~name": "authorization",
        "headers.0": TOKEN, "url": "https://hooks.example.com/",
    }  # fmt: skip
    wrong = editor.post(at, **typed, name="Not a Name", do="save")
    assert wrong.status_code == 422
    back = Form(wrong.text, at).fields
    assert (back["secrets.0"], back["headers.0~name"]) == ("", "authorization")
    again = editor.post(at, **back | {"name": "hook"}, do="save")
    assert again.headers["location"].startswith("/destinations/hook")
    made = api.project.definitions.get("destination", "hook")
    assert sorted(made.secrets) == ["headers.authorization", "secrets.0", "secrets.1"]
    assert not any(one in wrong.text for one in (*KEYS, TOKEN))

    at = "/destinations/hook/edit"
    gone = {"secrets.0~drop": "1", "secrets.2": KEYS[2], "batch_rows": "0"}
    form = Form(editor.get(at).text, at).fields
    wrong = editor.post(at, **form | gone, do="save")
    assert wrong.status_code == 422
    back = Form(wrong.text, at).fields
    assert back["secrets.0~drop"] == "1"
    assert KEYS[2] not in wrong.text
    kept = editor.post(at, **back | {"batch_rows": "10"}, do="save")
    assert kept.status_code == 303, kept.text
    made = api.project.definitions.get("destination", "hook")
    assert sorted(made.secrets) == ["headers.authorization", "secrets.0", "secrets.1"]
    assert made.version == 2
    one, other = made.document["secrets"]
    assert one != other


def test_S8_a_channels_secrets_outlast_an_error(editor: Reader, api: Api) -> None:
    add, secret = "/settings/alerts/add", "https://user:canary@127.0.0.1/"
    sent = {"name": "Not a Name", "type": "webhook", "url": secret, "secret": KEYS[0]}
    wrong = editor.post(add, **sent)
    assert (wrong.status_code, "canary" in wrong.text, KEYS[0] in wrong.text) == (422, False, False)
    assert wrong.text.count("Typed, and kept sealed") == 2
    back = Form(wrong.text, add).fields
    url = {"url": "https://127.0.0.1/canary"}
    answer = editor.post(add, **back | {"name": "desk", "type": "webhook"} | url)
    assert answer.headers["location"].endswith("said=channel-made")
    made = api.project.definitions.get("channel", "desk")
    assert "secret" in made.secrets

    at = "/settings/alerts/desk/edit"
    form = Form(editor.get(at).text, at).fields
    wrong = editor.post(at, **form | {"url": "nowhere", "secret": KEYS[1]})
    assert (wrong.status_code, KEYS[1] in wrong.text) == (422, False)
    back = Form(wrong.text, at).fields
    editor.post(at, **back | {"url": "https://127.0.0.1/3"})
    after = api.project.definitions.get("channel", "desk")
    assert after.version == made.version + 1
    assert after.document["secret"] != made.document["secret"]
