"""The drivers of warehouses alone, each the fastest exact way it offers into Arrow.

Each is loaded first, and then reads. Where a driver knows no Arrow its rows are put into it column
by column, as everybody does.
"""

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from bench.project import LOGIN

ROWS = 20_000
SCOPES = ("https://www.googleapis.com/auth/bigquery",)
Connection = Mapping[str, Any]
Read = Callable[[str], Iterable[pa.RecordBatch]]


class Cursor(Protocol):
    """What rows are taken from."""

    @property
    def description(self) -> Any: ...
    def fetchmany(self, size: int, /) -> Any: ...


def redshift(connection: Connection) -> Read:
    """Read with Amazon's driver through a cursor, since otherwise it holds the whole result."""
    import redshift_connector

    place = {name: connection[name] for name in ("host", "port", "database", "user")}

    def read(sql: str) -> Iterator[pa.RecordBatch]:
        with redshift_connector.connect(
            **place, password=_password(), ssl=True, sslmode="verify-full"
        ) as session:
            cursor = session.cursor()
            cursor.execute(f"DECLARE alone CURSOR FOR {sql}")
            while True:
                cursor.execute(f"FETCH FORWARD {connection['fetch_rows']} FROM alone")
                if not (rows := cursor.fetchall()):
                    return
                yield _batch(cursor, rows)

    return read


def snowflake(connection: Connection) -> Read:
    """Read with Snowflake's driver in Arrow; numbers keep their digits."""
    from snowflake.connector import connect

    names = ("account", "host", "port", "user", "role", "warehouse", "database")

    def read(sql: str) -> Iterator[pa.RecordBatch]:
        with (
            connect(
                **{name: connection[name] for name in names},
                private_key_file=connection["private_key_path"],
                private_key_file_pwd=_password(),
                custom_root_store_path=connection["ssl_ca"],
                arrow_number_to_decimal=True,
                enable_server_session_keep_alive_auto_detection=False,
            ) as session,
            session.cursor() as cursor,
        ):
            for table in cursor.execute(sql).fetch_arrow_batches():
                yield from table.to_batches()

    return read


def bigquery(connection: Connection) -> Read:
    """Read with Google's driver and its Storage client's stream."""
    import grpc
    from google.api_core.client_options import ClientOptions
    from google.auth.transport.grpc import secure_authorized_channel
    from google.auth.transport.requests import Request
    from google.cloud.bigquery import Client, DatasetReference, QueryJobConfig
    from google.cloud.bigquery_storage import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.services.big_query_read import transports
    from google.oauth2.service_account import Credentials

    def read(sql: str) -> Iterator[pa.RecordBatch]:
        login = Credentials.from_service_account_file(connection["keyfile"], scopes=SCOPES)
        place = ClientOptions(api_endpoint=f"https://{connection['host']}:{connection['port']}")
        client = Client(project=login.project_id, credentials=login, client_options=place)
        trusted = grpc.ssl_channel_credentials(Path(connection["ssl_ca"]).read_bytes())
        target = f"{connection['storage_host']}:{connection['storage_port']}"
        channel = secure_authorized_channel(
            login, Request(), target, trusted, options=[("grpc.max_receive_message_length", -1)]
        )
        storage = BigQueryReadClient(
            transport=transports.BigQueryReadGrpcTransport(channel=channel)
        )
        dataset = DatasetReference(login.project_id, connection["dataset"])
        job = client.query(sql, QueryJobConfig(default_dataset=dataset))
        yield from job.result().to_arrow_iterable(storage)

    return read


def mssql_python(connection: Connection) -> Read:
    """Read with Microsoft's driver in Arrow."""
    import mssql_python

    words = {
        "SERVER": f"{connection['host']},{connection['port']}",
        "DATABASE": connection["database"],
        "UID": LOGIN["user"],
        "PWD": _password(),
        "Encrypt": "yes",
    }
    told = ";".join(f"{name}={value}" for name, value in words.items())

    def read(sql: str) -> Iterator[pa.RecordBatch]:
        with mssql_python.connect(told) as session, session.cursor() as cursor:
            yield from cursor.execute(sql).arrow_reader(ROWS)

    return read


def python_tds(connection: Connection) -> Read:
    """Read with the free driver, over our TLS: its own wants pyOpenSSL, which is not installed."""
    import pytds

    from rowlift.sources.dialects.sqlserver_tls import Channel, context

    class Encrypted(Channel):
        def setsockopt(self, *_: int) -> None:
            """Leave the socket as it is."""

    host, port = connection["host"], connection["port"]
    trusted = context({"ssl_ca": connection["ssl_ca"], "trusting": False, "encrypt": "yes"})

    def read(sql: str) -> Iterator[pa.RecordBatch]:
        channel = Encrypted(socket.create_connection((host, port)), trusted, host)
        who = {"database": connection["database"], "user": LOGIN["user"], "password": _password()}
        with pytds.connect(host, sock=channel, **who) as session, session.cursor() as cursor:
            cursor.execute(sql)
            while rows := cursor.fetchmany(ROWS):
                yield _batch(cursor, rows)

    return read


READERS: Mapping[str, Callable[[Connection], Read]] = {
    "redshift-connector": redshift,
    "snowflake-connector-python": snowflake,
    "google-cloud-bigquery": bigquery,
    "mssql-python": mssql_python,
    "python-tds": python_tds,
}


def _batch(cursor: Cursor, rows: Any) -> pa.RecordBatch:
    names = [name for name, *_ in cursor.description]
    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    return pa.RecordBatch.from_arrays(columns, names)


def _password() -> str:
    return os.environ["READER_PASSWORD"]
