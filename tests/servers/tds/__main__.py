"""The program: listens for clients, and for whoever sets it up."""

import contextlib
import socket
import socketserver
import sys
import threading
from collections.abc import Iterable
from dataclasses import replace
from multiprocessing.connection import Connection as Door
from multiprocessing.connection import Listener
from pathlib import Path
from typing import Any

import duckdb
from pysqlbridge.certificate import load
from pysqlbridge.tds.batch import parse_sql_batch
from pysqlbridge.tds.packet import Message, PacketType
from pysqlbridge.tds.result import QueryError, col_metadata
from pysqlbridge.tds.rpc import parse_rpc
from pysqlbridge.tds.token import DoneStatus, done, error

from servers.tds import columns
from servers.tds.talk import Reply, Talk
from servers.tds.tsql import SCHEMA, Answer, Desk, Login

SELECT = 0xC1
READ_ONLY_INTENT = 0x20  # of LOGIN7's TypeFlags
NOT_SNAPSHOT = "Transaction failed because it did not start in snapshot isolation."


class World:
    """The databases, who may read them, and who is connected."""

    def __init__(self) -> None:
        self.databases: dict[str, duckdb.DuckDBPyConnection] = {}
        self.logins: dict[str, Login] = {}
        self.clients: set[Client] = set()
        self.routes: dict[str, tuple[str, int]] = {}
        self.talks: dict[str, Talk] = {}
        self.configured = True
        self.repeated: dict[tuple[str, str], Answer] = {}

    def admits(self, user: str, password: str) -> bool:
        return user in self.logins and self.logins[user].password == password

    def has(self, database: str) -> bool:
        return database in self.databases

    # What the tests ask for.

    def create(self, database: str) -> None:
        self.databases[database] = connection = duckdb.connect(config={"threads": 2})
        connection.execute(SCHEMA)

    def drop(self, database: str) -> None:
        self.stop(database)
        self.databases.pop(database).close()

    def execute(self, database: str, sql: str) -> None:
        with self.databases[database].cursor() as cursor:
            cursor.execute("SET search_path = 'dbo'; " + sql)

    def admit(self, user: str, **about: Any) -> None:
        self.logins[user] = Login(**about)

    def repeat(self, database: str, sql: str) -> None:
        """Encodes the rows of a query once for all who ask for it in these words."""
        (answer,) = Desk(self.databases[database].cursor(), "", Login(database, "")).answers(sql)
        self.repeated[database, sql] = replace(answer, pieces=list(answer.pieces))

    def stop(self, database: str) -> int:
        found = [one for one in list(self.clients) if one.database == database]
        for one in found:
            one.hang_up()
        return len(found)

    def send_on(self, database: str, host: str, port: int) -> None:
        """Has the next who wants a database go elsewhere."""
        self.routes[database] = host, port

    def only_reads(self, user: str) -> bool:
        """Whether the last login of a user told so."""
        return bool(self._last_login(user).type_flags & READ_ONLY_INTENT)

    def library(self, user: str) -> str:
        """What the last login of a user came through."""
        return str(self._last_login(user).client_interface_name)

    def encrypts(self, user: str) -> bool:
        """Whether all is encrypted, not the login alone."""
        return bool(self.talks[user].session_encrypted)

    def running(self, user: str, beginning: str = "") -> int:
        """How many batches of a user run, of those that begin with some text."""
        runs = [one.batch for one in list(self.clients) if one.user == user]
        return sum(batch is not None and batch.startswith(beginning) for batch in runs)

    def _last_login(self, user: str) -> Any:
        return self.talks[user].login


