"""A stand-in for Snowflake: fakesnow's engine behind the vendor's protocol, with what it lacks.

Run as a program, in fakesnow's own environment: snowflake_server.py SETTINGS.json

It speaks HTTPS, proves passwords, tokens and key pairs, keeps roles apart, ends statements that are
cancelled or take too long, lets the driver ask again for slow ones, words its errors as Snowflake
does, and hands out all but the first rows in chunks that the driver has to fetch.
"""

import asyncio
import base64
import gzip
import hashlib
import itertools
import json
import re
import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import jwt
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
import uvicorn
from cryptography.hazmat.primitives import serialization
from fakesnow import cursor as fake_cursor
from fakesnow.arrow import to_ipc, to_sf
from fakesnow.instance import FakeSnow
from fakesnow.rowtype import describe_as_rowtype
from snowflake.connector.errors import Error
from sqlglot import exp
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ACCOUNT = "ACME"
CHUNK_ROWS = 5_000
SOON = 1.0  # seconds
TICK = 0.05  # seconds between two looks at whether a statement is to end
SECRET = "SECRET"  # the table that only the administrator may read
SELECT_TYPE = 0x1000
DATABASES = "SELECT database_name FROM duckdb_databases()"
GRANTS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "READER": (
        ("USAGE", "WAREHOUSE", "WH"),
        ("USAGE", "DATABASE", "{database}"),
        ("USAGE", "SCHEMA", "{database}.PUBLIC"),
        ("SELECT", "TABLE", "{database}.PUBLIC.PEOPLE"),
    ),
    "WRITER": (("USAGE", "ROLE", "READER"), ("INSERT", "TABLE", "{database}.PUBLIC.PEOPLE")),
    "ACCOUNTADMIN": (("OWNERSHIP", "DATABASE", "{database}"),),
    "CALLER": (("USAGE", "PROCEDURE", "{database}.PUBLIC.CLEAN_UP"),),
    "HIDDEN": (),
}


def as_it_is(expression: exp.Expr) -> exp.Expr:
    return expression


fake_cursor.transforms.integer_precision = as_it_is  # else NUMBER(38,0) would have 19 digits


class Refusal(Exception):
    """What the server says instead of an answer: code, SQLSTATE, text."""

    def __init__(self, code: str, state: str, message: str) -> None:
        super().__init__(message)
        self.code, self.state, self.message = code, state, message

    def of(self, *names: str) -> "Refusal":
        """Return it with names in its text."""
        return Refusal(self.code, self.state, self.message.format(*names))


CANCELLED = Refusal("000604", "57014", "SQL execution canceled")
TIMEOUT = Refusal("000630", "57014", "Statement reached its statement or warehouse timeout.")
GONE = Refusal("390111", "08001", "Session no longer exists. New login required.")
BAD_LOGIN = Refusal("390100", "08001", "Incorrect username or password was specified.")
BAD_JWT = Refusal("390144", "08001", "JWT token is invalid.")
BAD_TOKEN = Refusal("390303", "08001", "Invalid OAuth access token.")
WAREHOUSES: Mapping[str, Refusal | None] = {
    "WH": None,
    "SUSPENDED": Refusal("000606", "57P03", "No active warehouse selected in the current session."),
    "OVER_QUOTA": Refusal("090073", "22000", "Warehouse 'OVER_QUOTA' has exceeded its quota."),
}
COMPILING = "SQL compilation error:\n"
SYNTAX = Refusal("001003", "42000", COMPILING + "syntax error line 1 at position 0")
CLOSED = Refusal("002003", "42S02", COMPILING + "Object '{}' does not exist or not authorized.")
DENIED = Refusal("003001", "42501", "SQL access control error:\nInsufficient privileges on '{}'")
MANY = Refusal("000008", "0A000", "Actual statement count {} did not match the desired count 1.")
# What fakesnow and DuckDB say, and what Snowflake would.
WORDINGS = (
    (
        r"Function with name (\S+) does not exist",
        Refusal("002140", "42601", COMPILING + "Unknown function {}."),
    ),
    (r"(?:Table|Schema) with name (\S+) does not exist", CLOSED),
    (
        r"Referenced column \"([^\"]+)\" not found",
        Refusal("000904", "42000", COMPILING + "invalid identifier '{}'"),
    ),
    (
        r"Could not convert string '([^']*)'",
        Refusal("100038", "22018", "Numeric value '{}' is not recognized"),
    ),
    (r"Conversion Error", Refusal("100035", "22007", "A value is not recognized")),
)


