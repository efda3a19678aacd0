"""Answer classes: what a receiver may do with a request, and what its rows are after that.

The suites walk through all of it; a destination has no classes of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rowlift.core.nouns import Verdict
from rowlift.testing import misbehaviour as m
from rowlift.testing.misbehaviour import Misbehaviour

YEAR = "31536000"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, the state of the rows after it, its code, and the seconds to wait.

    Without a verdict nobody sends more until the destination is mended.
    """

    name: str
    way: Misbehaviour
    verdict: Verdict | None
    code: str
    wait: float | None = None

    def __str__(self) -> str:
        return self.name


def _waits() -> Iterator[Answer]:
    """Promises that nothing was carried out: the rows are pending, the wait is cut at an hour."""
    texts = {
        "7": 7.0,
        "0": 0.0,
        "1.5": 1.5,
        YEAR: 3600.0,
        "9" * 5000: 3600.0,
        "Wed, 21 Oct 2099 07:28:00 GMT": 3600.0,
        "Wed Oct 21 07:28:00 2099": 3600.0,
        "Wed, 21 Oct 2015 07:28:00 GMT": 0.0,
        "Wednesday, 21-Oct-15 07:28:00 GMT": 0.0,
    }
    for status, code in ((429, "RATE_LIMITED"), (503, "UNAVAILABLE")):
        for text, seconds in texts.items():
            way = m.status(status, retry_after=text)
            yield Answer(f"{status} {text[:30]}", way, Verdict.PENDING, code, seconds)


def _nonsense() -> Iterator[Answer]:
    for text in ("soon", "-5", "1e9", "nan", "", "٣", "0x10", "7;8", "Wed, 99 Foo 2026"):
        way = m.status(429, retry_after=text)
        yield Answer(f"429 {text}", way, Verdict.IN_DOUBT, "RATE_LIMITED")


def _trouble() -> Iterator[Answer]:
    for status in (408, 423, 425, 429, 500, 501, 502, 503, 504, 520, 599):
        code = "RATE_LIMITED" if status == 429 else "UNAVAILABLE"
        yield Answer(str(status), m.status(status), Verdict.IN_DOUBT, code)
    for status in (408, 425, 500, 502, 504):  # nothing is promised, the wait is kept all the same
        way = m.status(status, retry_after="7")
        yield Answer(f"{status} with a wait", way, Verdict.IN_DOUBT, "UNAVAILABLE", 7.0)


def _stops() -> Iterator[Answer]:
    for status in (401, 402, 403, 407):
        yield Answer(str(status), m.status(status, b"go away"), None, "CREDENTIALS_REFUSED")
    for status in (404, 405, 406, 410, 415, 431, 451):
        yield Answer(str(status), m.status(status, b"go away"), None, "ENDPOINT_GONE")


def _refusals() -> Iterator[Answer]:
    for status in (400, 409, 412, 413, 422):
        code = "RECORD_TOO_LARGE" if status == 413 else "REFUSED"
        yield Answer(str(status), m.status(status, b"no"), Verdict.REFUSED, code)


def _silences() -> Iterator[Answer]:
    ways = {
        "reset before the body": m.reset_before_body(),
        "reset in the body": m.reset_during_body(),
        "reset after the body": m.reset_after_body(),
        "reply lost": m.lost_reply(),
        "half a reply": m.half_reply(),
        "half closed": m.half_closed(),
        "garbage": m.garbage(),
        "many headers": m.many_headers(),
    }
    for name, way in ways.items():
        yield Answer(name, way, Verdict.IN_DOUBT, "UNREACHABLE")


def _unreadable() -> Iterator[Answer]:
    ways = {
        "login page": m.login_page(),
        "lying length": m.lying_length(),
        "reset in the reply": m.reset_in_reply(),
        "broken chunks": m.broken_chunks(),
        "cut chunks": m.cut_chunks(),
        "gzip bomb": m.gzip_bomb(),
        "cut gzip": m.cut_gzip(),
        "wrong encoding": m.wrong_encoding(),
        "unknown encoding": m.wrong_encoding("br"),
        "endless": m.endless_body(),
    }
    for name, way in ways.items():
        yield Answer(name, way, Verdict.IN_DOUBT, "REPLY_UNREADABLE")


def _unconfirmed() -> Iterator[Answer]:
    """Whole replies that a destination which reads them must not take for its own."""
    ways = {
        "empty": m.empty(),
        "truncated": m.truncated_json(),
        "charset": m.wrong_charset(),
        "short length": m.short_length(),
        "no success": m.status(200, b'{"success":false}'),
        "an error inside": m.status(200, b'{"success":true,"errors":[{"index":0}]}'),
        "errors instead": m.status(200, b'{"errors":["no"]}'),
        "another object": m.status(200, b"{}"),
        "a list": m.status(200, b"[]"),
        "deep": m.status(200, b"[" * 100_000),
    }
    for name, way in ways.items():
        yield Answer(name, way, Verdict.IN_DOUBT, "REPLY_UNREADABLE")


def _endless() -> Iterator[Answer]:
    ways = {
        "dripping headers": (m.slow_reply(), "UNREACHABLE"),
        "dripping body": (m.slow_body(), "REPLY_UNREADABLE"),
        "endless headers": (m.endless_headers(), "UNREACHABLE"),
        "endless interim answers": (m.endless_continue(), "UNREACHABLE"),
        "late": (m.late(300), "UNREACHABLE"),
        "half open": (m.half_open(), "UNREACHABLE"),
        "silent": (m.silent(), "UNREACHABLE"),
    }
    for name, (way, code) in ways.items():
        yield Answer(name, way, Verdict.IN_DOUBT, code)


WAITS = tuple(_waits())
NONSENSE = tuple(_nonsense())
TROUBLE = tuple(_trouble())
STOPS = tuple(_stops())
REFUSALS = tuple(_refusals())
SILENCES = tuple(_silences())
UNREADABLE = tuple(_unreadable())
UNCONFIRMED = tuple(_unconfirmed())
ENDLESS = tuple(_endless())  # only a deadline ends them


def redirects(elsewhere: str) -> tuple[Answer, ...]:
    """Return every redirect to an address, to one nobody may reach, and to nowhere."""
    places = (
        elsewhere,
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "//x",
        "",
    )
    return tuple(
        Answer(f"{status} to {place}", m.redirect(status, place), None, "REDIRECTED")
        for status in (301, 302, 303, 304, 307, 308)
        for place in places
    )
