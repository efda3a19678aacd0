"""Run as a program by ArrowChild: one connection of python-tds, which has nothing proprietary."""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pyarrow as pa
from pytds import tds_base, tds_types
from pytds.lcid import LANGID_ENGLISH_US
from pytds.row_strategies import tuple_row_strategy
from pytds.tds_socket import _TdsSocket

from rowlift.core.values import META
from rowlift.kit import dbapi
from rowlift.kit.reach import connected
from rowlift.sources.dialects.sqlserver import CODE_PAGE
from rowlift.sources.dialects.sqlserver_answers import Row, serve
from rowlift.sources.dialects.sqlserver_columns import plan
from rowlift.sources.dialects.sqlserver_tls import Channel, context

HOPS = 3  # servers that may send us on before it is given up
UTF_8 = 65001  # Windows' number of it
CODED = {"char", "varchar", "text"}  # they come in the code page of their collation


class Refusal(Exception):
    """What the server said first, with its number."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


class Connection:
    """One login, in a transaction that nobody commits."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._session = _logged_in(request).main_session
        for statement in request["before"]:
            self._execute(statement)
        with _first_error(self._session):
            self._session.autocommit = False

    def rows(self, question: str) -> Sequence[Row]:
        self._execute(question)
        names = [entry[0] for entry in self._session.res_info.description]
        return [dict(zip(names, row, strict=True)) for row in self.fetchmany(None)]

    def batches(
        self, sql: str, described: Sequence[Row], limit: int | None
    ) -> Iterator[pa.RecordBatch]:
        columns = plan((one["name"], one["system_type_name"]) for one in described)
        schema = pa.schema([_raw(field) for field in columns.schema])
        codecs = self._codecs(described)
        converts = [_convert(one, codec) for one, codec in zip(schema.types, codecs, strict=True)]
        self._execute(sql)
        _leave_encoded(self._session.res_info.columns)
        return dbapi.batches(self, schema, converts, limit=limit)

    def fetchmany(self, size: int | None, /) -> list[tuple[Any, ...]]:
        with _first_error(self._session):
            return list(islice(iter(self._session.fetchone, None), size))

    def _execute(self, sql: str) -> None:
        with _first_error(self._session):
            self._session.execute(sql)

    def _codecs(self, described: Sequence[Row]) -> list[str]:
        collations = [one["collation_name"] if _is_coded(one) else "" for one in described]
        found = {name: self._codec(name) for name in set(collations) if name}
        return [found.get(name, "utf-16-le") for name in collations]

    def _codec(self, collation: str) -> str:
        ((page,),) = (row.values() for row in self.rows(CODE_PAGE.format(collation=collation)))
        return "utf-8" if page == UTF_8 else f"cp{page}"


def _logged_in(way: Mapping[str, Any]) -> Any:
    login, demands = _login(way), context(way)
    port = way["port"]
    for _ in range(HOPS):
        host = login.server_name.partition("\\")[0]  # a route may name an instance too
        plain = connected(host, port, way["seconds"])
        channel = Channel(plain, demands, way["certificate_name"] or host)
        tds = _TdsSocket(channel, login, row_strategy=tuple_row_strategy, autocommit=True)
        with _first_error(tds.main_session):
            route = tds.login()
        if not route:
            channel.settimeout(None)  # from here on the parent looks at the clock
            return tds
        channel.close()
        login.server_name, port = route["server"], route["port"]
    raise ConnectionError("One server sends us on to the next.")


def _login(way: Mapping[str, Any]) -> Any:
    login = tds_base._TdsLogin()  # noqa: SLF001 - connect() would follow routes without TLS
    login.client_host_name = socket.gethostname()[:128]
    login.app_name, login.library = "rowlift", "python-tds"
    login.user_name, login.password = way["user"], way["password"]
    login.server_name, login.database = way["host"], way["database"]
    login.readonly = way["only_reading"]
    login.enc_flag = tds_base.PreLoginEnc.ENCRYPT_NOT_SUP
    login.option_flag2 = tds_base.TDS_ODBC_ON
    login.client_lcid = LANGID_ENGLISH_US
    login.pid = os.getpid()
    return login


def _raw(field: pa.Field) -> pa.Field:
    """Return what the driver's values fit into: a time of day is none of Arrow's texts yet."""
    return field.with_type(pa.time64("us")) if field.metadata[META] == b"time" else field


def _is_coded(column: Row) -> bool:
    return column["system_type_name"].partition("(")[0] in CODED


def _convert(arrow: pa.DataType, codec: str) -> dbapi.Convert:
    if arrow == pa.string():
        return lambda values: pa.array([_text(one, codec) for one in values], arrow)
    return dbapi.raw(arrow, lambda values: values)


def _text(value: Any, codec: str) -> str | None:
    if isinstance(value, bytes):
        return value.decode(codec, "replace")
    return None if value is None else str(value)


def _leave_encoded(columns: Sequence[Any]) -> None:
    """Have texts in UTF-16 come as bytes: the driver fails at the halves that LEFT leaves."""
    for column in columns:
        match column.serializer:
            case tds_types.NVarCharMaxSerializer():
                column.serializer = tds_types.VarBinarySerializerMax()
            case tds_types.NVarChar72Serializer():
                column.serializer = tds_types.VarBinarySerializer72(0)


@contextmanager
def _first_error(session: Any) -> Iterator[None]:
    """The driver raises the last of several, which tells least."""
    try:
        yield
    except tds_base.DatabaseError:
        for one in session.messages:
            if one["marker"] == tds_base.TDS_ERROR_TOKEN:
                raise Refusal(one["msgno"], one["message"]) from None
        raise


def last_words(error: BaseException) -> dict[str, object]:
    """Return what is left of an error; a network's is told as Microsoft's driver would."""
    if isinstance(error, Refusal):
        return {"said": str(error), "number": error.number}
    if isinstance(error, OSError | tds_base.ClosedConnectionError):
        return {"said": f"Connection is broken: {error}"}
    return {"said": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    serve(Connection, last_words)