@dataclass
class Session:
    """One login."""

    user: str
    role: str
    warehouse: str | None
    database: str | None
    parameters: Mapping[str, Any]
    connection: Any
    peers: set[tuple[str, int]] = field(default_factory=set)
    running: int = 0
    end: Refusal | None = None  # why it is over

    async def run(self, work: Callable[[], Any]) -> Any:
        """Run a statement, which ends early when it is cancelled or too slow."""
        loop = asyncio.get_running_loop()
        limit = loop.time() + float(self.parameters.get("STATEMENT_TIMEOUT_IN_SECONDS", 172800))
        self.running += 1
        task = asyncio.ensure_future(run_in_threadpool(work))
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=TICK)
                if self.end or loop.time() > limit:
                    self.connection._duck_conn.interrupt()  # noqa: SLF001
            return task.result()
        except duckdb.InterruptException:
            raise self.end or TIMEOUT from None
        finally:
            self.running -= 1


@dataclass
class Account:
    """The users' secrets, the open sessions, and the chunks that wait to be fetched."""

    settings: Mapping[str, Any]
    engine: FakeSnow = field(default_factory=FakeSnow)
    sessions: dict[str, Session] = field(default_factory=dict)
    chunks: dict[str, tuple[Session, bytes]] = field(default_factory=dict)
    slow: dict[str, "asyncio.Future[JSONResponse]"] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def prove(self, login: Mapping[str, Any]) -> str:
        """Return the user who showed a right secret."""
        user, how = str(login.get("LOGIN_NAME", "")).upper(), login.get("AUTHENTICATOR")
        known = self.settings["users"].get(user, {})
        if how == "SNOWFLAKE_JWT" and known:
            self._prove_key(user, login["TOKEN"])
        elif how in {"OAUTH", "PROGRAMMATIC_ACCESS_TOKEN"}:
            if not known or login.get("TOKEN") != known.get(how):
                raise BAD_TOKEN
        elif not known or login.get("PASSWORD") != known.get("PASSWORD"):
            raise BAD_LOGIN
        return user

    def _prove_key(self, user: str, token: str) -> None:
        public = serialization.load_pem_public_key(self.settings["public_key"].encode())
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        printed = hashlib.sha256(public.public_bytes(serialization.Encoding.DER, info)).digest()
        name = f"{ACCOUNT}.{user}"
        issuer = f"{name}.SHA256:{base64.b64encode(printed).decode()}"
        try:
            jwt.decode(token, public, algorithms=["RS256"], issuer=issuer, subject=name)  # type: ignore[arg-type]
        except jwt.PyJWTError:
            raise BAD_JWT from None

    def databases(self) -> set[str]:
        """Return the names of the databases."""
        with self.engine.duck_conn.cursor() as cursor:
            return {name for (name,) in cursor.execute(DATABASES).fetchall()}

    def session(self, request: Request) -> Session:
        """Return the session whose token a request shows."""
        shown = re.search(r'Token="([^"]+)"', request.headers.get("Authorization", ""))
        found = self.sessions.get(shown[1]) if shown else None
        if found is None:
            raise GONE
        found.peers.add(tuple(request.scope["client"]))
        return found


async def body(request: Request) -> Any:
    raw = await request.body()
    return json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)


def answered(data: object) -> JSONResponse:
    return JSONResponse({"data": data, "code": None, "message": None, "success": True})


def refused(refusal: Refusal) -> JSONResponse:
    data = {"errorCode": refusal.code, "sqlState": refusal.state}
    content = {"data": data, "code": refusal.code, "message": refusal.message, "success": False}
    return JSONResponse(content)


async def login(request: Request) -> JSONResponse:
    asked, wanted = (await body(request))["data"], request.query_params
    try:
        user = account.prove(asked)
        role = _known("role", wanted.get("roleName") or "READER", GRANTS)
        warehouse = _known("warehouse", wanted.get("warehouse"), WAREHOUSES)
        database = _known("database", wanted.get("databaseName"), account.databases())
    except Refusal as refusal:
        return refused(refusal)
    connection = account.engine.connect(
        database, wanted.get("schemaName") or "PUBLIC" if database else None
    )
    token = secrets.token_urlsafe(32)
    parameters = asked.get("SESSION_PARAMETERS") or {}
    account.sessions[token] = Session(
        user, role or "READER", warehouse, database, parameters, connection
    )
    return answered(
        {
            "token": token,
            "masterToken": secrets.token_urlsafe(32),
            "validityInSeconds": 3600,
            "masterValidityInSeconds": 14400,
            "sessionId": next(account.numbers),
            "serverVersion": "10.0.0",
            "parameters": [{"name": "AUTOCOMMIT", "value": True}],
            "sessionInfo": {
                "databaseName": database,
                "schemaName": connection.schema,
                "warehouseName": warehouse,
                "roleName": role,
            },
        }
    )


