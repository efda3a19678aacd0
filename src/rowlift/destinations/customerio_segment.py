"""A manual segment of Customer.io: who is in the result is a member, who left it is not."""

from collections.abc import Sequence
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field

from rowlift.core.nouns import (
    Accepts,
    Feed,
    Finding,
    Kind,
    Limits,
    Op,
    Outcome,
    Outcomes,
    Removed,
    Verdict,
)
from rowlift.core.ports import Batch, Rows
from rowlift.destinations.track import PERSON_IDENTIFIERS, Track, TrackConfig
from rowlift.kit.arrow import joined
from rowlift.kit.http import Http
from rowlift.kit.texts import concat, json_text

_MEMBER, _LEAVER = "+", "-"


class CustomerioSegmentConfig(TrackConfig):
    """Which manual segment of a Customer.io workspace to keep."""

    segment_id: int = Field(description="Number of the segment, which must exist", ge=1)


class CustomerioSegment:
    """Adds people to a manual segment and removes them; what else is known of them is not sent.

    Limits (Track API v1): 1,000 people a request. Customer.io says nothing of people it does not
    know, and does not promise this for workspaces that identify by both id and email.
    """

    Config: ClassVar[type[BaseModel]] = CustomerioSegmentConfig
    accepts: ClassVar[Accepts] = Accepts(
        kinds=frozenset({Kind.PERSON}),
        matches=frozenset({"user_id", "email", "cio_id"}),
        removed=frozenset({Removed.KEEP, Removed.CLEAR, Removed.LEAVE_SEGMENT}),
        test=Op.CLEAR,  # somebody leaves who is no member
    )

    def __init__(self, config: CustomerioSegmentConfig, feed: Feed, http: Http) -> None:
        self._track = Track(config, http)
        self._path = f"/v1/segments/{config.segment_id}"
        self._id_type = PERSON_IDENTIFIERS[feed.match]
        self.account = f"{self._track.account}/segments/{config.segment_id}"
        self.limits = Limits(1000, 499_000, 1000, len('{"ids":[]}'), config.requests_per_second)

    def check(self) -> Sequence[Finding]:
        return self._track.check()

    def encode(self, rows: Rows) -> pa.StringArray:
        mark = pc.if_else(pc.equal(rows.ops, Op.UPSERT), _MEMBER, _LEAVER)
        return concat(mark, json_text(rows.keys))

    def deliver(self, batch: Batch) -> Outcomes:
        messages = batch.messages
        is_member = pc.starts_with(messages, _MEMBER)
        members = messages.filter(is_member)
        leavers = messages.filter(pc.invert(is_member))
        removed = self._change("remove_customers", leavers)
        if not len(members):
            return Outcomes(removed)
        at = pc.indices_nonzero(pc.invert(is_member)).to_pylist()
        return Outcomes(self._change("add_customers", members), dict.fromkeys(at, removed))

    def close(self) -> None:
        self._track.close()

    def _change(self, change: str, messages: pa.StringArray) -> Outcome:
        if not len(messages):
            return Outcome(Verdict.DELIVERED)
        ids = joined(pc.utf8_slice_codeunits(messages, 1))
        path = f"{self._path}/{change}?id_type={self._id_type}"
        return self._track.post(path, b'{"ids":[' + ids + b"]}", rows=0).default
