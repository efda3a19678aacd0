"""Rules on messages that were sent to the ingest API."""

from rowlift.core.rules.scopes import Rule

RULES = (
    Rule(
        "MESSAGE_INVALID",
        "message",
        "The message lacks something or is of the wrong form",
        "Mend what sends it; the protocol is Segment's HTTP Tracking API.",
    ),
    Rule(
        "MESSAGE_NO_ID",
        "message",
        "The message names nobody",
        "Give it a userId or an anonymousId.",
    ),
    Rule(
        "BATCH_TOO_LONG",
        "message",
        "The batch has too many messages",
        "Send at most 2,500 messages at once.",
    ),
    Rule(
        "ALIAS_KNOWN",
        "message",
        "An alias names two people who are both known",
        "Only somebody known by anonymous ids alone is merged; merge others by hand.",
    ),
)