def _known(what: str, name: str | None, names: Any) -> str | None:
    if name and name.strip('"').upper() not in names:
        if what == "role":
            said = f"Role '{name}' specified in the connect string is not granted to this user."
            raise Refusal("390189", "08001", said)
        raise Refusal("390201", "08001", f"The requested {what} does not exist or not authorized.")
    return name.strip('"').upper() if name else None


async def query(request: Request) -> JSONResponse:
    return await _soon(asyncio.ensure_future(_answer(request, await body(request))))


async def result(request: Request) -> JSONResponse:
    return await _soon(account.slow[request.path_params["name"]])


async def _soon(answer: "asyncio.Future[JSONResponse]") -> JSONResponse:
    """Give the answer, or say where to ask again, as Snowflake does after 45 seconds."""
    await asyncio.wait({answer}, timeout=SOON)
    if answer.done():
        return answer.result()
    name = secrets.token_hex(16)
    account.slow[name] = answer
    data = {"getResultUrl": f"/queries/{name}/result", "queryId": name}
    content = {"data": data, "code": "333333", "message": "In progress.", "success": True}
    return JSONResponse(content)


async def _answer(request: Request, asked: Mapping[str, Any]) -> JSONResponse:
    try:
        session = account.session(request)
        if session.end:
            raise GONE
        sql = _allowed(session, asked["sqlText"])
        cursor = session.connection.cursor()
        if asked.get("describeOnly"):
            rows = await session.run(lambda: cursor._describe_only(sql))  # noqa: SLF001
            return answered(_described(rows))
        await session.run(lambda: cursor.execute(sql, server=True))
        rowtype = describe_as_rowtype(cursor._describe_last_sql())  # noqa: SLF001
        return answered(_result(request, session, cursor._arrow_table, rowtype))  # noqa: SLF001
    except Refusal as refusal:
        return refused(refusal)
    except (Error, duckdb.Error, sqlglot.errors.SqlglotError, NotImplementedError) as error:
        said = _reworded(str(getattr(error, "raw_msg", None) or error))
        return refused(_placed(said, str(asked["sqlText"])))


def _allowed(session: Session, sql: str) -> str:
    """Return what is to be run for a statement, if the session's role may run it."""
    if show := re.fullmatch(r'SHOW GRANTS TO ROLE "?([^"]+)"?', sql.strip(), re.IGNORECASE):
        return _grants(show[1], session.database)
    statements = [one for one in sqlglot.parse(sql, "snowflake") if one]
    if len(statements) != 1:
        raise MANY.of(str(len(statements)))
    if closed := WAREHOUSES.get(session.warehouse or ""):
        raise closed
    if session.user != "ADMIN":
        _refuse_what_needs_more(statements[0])
    return sql


def _refuse_what_needs_more(statement: exp.Expr) -> None:
    names = [table.name.upper() for table in statement.find_all(exp.Table)]
    if SECRET in names:
        raise CLOSED.of(SECRET)
    if not isinstance(statement, exp.Query | exp.Values):
        raise DENIED.of(*names[:1] or [""])


def _grants(role: str, database: str | None) -> str:
    if not GRANTS.get(role.upper()):
        raise DENIED.of(role)
    rows = [f"('{right}', '{on}', '{name}')" for right, on, name in GRANTS[role.upper()]]
    listed = ", ".join(rows).format(database=database)
    return f'SELECT * FROM (VALUES {listed}) AS g("privilege", "granted_on", "name")'


def _described(rows: Any) -> dict[str, Any]:
    columns = describe_as_rowtype(rows)
    return {
        "rowtype": columns,
        "rowsetBase64": "",
        "queryResultFormat": "arrow",
        "total": 0,
        "returned": 0,
        "queryId": secrets.token_hex(16),
        "statementTypeId": SELECT_TYPE,
        "numberOfBinds": 0,
    }


def _result(request: Request, session: Session, table: pa.Table, rowtype: Any) -> dict[str, Any]:
    """Answer with the first rows, and with the places where to fetch the others."""
    limit = int(session.parameters.get("ROWS_PER_RESULTSET", 0))
    rows = table.slice(0, limit) if limit else table
    pieces = [rows.slice(at, CHUNK_ROWS) for at in range(0, max(len(rows), 1), CHUNK_ROWS)]
    first, *others = [to_ipc(_sent(piece, rowtype)).to_pybytes() for piece in pieces]
    return {
        "rowtype": rowtype,
        "rowsetBase64": base64.b64encode(first).decode(),
        "queryResultFormat": "arrow",
        "total": len(rows),
        "returned": len(pieces[0]),
        "queryId": secrets.token_hex(16),
        "statementTypeId": SELECT_TYPE,
        "parameters": [{"name": "TIMEZONE", "value": "UTC"}],
        "chunkHeaders": {},
        "chunks": [
            _chunk(request, session, content, len(piece))
            for content, piece in zip(others, pieces[1:], strict=True)
        ],
    }


