"""Events as calls of Segment's HTTP API."""

import pyarrow as pa
import pyarrow.compute as pc

from rowlift.core.ports import Events
from rowlift.core.version import VERSION
from rowlift.kit.texts import concat, json_inner

CONTEXT = f',"context":{{"library":{{"name":"rowlift","version":"{VERSION}"}}'


def event_calls(events: Events) -> pa.StringArray:
    """Return events as they came, with traits of their person as `context.traits`."""
    is_named = pc.equal(events.identifiers, "user_id")
    who = pc.if_else(is_named, '","userId":"', '","anonymousId":"')
    name = pc.if_else(pc.equal(events.types, "track"), '","event":"', '","name":"')
    return concat(
        '{"type":"', events.types, '","timestamp":"', events.moments,
        '","messageId":"', json_inner(events.message_ids), who, json_inner(events.keys),
        name, json_inner(events.names), '","properties":', events.properties,
        f'{CONTEXT},"traits":', events.traits, "}}",
    )  # fmt: skip
