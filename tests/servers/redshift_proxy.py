"""Makes PostgreSQL pass for Redshift: what only Redshift knows is settled here.

Run as a program: redshift_proxy.py PORT POSTGRES_PORT CERTIFICATE KEY
"""

import asyncio
import contextlib
import ssl
import struct
import sys
from collections.abc import Callable, Mapping

SSL_REQUEST = 80877103
CANCEL_REQUEST = 80877102
PROTOCOL = 196608  # 3.0
PIECE = 65536
HEAD = 5  # bytes of a message's kind and size
FIELD = struct.Struct("!ihihih")  # of a column: table, place, type, size, modifier, format
KNOWN = {b"user", b"database", b"application_name", b"client_encoding"}
VERSION = b"server_version\x008.0.2\x00"
TYPES: Mapping[int, int] = {17: 6551, 114: 4000}  # bytea for VARBYTE, json for SUPER

BROKEN = (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, TimeoutError)


class Proxy:
    """Encrypts, and passes on what both sides understand."""

    def __init__(self, postgres_port: int, tls: ssl.SSLContext) -> None:
        self._postgres_port = postgres_port
        self._tls = tls

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with contextlib.suppress(*BROKEN):
            await self._served(client, back)
        back.close()

    async def _served(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        size, code = struct.unpack("!II", await client.readexactly(8))
        if code == SSL_REQUEST:
            back.write(b"S")
            await back.drain()
            await back.start_tls(self._tls)
            size, code = struct.unpack("!II", await client.readexactly(8))
        body = await client.readexactly(size - 8)
        server, onward = await asyncio.open_connection("127.0.0.1", self._postgres_port)
        try:
            onward.write(start(code, body))
            talk = [passed(client, onward, bytes), passed(server, back, Rewritten())]
            tasks = [asyncio.create_task(one) for one in talk]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
        finally:
            onward.close()


async def passed(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, change: Callable[[bytes], bytes]
) -> None:
    with contextlib.suppress(*BROKEN):
        while piece := await reader.read(PIECE):
            writer.write(change(piece))
            await writer.drain()


def start(code: int, body: bytes) -> bytes:
    """The first message, without the parameters that PostgreSQL refuses."""
    if code == CANCEL_REQUEST:
        return struct.pack("!II", len(body) + 8, code) + body
    words = body.rstrip(b"\0").split(b"\0")
    known = [pair for pair in zip(words[::2], words[1::2], strict=True) if pair[0] in KNOWN]
    kept = b"".join(name + b"\0" + value + b"\0" for name, value in known) + b"\0"
    return struct.pack("!II", len(kept) + 8, PROTOCOL) + kept


class Rewritten:
    """What the server says, with the version and the types that Redshift would name."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def __call__(self, piece: bytes) -> bytes:
        self._rest += piece
        said: list[bytes | bytearray] = []
        copied = at = 0
        while (end := self._end(at)) <= len(self._rest):
            if change := CHANGES.get(self._rest[at]):
                said += [self._rest[copied:at], change(bytes(self._rest[at + HEAD : end]))]
                copied = end
            at = end
        said.append(self._rest[copied:at])
        del self._rest[:at]
        return b"".join(said)

    def _end(self, at: int) -> int:
        if len(self._rest) < at + HEAD:
            return len(self._rest) + 1
        size: int = struct.unpack_from("!I", self._rest, at + 1)[0]
        return at + 1 + size


def parameter(body: bytes) -> bytes:
    return message(b"S", VERSION if body.startswith(b"server_version\0") else body)


def columns(body: bytes) -> bytes:
    changed, at = bytearray(body), 2
    while at < len(changed):
        at = changed.index(0, at) + 1
        table, place, oid, *more = FIELD.unpack_from(changed, at)
        FIELD.pack_into(changed, at, table, place, TYPES.get(oid, oid), *more)
        at += FIELD.size
    return message(b"T", bytes(changed))


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


CHANGES = {ord("S"): parameter, ord("T"): columns}


async def main(port: int, postgres_port: int, certificate: str, key: str) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    proxy = Proxy(postgres_port, tls)
    hosts = ["127.0.0.1", "127.0.0.2"]
    async with await asyncio.start_server(proxy.serve, hosts, port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
