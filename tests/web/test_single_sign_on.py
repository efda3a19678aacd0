"""Signing in through an issuer, and what an issuer or a browser may not get away with."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from doors.api import PASSWORD, Api, serving
from doors.issuer import CLIENT, SECRET, Claims, Issuer, issuing
from rowlift.core.rights import Role
from rowlift.operations.callers import CONSOLE
from world import World

ANN, BOSS = "ann@example.com", "boss@example.com"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as made:
        yield made


def trusting(issuer: Issuer, **more: str) -> dict[str, str]:
    """The environment of a service that trusts an issuer."""
    env = {
        "ISSUER": issuer.url, "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET,
        "NETWORKS": "127.0.0.1/32", "NEW_USERS": "on", "ROLES": "bosses=admin,staff=editor",
    }  # fmt: skip
    return {f"ROWLIFT_OIDC_{name}": value for name, value in (env | more).items()}


@pytest.fixture
def api(shop: World, issuer: Issuer) -> Iterator[Api]:
    with serving(shop.folder, **trusting(issuer)) as served:
        yield served


@contextmanager
def browser(api: Api) -> Iterator[httpx.Client]:
    """A browser that follows nothing by itself, so that each step can be looked at."""
    with api.anybody() as client:
        yield client


def sent_back(client: httpx.Client, **asked: str) -> str:
    """Begin a login and let the issuer send the browser back; returns to where."""
    begun = client.get("/oidc/login", params=asked)
    assert begun.status_code == 303, begun.text
    with httpx.Client(trust_env=False, timeout=60) as there:
        return there.get(begun.headers["location"]).headers["location"]


def signed_in(client: httpx.Client, **asked: str) -> httpx.Response:
    return client.get(sent_back(client, **asked))


def refused(answer: httpx.Response, code: str = "LOGIN_REFUSED") -> None:
    assert answer.json()["code"] == code
    assert answer.status_code in {403, 502}
    assert "set-cookie" not in answer.headers


def test_who_the_issuer_vouches_for_is_let_in_and_made_with_the_role_of_the_group(
    api: Api, issuer: Issuer
) -> None:
    with browser(api) as client:
        assert client.get("/session/ways").json() == {"password": True, "issuer": True}
        answer = signed_in(client, next="/runs?limit=5")
        assert (answer.status_code, answer.headers["location"]) == (303, "/runs?limit=5")
        me = client.get("/session").json()
        assert (me["name"], "edit" in me["rights"], "admin" in me["rights"]) == (ANN, True, False)
        out = client.post("/oidc/logout", headers={"x-csrf-token": me["csrf"]})
        assert out.json()["url"].startswith(f"{issuer.url}/end_session?client_id=rowlift&")
        assert client.get("/session").status_code == 401
    actions = [one.action for one in api.project.access.audit.page()]
    assert actions == ["logout", "login", "user.identity", "user.create"]
    assert [one.role for one in api.project.access.accounts.users()] == [Role.EDITOR]


def test_the_subject_and_not_the_address_is_who_somebody_is(api: Api, issuer: Issuer) -> None:
    api.project.access.accounts.create_user(BOSS, Role.ADMIN, PASSWORD.format("b"), by=CONSOLE)
    with browser(api) as client:
        signed_in(client)
        issuer.person |= {"email": "renamed@example.com", "groups": ["bosses", "staff"]}
        assert signed_in(client).status_code == 303
        assert client.get("/session").json()["name"] == ANN
        issuer.person |= {"sub": "s-2", "email": ANN.upper()}
        refused(signed_in(client))
        issuer.person |= {"email": BOSS, "groups": ["staff"]}
        assert signed_in(client).status_code == 303
    roles = {one.email: one.role for one in api.project.access.accounts.users()}
    assert roles == {ANN: Role.ADMIN, BOSS: Role.EDITOR}


@pytest.mark.parametrize(
    "person",
    [
        {"email_verified": False},
        {"email_verified": "true"},
        {"email": None},
        {"groups": ["strangers"]},
        {"groups": None},
        {"groups": {"staff": True}},
        {"email": "ann@example.com.evil.example"},
        {"email": "no address"},
        {"sub": ""},
    ],
    ids=str,
)
def test_who_is_not_to_be_let_in_is_not(
    shop: World, issuer: Issuer, person: dict[str, Any]
) -> None:
    issuer.person |= person
    with serving(shop.folder, **trusting(issuer, DOMAINS="example.com")) as api:
        with browser(api) as client:
            answer = signed_in(client)
        assert answer.json()["code"] in {"LOGIN_REFUSED", "VALUE_WRONG"}
        assert not api.project.access.accounts.users()


def test_nobody_is_made_and_no_role_changed_unless_that_is_wanted(
    shop: World, issuer: Issuer
) -> None:
    env = trusting(issuer, NEW_USERS="off", ROLES="")
    with serving(shop.folder, **env) as api, browser(api) as client:
        refused(signed_in(client))
        accounts = api.project.access.accounts
        user = accounts.admit(ANN, Role.ADMIN, by=CONSOLE)
        assert signed_in(client).status_code == 303
        assert accounts.users() == [user]
        accounts.create_user(BOSS, Role.ADMIN, PASSWORD.format("b"), by=CONSOLE)
        accounts.change_user(user.id, disabled=True, by=CONSOLE)
        assert client.get("/session").status_code == 401
        refused(signed_in(client))


# tokens that do not hold


def with_none(claims: Claims) -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    texts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in parts]
    return b".".join([*texts, b""]).decode()


def with_another_key(claims: Claims) -> str:
    return jwt.encode({"alg": "RS256"}, claims, RSAKey.generate_key(2048))


def with_the_client_secret(claims: Claims) -> str:
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))


def set_to(name: str, value: object) -> Callable[[Claims], None]:
    return lambda claims: claims.update({name: value})


def without(name: str) -> Callable[[Claims], None]:
    return lambda claims: claims.pop(name) and None


TAMPERED = {
    "another nonce": set_to("nonce", "x"),
    "no nonce": without("nonce"),
    "another audience": set_to("aud", "somebody else"),
    "several audiences": set_to("aud", [CLIENT, "somebody else"]),
    "for somebody else": set_to("azp", "somebody else"),
    "over": set_to("exp", int(time.time()) - 3600),
    "without an end": without("exp"),
    "not yet": set_to("nbf", int(time.time()) + 3600),
    "of another issuer": set_to("iss", "https://evil.example"),
    "of no issuer": without("iss"),
    "of the future": set_to("iat", int(time.time()) + 3600),
}


def test_a_token_that_does_not_hold_lets_nobody_in(api: Api, issuer: Issuer) -> None:
    with browser(api) as client:
        for name, tamper in TAMPERED.items():
            issuer.tamper = tamper
            answer = signed_in(client)
            assert answer.json()["code"] == "LOGIN_REFUSED", name
        issuer.tamper = lambda _claims: None
        for sign in (with_none, with_another_key, with_the_client_secret, lambda _: "x.y.z"):
            issuer.sign = sign
            refused(signed_in(client))
        issuer.sign = issuer.signed
        issuer.rotate()
        assert signed_in(client).status_code == 303, "a rotated key is right at once"
    codes = {one.subject for one in api.project.access.audit.page() if "refused" in one.action}
    assert codes == {"LOGIN_REFUSED"}


def test_an_issuer_that_is_another_one_or_away_is_said_so(api: Api, issuer: Issuer) -> None:
    with browser(api) as client:
        back = sent_back(client)
        issuer.metadata = {"issuer": "https://evil.example"}
        refused(client.get(back), "ISSUER_UNREACHABLE")
        refused(client.get("/oidc/login"), "ISSUER_UNREACHABLE")
        issuer.metadata = {"token_endpoint": None}
        refused(client.get("/oidc/login"), "ISSUER_UNREACHABLE")
        issuer.metadata = {"jwks_uri": "http://169.254.169.254/latest"}
        refused(signed_in(client), "ISSUER_UNREACHABLE")


# browsers that do not come back as they went


def test_a_login_ends_once_and_in_the_browser_that_began_it(api: Api) -> None:
    with browser(api) as client, browser(api) as other:
        back = sent_back(client)
        refused(other.get(back))
        refused(client.get(back))  # it is spent
        again = sent_back(client)
        forged = again.replace("state=", "state=x")
        refused(client.get(forged))
        assert client.get(again).status_code == 303
        client.cookies.delete("rowlift")
        refused(client.get(again))
        refused(client.get("/oidc/callback"))
        refused(client.get("/oidc/callback", params={"error": "access_denied", "state": "x"}))


@pytest.mark.parametrize(
    "place",
    [
        "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example",
        "javascript:alert(1)", "/\t/evil.example", "\t//evil.example", "/\n/evil.example",
        "/x\\@evil.example", "evil.example", "", "/ü",
    ],
)  # fmt: skip
def test_S19_a_login_leads_to_paths_of_this_server_only(api: Api, place: str) -> None:
    with browser(api) as client:
        answer = client.get("/oidc/login", params={"next": place})
        assert (answer.status_code, answer.json()["code"]) == (422, "VALUE_WRONG")


def test_passwords_go_off_only_when_an_admin_comes_through_the_issuer(
    shop: World, issuer: Issuer
) -> None:
    env = trusting(issuer) | {"ROWLIFT_LOCAL_LOGIN": "off"}
    word = PASSWORD.format("b")
    with serving(shop.folder, **env) as api, browser(api) as client:
        api.project.access.accounts.create_user(BOSS, Role.ADMIN, word, by=CONSOLE)
        given = {"email": BOSS, "password": word}
        assert client.post("/session", json=given).status_code == 204
        signed_in(client)
        assert client.post("/session", json=given).status_code == 204, "ann is no admin"
        issuer.person["groups"] = ["bosses"]
        signed_in(client)
        refused(client.post("/session", json=given), "LOCAL_LOGIN_OFF")
        assert client.get("/session/ways").json() == {"password": False, "issuer": True}


def test_without_an_issuer_nobody_comes_through_one(shop: World) -> None:
    with serving(shop.folder) as api, browser(api) as client:
        assert client.get("/session/ways").json() == {"password": True, "issuer": False}
        refused(client.get("/oidc/login"))
        refused(client.get("/oidc/callback", params={"state": "x", "code": "y"}))


@pytest.mark.parametrize(
    "wrong", [{"CLIENT_ID": ""}, {"ROLES": "staff"}, {"ROLES": "staff=king"}, {"NEW_USERS": "yes"}]
)
def test_settings_that_are_wrong_are_said_so(
    shop: World, issuer: Issuer, wrong: dict[str, str]
) -> None:
    with serving(shop.folder, **trusting(issuer, **wrong)) as api, browser(api) as client:
        answer = client.get("/oidc/login")
        assert (answer.status_code, answer.json()["code"]) == (422, "VALUE_WRONG")
