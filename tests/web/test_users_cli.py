"""Users from the command line, for the first steps and for who has locked themselves out."""

import json
import re
from pathlib import Path

import httpx
import pytest

from doors.api import Api, serving
from doors.cli import run_cli
from world import World

SENTENCE = "a sentence of her own"


@pytest.mark.door("cli")
def test_C11_people_who_work_here_are_added_from_the_console(
    api: Api, shop: World, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{SENTENCE}\n")
    bea = {"email": "bea@example.com", "password": SENTENCE}

    def users(*words: str) -> dict[str, object]:
        done = run_cli("users", *words, "-o", "json", cwd=shop.folder)
        return json.loads(done.stdout) | {"exit": done.code}

    def signed_in() -> int:
        return httpx.post(f"{api.base}/session", json=bea, trust_env=False).status_code

    assert users()["users"] == []
    (made,) = users("add", "bea@example.com", "--password-file", str(secret))["users"]
    assert (made["email"], made["role"]) == ("bea@example.com", "viewer")
    assert signed_in() == 204
    assert users("role", "BEA@example.com", "--role", "admin")["users"][0]["role"] == "admin"
    assert users("disable", "bea@example.com")["error"]["code"] == "LAST_ADMIN"
    users("add", "ann@example.com", "--role", "admin", "--password-file", str(secret))
    assert users("disable", "bea@example.com")["users"][0]["disabled_at"] is not None
    assert signed_in() == 401
    assert users("enable", "bea@example.com")["users"][0]["disabled_at"] is None
    assert signed_in() == 204
    assert users("role", "nobody@example.com")["error"]["code"] == "NOT_FOUND"
    assert users("promote", "bea@example.com")["exit"] == 2


@pytest.mark.door("cli")
def test_S15_who_is_invited_from_the_console_chooses_a_password(shop: World) -> None:
    shop.save()
    done = run_cli(
        "users", "invite", "bea@example.com", "--role", "editor", "-o", "json", cwd=shop.folder
    )
    made = json.loads(done.stdout)["invitation"]
    assert (made["user"]["email"], made["user"]["role"]) == ("bea@example.com", "editor")
    told = run_cli("users", "invite", "eve@example.com", cwd=shop.folder).stdout
    assert re.search(r"^/join\?code=2-\S{20,}$", told, re.MULTILINE)
    accepted = {"code": made["code"], "password": SENTENCE}
    with serving(shop.folder) as api, api.anybody() as bea:
        answer = bea.post("/users/invitations/accept", json=accepted)
        assert answer.status_code == 204, answer.text
        password = {"email": "bea@example.com", "password": SENTENCE}
        assert bea.post("/session", json=password).status_code == 204
