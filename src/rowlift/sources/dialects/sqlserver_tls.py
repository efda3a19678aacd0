"""TLS beneath python-tds, whose own does not check for whom it encrypts.

TDS 7 begins in the clear with PRELOGIN, where both sides say how far they encrypt, and hands the
records of the handshake over as PRELOGIN messages; then TLS holds whatever follows ([MS-TDS]
2.2.6.5, 3.2.5.2). The driver is told that nobody encrypts, and what it sends is encrypted here.
"""

import socket
import ssl
import struct
from collections.abc import Mapping
from typing import Any

HEADER = struct.Struct(">BBHHBB")  # type, status, length of it all, session, number, window
OPTION = struct.Struct(">BHH")  # token, offset, length
PRELOGIN, LAST = 0x12, 1
ENCRYPTION, TERMINATOR = 1, 0xFF
NOT_ENCRYPTING, ENCRYPTING = 2, (1, 3)  # on, required
AT_ONCE = 65_536


def context(way: Mapping[str, Any]) -> ssl.SSLContext:
    """Return what is demanded of the server's certificate; the system's authorities by default."""
    made = ssl.create_default_context(cafile=way["ssl_ca"])
    made.maximum_version = ssl.TLSVersion.TLSv1_2  # TDS 7 knows no later one
    if way["trusting"] or way["encrypt"] == "optional":
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


class Channel:
    """A socket for the driver, encrypted from its second message on."""

    def __init__(self, plain: socket.socket, demands: ssl.SSLContext, name: str) -> None:
        """`name` is what the certificate must be for."""
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = demands.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._answer: bytes | None = None  # to PRELOGIN, until the driver has read it

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Send a packet; the first one is PRELOGIN, after which the handshake follows."""
        if self._answer is None:
            self._answer = self._agreed(bytearray(data))
            self._shake_hands()
            return
        self._tls.write(data)
        self._plain.sendall(self._outgoing.read())

    def recv_into(self, buffer: memoryview, size: int = 0, flags: int = 0) -> int:
        """Read at most `size` bytes; 0 at the end."""
        if self._answer:
            piece, self._answer = self._answer[:size], self._answer[size:]
            buffer[: len(piece)] = piece
            return len(piece)
        try:
            while (count := self._read(buffer, size)) is None:
                if not (records := self._plain.recv(AT_ONCE)):
                    return 0
                self._incoming.write(records)
        except ssl.SSLError as error:
            raise ConnectionResetError(error.reason) from None
        return count

    def gettimeout(self) -> float | None:
        """Return how many seconds the server may be silent."""
        return self._plain.gettimeout()

    def settimeout(self, timeout: float | None) -> None:
        """Set how many seconds the server may be silent."""
        self._plain.settimeout(timeout)

    def close(self) -> None:
        """Hang up."""
        self._plain.close()

    def _read(self, buffer: memoryview, size: int) -> int | None:
        try:
            piece = self._tls.read(size)
        except ssl.SSLWantReadError:
            return None
        buffer[: len(piece)] = piece
        return len(piece)

    def _agreed(self, message: bytearray) -> bytes:
        _exchanged(message, ENCRYPTING[0])
        self._plain.sendall(message)
        answer = self._message()
        if _exchanged(answer, NOT_ENCRYPTING) not in ENCRYPTING:
            raise ConnectionError("The server does not encrypt.")
        return bytes(answer)

    def _shake_hands(self) -> None:
        while not self._has_shaken_hands():
            self._incoming.write(self._message()[HEADER.size :])

    def _has_shaken_hands(self) -> bool:
        try:
            self._tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False
        finally:
            if records := self._outgoing.read():
                length = HEADER.size + len(records)
                self._plain.sendall(HEADER.pack(PRELOGIN, LAST, length, 0, 0, 0) + records)

    def _message(self) -> bytearray:
        header = self._exactly(HEADER.size)
        return header + self._exactly(HEADER.unpack(header)[2] - HEADER.size)

    def _exactly(self, size: int) -> bytearray:
        found = bytearray()
        while len(found) < size:
            if not (piece := self._plain.recv(size - len(found))):
                raise ConnectionError("The server hung up.")
            found += piece
        return found


def _exchanged(message: bytearray, level: int) -> int:
    """Put a level of encryption into a PRELOGIN message, and return what stood there."""
    at = HEADER.size
    while message[at] != TERMINATOR:
        token, offset, _ = OPTION.unpack_from(message, at)
        if token == ENCRYPTION:
            place: int = HEADER.size + offset
            before, message[place] = message[place], level
            return before
        at += OPTION.size
    raise ConnectionError("The server says nothing of encryption.")
