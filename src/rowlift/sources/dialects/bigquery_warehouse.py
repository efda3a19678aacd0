"""A project of BigQuery: dry runs tell what a query is, jobs run it, and jobs can be cancelled."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from google.cloud.bigquery import DatasetReference, QueryJob, QueryJobConfig
from google.oauth2.service_account import Credentials

from rowlift.core.errors import SourceError
from rowlift.core.nouns import Column, Finding, QueryFacts, Table
from rowlift.core.rules import rule
from rowlift.kit.patience import patient
from rowlift.kit.running import Queries
from rowlift.kit.sqlguard import guard
from rowlift.sources.dialects import bigquery as data
from rowlift.sources.dialects import bigquery_columns as columns
from rowlift.sources.dialects import bigquery_words as words
from rowlift.sources.dialects.bigquery_check import findings
from rowlift.sources.dialects.bigquery_job import Running
from rowlift.sources.dialects.bigquery_readers import Stream
from rowlift.sources.dialects.bigquery_wire import PATIENCE, Wire, credentials

if TYPE_CHECKING:
    from rowlift.sources.bigquery import BigQueryConfig


class Warehouse:
    """Has connections of its own for each thing that is asked, so that queries may overlap."""

    def __init__(self, config: "BigQueryConfig") -> None:
        self.config = config
        self._queries = Queries()

    def check(self) -> Iterator[Finding]:
        """Test step by step how far one gets."""
        return findings(self)

    def describe(self, sql: str) -> tuple[Column, ...]:
        """Return the columns of a query."""
        text = guard(sql, "bigquery").sql
        with self.asking() as wire:
            return self._plan(self.dry_run(wire, text)).columns

    def query(self, sql: str, limit: int | None = None) -> pa.RecordBatchReader:
        """Prepare a query; it runs when its rows are asked for."""
        text, cancels = guard(sql, "bigquery").sql, self._queries.cancels
        with self.asking() as wire:
            dry = self.dry_run(wire, text)
        self._refuse_cost(dry)
        plan = self._plan(dry)
        running = Running(self, text, self.job(), plan, limit)
        self._queries.add(running, cancels)
        return pa.RecordBatchReader.from_batches(plan.schema, running.batches())

    def catalog(self) -> list[Table]:
        """Return what the datasets hold."""
        return [table for dataset in self.datasets() for table in self._tables(dataset)]

    def facts(self, sql: str) -> QueryFacts:
        """Return how many bytes a query would read, and so cost."""
        with self.asking() as wire:
            dry = self.dry_run(wire, guard(sql, "bigquery").sql)
        return QueryFacts(bytes_read=dry.total_bytes_processed)

    def now(self) -> int:
        """Return the service's clock."""
        (row,) = self._rows(data.CLOCK)
        return int(row["seconds"])

    def cancel(self) -> None:
        """Stop every query that runs, or is about to."""
        self._queries.cancel()

    def close(self) -> None:
        """Stop every query and hang up."""
        self._queries.close()

    def datasets(self) -> list[str]:
        """Return the dataset that is read, or all that can be seen."""
        if self.config.dataset:
            return [self.config.dataset]
        with self.asking() as wire:
            return [str(one.dataset_id) for one in wire.client.list_datasets(retry=wire.retry)]

    def asker(self) -> words.Asker:
        """Return who asks."""
        login = self.login
        member = f"serviceAccount:{login.service_account_email}"
        return words.Asker(member, self.project, f"{self.config.host}:{self.config.port}")

    @property
    def project(self) -> str:
        """Return the project that runs and pays."""
        return self.config.project or str(self.login.project_id)

    @cached_property
    def login(self) -> Credentials:
        """Return what the key opens; raises ConnectError."""
        return credentials(self.config)

    def wire(self) -> Wire:
        """Return a conversation for one query."""
        return Wire(self.config, self.login)

    def stream(self, wire: Wire, plan: columns.Plan) -> Stream:
        """Return what reads a large result; it renews its login over the wire."""
        return Stream(self.config, self.login, wire.asking, plan)

    @contextmanager
    def asking(self) -> Iterator[Wire]:
        """Give a conversation for a question, and say its errors in our words."""
        wire = self.wire()
        try:
            with patient(self.config.statement_timeout + PATIENCE, wire.hang_up):
                yield wire
        except words.FOREIGN as error:
            raise words.plain(error, self.asker()) from None
        finally:
            wire.close()

    def job(self, *, dry: bool = False) -> QueryJobConfig:
        """Return what every job is told; only a real one has limits."""
        config = QueryJobConfig(dry_run=dry, use_legacy_sql=False, labels=dict(self.config.labels))
        if self.config.dataset:
            config.default_dataset = DatasetReference(self.project, self.config.dataset)
        if dry:
            config.use_query_cache = False  # so that it tells what would be read
        else:
            if self.config.maximum_bytes_billed is not None:
                config.maximum_bytes_billed = self.config.maximum_bytes_billed
            config.job_timeout_ms = math.ceil(self.config.statement_timeout * 1000)
        return config

    def dry_run(self, wire: Wire, sql: str) -> QueryJob:
        """Return what the service says of a query; raises SQL_NOT_A_QUERY unless it only reads."""
        found = wire.client.query(
            sql, job_config=self.job(dry=True), retry=wire.retry, job_retry=None
        )
        if found.statement_type != data.SELECT:
            text = f"{rule('SQL_NOT_A_QUERY').title}: the service calls it {found.statement_type}."
            raise SourceError("SQL_NOT_A_QUERY", text, mend=rule("SQL_NOT_A_QUERY").mend)
        return found

    def _plan(self, dry: QueryJob) -> columns.Plan:
        return columns.plan(dry.schema or ())

    def _refuse_cost(self, dry: QueryJob) -> None:
        size, most = dry.total_bytes_processed or 0, self.config.maximum_bytes_billed
        if most is not None and size > most:
            text = f"it would read {size:,} bytes, maximum_bytes_billed is {most:,}"
            raise words.answered("bytesBilledLimitExceeded", text, self.asker())

    def _tables(self, dataset: str) -> list[Table]:
        place = {"project": self.project, "dataset": dataset}
        sizes: dict[str, int] = {}
        with suppress(SourceError):  # estimates are worth no failure
            rows = self._rows(data.SIZES.format(**place))
            sizes = {row["table_id"]: row["row_count"] for row in rows}
        return columns.tables(dataset, self._rows(data.COLUMNS.format(**place)), sizes)

    def _rows(self, sql: str) -> list[Mapping[str, Any]]:
        return [row for batch in self.query(sql) for row in batch.to_pylist()]
