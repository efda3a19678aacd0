import base64
import gzip
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from rowlift.kit.addresses import target
from rowlift.kit.exchange import Passed, Reply
from rowlift.kit.masks import LONGEST_BODY, Cover, secrets_of, without_values

KEY = "s3cret/wr+te&key"
PLACE = target("https://hooks.example.com/in/tok-en-4711?x=1")


class Settings(BaseModel):
    url: str = "https://hooks.example.com/in/tok-en-4711?x=1"
    key: SecretStr = SecretStr(KEY)
    more: dict[str, tuple[SecretStr, ...]] = {"a": (SecretStr("another one"),)}


def passed(**headers: str) -> Passed:
    return Passed("POST", PLACE, headers, b"", Reply(200, {}), 0.0, 0.0)


def test_every_secret_of_the_settings_is_known() -> None:
    assert set(secrets_of(Settings())) == {KEY, "another one", "tok-en-4711"}


def test_a_request_shows_neither_its_proof_nor_its_path_s_secrets() -> None:
    basic = base64.b64encode(f"{KEY}:".encode()).decode()
    request = passed(Authorization=f"Basic {basic}", **{"Content-Type": "application/json"})
    cover = Cover(secrets_of(Settings())).of(request)
    assert cover.headers(request.headers) == {
        "Authorization": "***", "Content-Type": "application/json",
    }  # fmt: skip
    assert cover.url(request) == "https://hooks.example.com/in/***?x=1"
    echoed = json.dumps({"you sent": [basic, KEY]}).replace("/", "\\/").encode()
    assert cover.body(echoed) == '{"you sent": ["***", "***"]}'
    assert cover.body(gzip.compress(b'{"a":1}'), "gzip") == '{"a":1}'
    assert cover.body(b"no gzip", "gzip") == ""
    assert cover.body(b"\0\xff") == "\ufffd\ufffd"  # no database keeps these


@pytest.mark.parametrize("text", [KEY, KEY.replace("/", "\\u002F"), quote(KEY)])
def test_no_piece_of_a_secret_stays_where_a_body_is_cut(text: str) -> None:
    cover = Cover([KEY])
    for before in range(15_990 - len(text), 16_010):
        shown = cover.body(b"*" * (before % len(text)) + text.encode() * (before // len(text)))
        assert set(shown) <= {"*"}
        assert len(shown) <= LONGEST_BODY


VALUES = st.text(min_size=1) | st.integers(10, 10**9) | st.floats(allow_nan=False)
NAMES = st.from_regex(r"\A[a-z_]{1,8}\Z")
DOCUMENTS = st.recursive(
    VALUES | st.booleans() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
).filter(lambda value: isinstance(value, dict | list))


@given(DOCUMENTS, st.integers(0, 60))
def test_without_values_only_names_and_structure_are_left(document, cut: int) -> None:
    text = json.dumps(document)
    shown = without_values(text[: len(text) - cut])
    left = shown
    for name in sorted(names(document), key=len, reverse=True):
        left = left.replace(f'"{name}"', "")
    for word in ("***", "true", "false", "null"):
        left = left.replace(word, "")
    assert set(left) <= set('{}[],: \n"') | set("()0123456789characters ")


def names(value) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(names, value.values()))
    return set().union(*map(names, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"email":"ann@example.com","n":-1.5e3,"ok":true}', '{"email":***,"n":***,"ok":true}'),
        ('{"ann@example.com":{"x":null}}', '{***:{"x":null}}'),
        ('[{"a":"b\\"c","d":"cut', '[{"a":***,"d":***'),
        ("{Ann Smith: trueish}", "{*** ***: ***}"),
        ("<p>Ann Smith</p>", "(16 characters)"),
        ("", ""),
    ],
)
def test_without_values(text: str, shown: str) -> None:
    assert without_values(text) == shown
