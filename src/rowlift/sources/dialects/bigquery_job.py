"""One query of BigQuery: a job that is waited for, then its rows; another thread can stop it."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

import pyarrow as pa
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.bigquery import QueryJob, QueryJobConfig
from google.cloud.bigquery.table import RowIterator

from rowlift.core.errors import SourceError
from rowlift.core.rules import rule
from rowlift.kit.patience import patient
from rowlift.sources.dialects import bigquery_words as words
from rowlift.sources.dialects.bigquery_columns import Plan
from rowlift.sources.dialects.bigquery_readers import PAGE_ROWS, Pages, Reader, Stream
from rowlift.sources.dialects.bigquery_wire import PATIENCE, Wire

if TYPE_CHECKING:
    from rowlift.sources.bigquery import BigQueryConfig

FIRST_LOOK, LONGEST_LOOK = 0.05, 2.0  # seconds between two looks at a job


class Desk(Protocol):
    """Where a query comes from."""

    config: "BigQueryConfig"

    def asker(self) -> words.Asker: ...
    def wire(self) -> Wire: ...
    def stream(self, wire: Wire, plan: Plan) -> Stream: ...


class Running:
    """One query, run when its first batch is asked for."""

    def __init__(
        self, desk: Desk, sql: str, job: QueryJobConfig, plan: Plan, limit: int | None
    ) -> None:
        self._desk = desk
        self._sql = sql
        self._config = job
        self._plan = plan
        self._limit = limit
        self._id = f"rowlift_{uuid4().hex}"
        self._wire = desk.wire()
        self._reader: Reader | None = None
        self._deadline = time.monotonic() + desk.config.statement_timeout
        self._over = threading.Event()
        self._reason = ""
        self._runs_there = False

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the result; raises SourceError also after good rows."""
        try:
            with patient(self._desk.config.statement_timeout + PATIENCE, self._time_out):
                yield from self._whole()
        except words.FOREIGN as error:
            self._go_on()
            raise words.plain(error, self._desk.asker()) from None
        except (pa.ArrowException, ValueError) as error:
            self._go_on()
            text = f"The result is not what the service described: {error}"
            raise SourceError("QUERY_FAILED", text, mend="Run again.") from None
        finally:
            self.close()

    def cancel(self) -> None:
        """Stop it here and on the server; whoever reads gets QUERY_CANCELLED."""
        self._stop("QUERY_CANCELLED")

    def close(self) -> None:
        """Give everything back; what was not read to its end is cancelled."""
        self._stop("QUERY_CANCELLED")
        if self._reader:
            self._reader.close()
        self._wire.close()

    def _whole(self) -> Iterator[pa.RecordBatch]:
        """Yield every row that the finished job counted, or raise."""
        job = self._finished()
        rows = job.result(
            page_size=PAGE_ROWS, max_results=self._limit, retry=self._wire.retry, job_retry=None
        )
        total = rows.total_rows or 0
        missing = total if self._limit is None else min(self._limit, total)
        for batch in self._chosen(job, rows).batches():
            self._go_on()
            missing -= batch.num_rows
            yield batch
        self._go_on()
        if missing:
            raise SourceError("SOURCE_DROPPED", rule("SOURCE_DROPPED").title, mend="Run again.")

    def _finished(self) -> QueryJob:
        self._go_on()
        self._runs_there = True
        job = self._wire.client.query(
            self._sql,
            job_config=self._config,
            job_id=self._id,
            retry=self._wire.retry,
            job_retry=None,
        )
        self._wait_for(job)
        return job

    def _wait_for(self, job: QueryJob) -> None:
        pause = FIRST_LOOK
        while not job.done(retry=self._wire.retry):
            self._over.wait(pause)
            self._go_on()
            pause = min(2 * pause, LONGEST_LOOK)
        self._runs_there = False
        if job.error_result:
            self._go_on()
            raise words.failed(job.error_result, self._desk.asker())

    def _chosen(self, job: QueryJob, rows: RowIterator) -> Reader:
        """Return the reader that suits; a right of its own decides on the faster one."""
        reader = self._desk.config.reader
        is_large = reader == "storage" or (rows.total_rows or 0) > PAGE_ROWS
        self._reader = Pages(rows, self._plan)
        if reader != "rest" and self._limit is None and is_large and self._plan.streams:
            try:
                self._reader = self._stream(job)
            except GoogleAPICallError:
                if reader == "storage":
                    raise
        return self._reader

    def _stream(self, job: QueryJob) -> Stream:
        """Return a stream of the job's result, or raise what the service says against it."""
        stream = self._desk.stream(self._wire, self._plan)
        try:
            stream.open(
                job.destination,
                parent=self._wire.client.project,
                seconds=self._desk.config.connect_timeout,
            )
        except GoogleAPICallError:
            stream.close()
            raise
        return stream

    def _time_out(self) -> None:
        self._stop("QUERY_TIMEOUT")

    def _stop(self, reason: str) -> None:
        """End it for the first reason given; what runs on the server is cancelled."""
        if self._reason:
            return
        self._reason = reason
        self._over.set()
        self._wire.hang_up()
        if self._reader:
            self._reader.close()
        if self._runs_there:
            with suppress(SourceError, *words.FOREIGN):  # it ends by its own timeout then
                self._cancel_there()

    def _cancel_there(self) -> None:
        wire = self._desk.wire()
        try:
            wire.client.cancel_job(self._id, retry=None)  # type: ignore[arg-type]
        finally:
            wire.close()

    def _go_on(self) -> None:
        if time.monotonic() > self._deadline:
            self._stop("QUERY_TIMEOUT")
        if self._reason:
            code = self._reason
            raise SourceError(code, rule(code).title, mend=rule(code).mend)
