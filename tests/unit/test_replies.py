"""What each answer means for the rows of a request."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from urllib.parse import quote, quote_plus, unquote

import pytest

from rowlift.core.errors import DestinationError
from rowlift.core.nouns import Outcome, Verdict
from rowlift.core.rules import RULES
from rowlift.kit.exchange import NoReply, Reply
from rowlift.kit.replies import outcome, retry_after
from rowlift.kit.scrub import scrubbed

STOPS = {
    **dict.fromkeys((401, 402, 403, 407), "CREDENTIALS_REFUSED"),
    **dict.fromkeys((404, 405, 406, 410, 411, 414, 415, 417, 421, 426, 431, 451), "ENDPOINT_GONE"),
    **dict.fromkeys((300, 301, 302, 303, 304, 307, 308), "REDIRECTED"),
}
REFUSED = {400: "REFUSED", 409: "REFUSED", 412: "REFUSED", 413: "RECORD_TOO_LARGE", 422: "REFUSED"}
IN_DOUBT = (408, 423, 425, 429, 500, 501, 502, 503, 504, 505, 507, 511, 520, 599, 999)


def read(status, headers=None, body=b"", **options):
    return outcome(Reply(status, headers or {}, body), name="The thing", **options)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 207, 299])
def test_a_confirmed_answer_is_delivered(status):
    assert read(status) == Outcome(Verdict.DELIVERED)


def test_T16_an_unconfirmed_answer_is_in_doubt():
    seen = read(200, body=b"hm", confirmed=lambda reply: reply.body == b"ok")
    assert seen == Outcome(Verdict.IN_DOUBT, "REPLY_UNREADABLE", "200 hm")


def test_F50_a_broken_answer_is_never_confirmed():
    seen = outcome(Reply(200, {}, b"", whole=False), name="The thing")
    assert seen.verdict is Verdict.IN_DOUBT


@pytest.mark.parametrize("in_doubt", [True, False])
def test_no_answer_is_in_doubt_only_if_it_left(in_doubt):
    seen = outcome(NoReply(in_doubt, "why"), name="The thing")
    assert seen.verdict is (Verdict.IN_DOUBT if in_doubt else Verdict.PENDING)
    assert (seen.code, seen.reason) == ("UNREACHABLE", "why")


@pytest.mark.parametrize(("status", "code"), STOPS.items())
def test_F46_answers_that_stop(status, code):
    with pytest.raises(DestinationError) as caught:
        read(status, body=b"because")
    assert (caught.value.code, caught.value.mend) == (code, RULES[code].mend)
    assert "The thing" in caught.value.message
    assert str(status) in caught.value.message


@pytest.mark.parametrize(("status", "code"), REFUSED.items())
def test_F46_answers_that_ask_to_bisect(status, code):
    assert read(status, body=b"row") == Outcome(Verdict.REFUSED, code, f"{status} row")


@pytest.mark.parametrize("status", IN_DOUBT)
def test_F45_answers_that_leave_it_open(status):
    seen = read(status)
    assert seen.verdict is Verdict.IN_DOUBT
    assert seen.code in RULES


@pytest.mark.parametrize(
    ("status", "verdict"), [(429, "pending"), (503, "pending"), (500, "in_doubt")]
)
def test_F44_a_wait_makes_only_429_and_503_sure(status, verdict):
    seen = read(status, {"retry-after": "9"})
    assert (seen.verdict, seen.retry_after) == (verdict, 9)


def code_of(status):
    try:
        return read(status).code
    except DestinationError as error:
        return error.code


def test_every_status_has_a_documented_meaning():
    codes = {status: code_of(status) for status in range(100, 1000)}
    assert {status for status, code in codes.items() if not code} == set(range(200, 300))
    assert set(codes.values()) - {""} <= set(RULES)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("17", 17),
        (" 17 ", 17),
        ("1.5", 1.5),
        ("3600", 3600),
        ("31536000", 3600),
        ("9" * 5000, 3600),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1e3", None),
        ("0x10", None),
        ("inf", None),
        ("nan", None),
        ("1,5", None),
        ("٣", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 99999 08:49:37 GMT", None),
        ("9999", 3600),
    ],
)
def test_F44_every_form_of_retry_after(text, seconds):
    assert retry_after(Reply(429, {"retry-after": text})) == seconds


def test_F44_a_date_counts_on_the_clock_of_the_destination():
    theirs = datetime(2031, 5, 1, tzinfo=UTC)
    headers = {
        "date": format_datetime(theirs, usegmt=True),
        "retry-after": format_datetime(theirs + timedelta(seconds=90), usegmt=True),
    }
    assert retry_after(Reply(503, headers)) == 90


def test_F44_a_date_without_their_clock_counts_on_ours():
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 80 < retry_after(Reply(503, {"retry-after": until})) <= 90


def test_S27_reasons_are_one_short_line_without_secrets():
    text = f"bad key s3cret-key\r\n\x1b[31m\x00 and s3cret {'x' * 500}"
    line = scrubbed(text, ["s3cret", "s3cret-key", ""])
    assert line.startswith("bad key *** [31m and *** xxx")
    assert len(line) == 300
    assert line.isprintable()


SECRET = 'p@ss "w/rd" <ü> %41&+tail'


@pytest.mark.parametrize(
    "repeated",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(SECRET).replace("/", "\\/"),
        json.dumps(SECRET).replace("<", "\\u003c").replace(">", "\\u003E").replace("&", "\\u0026"),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET).replace("%2F", "%2f"),
        unquote(SECRET),
        escape(SECRET),
    ],
)
def test_S25_a_secret_is_starred_however_a_reply_escapes_it(repeated):
    line = scrubbed(f"no {repeated}!", [SECRET])
    assert line.replace('"', "") == "no ***!"


def test_a_redirect_names_the_new_origin_only():
    with pytest.raises(DestinationError, match=r"302 to https://new\.example\)"):
        read(302, {"location": "https://new.example/p4th?t=0ken"})
    with pytest.raises(DestinationError, match=r"\(302\)"):
        read(302, {"location": "javascript:alert(1)"})
