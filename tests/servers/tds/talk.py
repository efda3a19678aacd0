"""One client's connection: requests are taken as they come, answers are sent as they arise."""

import socket
import struct
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from pysqlbridge.certificate import Certificate
from pysqlbridge.tds.connection import Connection, ConnectionState
from pysqlbridge.tds.packet import (
    DEFAULT_PACKET_SIZE,
    HEADER_SIZE,
    Message,
    PacketStatus,
    PacketType,
    build_packet,
)
from pysqlbridge.tds.prelogin import Version
from pysqlbridge.tds.result import QueryResult
from pysqlbridge.tds.token import error_response, login_response

ENV_CHANGE, ROUTING = 0xE3, 20
BODY = DEFAULT_PACKET_SIZE - HEADER_SIZE
VERSION = Version(16, 0, 4135, 4)
UNKNOWN_DATABASE = 'Cannot open database "{name}" requested by the login. The login failed.'


class Talk(Connection):  # type: ignore[misc]  # no types there
    """The state of a connection, with the requests that are not answered yet."""

    def __init__(self, certificate: Certificate, logins: Any) -> None:
        super().__init__(
            certificate,
            version=VERSION,
            server_name="stand-in",
            query_handler=lambda _: QueryResult(columns=[], rows=[]),
            logins=logins,
        )
        self.lock = threading.Lock()  # TLS is not for two threads at once
        self.requests: deque[Message] = deque()
        self._known = logins

    def transaction(self, message: Message) -> list[bytes]:
        """What answers a begin, a commit or a rollback."""
        responses: list[bytes] = []
        with self.lock:
            self._answer_transaction(message.payload, responses)
        return responses

    def sealed(self, packet: bytes) -> bytes:
        """A packet as it goes over the wire."""
        if not (self._session_encrypted and self._tunnel):
            return packet
        with self.lock:
            return bytes(self._tunnel.wrap(packet))

    @property
    def in_transaction(self) -> bool:
        return self._xact_descriptor is not None

    @property
    def session_id(self) -> int:
        return int(self._spid)

    @property
    def tds(self) -> int:
        return int(self._tds_version)

    def _step_query(self, responses: list[bytes]) -> bool:
        message = self._take_message()
        if message:
            self.requests.append(message)
        return message is not None

    def _finish_login(self, responses: list[bytes]) -> None:
        wanted = self.login.database if self.login else ""
        if route := self._known.routes.pop(wanted, None):
            self._send(responses, self._routing(*route))
            self._state = ConnectionState.FAILED
            return
        if self._known.has(wanted):
            self._database = wanted
            super()._finish_login(responses)
            return
        text = UNKNOWN_DATABASE.format(name=wanted)
        self._send(responses, error_response(4060, text, server=self._server_name, severity=11))
        self._state = ConnectionState.FAILED

    def _routing(self, host: str, port: int) -> bytes:
        """A login that is taken, with an ENVCHANGE to another server ([MS-TDS] 2.2.7.9)."""
        taken: bytes = login_response(
            version=(VERSION.major, VERSION.minor, VERSION.build),
            server_name=self._server_name,
            database=self._database,
            packet_size=DEFAULT_PACKET_SIZE,
            tds_version=self._tds_version,
        )
        place = struct.pack("<BHH", 0, port, len(host)) + host.encode("utf-16-le")
        body = struct.pack("<BH", ROUTING, len(place)) + place + b"\0\0"
        return struct.pack("<BH", ENV_CHANGE, len(body)) + body + taken


class Reply:
    """One answer, sent in packets as it grows."""

    def __init__(self, talk: Talk, connected: socket.socket) -> None:
        self._talk = talk
        self._socket = connected
        self._held = bytearray()
        self._count = 0

    def add(self, payload: bytes) -> None:
        self._held += payload
        whole = max(len(self._held) - 1, 0) // BODY * BODY
        if whole:
            pieces = [self._held[at : at + BODY] for at in range(0, whole, BODY)]
            self._send(pieces, PacketStatus.NORMAL)
            del self._held[:whole]

    def end(self, payload: bytes) -> None:
        self.add(payload)
        self._send([self._held], PacketStatus.END_OF_MESSAGE)

    def _send(self, pieces: Sequence[bytes | bytearray], status: PacketStatus) -> None:
        packets = bytearray()
        for piece in pieces:
            self._count += 1
            packets += build_packet(
                PacketType.TABULAR_RESULT,
                bytes(piece),
                status=status,
                spid=self._talk.session_id,
                packet_id=self._count % 256,
            )
        self._socket.sendall(self._talk.sealed(bytes(packets)))
