"""The connection test of BigQuery, and the GRANTs that mend what it finds."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from google.cloud.bigquery import TableReference, __version__

from rowlift.core.counting import counted
from rowlift.core.errors import SourceError
from rowlift.core.nouns import Column, Finding
from rowlift.kit.clocks import clocks
from rowlift.kit.config import FileMissing
from rowlift.sources.dialects import bigquery as data
from rowlift.sources.dialects import bigquery_words as words
from rowlift.sources.dialects.bigquery_wire import NEW_KEY

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rowlift.sources.dialects.bigquery_wire import Wire

STEPS = {"CONNECT_FAILED": "network", "SOURCE_DROPPED": "network", "TLS_FAILED": "tls"}
LOOKED_AT = 10  # tables whose rights are asked for


class Patient(Protocol):
    """What is tested."""

    def describe(self, sql: str) -> Sequence[Column]: ...
    def now(self) -> int: ...
    def datasets(self) -> Sequence[str]: ...
    def asking(self) -> "AbstractContextManager[Wire]": ...
    def asker(self) -> words.Asker: ...


def findings(warehouse: Patient) -> Iterator[Finding]:
    """Yield the findings up to the step that failed."""
    try:
        warehouse.describe("SELECT 1 AS one")
    except SourceError as error:
        yield from _unreachable(error)
        return
    asker = warehouse.asker()
    yield Finding("network", "ok", f"{asker.host} answers.")
    yield Finding("tls", "ok", "Encrypted, service verified.")
    yield Finding("login", "ok", f"{asker.member} may run queries in {asker.project}.")
    try:
        yield from _rights(warehouse, asker)
        yield Finding("version", "ok", f"BigQuery API v2, google-cloud-bigquery {__version__}.")
        yield clocks(warehouse.now(), time.time())
    except SourceError as error:
        yield Finding("privileges", "error", error.message, error.mend, error.code)


def _unreachable(error: SourceError) -> Iterator[Finding]:
    step = STEPS.get(error.code, "login")
    is_asked = error.mend != NEW_KEY and not isinstance(error, FileMissing)
    if step != "network" and is_asked:
        yield Finding("network", "ok", "The service answers.")
    yield Finding(step, "error", error.message, error.mend, error.code)


def _rights(warehouse: Patient, asker: words.Asker) -> Iterator[Finding]:
    """Ask of some tables what the account may do with them."""
    writable, readable, looked = [], 0, 0
    datasets = warehouse.datasets()
    with warehouse.asking() as wire:
        for table in _some_tables(wire, datasets):
            asked = [data.READING_RIGHT, *data.WRITING_RIGHTS]
            answer = wire.client.test_iam_permissions(table, asked, retry=wire.retry)
            rights = set(answer.get("permissions", ()))
            looked += 1
            readable += data.READING_RIGHT in rights
            if rights - {data.READING_RIGHT}:
                writable.append(str(table))
    yield _read_only(writable, looked, asker)
    yield _privileges(readable, looked, datasets, asker)


def _some_tables(wire: "Wire", datasets: Sequence[str]) -> Iterator[TableReference]:
    left = LOOKED_AT
    for dataset in datasets:
        for table in wire.client.list_tables(dataset, max_results=left, retry=wire.retry):
            yield table.reference
            left -= 1
        if left <= 0:
            return


def _read_only(writable: Sequence[str], looked: int, asker: words.Asker) -> Finding:
    if writable:
        text = f"The account could write: {', '.join(writable)}. Rowlift runs nothing but SELECT."
        mend = f"Give {asker.member} no role but dataViewer, jobUser and readSessionUser."
        return Finding("read_only", "warning", text, mend, "WRITE_RIGHTS")
    if not looked:
        return Finding("read_only", "note", "There is no table whose rights could be asked for.")
    text = f"The account can only read the {counted(looked, 'table')} looked at."
    return Finding("read_only", "ok", text)


def _privileges(readable: int, looked: int, datasets: Sequence[str], asker: words.Asker) -> Finding:
    text = _told(readable, looked, datasets, asker.project)
    if readable and readable == looked:
        return Finding("privileges", "ok", text)
    grants = [
        data.GRANT_DATASET.format(what=f"{asker.project}.{dataset}", member=asker.member)
        for dataset in datasets[:LOOKED_AT]
    ]
    mend = "\n".join(grants) or words.role(asker, "dataViewer")
    return Finding("privileges", "warning", text, mend, "PERMISSION_DENIED")


def _told(readable: int, looked: int, datasets: Sequence[str], project: str) -> str:
    names = ", ".join(datasets)
    if looked:
        return f"{readable} of {counted(looked, 'table')} looked at can be read, in {names}."
    return f"The account sees no {f'table in {names}' if names else f'dataset in {project}'}."
