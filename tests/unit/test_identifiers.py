"""One rule for the equality of e-mail addresses, one for their validity."""

import re
from time import process_time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rowlift.core.identifiers import (
    PLAIN_EMAIL,
    PLAIN_EMAIL_LENGTH,
    email_key,
    email_valid,
    email_valid_by_rfc,
)

GOOD = [
    "a@b",
    "ann@example.com",
    "ann+tag@example.co.uk",
    "o'brien@example.ie",
    '"a b"@x.yz',
    "a@[127.0.0.1]",
    "x@bücher.example",
    "用户@例子.example",
    "ann@corp.local",
    "ann@localhost",
    "x" * 64 + "@example.com",
    "a@" + "x" * 63 + ".com",
]
BAD = [
    "",
    " ",
    "plain",
    "@x.yz",
    "a@",
    "a..b@x.yz",
    ".a@x.yz",
    "a.@x.yz",
    "a@x..yz",
    "a@-x.yz",
    "a@x.yz,b@x.yz",
    "Name <a@x.yz>",
    "a@x.yz.",
    "a@x.yz ",
    " a@x.yz",
    "a@x.yz\r\nBcc: z@x.yz",
    "a@x.yz\n",
    "a@b@c",
    "a@ab--cd.com",
    "a@xn--zzzzzz.example",
    "x" * 65 + "@example.com",
    "a@" + "x" * 64 + ".com",
    "a@" + ".".join(["x" * 63] * 4) + ".com",
    "a\x00b@x.yz",
]


@pytest.mark.parametrize("address", GOOD)
def test_an_address_of_the_rfcs_is_valid(address):
    assert email_valid(address)


@pytest.mark.parametrize("address", BAD)
def test_anything_else_is_not(address):
    assert not email_valid(address)


atoms = st.lists(st.text("aZ9!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=9), min_size=1, max_size=3)
labels = st.lists(st.text("aXn09-", min_size=1, max_size=40), min_size=2, max_size=4)


@given(st.builds(lambda local, domain: ".".join(local) + "@" + ".".join(domain), atoms, labels))
def test_the_quick_pattern_never_accepts_what_the_rules_refuse(address):
    assume(len(address) <= PLAIN_EMAIL_LENGTH and re.fullmatch(PLAIN_EMAIL, address))
    assert email_valid_by_rfc(address)


@given(st.text(alphabet="ab@.-+\" \n\t<>,é[]0'", max_size=12))
def test_the_quick_pattern_is_only_a_short_cut(text):
    assert email_valid(text) == email_valid_by_rfc(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ann@Example.COM", "ann@example.com"), ("STRASSE@x.yz", "straße@x.yz"), ("Ö@x.yz", "ö@x.yz")],
)
def test_addresses_that_differ_only_in_case_are_one(one, other):
    assert email_key(one) == email_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("a@x.yz", "á@x.yz"), ("a.b@x.yz", "ab@x.yz"), ("é@x.yz", "e\N{COMBINING ACUTE ACCENT}@x.yz")],
)
def test_nothing_else_makes_addresses_one(one, other):
    assert email_key(one) != email_key(other)


def test_plain_addresses_are_quick():
    addresses = [f"person.{number}@example.com" for number in range(100_000)]
    before = process_time()
    assert all(map(email_valid, addresses))
    assert process_time() - before < 1


def test_the_pattern_needs_no_feature_a_linear_engine_lacks():
    assert not re.search(r"\(\?[=!<]|\\\d", PLAIN_EMAIL)
