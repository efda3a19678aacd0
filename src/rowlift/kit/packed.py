"""The messages of a batch, compressed once: a piece that any gzip stream takes in as it stands."""

import struct
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from isal import isal_zlib

from rowlift.kit.arrow import joined

_RAW = -isal_zlib.MAX_WBITS
_QUICKEST = 1
_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"  # RFC 1952: deflate, no name, no time, any system


@dataclass(frozen=True, slots=True)
class PackedTexts:
    """Texts joined with commas as deflate blocks (RFC 1951) that end on a byte, none the last.

    `crc` is the CRC-32 of the joined text, `sizes` are the bytes of each of the texts.
    """

    sizes: pa.Int32Array
    blocks: bytes
    crc: int

    def joined(self) -> bytes:
        """Return the texts as one, joined with commas."""
        text: bytes = isal_zlib.decompressobj(_RAW).decompress(self.blocks)
        return text

    def texts(self) -> pa.StringArray:
        """Return the texts one by one."""
        starts = [pa.array([0], pa.int32()), pc.add(self.sizes, pa.scalar(1, pa.int32()))]
        ends = pc.cumulative_sum(pa.concat_arrays(starts))
        data = pa.py_buffer(self.joined() + b",")
        with_commas = pa.Array.from_buffers(
            pa.binary(), len(self.sizes), [None, ends.buffers()[1], data]
        )
        return pc.binary_slice(with_commas, 0, -1).view(pa.string())

    def gzip(self, before: bytes, after: bytes) -> bytes:
        """Return the joined text between two others of at most 65,535 bytes, as a gzip file."""
        size = pc.sum(self.sizes).as_py() + len(self.sizes) - 1
        crc = isal_zlib.crc32_combine(isal_zlib.crc32(before), self.crc, size)
        trailer = struct.pack(
            "<LL", isal_zlib.crc32(after, crc), len(before) + size + len(after) & 0xFFFFFFFF
        )
        return b"".join(
            (_HEADER, _stored(before), self.blocks, _stored(after, is_last=True), trailer)
        )


def pack(texts: pa.StringArray) -> PackedTexts:
    """Compress texts quickly, one at least."""
    packer = isal_zlib.compressobj(_QUICKEST, wbits=_RAW)
    text = joined(texts)
    blocks = packer.compress(text) + packer.flush(isal_zlib.Z_SYNC_FLUSH)
    sizes = pc.binary_length(texts).cast(pa.int32())
    return PackedTexts(sizes, blocks, isal_zlib.crc32(text))


def _stored(text: bytes, *, is_last: bool = False) -> bytes:
    return struct.pack("<BHH", is_last, len(text), len(text) ^ 0xFFFF) + text