def _sent(piece: pa.Table, rowtype: Any) -> pa.Table:
    """Return rows as they travel; fakesnow says that no moment is ever null."""
    table = to_sf(piece, rowtype)
    for at, values in enumerate(piece.columns):
        if pa.types.is_timestamp(values.type):
            moments = table.column(at).combine_chunks()
            names = [part.name for part in moments.type]
            parts = [pc.fill_null(part, 0) for part in moments.flatten()]
            mask = values.combine_chunks().is_null()
            nullable = pa.StructArray.from_arrays(parts, names=names, mask=mask)
            table = table.set_column(at, table.field(at).with_type(nullable.type), nullable)
    return table


def _chunk(request: Request, session: Session, content: bytes, rows: int) -> dict[str, Any]:
    name = secrets.token_urlsafe(16)
    account.chunks[name] = session, content
    url = f"https://{request.headers['host']}/chunks/{name}"
    sizes = {"compressedSize": len(content), "uncompressedSize": len(content)}
    return {"url": url, "rowCount": rows, **sizes}


def _reworded(said: str) -> Refusal:
    for pattern, meant in WORDINGS:
        if found := re.search(pattern, said):
            return meant.of(*found.groups())
    return SYNTAX


def _placed(refusal: Refusal, sql: str) -> Refusal:
    """Return the refusal of a name with where it stands, columns counted from 0."""
    found = re.search(r"invalid identifier '(\w+)'", refusal.message)
    at = sql.upper().find(found[1].upper()) if found else -1
    if at < 0:
        return refusal
    line, column = sql.count("\n", 0, at) + 1, at - sql.rfind("\n", 0, at) - 1
    place = f"{COMPILING.strip()} error line {line} at position {column}\n"
    return Refusal(refusal.code, refusal.state, refusal.message.replace(COMPILING, place))


async def chunk(request: Request) -> Response:
    owner, content = account.chunks.get(request.path_params["name"], (None, None))
    if owner:
        owner.peers.add(tuple(request.scope["client"]))
    return Response(content, 200 if owner and not owner.end else 403)


async def session(request: Request) -> JSONResponse:
    with suppress(Refusal):
        found = account.session(request)
        if request.query_params.get("delete"):
            found.end = CANCELLED
            if not found.running:
                _forget(found)
    return answered(None)


def _forget(ended: Session) -> None:
    account.sessions = {key: one for key, one in account.sessions.items() if one is not ended}
    account.chunks = {key: kept for key, kept in account.chunks.items() if kept[0] is not ended}


async def state(request: Request) -> JSONResponse:
    """Tell a test what runs in a database, and with which parameters each session was opened."""
    return answered(
        [
            {"user": one.user, "role": one.role, "running": one.running, **one.parameters}
            for one in account.sessions.values()
            if one.database == request.path_params["database"]
        ]
    )


async def stop(request: Request) -> JSONResponse:
    """End every session of a database with its connections, as an administrator would."""
    found = [
        one for one in account.sessions.values() if one.database == request.path_params["database"]
    ]
    peers = {peer for one in found for peer in one.peers}
    for one in found:
        one.end = GONE
        _forget(one)
    for connection in list(server.server_state.connections):
        if connection.transport.get_extra_info("peername") in peers:
            connection.transport.abort()
    return answered(None)


async def nothing(_: Request) -> JSONResponse:
    return answered(None)


ROUTES = [
    Route("/session/v1/login-request", login, methods=["POST"]),
    Route("/queries/v1/query-request", query, methods=["POST"]),
    Route("/queries/{name}/result", result, methods=["GET"]),
    Route("/queries/v1/abort-request", nothing, methods=["POST"]),
    Route("/telemetry/send", nothing, methods=["POST"]),
    Route("/session", session, methods=["POST"]),
    Route("/chunks/{name}", chunk, methods=["GET"]),
    Route("/test/{database}", state, methods=["GET"]),
    Route("/test/{database}", stop, methods=["DELETE"]),
]


def listening(host: str) -> socket.socket:
    """A socket whose connections send at once, as those of every real server do."""
    found = socket.create_server((host, account.settings["port"]))
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


account = Account(json.loads(Path(sys.argv[1]).read_text()))
server = uvicorn.Server(
    uvicorn.Config(
        Starlette(routes=ROUTES),
        log_level="warning",
        ssl_certfile=account.settings["cert_file"],
        ssl_keyfile=account.settings["key_file"],
    )
)
server.run([listening(host) for host in ("127.0.0.1", "127.0.0.2")])
