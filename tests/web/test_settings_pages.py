"""Settings by the forms of their pages: members, tokens, keys, channels, rules, the log."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from doors.api import Api, serving
from rowlift.core.rights import Right, Role
from rowlift.operations.callers import CONSOLE
from rowlift.operations.opening import found
from rowlift.state.definitions import Author
from rowlift.testing.clock import QuickClock
from web.test_pages import Reader
from world import World

DAY = 86_400
OWN = {"password": "a sentence that bea chose"}
SECRET = "whsec_" + "A" * 32
RULES = {"failure": "yes", "rows_failed": "5%", "slower": "3", "count_off": "off", "to": ""}


@pytest.fixture
def api(tmp_path: Path, clock: QuickClock) -> Iterator[Api]:
    """A workspace that no file declares."""
    found(tmp_path, {}, "acme", Author("console", "cli"))
    with serving(tmp_path, clock) as served:
        yield served


@pytest.fixture
def in_files(shop: World, clock: QuickClock) -> Iterator[Api]:
    """A workspace that files declare."""
    with serving(shop.folder, clock) as served:
        yield served


@pytest.fixture
def admin(api: Api) -> Iterator[Reader]:
    with Reader(api, Role.ADMIN) as reader:
        yield reader


def invited(admin: Reader, email: str = "bea@example.com", role: str = "editor") -> str:
    told = admin.post("/settings/members/invite", email=email, role=role)
    assert told.status_code == 200, told.text
    (link,) = re.findall(r"http://[^<]*(/join\?code=[^<]+)", told.text)
    return link


def code_of(link: str) -> str:
    return link.partition("=")[2]


@pytest.mark.door("api")
def test_S15_who_is_invited_chooses_a_password_once(admin: Reader, api: Api) -> None:
    old = invited(admin)
    link = invited(admin, role="viewer")
    with Reader(api) as bea:
        assert bea.post("/join", code=code_of(old), **OWN).status_code == 409
        assert code_of(link) in bea.get(link).text
        weak = bea.post("/join", code=code_of(link), password="short")
        assert "PASSWORD_WEAK" in weak.text
        assert bea.post("/join", code=code_of(link), **OWN).headers["location"] == "/"
        assert bea.get("/").status_code == 200
        assert bea.get("/settings/members").status_code == 403
        again = bea.post("/join", code=code_of(link), password="a sentence of somebody else's")
        assert "INVITATION_WRONG" in again.text
    assert "USER_EXISTS" in admin.post("/settings/members/invite", email="bea@example.com").text
    with Reader(api) as bea:
        assert bea.post("/login", email="bea@example.com", **OWN).status_code == 303


@pytest.mark.door("api")
def test_S15_an_invitation_ends_and_none_can_be_guessed(
    admin: Reader, api: Api, clock: QuickClock
) -> None:
    link = invited(admin)
    user = next(one for one in api.project.access.accounts.users() if one.role is Role.EDITOR)
    with Reader(api) as stranger:
        for code in ("", "x", "-", f"{user.id}-", f"{user.id}-guess", f"{'9' * 30}-x"):
            assert "INVITATION_WRONG" in stranger.post("/join", code=code, **OWN).text, code
        clock.sleep(8 * DAY)
        assert "INVITATION_WRONG" in stranger.post("/join", code=code_of(link), **OWN).text


@pytest.mark.door("api")
def test_S15_members_change_keep_an_admin_and_are_signed_out(admin: Reader, api: Api) -> None:
    accounts = api.project.access.accounts
    with Reader(api, Role.VIEWER) as viewer:
        one = next(each for each in accounts.users() if each.role is Role.VIEWER)
        at = f"/settings/members/{one.id}"
        assert viewer.get("/").status_code == 200
        admin.post(f"{at}/sign-out")
        assert viewer.get("/").headers["location"] == "/login"
        admin.post(at, version=str(one.version), role="editor")
        assert accounts.user(one.id).role is Role.EDITOR
        assert "EDIT_CONFLICT" in admin.post(at, version=str(one.version), role="admin").text
        assert accounts.user(one.id).role is Role.EDITOR
    (mine,) = [each for each in accounts.users() if each.role is Role.ADMIN]
    kept = admin.post(
        f"/settings/members/{mine.id}", version=str(mine.version), disabled="yes"
    )  # fmt: skip
    assert "LAST_ADMIN" in kept.text


@pytest.mark.door("api")
def test_C11_a_token_is_shown_once_and_does_what_was_ticked(admin: Reader, api: Api) -> None:
    assert "VALUE_WRONG" in admin.post("/settings/tokens", name="nothing").text
    told = admin.post("/settings/tokens", name="nightly", rights="read", days="30").text
    (secret,) = re.findall(r"rlt_[\w-]{20,}", told)
    assert secret not in admin.get("/settings/tokens").text
    headers = {"authorization": f"Bearer {secret}"}
    with api.anybody(headers=headers) as program:
        assert program.get("/syncs").status_code == 200
        assert program.get("/people").status_code == 403
        (one,) = admin.get("/settings/tokens", "application/json").json()["items"]
        admin.post(f"/settings/tokens/{one['id']}/revoke")
        assert program.get("/syncs").status_code == 401
    assert one["rights"] == [Right.READ]


@pytest.mark.door("api")
def test_a_write_key_is_shown_once_and_revoked(admin: Reader, api: Api) -> None:
    assert "VALUE_WRONG" in admin.post("/settings/keys", name="").text
    told = admin.post("/settings/keys", name="my site").text
    (secret,) = re.findall(r'<pre class="secret"[^>]*>([^<]+)', told)
    assert secret not in admin.get("/settings/keys").text
    assert "NAME_TWICE" in admin.post("/settings/keys", name="my site").text
    admin.post("/settings/keys/my%20site/revoke")
    assert not api.project.ingest.keys()


@pytest.mark.door("api")
def test_B16_a_channel_is_made_tested_and_removed(admin: Reader, api: Api) -> None:
    hook = {"name": "desk", "type": "webhook", "url": "http://127.0.0.1:9/x", "secret": SECRET}
    wrong = admin.post("/settings/alerts/add", **hook | {"secret": "short"})
    assert (wrong.status_code, SECRET in wrong.text) == (422, False)
    assert admin.post("/settings/alerts/add", **hook).status_code == 303
    assert "CHANNEL_FAILED" in admin.post("/settings/alerts/desk/test").text
    shown = admin.get("/settings/alerts").text
    assert SECRET not in shown
    assert admin.post("/settings/alerts/desk/remove", version="9").status_code == 412
    assert admin.post("/settings/alerts/desk/remove", version="1").status_code == 303
    assert api.project.alerts.channels() == []


@pytest.mark.door("api")
def test_B16_a_channel_is_edited_and_its_secret_goes_nowhere_else(admin: Reader, api: Api) -> None:
    hook = {"name": "desk", "type": "webhook", "url": "http://127.0.0.1:9/x", "secret": SECRET}
    admin.post("/settings/alerts/add", **hook)
    form = admin.get("/settings/alerts/desk/edit").text
    assert SECRET not in form
    assert "Empty keeps it" in form
    at, url = "/settings/alerts/desk/edit", "http://127.0.0.1:9/y"
    assert "SECRET_AGAIN" in admin.post(at, version="1", url=url).text
    kept = admin.post(at, version="1", url=url, secret=SECRET)
    assert kept.headers["location"] == "/settings/alerts?said=channel-edited"
    late = admin.post(at, version="1", url=url, secret=SECRET)
    assert (late.status_code, "EDIT_CONFLICT" in late.text) == (412, True)
    made = api.project.definitions.get("channel", "desk")
    assert (made.version, made.document["url"], [*made.secrets]) == (2, url, ["secret"])
    assert SECRET not in admin.get(at).text
    assert [one.action for one in api.project.access.audit.page(5)].count("channel.edit") == 1


@pytest.mark.door("api")
def test_C11_settings_are_changed_by_one_of_two_people(admin: Reader, api: Api) -> None:
    page = {"version": "1", "identifiers": "id", "viewers_see_values": "yes", "runs": "30d"}
    assert admin.post("/settings", **page).status_code == 303
    kept = api.project.definitions.get("workspace", "acme")
    assert kept.document["workspace"] == {
        "name": "acme", "identifiers": ["id"], "viewers_see_values": True,
    }  # fmt: skip
    assert kept.document["retention"] == {"runs": "30d"}
    late = admin.post("/settings", **page | {"runs": "40d"})
    assert (late.status_code, "EDIT_CONFLICT" in late.text) == (412, True)
    assert 'value="40d"' in late.text
    wrong = admin.post("/settings", **page | {"version": "2", "runs": "soon"})
    assert wrong.status_code == 422
    assert re.search(r'id="runs"[^>]*aria-invalid="true"', wrong.text)
    log = admin.get("/settings/audit?action=workspace.", "application/json").json()["items"]
    assert [one["action"] for one in log] == ["workspace.edit"]


@pytest.mark.door("api")
def test_B16_rules_of_alerts_are_changed(admin: Reader, api: Api) -> None:
    assert admin.post("/settings/alerts/rules", version="1", **RULES).status_code == 303
    kept = api.project.definitions.get("workspace", "acme").document["alerts"]
    assert (kept["failure"], kept["late"], kept["rows_failed"]) == (True, False, "5%")
    assert kept["slower"] == 3
    wrong = admin.post("/settings/alerts/rules", version="2", **RULES | {"rows_failed": "many"})
    assert re.search(r'id="rows_failed"[^>]*aria-invalid="true"', wrong.text)
    nobody = admin.post("/settings/alerts/rules", version="2", **RULES | {"to": "nobody"})
    assert nobody.status_code == 422


@pytest.mark.door("api")
def test_C11_what_files_say_is_read_only(in_files: Api) -> None:
    api = in_files
    with Reader(api, Role.ADMIN) as admin:
        assert "read-only here" in admin.get("/settings").text
        refused = admin.post("/settings", version="1", identifiers="id")
        assert "MANAGED_IN_FILES" in refused.text


@pytest.mark.door("api")
def test_C11_the_log_is_filtered_and_proven(admin: Reader, api: Api) -> None:
    api.project.access.accounts.create_user("cid@x.org", Role.VIEWER, OWN["password"], by=CONSOLE)
    for query, actions in (
        ("actor=CONSOLE&action=user.", {"user.create"}), ("actor=nobody", set()),
        ("action=login", {"login"}), ("actor=%25", set()),
    ):  # fmt: skip
        told = admin.get(f"/settings/audit?{query}", "application/json").json()
        assert {one["action"] for one in told["items"]} == actions
    assert "lines are as they were written" in admin.get("/settings/audit?prove=true").text
