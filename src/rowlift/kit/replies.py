"""What an answer means for the rows of a request: one table for every destination."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from rowlift.core.errors import DestinationError
from rowlift.core.nouns import Finding, Outcome, Outcomes, Verdict
from rowlift.core.rules import rule
from rowlift.kit.addresses import target
from rowlift.kit.exchange import NoReply, Reply
from rowlift.kit.scrub import scrubbed

LONGEST_WAIT = 3600.0  # seconds; a Retry-After beyond it is cut

# It may have been carried out before the answer: the same ids go again.
_IN_DOUBT = {
    408: "UNAVAILABLE",
    423: "UNAVAILABLE",
    425: "UNAVAILABLE",
    429: "RATE_LIMITED",
}
# Some row is wrong and the answer does not say which.
_REFUSED = {400: "REFUSED", 409: "REFUSED", 412: "REFUSED", 413: "RECORD_TOO_LARGE", 422: "REFUSED"}
# Nobody should send more until it is mended; any other 4xx counts as ENDPOINT_GONE.
_STOPS = {
    401: "CREDENTIALS_REFUSED",
    402: "CREDENTIALS_REFUSED",
    403: "CREDENTIALS_REFUSED",
    407: "CREDENTIALS_REFUSED",
}
_MULTI_STATUS = 207
_WAITS = (429, 503)  # with Retry-After they promise that nothing was carried out


def outcome(
    answer: Reply | NoReply,
    *,
    name: str,
    secrets: Iterable[str] = (),
    confirmed: Callable[[Reply], bool] = lambda _: True,
) -> Outcome:
    """Return what became of a request's rows; `confirmed` reads the reply a destination documents.

    Raises DestinationError for answers after which nobody should send more. `name` is what the
    message calls the destination; `secrets` never reach a message.
    """
    if isinstance(answer, NoReply):
        verdict = Verdict.IN_DOUBT if answer.in_doubt else Verdict.PENDING
        return Outcome(verdict, "UNREACHABLE", scrubbed(answer.reason, secrets))
    if 200 <= answer.status < 300:  # noqa: PLR2004
        if answer.whole and confirmed(answer):
            return Outcome(Verdict.DELIVERED)
        return unreadable(answer, secrets)
    if 300 <= answer.status < 500:  # noqa: PLR2004
        return _client_error(answer, name, secrets)
    return _unavailable(answer, "UNAVAILABLE", secrets)


def by_index(
    answer: Reply | NoReply,
    count: int,
    default: Outcome,
    secrets: Iterable[str] = (),
    *,
    index: str = "index",
    reason: Sequence[str] = ("code", "message"),
) -> Outcomes:
    """Return the outcomes of an answer that may name rows in `{"errors":[{"index":n,…}]}`.

    Rows without an error have the default; an index nobody sent, and a 207 without errors, put the
    whole batch in doubt. `index` and `reason` are the members to read; `"retryable":true` is kept.
    """
    if isinstance(answer, NoReply) or not _names_rows(answer):
        return Outcomes(default)
    try:
        errors = document(answer)["errors"]
        rows = {_index(one[index], count): _row(one, reason, secrets) for one in errors}
        return Outcomes(default, rows)
    except (ValueError, LookupError, TypeError, AttributeError):
        return Outcomes(unreadable(answer, secrets))


def document(reply: Reply) -> Any:
    """Return a reply's JSON document; None where there is none, or one too deep to read."""
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None


def unreachable(answer: NoReply) -> Finding:
    """Return what a connection test says of no answer."""
    return Finding("network", "error", answer.reason, code="UNREACHABLE")


def unreadable(reply: Reply, secrets: Iterable[str] = ()) -> Outcome:
    """Return the outcome of a reply that does not say what became of the rows."""
    return Outcome(Verdict.IN_DOUBT, "REPLY_UNREADABLE", said(reply, secrets))


def said(reply: Reply, secrets: Iterable[str] = ()) -> str:
    """Return the status and the body as one short line without secrets."""
    return scrubbed(f"{reply.status} {reply.body.decode('utf-8', 'replace')}", secrets)


def retry_after(reply: Reply) -> float | None:
    """Return the seconds a reply asks to wait, from 0 to 3600; None for none or nonsense."""
    text = reply.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return min(float(text), LONGEST_WAIT)
    until = _moment(text)
    if until is None:
        return None
    # Counted on the destination's own clock where it tells it.
    now = _moment(reply.headers.get("date", "")) or datetime.now(UTC)
    return min(max((until - now).total_seconds(), 0.0), LONGEST_WAIT)


def _client_error(reply: Reply, name: str, secrets: Iterable[str]) -> Outcome:
    if reply.status in _IN_DOUBT:
        return _unavailable(reply, _IN_DOUBT[reply.status], secrets)
    if reply.status in _REFUSED:
        return Outcome(Verdict.REFUSED, _REFUSED[reply.status], said(reply, secrets))
    redirected = reply.status < 400  # noqa: PLR2004
    code = "REDIRECTED" if redirected else _STOPS.get(reply.status, "ENDPOINT_GONE")
    detail = _whither(reply) if redirected else said(reply, secrets)
    raise DestinationError(code, f"{name}: {rule(code).title} ({detail})", mend=rule(code).mend)


def _unavailable(reply: Reply, code: str, secrets: Iterable[str]) -> Outcome:
    wait = retry_after(reply)
    pending = wait is not None and reply.status in _WAITS
    verdict = Verdict.PENDING if pending else Verdict.IN_DOUBT
    return Outcome(verdict, code, said(reply, secrets), wait)


def _whither(reply: Reply) -> str:
    try:
        return f"{reply.status} to {target(reply.headers.get('location', ''))}"
    except ValueError:
        return str(reply.status)


def _names_rows(reply: Reply) -> bool:
    if reply.status == _MULTI_STATUS:
        return True
    said = document(reply) if 200 <= reply.status < 300 else None  # noqa: PLR2004
    return isinstance(said, dict) and bool(said.get("errors"))


def _index(index: Any, count: int) -> int:
    if type(index) is not int or not 0 <= index < count:
        raise ValueError("an index that was not sent")
    return index


def _row(error: Any, names: Sequence[str], secrets: Iterable[str]) -> Outcome:
    reason = scrubbed(": ".join(str(error.get(name, "")) for name in names), secrets)
    if error.get("retryable") is True:
        return Outcome(Verdict.PENDING, "UNAVAILABLE", reason)
    return Outcome(Verdict.REJECTED, "REFUSED", reason)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
