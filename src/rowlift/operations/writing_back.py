"""Write what runs did to a schema of a warehouse, each run once it and its deliveries are over."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rowlift.core.errors import ConfigError, RowliftError, StateError
from rowlift.engine.duck import Duck
from rowlift.engine.history import changed_attributes
from rowlift.engine.parts import uids
from rowlift.operations.discretion import meaning
from rowlift.operations.home import Home
from rowlift.operations.logbooks import SCHEMA, URL, key_of, remember_failure
from rowlift.operations.rejects import rejects
from rowlift.operations.reporting import report_run
from rowlift.operations.reports import RunReport
from rowlift.state.runs import Run
from rowlift.workspace.suppression import KINDS, finder, identifier

_AT_ONCE = 200
_OUTCOME = ("target", "query", "row_number", "identifier", "code", "reason")


@dataclass(frozen=True, slots=True)
class WriteBackReport:
    """How many runs were written, in how many rows; `open` are not over yet and come later."""

    runs: int
    rows: int
    open: int


@dataclass(frozen=True, slots=True)
class _Mark:
    """How far a schema is: up to which run, but for those that were not over."""

    last: int = 0
    open: tuple[int, ...] = ()


def write_back(home: Home) -> WriteBackReport:
    """Write the runs that are not written yet; one that is repeated replaces itself.

    Whether it failed is remembered. Raises ConfigError VALUE_WRONG where no warehouse is named,
    and DestinationError WRITE_BACK_FAILED.
    """
    try:
        done = _written(home)
    except StateError:
        raise
    except RowliftError as error:
        remember_failure(home, error.code)
        raise
    remember_failure(home, "")
    return done


def _written(home: Home) -> WriteBackReport:
    url, schema = home.env.get(URL, ""), home.env.get(SCHEMA, "rowlift")
    if not url:
        raise ConfigError(
            "VALUE_WRONG", f"{URL} names no warehouse for the logs.",
            mend="Set it to duckdb:///FILE, or to postgresql://USER:PASSWORD@HOST/DATABASE.",
        )  # fmt: skip
    from rowlift.kit.logbook import Logbook

    key = key_of(home, "write_back")
    mark, runs, rows = _recalled(home, key), 0, 0
    with Logbook.opened(url, schema) as book, Duck(home.store.files.scratch) as duck:
        instance, is_hidden = home.store.recall("instance"), _hiding(home)
        for page, reached in _pages(home, mark):
            for run, report in page:
                rows += book.write(instance, run.id, _logs(home, duck, run, report, is_hidden))
            runs += len(page)
            if reached != mark:
                home.store.remember(key, json.dumps([reached.last, reached.open]))
            mark = reached
    return WriteBackReport(runs, rows, len(mark.open))


def _pages(home: Home, mark: _Mark) -> Iterator[tuple[list[tuple[Run, RunReport]], _Mark]]:
    """Yield runs that are over, the oldest first, with how far the schema is after them."""
    last, left = mark.last, []
    found: Sequence[Run] = [run for run in map(home.store.runs.find, mark.open) if run]
    while True:
        page = [(run, report_run(home, run)) for run in found]
        last = max([last, *(run.id for run in found)])
        left += [run.id for run, report in page if not report.is_over]
        yield [one for one in page if one[1].is_over], _Mark(last, tuple(left))
        found = home.store.runs.after(home.workspace_id, last, _AT_ONCE)
        if not found:
            return


def _recalled(home: Home, key: str) -> _Mark:
    text = home.store.recall(key)
    last, left = json.loads(text) if text else (0, ())
    return _Mark(last, tuple(left))


def _hiding(home: Home) -> Callable[[str | None], bool]:
    """Return what tells whether a key is, or joins, an identifier that is suppressed now."""
    with home.store.database.read() as connection:
        is_suppressed = finder(connection, home.workspace_id)

    def is_hidden(key: str | None) -> bool:
        values = _members(key) if key else ()
        return is_suppressed(identifier(kind, value) for value in values for kind in KINDS)

    return is_hidden


def _members(key: str) -> Sequence[str]:
    """Return what a key of relationships joins, or the key."""
    if not key.startswith("["):
        return (key,)
    try:
        return (key, *(one for one in json.loads(key) if isinstance(one, str)))
    except ValueError:
        return (key,)


def _logs(
    home: Home, duck: Duck, run: Run, report: RunReport, is_hidden: Callable[[str | None], bool]
) -> dict[str, Any]:
    return {
        "runs": [(
            report.sync, report.status.value, report.reason_code, report.reason,
            _moment(report.created_at), _moment(report.finished_at), json.dumps(report.counts),
        )],
        "deliveries": [
            (
                one.id, one.destination, one.query, one.status.value, one.reason_code, one.reason,
                json.dumps(one.counts),
            )
            for one in report.deliveries
        ],
        "row_outcomes": (_outcome(row, is_hidden) for row in rejects(home, run)),
        "attribute_changes": (
            one for one in _changes(home, duck, run) if not is_hidden(one[1])
        ),
    }  # fmt: skip


def _outcome(row: Mapping[str, Any], is_hidden: Callable[[str | None], bool]) -> Sequence[object]:
    """Return a row that did not go; of somebody who is suppressed only that there was one."""
    told = dict(row)
    if row["code"] == "PERSON_SUPPRESSED" or is_hidden(row["identifier"]):
        told |= {"identifier": None, "reason": meaning(row["code"])}
    return tuple(told[name] for name in _OUTCOME)


def _changes(
    home: Home, duck: Duck, run: Run
) -> Iterator[tuple[str, str, str, str | None, str | None]]:
    for part, uid in uids(run.sync_uid).items():
        files = home.store.files.of_run("image_delta", run.id, uid, replaced=True)
        for key, name, before, after in changed_attributes(duck, files):
            yield part, key, name, _text(before), _text(after)


def _text(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
