"""People who work here: the first admin, signing in, roles, tokens, the audit log."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

import rowlift
from doors.api import Api, serving
from rowlift.core.rights import Right, Role
from rowlift.operations.callers import CONSOLE
from rowlift.operations.refusing import Refusals
from rowlift.operations.signing_in import IDLE_SECONDS, LONGEST_SECONDS
from rowlift.operations.throttling import ACCOUNT_FAILURES, ADDRESS_FAILURES, SECONDS
from rowlift.testing.clock import QuickClock
from rowlift.web.app import api as api_of
from rowlift.web.office import Office
from rowlift.web.server import HttpServer
from world import World

ANN = {"email": "ann@example.com", "password": "a sentence of her own"}


def code(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["code"])


def changed(admin: httpx.Client, user_id: int, change: dict[str, object]) -> httpx.Response:
    """Change a user as somebody does who has just looked."""
    tag = admin.get(f"/users/{user_id}").headers["etag"]
    return admin.patch(f"/users/{user_id}", json=change, headers={"if-match": tag})


def test_S10_the_first_admin_needs_the_code_and_setup_closes_behind(api: Api) -> None:
    first, second = (
        api.project.access.accounts.setup_code(),
        api.project.access.accounts.setup_code(),
    )
    with api.anybody() as client:
        for wrong in ("", "guess", first):
            answer = client.post("/setup", json={"code": wrong, **ANN})
            assert (answer.status_code, code(answer)) == (409, "SETUP_CODE_WRONG")
        weak = client.post("/setup", json={"code": second, **ANN, "password": ANN["email"]})
        assert code(weak) == "PASSWORD_WEAK"
        made = client.post("/setup", json={"code": second, **ANN})
        assert (made.status_code, made.json()) == (201, {"email": ANN["email"], "role": "admin"})
        again = client.post("/setup", json={"code": second, **ANN, "email": "eve@example.com"})
        assert code(again) == "SETUP_CLOSED"
        assert client.post("/session", json=ANN).status_code == 204
    assert api.project.access.accounts.setup_code() is None


def test_S10_there_is_no_account_before(api: Api) -> None:
    with api.anybody() as client:
        answer = client.post("/session", json={"email": "admin", "password": "admin"})
        assert (answer.status_code, code(answer)) == (401, "LOGIN_WRONG")
        assert client.get("/users").status_code == 401


def test_S12_an_account_is_closed_to_guessing_whether_it_exists_or_not(
    api: Api, clock: QuickClock
) -> None:
    right = api.with_password(Role.VIEWER)
    known = right | {"password": "wrong"}
    unknown = {"email": "nobody@example.com", "password": "wrong"}
    with api.anybody() as client:
        answers = {}
        for who in (known, unknown):
            tries = [client.post("/session", json=who) for _ in range(ACCOUNT_FAILURES + 1)]
            assert [one.status_code for one in tries] == [401] * ACCOUNT_FAILURES + [429]
            answers[who["email"]] = [{**one.json(), "mend": ""} for one in tries]
        assert len({str(one) for one in answers.values()}) == 1
        assert code(client.post("/session", json=right)) == "LOGIN_THROTTLED"
        clock.sleep(SECONDS + 1)
        assert client.post("/session", json=right).status_code == 204


def test_S12_an_address_is_closed_to_guessing_over_many_accounts(api: Api) -> None:
    with api.anybody() as client:
        for number in range(ADDRESS_FAILURES):
            who = {"email": f"{number}@example.com", "password": "wrong"}
            assert client.post("/session", json=who).status_code == 401
        who = {"email": "fresh@example.com", "password": "wrong"}
        assert code(client.post("/session", json=who)) == "LOGIN_THROTTLED"


def test_S12_guesses_that_go_on_at_once_count_each_other(api: Api) -> None:
    who = {"email": "nobody@example.com", "password": "wrong"}
    with api.anybody() as client, ThreadPoolExecutor(2 * ACCOUNT_FAILURES) as guessers:
        tries = range(2 * ACCOUNT_FAILURES)
        answers = guessers.map(lambda _: client.post("/session", json=who).status_code, tries)
        assert sorted(answers) == [401] * ACCOUNT_FAILURES + [429] * ACCOUNT_FAILURES


def test_S12_F41_no_account_is_closed_for_longer_because_the_clock_went_back(
    api: Api, clock: QuickClock
) -> None:
    right = api.with_password(Role.VIEWER)
    with api.anybody() as client:
        for _ in range(ACCOUNT_FAILURES):
            client.post("/session", json=right | {"password": "wrong"})
        clock.sleep(-86400)
        assert client.post("/session", json=right).status_code == 204


def test_S13_a_session_that_opens_while_its_user_is_disabled_is_none(api: Api) -> None:
    api.as_user(Role.VIEWER).close()
    access = api.project.access
    (viewer,) = (one for one in access.accounts.users() if one.role is Role.VIEWER)
    access.accounts.create_user("ann@example.com", Role.ADMIN, ANN["password"], by=CONSOLE)
    access.accounts.change_user(viewer.id, disabled=True, by=CONSOLE)
    with api.anybody(cookies={"rowlift": access.sessions.sign_in(viewer)}) as late:
        assert code(late.get("/session")) == "SIGNED_OUT"


def test_S13_a_session_ends_on_the_server_at_logout(api: Api) -> None:
    with api.as_user(Role.VIEWER) as client:
        kept = dict(client.cookies)
        assert client.delete("/session").status_code == 204
        with api.anybody(cookies=kept) as thief:
            assert code(thief.get("/session")) == "SIGNED_OUT"


@pytest.mark.parametrize("gap", [IDLE_SECONDS + 1, IDLE_SECONDS / 2])
def test_S13_a_session_ends_when_idle_and_after_a_week(
    api: Api, clock: QuickClock, gap: float
) -> None:
    with api.as_user(Role.VIEWER) as client:
        waited = 0.0
        while client.get("/session").status_code == 200:
            clock.sleep(gap)
            waited += gap
        assert waited in (IDLE_SECONDS + 1, LONGEST_SECONDS)


def test_S13_a_login_begins_a_new_session_each_time(api: Api) -> None:
    who = api.with_password(Role.VIEWER)
    with api.anybody() as one, api.anybody() as other:
        answers = [client.post("/session", json=who) for client in (one, other)]
    first, second = (answer.cookies["rowlift"] for answer in answers)
    assert first != second
    assert len(first) >= 43  # 256 bits in Base64


def test_S13_the_cookie_is_closed_to_scripts_and_other_sites(api: Api) -> None:
    who = api.with_password(Role.VIEWER)
    with api.anybody() as client:
        told = client.post("/session", json=who).headers["set-cookie"].lower()
    assert {"httponly", "samesite=lax", "path=/"} <= {part.strip() for part in told.split(";")}


@pytest.mark.parametrize(
    "change",
    [{"role": "viewer"}, {"disabled": True}, {"password": "quite another sentence"}],
    ids=["role", "disabled", "password"],
)
def test_S13_a_changed_user_is_signed_out_everywhere(api: Api, change: dict[str, object]) -> None:
    with api.as_user(Role.ADMIN) as admin, api.as_user(Role.EDITOR) as editor:
        (user,) = (one for one in admin.get("/users").json()["items"] if one["role"] == "editor")
        assert changed(admin, user["id"], change).status_code == 200
        assert editor.get("/session").status_code == 401
        assert admin.get("/session").status_code == 200


def test_S14_a_token_is_shown_once_and_kept_as_a_hash(api: Api, shop_bytes: Callable) -> None:
    with api.as_user(Role.EDITOR) as editor:
        made = editor.post("/tokens", json={"name": "job", "rights": ["read"]}).json()
        assert made["secret"].startswith("rlt_")
        (listed,) = editor.get("/tokens").json()["items"]
        assert listed == made["token"]
        assert made["secret"] not in editor.get("/tokens").text
    assert made["secret"].encode() not in shop_bytes()


def test_S14_a_token_does_what_it_was_given_and_no_more(api: Api) -> None:
    with api.by_token(Role.EDITOR, [Right.READ]) as program:
        assert program.get("/runs").status_code == 200
        assert code(program.get("/people")) == "RIGHT_MISSING"
        heir = program.post("/tokens", json={"name": "heir", "rights": ["read"]})
        assert code(heir) == "RIGHT_MISSING"
        own = program.get("/tokens").json()["items"]
        assert [one["name"] for one in own] == ["test"]
    with api.as_user(Role.VIEWER) as viewer:
        more = viewer.post("/tokens", json={"name": "more", "rights": ["read", "values"]})
        assert code(more) == "RIGHT_MISSING"


def test_S14_a_token_never_outgrows_its_owner(api: Api) -> None:
    with api.by_token(Role.EDITOR, [Right.READ, Right.VALUES]) as program:
        assert program.get("/people").status_code == 200
        with api.as_user(Role.ADMIN) as admin:
            users = admin.get("/users").json()["items"]
            (owner,) = (one["id"] for one in users if one["role"] == "editor")
            changed(admin, owner, {"role": "viewer"})
            assert code(program.get("/people")) == "RIGHT_MISSING"
            changed(admin, owner, {"disabled": True})
            assert code(program.get("/runs")) == "TOKEN_WRONG"


def test_S14_a_token_ends_by_its_date_and_when_revoked(api: Api, clock: QuickClock) -> None:
    with api.as_user(Role.EDITOR) as editor, api.by_token(Role.EDITOR, [Right.READ]) as program:
        (token,) = editor.get("/tokens").json()["items"]
        assert program.get("/runs").status_code == 200
        assert editor.delete(f"/tokens/{token['id']}").status_code == 204
        assert code(program.get("/runs")) == "TOKEN_WRONG"
    with api.by_token(Role.EDITOR, [Right.READ]) as later:
        clock.sleep(91 * 86400)
        assert code(later.get("/runs")) == "TOKEN_WRONG"


def test_S15_nobody_revokes_a_token_of_somebody_else(api: Api) -> None:
    api.by_token(Role.EDITOR, [Right.READ]).close()
    with api.as_user(Role.ADMIN) as admin, api.as_user(Role.VIEWER) as viewer:
        (token,) = admin.get("/tokens").json()["items"]
        assert viewer.get("/tokens").json()["items"] == []
        assert code(viewer.delete(f"/tokens/{token['id']}")) == "NOT_FOUND"
        assert admin.delete(f"/tokens/{token['id']}").status_code == 204


def test_two_who_change_a_user_at_once_do_not_undo_each_other(api: Api) -> None:
    api.as_user(Role.EDITOR).close()
    with api.as_user(Role.ADMIN) as admin:
        (owner,) = (one for one in admin.get("/users").json()["items"] if one["role"] == "editor")
        path = f"/users/{owner['id']}"
        seen = admin.get(path)
        assert seen.headers["etag"] == f'"{owner["version"]}"'
        tag = {"if-match": seen.headers["etag"]}
        assert code(admin.patch(path, json={"disabled": True})) == "VERSION_MISSING"
        done = admin.patch(path, json={"disabled": True}, headers=tag)
        late = admin.patch(path, json={"role": "admin"}, headers=tag)
        assert admin.get(path).json() == done.json()
    assert done.json()["version"] == owner["version"] + 1
    assert (late.status_code, code(late)) == (412, "EDIT_CONFLICT")


def test_the_last_admin_stays(api: Api) -> None:
    with api.as_user(Role.ADMIN) as admin:
        (user,) = admin.get("/users").json()["items"]
        for change in ({"role": "viewer"}, {"disabled": True}):
            assert code(changed(admin, user["id"], change)) == "LAST_ADMIN"
        assert admin.get("/users").json()["items"] == [user]


def test_a_user_is_added_once_and_by_a_real_address(api: Api) -> None:
    with api.as_user(Role.ADMIN) as admin:
        bea = {"email": "Bea@example.com", "role": "viewer", "password": "her own sentence"}
        assert admin.post("/users", json=bea).status_code == 201
        assert code(admin.post("/users", json=bea | {"email": "bea@EXAMPLE.com"})) == "USER_EXISTS"
        assert code(admin.post("/users", json=bea | {"email": "no address"})) == "VALUE_WRONG"


@pytest.mark.parametrize(
    "password", ["short", "x" * 129, "aaaaaaaaaaaaaaaa", "bea@example.com", "my bea@example.com !"]
)
def test_S11_a_password_that_is_easy_to_guess_is_refused(api: Api, password: str) -> None:
    with api.as_user(Role.ADMIN) as admin:
        bea = {"email": "bea@example.com", "role": "viewer", "password": password}
        assert code(admin.post("/users", json=bea)) == "PASSWORD_WEAK"


def test_S11_a_password_is_kept_as_argon2id_only(api: Api, shop_bytes: Callable) -> None:
    who = api.with_password(Role.VIEWER)
    kept = shop_bytes()
    assert who["password"].encode() not in kept
    assert b"$argon2id$v=19$m=65536" in kept


def test_S36_the_audit_log_tells_who_did_what(api: Api) -> None:
    with (
        api.as_user(Role.ADMIN) as admin,
        api.as_user(Role.EDITOR) as editor,
        api.anybody() as guest,
    ):
        editor.post("/segments", json={"name": "Beta"})
        guest.post("/session", json={"email": "x@y.org", "password": "no"})
        lines = admin.get("/audit").json()["items"]
    told = [(one["actor"], one["action"], one["subject"]) for one in lines]
    assert ("editor@example.com", "segment.create", "Beta") in told
    assert ("x@y.org", "login.failed", "") in told
    assert ("console", "user.create", "editor@example.com") in told
    assert {one["address"] for one in lines if one["action"] == "login"} == {"127.0.0.1"}
    assert [one["id"] for one in lines] == sorted((one["id"] for one in lines), reverse=True)


def test_S36_the_audit_log_comes_in_pages(api: Api) -> None:
    with api.as_user(Role.ADMIN) as admin:
        for number in range(5):
            admin.post("/segments", json={"name": f"Segment {number}"})
        seen, cursor = [], None
        while True:
            params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = admin.get("/audit", params=params).json()
            seen += [one["id"] for one in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert seen == [one["id"] for one in admin.get("/audit").json()["items"]]


def test_S37_who_was_refused_is_written_down(api: Api) -> None:
    with api.as_user(Role.VIEWER) as viewer, api.as_user(Role.ADMIN) as admin:
        assert code(viewer.get("/people/ann@example.com")) == "RIGHT_MISSING"
        answer = admin.get("/audit")
    (refused,) = (one for one in answer.json()["items"] if one["action"] == "refused")
    assert (refused["actor"], refused["subject"]) == ("viewer@example.com", "person")
    assert "ann@example.com" not in answer.text, "the log outlives erasure"


def refused(project: rowlift.Project) -> Counter[tuple[str, str, str]]:
    """Who was refused what, and how often, as the audit log tells it."""
    told: Counter[tuple[str, str, str]] = Counter()
    for one in project.access.audit.page(limit=1000):
        if one.action.startswith("refused"):
            told[one.actor, one.subject, one.action] += one.after.get("requests", 1)
    return told


def test_S37_who_asks_again_and_again_fills_two_lines(shop: World) -> None:
    with serving(shop.folder) as api:
        with api.as_user(Role.VIEWER) as viewer, api.as_user(Role.EDITOR) as editor:
            for _ in range(20):
                assert code(viewer.get("/people/ann")) == "RIGHT_MISSING"
                assert code(editor.get("/users")) == "RIGHT_MISSING"
            viewer.get("/audit")
        once = refused(api.project)
    viewer, editor = "viewer@example.com", "editor@example.com"
    first = {(viewer, "person"), (editor, "access.accounts.users"), (viewer, "access.audit.page")}
    assert once == {(*one, "refused"): 1 for one in first}
    with shop.project() as project:
        again = refused(project) - once
        (line, *_) = project.access.audit.page()
        assert project.access.audit.prove().broken_at is None
    assert again == {
        (viewer, "person", "refused.again"): 19,
        (editor, "access.accounts.users", "refused.again"): 19,
    }
    assert line.after["addresses"] == ["127.0.0.1"]


def test_S37_how_often_is_told_soon_and_then_counted_anew(shop: World) -> None:
    app = api_of(Office(shop.project))
    app.state.refusals = Refusals(together_seconds=0.3)
    with HttpServer(app) as server, shop.project() as project:
        api = Api(server.url, project)
        with api.as_user(Role.VIEWER) as viewer:
            for turn in (1, 2):
                assert {code(viewer.get("/people")) for _ in range(5)} == {"RIGHT_MISSING"}
                until = time.monotonic() + 20
                while (told := refused(project)).total() < 5 * turn:
                    assert time.monotonic() < until
                    time.sleep(0.02)
                assert told["viewer@example.com", "people", "refused"] >= turn


def test_S16_viewers_see_no_values_unless_the_workspace_lets_them(api: Api, shop: World) -> None:
    shop.run()
    paths = ("/people", "/people/ann", "/people/ann/why", "/objects", "/merges", "/runs/1/rejects")
    with api.as_user(Role.VIEWER) as viewer:
        assert {viewer.get(path).status_code for path in paths} == {403}
        assert "ann@example.com" not in viewer.get("/runs").text + viewer.get("/syncs").text
        workspace = {"name": "acme", "viewers_see_values": True}
        shop.write("rowlift.yml", {"version": 1, "workspace": workspace})
        assert {viewer.get(path).status_code for path in paths} == {200}
