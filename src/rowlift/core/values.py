"""The value types a source may hand over, and how each travels in Arrow.

A source gives each column either in the Arrow type named here or as text; in both cases the field's
metadata `rowlift` names the value type, and the canonical form (see docs/internals/state.md) is the
same. Text is the way for whatever Arrow or a driver cannot carry exactly. PostgreSQL counts moments
in microseconds from 2000-01-01; its least and greatest numbers are the infinities. A split count
is from 1970-01-01 in UTC: in nanoseconds, or for years that do not fit into them in microseconds.
"""

META = b"rowlift"
EPOCH = 946_684_800_000_000  # where PostgreSQL's count of microseconds begins, in Arrow's

VALUE_TYPES: dict[str, str] = {
    "text": "string",
    "bool": "bool, or the texts true and false",
    "int": "int64, decimal128 without a scale, or decimal digits as text",
    "decimal": "decimal128, or decimal digits as text; NaN and Infinity as text",
    "float": "float64, or its shortest round-trip text",
    "date": "date32, or ISO text; infinity and BC as the source prints them",
    "time": "text HH:MM:SS[.ffffff]",
    "timestamp": "timestamp[us] without a zone, int64 as PostgreSQL counts, struct (ns int64, us "
    "int64; one of them null) as a split count, or ISO text",
    "timestamptz": "as timestamp, but timestamp[us, UTC], and ISO text with +00 or Z",
    "json": "JSON text",
    "binary": "binary, or lower-case hexadecimal text",
}
