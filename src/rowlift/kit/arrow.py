"""Small Arrow operations that work on whole columns."""

import pyarrow as pa
import pyarrow.compute as pc


def joined(messages: pa.Array, separator: bytes = b",") -> bytes:
    """Return all texts as one run of bytes, without a Python object per row."""
    column = messages.cast(pa.binary())
    whole = pa.ListArray.from_arrays(pa.array([0, len(column)], pa.int32()), column)
    return bytes(pc.binary_join(whole, separator)[0].as_buffer())
