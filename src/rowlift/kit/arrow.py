"""Small Arrow operations that work on whole columns."""

import hashlib

import pyarrow as pa
import pyarrow.compute as pc


def joined(messages: pa.Array, separator: bytes = b",") -> memoryview:
    """Return all texts as one run of bytes, without a Python object per row."""
    # Arrow looks for pandas whenever it is given a plain text.
    end, nothing = (pa.scalar(text, messages.type) for text in (separator.decode(), ""))
    whole = memoryview(
        pc.binary_join_element_wise(messages, end, nothing).buffers()[2] or separator
    )
    return whole[: -len(separator)]


def give_back() -> None:
    """Return to the system what Arrow's allocator keeps of freed memory for later."""
    pa.default_memory_pool().release_unused()


def digest(texts: pa.Array) -> str:
    """Return a name of 64 characters that only the same texts in the same order have."""
    return hashlib.sha256(joined(texts)).hexdigest()