class Client(socketserver.BaseRequestHandler):
    """One client: a thread that listens, and one for the batch that runs."""

    server: "Server"

    def setup(self) -> None:
        self.user = self.database = ""
        self.batch: str | None = None  # what runs
        self._desk: Desk | None = None
        self._work: threading.Thread | None = None
        self._stopped = threading.Event()
        self._talk = Talk(self.server.certificate, self.server.world)
        self.server.world.clients.add(self)

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(65536):
                with self._talk.lock:
                    responses = self._talk.receive(data)
                for response in responses:
                    self.request.sendall(response)
                while self._talk.requests:
                    self._take(self._talk.requests.popleft())

    def finish(self) -> None:
        self._stop()
        self.server.world.clients.discard(self)

    def hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)

    def _stop(self) -> None:
        self._stopped.set()
        while self._work and self._work.is_alive():
            if self._desk:
                self._desk.interrupt()
            self._work.join(0.05)

    def _take(self, message: Message) -> None:
        if message.type is PacketType.ATTENTION:
            self._stop()
            Reply(self._talk, self.request).end(done(status=DoneStatus.ATTENTION))
            return
        if message.type is PacketType.TRANSACTION_MANAGER:
            for response in self._talk.transaction(message):
                self.request.sendall(response)
            return
        if self._work:
            self._work.join()
        self._stopped.clear()
        self.batch = self._sql(message)
        self._work = threading.Thread(target=self._run, args=[self.batch])
        self._work.start()

    def _sql(self, message: Message) -> str:
        if message.type is PacketType.RPC:
            return str(parse_rpc(message.payload, self._talk.tds).sql or "")
        return str(parse_sql_batch(message.payload, self._talk.tds))

    def _run(self, sql: str) -> None:
        reply = Reply(self._talk, self.request)
        try:
            with contextlib.suppress(OSError):
                self._reply(reply, sql)
        finally:
            self.batch = None

    def _reply(self, reply: Reply, sql: str) -> None:
        try:
            ending = done(status=DoneStatus.FINAL)
            self._refuse_late_snapshot(sql)
            for answer in self._answers(sql):
                described = columns.described(answer.names, answer.types)
                reply.add(col_metadata(described))
                count = 0
                for rows, piece in answer.pieces:
                    reply.add(piece)
                    count += rows
                ending = done(status=DoneStatus.COUNT, current_command=SELECT, row_count=count)
            self.batch = None
            reply.end(ending)
        except QueryError as failure:
            self.batch = None
            if not self._stopped.is_set():
                token = error(
                    failure.number, str(failure), severity=failure.severity, server="stand-in"
                )
                reply.end(token + done(status=DoneStatus.ERROR))

    def _answers(self, sql: str) -> Iterable[Answer]:
        desk = self._known()
        repeated = self.server.world.repeated.get((self.database, sql))
        return [repeated] if repeated else desk.answers(sql)

    def _refuse_late_snapshot(self, sql: str) -> None:
        if self._talk.in_transaction and "LEVEL SNAPSHOT" in sql:
            raise QueryError(NOT_SNAPSHOT, number=3951)

    def _known(self) -> Desk:
        if self._desk is None:
            login = self._talk.login
            assert login is not None
            world = self.server.world
            self.user, self.database = login.user_name, login.database
            world.talks[self.user] = self._talk
            cursor = world.databases[self.database].cursor()
            self._desk = Desk(cursor, self.user, world.logins[self.user])
        return self._desk


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, certificate: Any, world: World) -> None:
        self.certificate = certificate
        self.world = world
        super().__init__(("0.0.0.0", port), Client)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def set_up(door: Door, world: World) -> None:
    """Does what one tester asks for, until they go."""
    with contextlib.suppress(EOFError), door:
        while True:
            name, given, named = door.recv()
            try:
                door.send((True, getattr(world, name)(*given, **named)))
            except Exception as failure:  # noqa: BLE001 - it is the tester's
                door.send((False, str(failure)))


def main(port: int, folder: Path, certificate: str, key: str) -> None:
    world = World()
    server = Server(port, load(certificate, key), world)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Listener(str(folder / "control"), "AF_UNIX") as listener:
        while True:
            door = listener.accept()
            threading.Thread(target=set_up, args=[door, world], daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
