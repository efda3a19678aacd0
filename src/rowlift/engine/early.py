"""Early: whose the due rows are, looked up in another thread while something else is done.

What is found is what one snapshot of the workspace holds. Whoever decides by it reads on from the
same snapshot, so that nobody appears in two states.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

import pyarrow.parquet as pq
import sqlalchemy as sa

from rowlift.core.nouns import Kind
from rowlift.core.specs import SyncSpec
from rowlift.engine.duck import Duck
from rowlift.engine.familiar import OWN
from rowlift.workspace import identifiers
from rowlift.workspace.identifiers import Named
from rowlift.workspace.numbers import handed_out
from rowlift.workspace.workspace import Workspace

FEW = 200_000  # due rows whose identifiers are looked up one by one in a large workspace
_LARGE = 5  # times the due rows

# Nobody has judged these keys yet: what a database may refuse is not looked up with the others.
_ASKED = """
CREATE OR REPLACE TEMP TABLE asked_early AS
SELECT key FROM {rows} WHERE strlen(key) <= 500 AND regexp_full_match(key, '[ -~]+') LIMIT {most}
"""
_NOT_ASKED = "(SELECT key FROM {due} ANTI JOIN asked_early USING (key) LIMIT {most})"


@dataclass(frozen=True, slots=True)
class Early:
    """People whom so many keys name; until they are found the connection is the other thread's."""

    connection: sa.Connection
    keys: int
    look_up: Callable[[Sequence[str]], Future[Path]]
    coming: tuple[Future[Path], ...]

    def found(self) -> list[Path]:
        """Wait for scratch files of the people, with what is stored of them."""
        return [one.result() for one in self.coming]

    def and_of(self, keys: Sequence[str]) -> "Early":
        """Look up the people of more keys, from the same snapshot."""
        coming = (*self.coming, self.look_up(keys))
        return replace(self, keys=self.keys + len(keys), coming=coming)


def ask_early(
    duck: Duck,
    connection: sa.Connection,
    workspace: Workspace,
    spec: SyncSpec,
    due: str,
    other: Executor,
    most: int,
) -> Early | None:
    """Begin to look up whose rows are due, and what is stored of them, in another thread.

    Returns None where it does not pay: for more than so many rows, or for a small workspace.
    """
    own = spec.identify_by
    if own not in OWN or not most:
        return None
    keys = texts(duck, f"(SELECT key FROM {due} LIMIT {most + 1})", "key")
    if not keys or len(keys) > most or not are_few(connection, len(keys), "people"):
        return None

    def look_up(keys: Sequence[str]) -> Future[Path]:
        path = duck.scratch_file("people")
        return other.submit(partial(_write, path, connection, workspace.id, by_own(keys, own)))

    return Early(connection, len(keys), look_up, (look_up(keys),))


def _write(path: Path, connection: sa.Connection, workspace_id: int, named: Named) -> Path:
    schema = identifiers.WHOLE_PEOPLE
    with pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=False) as file:
        for batch in identifiers.people(connection, workspace_id, named, schema):
            file.write_batch(batch)
    return path


class LookAhead:
    """Begins to look up whose rows will be due while they are judged and go to the image."""

    def __init__(self, workspace: Workspace, spec: SyncSpec) -> None:
        self.workspace = workspace
        self._spec = spec
        self._open = ExitStack()
        self._early: Early | None = None
        self._most = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the snapshot go, which keeps databases from tidying up."""
        self._early = None
        self._open.close()

    def ask(self, duck: Duck, rows: str, most: int) -> None:
        """Ask for the people of some rows, at most so many; a snapshot of them stays open."""
        if self._spec.kind is not Kind.PERSON:
            return
        connection = self._open.enter_context(self.workspace.database.read())
        other = self._open.enter_context(ThreadPoolExecutor(1, "people"))
        self._most = min(most, most_few(connection, "people"))
        duck.run(_ASKED.format(rows=rows, most=most + 1))
        asked = "asked_early"
        self._early = ask_early(duck, connection, self.workspace, self._spec, asked, other, most)

    def of(self, duck: Duck, due: str) -> Early | None:
        """Return what was asked for, and ask for whose rows are due besides.

        Returns None where nothing was asked for, or these are too many.
        """
        if self._early is None:
            return None
        others = _NOT_ASKED.format(due=due, most=self._most + 1)
        keys = texts(duck, others, "key")
        if self._early.keys + len(keys) > self._most:
            return None
        return self._early.and_of(keys) if keys else self._early


def are_few(connection: sa.Connection, due: int, table: str) -> bool:
    """Tell whether to look so many rows up one by one, rather than to read a whole workspace."""
    return due <= most_few(connection, table)


def most_few(connection: sa.Connection, table: str) -> int:
    """Return how many rows at most are looked up one by one."""
    return min(FEW, -(-handed_out(connection, table) // _LARGE)) - 1


def by_own(keys: Sequence[str], own: str) -> Named:
    """Return keys as identifiers of the kind that they are."""
    return Named(keys, (), ()) if own == "user_id" else Named((), keys, ())


def texts(duck: Duck, rows: str, column: str) -> list[str]:
    """Return the different texts of a column in their order."""
    query = f"SELECT DISTINCT {column} AS v FROM {rows} WHERE {column} IS NOT NULL ORDER BY v"
    return list(duck.table(query)["v"].to_pylist())
