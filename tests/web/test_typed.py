"""Secrets that were typed into a form: whose they are, and for how long."""

import pytest

from rowlift.web import typed
from rowlift.web.typed import TypedSecrets

SECRET = {"password": "canary"}


def test_only_who_typed_it_gets_it_with_the_token_of_the_form():
    kept = TypedSecrets()
    token = kept.keep("ann", SECRET)
    assert kept.of("ann", token) == SECRET
    assert kept.of("ann", token) == SECRET  # the back button brings a form again
    assert (kept.of("bob", token), kept.of("ann", token + "x"), kept.of("ann", "")) == ({}, {}, {})
    kept.forget(token)
    assert kept.of("ann", token) == {}


def test_a_form_without_secrets_has_no_token():
    assert TypedSecrets().keep("ann", {}) == ""


def test_it_is_sealed_while_it_is_kept():
    kept = TypedSecrets()
    kept.keep("ann", SECRET)
    assert "canary" not in repr(vars(kept))


def test_it_is_kept_for_minutes_and_for_so_many_forms(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(typed, "KEPT", 2)
    kept = TypedSecrets()
    first, second, third = (kept.keep("ann", SECRET) for _ in range(3))
    assert [kept.of("ann", one) for one in (first, second, third)] == [{}, SECRET, SECRET]
    monkeypatch.setattr(typed, "KEPT_SECONDS", -1.0)
    assert kept.of("ann", kept.keep("ann", SECRET)) == {}
