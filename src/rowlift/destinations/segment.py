"""Segment: an identify per person, a group per account, events, over the batch endpoint."""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import pyarrow as pa
from pydantic import BaseModel, Field, SecretStr

from rowlift.core.errors import DestinationError
from rowlift.core.nouns import Accepts, Feed, Finding, Kind, Limits, Outcomes, Removed
from rowlift.core.ports import Batch, Events, Rows
from rowlift.destinations.segment_events import CONTEXT, event_calls
from rowlift.kit.addresses import target
from rowlift.kit.config import ConnectorConfig
from rowlift.kit.exchange import NoReply, Reply
from rowlift.kit.fields import AllowNetworks, Url
from rowlift.kit.http import Http
from rowlift.kit.replies import document, outcome, unreachable
from rowlift.kit.texts import concat, json_inner, json_text, with_member

_ENDPOINTS = {"us": "https://api.segment.io/v1", "eu": "https://events.eu1.segmentapis.com/v1"}
_SETTINGS = "https://cdn.segment.com/v1/projects/{}/settings"
_UNKNOWN = (400, 401, 403, 404)
_MOST_TRAITS = 299  # of a person with more, Segment's profiles take nothing and say nothing
_EXTERNAL_ID = '","type":"email","collection":"users","encoding":"none"}]'


class SegmentConfig(ConnectorConfig):
    """How to reach a Segment HTTP source."""

    write_key: SecretStr = Field(description="Write key of the source", min_length=1)
    region: Literal["us", "eu"] = Field("us", description="Region of the Segment workspace")
    endpoint: Url | None = Field(None, description="A compatible server's URL up to /v1, instead")
    gzip: bool = Field(default=True, description="Compress requests")
    allow_networks: AllowNetworks = ()


class Segment:
    """Sends changes as identify and group calls; a key keeps one message id over all attempts.

    Events go as they came, with their message ids, and with traits of their person as
    `context.traits`.

    Limits (Segment's HTTP API): 32 KB a message, 500 KB and 2,500 messages a request, 1,000
    requests a second a workspace. There is no answer per message: a 200 answers for all.
    """

    Config: ClassVar[type[BaseModel]] = SegmentConfig
    accepts: ClassVar[Accepts] = Accepts(
        kinds=frozenset({Kind.PERSON, Kind.ACCOUNT}),
        matches=frozenset({"user_id", "anonymous_id", "email", "group_id"}),
        removed=frozenset({Removed.KEEP, Removed.CLEAR}),
        events=frozenset({"user_id", "anonymous_id"}),
    )
    # 475,000 of the 500 KB, as Segment's own libraries keep; half of the requests it recommends.
    limits = Limits(
        2500, 475_000, 32_768, len('{"batch":[]}'), requests_per_second=500, in_flight=16
    )

    def __init__(self, config: SegmentConfig, feed: Feed, http: Http) -> None:
        key = config.write_key.get_secret_value()
        basic = base64.b64encode(f"{key}:".encode()).decode()
        names = {column.name for column in feed.columns}
        self._feed = feed
        self._http = http
        self._call = "group" if feed.kind == Kind.ACCOUNT else "identify"
        self._adds_email = feed.match == "email" and "email" not in names
        if self._call == "identify" and len(names) + self._adds_email > _MOST_TRAITS:
            raise DestinationError(
                "CANNOT_DO",
                f"Segment keeps at most {_MOST_TRAITS} traits of a person; here are more.",
                mend="Send fewer: use only or exclude.",
            )
        self._probe = None if config.endpoint else _SETTINGS.format(quote(key, safe=""))
        self._url = (config.endpoint or _ENDPOINTS[config.region]).rstrip("/") + "/batch"
        self._headers = {"Content-Type": "application/json", "Authorization": f"Basic {basic}"}
        self._gzip = config.gzip
        if config.gzip:
            self._headers["Content-Encoding"] = "gzip"
        tokens = target(self._url).tokens if config.endpoint else ()
        self._secrets = (key, basic, basic.rstrip("="), *tokens)
        self.account = "segment:" + hashlib.sha256(key.encode()).hexdigest()[:16]

    def check(self) -> Sequence[Finding]:
        if not self._probe:
            return [Finding("login", "note", "An own endpoint; its key is tested by the first run")]
        answer = self._http.request("GET", self._probe)
        return [unreachable(answer) if isinstance(answer, NoReply) else known(answer)]

    def encode(self, rows: Rows) -> pa.StringArray:
        keys, traits = json_inner(rows.keys), rows.attributes
        external: tuple[Any, ...] = ()
        if self._feed.match == "email":
            external = ',"externalIds":[{"id":"', keys, _EXTERNAL_ID
            if self._adds_email:
                traits = with_member(traits, "email", json_text(rows.keys))
        start = f'{{"type":"{self._call}","timestamp":"{rows.timestamp}","messageId":"'
        who = self._who(keys)
        return concat(start, rows.message_ids, *who, traits, CONTEXT, *external, "}}")

    def encode_events(self, events: Events) -> pa.StringArray:
        return event_calls(events)

    def deliver(self, batch: Batch) -> Outcomes:
        around = (b'{"batch":[', b"]}")
        body = batch.packed.gzip(*around) if self._gzip else batch.packed.joined().join(around)
        answer = self._http.request("POST", self._url, body, self._headers)
        secrets = self._secrets
        return Outcomes(outcome(answer, name="Segment", secrets=secrets, confirmed=_accepted))

    def close(self) -> None:
        self._http.close()

    def _who(self, keys: pa.StringArray) -> tuple[Any, ...]:
        if self._call == "group":
            # Segment wants a user on every group call; this one stands for no person.
            uid = json.dumps(self._feed.sync_uid)[1:-1]
            return f'","anonymousId":"rowlift:{uid}:', keys, '","groupId":"', keys, '","traits":'
        if self._feed.match == "user_id":
            return '","userId":"', keys, '","traits":'
        prefix = "rowlift:email:" if self._feed.match == "email" else ""
        return f'","anonymousId":"{prefix}', keys, '","traits":'


def known(reply: Reply) -> Finding:
    """Return what the settings of a source, or their absence, say of its write key."""
    if reply.status == 200:  # noqa: PLR2004
        return Finding("login", "ok", "Segment knows the write key")
    if reply.status in _UNKNOWN:
        words, mend = "Segment does not know the write key", "Copy it again from the source."
        return Finding("login", "error", words, mend, "CREDENTIALS_REFUSED")
    words = f"Segment did not say whether it knows the write key ({reply.status})"
    return Finding("login", "error", words, "Try again later.", "UNAVAILABLE")


def _accepted(reply: Reply) -> bool:
    said = document(reply)
    return isinstance(said, dict) and said.get("success") is True and not said.get("errors")
