"""Hostile requests: each is answered as the corpus says, and nothing else comes of them."""

import gzip
import json
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from corpus import Sample, samples
from doors.api import Api, serving
from rowlift.core.rights import Right, Role
from rowlift.core.rules import RULES
from world import World

CORPUS = "requests.toml"
PLACES = ("/people/{}", "/objects/1/{}", "/objects/{}/1", "/segments/{}", "/syncs/{}")
Told = tuple[int, str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    world = World(tmp_path_factory.mktemp("requests") / "acme", ("user_id", "email", "plan"))
    world.sync["workspace"] = "write"
    world.rows(("ann", "ann@example.com", "pro"))
    world.run()
    with serving(Path(world.folder)) as api:
        yield api


@pytest.fixture(scope="module")
def proof(served: Api) -> Mapping[str, str]:
    with served.by_token(Role.ADMIN, list(Right)) as client:
        return {"authorization": client.headers["authorization"]}


def asked(served: Api, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Told:
    """Send a request as it is, even if its head tells another length; return status and code."""
    address = urlsplit(served.base)
    connection = HTTPConnection(str(address.hostname), address.port, timeout=60)
    try:
        connection.putrequest(method, address.path + path)
        for name, value in ({"content-length": str(len(body))} | dict(headers)).items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        told = json.loads(answer.read())
    finally:
        connection.close()
    code = str(told.get("code", "")) if answer.status >= 400 else ""
    assert not code or (code in RULES and told["mend"] and "Traceback" not in str(told))
    return answer.status, code


def sent(served: Api, proof: Mapping[str, str], one: Sample) -> Told:
    body = one["body"] if isinstance(one["body"], bytes) else one["body"].encode()
    headers = {**proof, "content-type": one.get("type", "application/json")}
    if one.get("encoding"):
        body, headers["content-encoding"] = gzip.compress(body), "gzip"
    if one.get("length"):
        headers["content-length"] = one["length"]
    return asked(served, "POST", "/segments", body, headers)


def test_every_body_is_taken_or_refused_as_the_corpus_says(
    served: Api, proof: Mapping[str, str]
) -> None:
    some = samples(CORPUS, "bodies")
    came = {one.name: sent(served, proof, one) for one in some}
    assert came == {one.name: (one["status"], one.code) for one in some}
    assert [one.name for one in served.project.segments()] == ["VIP"]


def test_every_page_is_shown_or_refused_as_the_corpus_says(
    served: Api, proof: Mapping[str, str]
) -> None:
    some = samples(CORPUS, "pages")
    came = {one.name: asked(served, "GET", one["path"], b"", proof) for one in some}
    assert came == {one.name: (one["status"], one.code) for one in some}


@pytest.mark.parametrize("place", PLACES)
def test_no_name_finds_what_it_does_not_name(
    served: Api, proof: Mapping[str, str], place: str
) -> None:
    some = samples(CORPUS, "names")
    paths = {one.name: place.format(quote(one["name"], safe="")) for one in some}
    came = {name: asked(served, "GET", path, b"", proof) for name, path in paths.items()}
    assert {name: status for name, (status, _) in came.items()} == {
        one.name: one["status"] for one in some
    }
    assert {code for _, code in came.values()} <= {"NOT_FOUND", "NAME_UNKNOWN"}
    assert [one.id for one in served.project.people()] == ["ann"]
