"""Webhook: signed JSON to an address of the user's own (Standard Webhooks)."""

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

import pyarrow as pa
from pydantic import BaseModel, Field

from rowlift.core.nouns import Accepts, Feed, Finding, Kind, Limits, Op, Outcomes, Removed
from rowlift.core.ports import Batch, Events, Rows
from rowlift.kit.addresses import target
from rowlift.kit.config import ConnectorConfig
from rowlift.kit.exchange import NoReply, Reply
from rowlift.kit.fields import AllowNetworks, Headers, SigningSecret, Url
from rowlift.kit.http import Http
from rowlift.kit.replies import by_index, outcome, unreachable
from rowlift.kit.signatures import signature, signing_key
from rowlift.kit.texts import change_records, event_records, key_names

_HTML = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?<(!doctype\s+)?html", re.IGNORECASE)


class WebhookConfig(ConnectorConfig):
    """Where to send and how to sign."""

    url: Url = Field(description="Address that takes the POST requests")
    secret: SigningSecret | None = Field(None, description="Signing secret, whsec_…")
    secrets: tuple[SigningSecret, ...] = Field((), description="More of them, while rotating")
    headers: Headers = Field({}, description="More request headers, such as Authorization; ASCII")
    batch: bool = Field(default=True, description="Many records in a request, or one")
    batch_rows: int = Field(500, ge=1, le=10_000, description="Most records in a request")
    requests_per_second: float = Field(50, gt=0, description="Most requests in a second")
    allow_networks: AllowNetworks = ()


class Webhook:
    """Sends changes in an envelope, signed; 2xx takes them all, but for those it says it refused.

    They stand in `{"errors":[{"index":n,"code":str,"message":str,"retryable":bool}]}`, without
    which a 207 says nothing.
    """

    Config: ClassVar[type[BaseModel]] = WebhookConfig
    accepts: ClassVar[Accepts] = Accepts(
        kinds=frozenset(Kind),
        matches=frozenset({"user_id", "email", "anonymous_id", "group_id", "object_id"}),
        removed=frozenset({Removed.KEEP, Removed.CLEAR, Removed.DELETE}),
        events=frozenset({"user_id", "email", "anonymous_id"}),
        test=Op.UPSERT,  # its type says so
    )

    def __init__(self, config: WebhookConfig, feed: Feed, http: Http) -> None:
        secrets = filter(None, (config.secret, *config.secrets))
        keys = tuple(one.get_secret_value() for one in secrets)
        fixed = {name: value.get_secret_value() for name, value in config.headers.items()}
        self._config = config
        self._http = http
        self._keys = tuple(map(signing_key, keys))
        self._headers = {"Content-Type": "application/json", **fixed}
        self._key = key_names(feed.kind, feed.match)
        self._start = _start(feed)
        wanted = target(config.url)
        tokens = (value.rpartition(" ")[2] for value in fixed.values())  # without Bearer
        self._secrets = (*keys, *fixed.values(), *tokens, config.url, *wanted.tokens)
        path = hashlib.sha256(wanted.path.encode()).hexdigest()[:16]  # it may hold a token
        self.account = f"webhook:{wanted}/{path}"
        self.limits = Limits(
            batch_rows=config.batch_rows if config.batch else 1,
            batch_bytes=1_000_000,
            record_bytes=512_000,
            envelope_bytes=len(self._envelope("2026-11-21T10:00:00.000000Z", b"")),
            requests_per_second=config.requests_per_second,
        )

    def check(self) -> Sequence[Finding]:
        answer = self._http.request("HEAD", self._config.url)
        if isinstance(answer, NoReply):
            return [unreachable(answer)]
        if 300 <= answer.status < 400:  # noqa: PLR2004
            words, mend = "The address redirects", "Put in the new one: none is followed."
            return [Finding("network", "error", words, mend, "REDIRECTED")]
        return [Finding("network", "ok", "The address answers; the first run tests the rest")]

    def encode(self, rows: Rows) -> pa.StringArray:
        return change_records(rows, self._key)

    def encode_events(self, events: Events) -> pa.StringArray:
        return event_records(events)

    def deliver(self, batch: Batch) -> Outcomes:
        body = self._envelope(batch.timestamp, batch.packed.joined())
        ident = batch.id if self._config.batch else batch.message_ids[0].as_py()
        answer = self._http.request("POST", self._config.url, body, self._signed(ident, body))
        default = outcome(answer, name="The webhook", secrets=self._secrets, confirmed=_accepted)
        return by_index(answer, len(batch), default, self._secrets)

    def close(self) -> None:
        self._http.close()

    def _envelope(self, timestamp: str, records: bytes) -> bytes:
        type_, about = self._start
        start = f'{{"type":"{type_}","timestamp":"{timestamp}","data":{about},"records":['
        return start.encode() + records + b"]}}"

    def _signed(self, ident: str, body: bytes) -> Mapping[str, str]:
        now = int(time.time())
        ours = {"webhook-id": ident, "webhook-timestamp": str(now)}
        if self._keys:
            ours["webhook-signature"] = signature(self._keys, ident, now, body)
        return self._headers | ours


def _start(feed: Feed) -> tuple[str, str]:
    """What an envelope is of, and what its data begins with: a JSON object that is not closed."""
    about = {"sync": feed.sync, "kind": feed.kind, "object_type": feed.object_type}
    type_ = "records.changed"
    if feed.is_test:
        type_ = "records.test"
    if feed.of_events:
        type_, about = "events.forwarded", {"forward": feed.sync}
    return type_, json.dumps(about, ensure_ascii=False)[:-1]


def _accepted(reply: Reply) -> bool:
    # A whole web page is a login or a catch-all, not a receiver.
    return not _HTML.match(reply.body)
