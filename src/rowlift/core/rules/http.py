"""Rules on requests over HTTP."""

from rowlift.core.rules.scopes import Rule

RULES = (
    Rule(
        "CSRF_WRONG",
        "access",
        "The request may come from another site's page",
        "Send the header x-csrf-token as GET /api/v1/session tells it.",
    ),
    Rule(
        "HOST_REFUSED",
        "access",
        "The request names a host that this server is not known by",
        "Start it with --allow-host NAME for each name that leads to it.",
    ),
    Rule("BODY_TOO_LARGE", "access", "The request is too large", "Send less at once."),
    Rule(
        "BODY_INVALID",
        "access",
        "A body of a request is no JSON, or none that all programs read alike",
        "Write it as UTF-8, each member once, and no NaN or Infinity.",
    ),
    Rule(
        "REQUEST_INVALID",
        "access",
        "What came is no request of HTTP",
        "Speak HTTP/1.1, with one Host, one length, and 64 kB of headers at most.",
    ),
    Rule("TOO_MANY_REQUESTS", "access", "Too many requests in a minute", "Wait, then go on."),
    Rule(
        "TOO_MANY_QUERIES",
        "access",
        "Two requests of yours ask a source already",
        "Wait for one of them, or close it: its query ends.",
    ),
    Rule("QUERIES_FULL", "access", "Too many requests ask sources already", "Wait, then go on."),
    Rule("METHOD_NOT_ALLOWED", "access", "The address takes another method", "See openapi.json."),
    Rule(
        "VERSION_MISSING",
        "access",
        "A change does not say which version it was made from",
        "Read it first, and send its ETag as If-Match.",
    ),
    Rule(
        "ADDRESS_TAKEN",
        "access",
        "Nothing can be served at the address",
        "Choose another port or host: rowlift serve --port 7071.",
    ),
    Rule("CURSOR_WRONG", "access", "A cursor was not given by us", "Send `next` as it was."),
)
