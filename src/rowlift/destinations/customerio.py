"""Customer.io: people, objects and their relationships, over the Track API's batches."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field

from rowlift.core.errors import DestinationError
from rowlift.core.nouns import Accepts, Feed, Finding, Kind, Limits, Op, Outcomes, Removed
from rowlift.core.ports import Batch, Events, Rows
from rowlift.destinations.customerio_events import EVENT_IDENTIFIERS, event_operations, looked_up
from rowlift.destinations.track import PERSON_IDENTIFIERS, Track, TrackConfig
from rowlift.kit.http import Http
from rowlift.kit.texts import concat, json_inner, spread, with_member

_ACTIONS: Mapping[str, str] = {
    Op.UPSERT: "identify",
    Op.CLEAR: "identify",
    Op.DELETE: "delete",
    Op.SUPPRESS: "suppress",
    Op.UNSUPPRESS: "unsuppress",
}
_RELATIONSHIP_ACTIONS: Mapping[str, str] = {
    Op.UPSERT: "add_relationships",
    Op.CLEAR: "add_relationships",
    Op.DELETE: "delete_relationships",
}

TypeNumber = Annotated[str, Field(pattern=r"^[1-9][0-9]*$")]


class CustomerioConfig(TrackConfig):
    """How to reach a Customer.io workspace, and how its object types are numbered."""

    batch_rows: int = Field(100, ge=1, le=1000, description="Most changes in a request")
    suppressed: Literal["delete", "suppress"] = Field(
        "delete",
        description="What becomes there of people who are suppressed: they are deleted, or "
        "suppressed there too, until they are processed again",
    )
    object_types: Mapping[str, TypeNumber] = Field(
        {}, description="Customer.io's number of each object type that has a name here"
    )


class Customerio:
    """Sends each change as one operation; there is no message id, but repeats converge.

    Events have an id, by which Customer.io drops repeats, and their person's traits as attributes.

    Limits (Track API v2): 32 KB an operation, 500 KB a request; the vendor's figures for requests
    range from 100 to 1,000 a second. A null removes an attribute.
    """

    Config: ClassVar[type[BaseModel]] = CustomerioConfig
    accepts: ClassVar[Accepts] = Accepts(
        kinds=frozenset(Kind),
        matches=frozenset({*PERSON_IDENTIFIERS, "group_id", "object_id"}),
        removed=frozenset({Removed.KEEP, Removed.CLEAR, Removed.DELETE}),
        events=frozenset(EVENT_IDENTIFIERS),
        test=Op.CLEAR,  # of somebody it does not know: nobody is made
    )

    def __init__(self, config: CustomerioConfig, feed: Feed, http: Http) -> None:
        self._track = Track(config, http)
        self._types = config.object_types
        self._kind = feed.kind
        self.suppresses = config.suppressed == "suppress" and feed.kind is Kind.PERSON
        self._match = PERSON_IDENTIFIERS.get(feed.match, "")
        self._type = self._number(feed.object_type)
        self.account = self._track.account
        self.limits = Limits(
            config.batch_rows, 499_000, 32_000, len('{"batch":[]}'), config.requests_per_second
        )

    def check(self) -> Sequence[Finding]:
        return self._track.check()

    def encode(self, rows: Rows) -> pa.StringArray:
        if self._kind is Kind.PERSON:
            return self._people(rows)
        if self._kind is Kind.RELATIONSHIP:
            return self._relationships(rows)
        if self._kind is Kind.OBJECT:
            types, objects = spread(rows.keys, ("0", "1"))
            return self._objects(rows, self._typed(types), objects)
        return self._objects(rows, self._type, rows.keys)

    def encode_events(self, events: Events) -> pa.StringArray:
        return event_operations(events)

    def deliver(self, batch: Batch) -> Outcomes:
        body = b'{"batch":[' + batch.packed.joined() + b"]}"
        return self._track.post("/v2/batch", body, len(batch))

    def close(self) -> None:
        self._track.close()

    def _people(self, rows: Rows) -> pa.StringArray:
        # Who is gone there is not made again only to be cleared.
        update_only = with_member(rows.attributes, "_update", "true")
        attributes = pc.if_else(pc.equal(rows.ops, Op.CLEAR), update_only, rows.attributes)
        seconds = int(datetime.fromisoformat(rows.timestamp).timestamp())
        values = concat(f',"timestamp":{seconds},"attributes":', attributes)
        return _operations("person", rows.ops, self._person(rows.keys), values)

    def _objects(
        self, rows: Rows, number: pa.StringArray | str, keys: pa.StringArray
    ) -> pa.StringArray:
        values = concat(',"attributes":', rows.attributes)
        return _operations("object", rows.ops, _object(number, keys), values)

    def _relationships(self, rows: Rows) -> pa.StringArray:
        types, objects, people = spread(rows.keys, ("0", "1", "2"))
        named = concat(',"relationship_attributes":', rows.attributes)
        attributes = pc.if_else(pc.equal(rows.attributes, "{}"), "", named)
        return concat(
            '{"type":"person","action":"', looked_up(rows.ops, _RELATIONSHIP_ACTIONS),
            '","identifiers":', self._person(people), ',"cio_relationships":[{"identifiers":',
            _object(self._typed(types), objects), attributes, "}]}",
        )  # fmt: skip

    def _typed(self, types: pa.StringArray) -> pa.StringArray:
        return json_inner(pc.coalesce(looked_up(types, self._types), types))

    def _person(self, keys: pa.StringArray) -> pa.StringArray:
        return concat(f'{{"{self._match}":"', json_inner(keys), '"}')

    def _number(self, object_type: str) -> str:
        number = self._types.get(object_type, object_type)
        if not number.isdecimal():
            raise DestinationError(
                "CANNOT_DO",
                f"Customer.io numbers its object types; {object_type} has no number.",
                mend=f"Name it in the connection: object_types: {{{object_type}: 2}}.",
            )
        return number


def _operations(
    thing: str, ops: pa.StringArray, who: pa.StringArray, values: pa.StringArray
) -> pa.StringArray:
    actions = looked_up(ops, _ACTIONS)
    values = pc.if_else(pc.equal(actions, "identify"), values, "")
    start = f'{{"type":"{thing}","action":"'
    return concat(start, actions, '","identifiers":', who, values, "}")


def _object(number: pa.StringArray | str, keys: pa.StringArray) -> pa.StringArray:
    ident = json_inner(keys)
    return concat('{"object_type_id":"', number, '","object_id":"', ident, '"}')
