"""What BigQuery and its driver say about errors, in our words."""

import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from google.api_core.exceptions import (
    DeadlineExceeded,
    GoogleAPICallError,
    PermissionDenied,
    RetryError,
    ServerError,
)
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from urllib3.exceptions import NameResolutionError, NewConnectionError

from rowlift.core.errors import ConnectError, SourceError
from rowlift.core.rules import rule
from rowlift.sources.dialects import bigquery as data

FOREIGN = (GoogleAPICallError, RetryError, GoogleAuthError, requests.RequestException, OSError)
UNREACHED = {"CONNECT_FAILED", "LOGIN_FAILED", "TLS_FAILED"}
TRANSIENT = ("backendError", "internalError", "rateLimitExceeded", "jobRateLimitExceeded")
CUT = (ssl.SSLEOFError, ssl.SSLSyscallError, ssl.SSLZeroReturnError)
NOT_REACHED = (NameResolutionError, NewConnectionError, requests.ConnectTimeout)
CONNECT_AGAIN = (requests.ConnectionError, requests.Timeout, TransportError, ServerError)
SAID = re.compile(r"^\d+ (?:GET|POST) \S+ ")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, for the GRANTs that an answer needs."""

    member: str  # as GRANT names it: serviceAccount:address
    project: str
    host: str


def transient(error: BaseException) -> bool:
    """Tell whether the same question may be answered in a moment."""
    if any(_tls(one) for one in _causes(error)):
        return False
    if isinstance(error, GoogleAPICallError) and (reason := _reason(error)):
        return reason in TRANSIENT
    return isinstance(error, CONNECT_AGAIN)


def plain(error: BaseException, asker: Asker) -> SourceError:
    """Return our error for the driver's."""
    causes = list(_causes(error))
    if any(map(_tls, causes)):
        return _connect_error("TLS_FAILED", str(next(filter(_tls, causes))), asker)
    if any(isinstance(one, NOT_REACHED) for one in causes):
        return _connect_error("CONNECT_FAILED", "", asker)
    if isinstance(error, RefreshError):
        return _connect_error("LOGIN_FAILED", str(error.args[0]), asker)
    call = next((one for one in causes if isinstance(one, GoogleAPICallError)), None)
    if isinstance(call, PermissionDenied):
        return answered("accessDenied", call.message, asker)
    if isinstance(call, DeadlineExceeded):
        return answered("timeout", call.message, asker)
    if call:
        return answered(_reason(call) or "backendError", _said(call), asker)
    return answered("backendError", str(causes[-1]), asker)


def answered(reason: str, message: str, asker: Asker) -> SourceError:
    """Return our error for the service's reason and text."""
    told = next((code for text, code in data.TEXTS if re.search(text, message)), "")
    code = told or data.REASONS.get(reason, "QUERY_FAILED")
    if code in UNREACHED:
        return _connect_error(code, message, asker)
    mend = data.MENDS.get(reason) or rule(code).mend
    if code == "PERMISSION_DENIED":
        mend = _grant(message, asker)
    if code == "DATABASE_UNKNOWN":
        mend = data.CHECK_PLACE
    return SourceError(code, f"{rule(code).title}: {_line(message)}", mend=mend)


def failed(result: Mapping[str, str], asker: Asker) -> SourceError:
    """Return our error for the errorResult of a job."""
    return answered(result.get("reason", ""), result.get("message", ""), asker)


def role(asker: Asker, name: str) -> str:
    """Return the command that gives the account a role in the project."""
    return data.GRANT_PROJECT.format(project=asker.project, member=asker.member, role=name)


def _connect_error(code: str, said: str, asker: Asker) -> ConnectError:
    text = f"{asker.host}: {rule(code).title}" + (f": {_line(said)}" if said else "")
    mend = "Check the key: it may be deleted or disabled." if code == "LOGIN_FAILED" else ""
    return ConnectError(code, text, mend=mend or rule(code).mend)


def _grant(message: str, asker: Asker) -> str:
    if re.search(data.DENIED_JOBS, message):
        return role(asker, "jobUser")
    if re.search(data.DENIED_STREAMS, message):
        return role(asker, "readSessionUser")
    for pattern, grant in (
        (data.DENIED_TABLE, data.GRANT_TABLE),
        (data.DENIED_DATASET, data.GRANT_DATASET),
    ):
        if found := re.search(pattern, message):
            return grant.format(what=".".join(found.groups()), member=asker.member)
    return role(asker, "dataViewer")


def _reason(error: GoogleAPICallError) -> str:
    return str(_details(error).get("reason", ""))


def _said(error: GoogleAPICallError) -> str:
    return str(_details(error).get("message", error.message))


def _details(error: GoogleAPICallError) -> Mapping[str, Any]:
    """Return what a REST error tells; errors of gRPC have something else there."""
    return next((one for one in error.errors if isinstance(one, dict)), {})


def _line(text: str) -> str:
    return " ".join(SAID.sub("", text).split())


def _tls(error: BaseException) -> bool:
    return isinstance(error, ssl.SSLError) and not isinstance(error, CUT)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and whatever it came of; libraries hide that in several places."""
    while error is not None:
        yield error
        first = error.args[0] if error.args else None
        inner = (getattr(error, "cause", None), getattr(error, "reason", None), first)
        found = [one for one in inner if isinstance(one, BaseException)]
        error = found[0] if found else error.__cause__
