"""The two ways to fetch the rows of a finished job: pages over REST, and a stream of Arrow."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import grpc
import pyarrow as pa
from google.auth.transport.grpc import secure_authorized_channel
from google.auth.transport.requests import Request
from google.cloud.bigquery import TableReference
from google.cloud.bigquery.table import RowIterator
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, types
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
    BigQueryReadGrpcTransport,
)
from google.oauth2.service_account import Credentials

from rowlift.sources.dialects.bigquery_columns import Plan

if TYPE_CHECKING:
    from rowlift.sources.bigquery import BigQueryConfig

PAGE_ROWS = 5_000  # the service sends fewer where they are wide: a page has at most 10 MB
KEEP_ALIVE = 10_000  # milliseconds
CHANNEL = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", KEEP_ALIVE),
    ("grpc.keepalive_timeout_ms", KEEP_ALIVE),
    ("grpc.enable_http_proxy", 0),
)


class Reader(Protocol):
    """A finished job's rows."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield them in order; raises the driver's errors."""

    def close(self) -> None:
        """End it, from any thread."""


class Pages:
    """Rows as JSON, a page for each request."""

    def __init__(self, rows: RowIterator, plan: Plan) -> None:
        self._rows = rows
        self._plan = plan

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield a batch for each page that has rows."""
        for page in self._rows.pages:
            if found := page.raw_page["rows"]:
                yield self._plan.page(found)

    def close(self) -> None:
        """Leave the connection to its owner."""


class Stream:
    """Rows as Arrow, through one stream of the Storage Read API, which keeps their order."""

    def __init__(
        self, config: "BigQueryConfig", login: Credentials, asking: Request, plan: Plan
    ) -> None:
        trusted = config.ssl_ca.read_bytes() if config.ssl_ca else None
        self._plan = plan
        self._channel = secure_authorized_channel(  # type: ignore[no-untyped-call]
            login,
            asking,
            f"{config.storage_host}:{config.storage_port}",
            ssl_credentials=grpc.ssl_channel_credentials(trusted),
            options=CHANNEL,
        )
        transport = BigQueryReadGrpcTransport(channel=self._channel)
        self._client = BigQueryReadClient(transport=transport)  # type: ignore[no-untyped-call]
        self._session = types.ReadSession()

    def open(self, table: TableReference, *, parent: str, seconds: float) -> None:
        """Begin a session; raises PermissionDenied where that takes a right of its own."""
        options = types.ArrowSerializationOptions(
            buffer_compression=types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
        )
        self._session = self._client.create_read_session(
            parent=f"projects/{parent}",
            read_session=types.ReadSession(
                table=table.path.removeprefix("/"),
                data_format=types.DataFormat.ARROW,
                read_options={"arrow_serialization_options": options},
            ),
            max_stream_count=1,
            retry=None,
            timeout=seconds,
        )

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches as they come; where the stream breaks it goes on behind the last."""
        schema = pa.ipc.read_schema(pa.py_buffer(self._session.arrow_schema.serialized_schema))
        for stream in self._session.streams:
            rows = self._client.read_rows(stream.name, retry=None)  # type: ignore[no-untyped-call]
            for message in rows:
                packed = pa.py_buffer(message.arrow_record_batch.serialized_record_batch)
                yield self._plan.streamed(pa.ipc.read_record_batch(packed, schema))

    def close(self) -> None:
        """Hang up."""
        self._channel.close()
