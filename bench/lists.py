"""The round of the API's lists: how long pages take while a sync runs."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import cycle
from pathlib import Path

import sqlalchemy as sa
import urllib3

import rowlift
from bench import project
from bench.measure import Cost, WrongResult
from bench.people import CHANGED
from bench.stage import ROWLIFT, Sample, Stage
from rowlift.core.rights import RIGHTS, Role
from rowlift.operations.callers import CONSOLE, Caller

RUNS = 100_000
SYNCS = 50
PAGE = 50
ENOUGH = 100  # pages of each list, however soon the run is over
SHARE = 0.99
EVERYBODY = "everybody"
LISTS = {
    "people": f"/people?limit={PAGE}",
    "runs": f"/runs?limit={PAGE}",
    "syncs": "/syncs",
    "members of a segment": f"/segments/{EVERYBODY}/members?limit={PAGE}",
    "audit log": f"/audit?limit={PAGE}",
}
_OK, _ACCEPTED = 200, 202

# Runs and lines as they would be after some months; nothing hangs on them.
_LENGTHEN = (
    f"""
    INSERT INTO runs (workspace_id, sync_uid, spec, status, phase, generation, owner, lease_until,
        plan, cancelled_by, counts, reason_code, reason, created_at, finished_at)
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {RUNS} - 1),
        s AS (SELECT uid, row_number() OVER (ORDER BY uid) - 1 AS at FROM definitions
            WHERE kind = 'sync')
    SELECT r.workspace_id, s.uid, r.spec, r.status, r.phase, 1, r.owner, 0, '', '', r.counts, '',
        '', r.created_at - {RUNS} + i, r.finished_at - {RUNS} + i
    FROM n JOIN s ON s.at = i % {SYNCS} JOIN (SELECT * FROM runs ORDER BY id LIMIT 1) r
    """,
    f"""
    INSERT INTO audit (workspace_id, at, actor, address, action, subject, before, after,
        previous, hash)
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {RUNS} - 1)
    SELECT a.workspace_id, a.at, a.actor, a.address, a.action, a.subject, a.before, a.after, '', ''
    FROM n JOIN (SELECT * FROM audit ORDER BY id LIMIT 1) a
    """,
)  # fmt: skip


def lists(stage: Stage, rows: int) -> Iterator[Sample]:
    """Measure pages of each list, one after the other, while all rows are read again."""
    database = stage.postgresql
    sql = database.people(rows)
    segment = {"segment": {"name": EVERYBODY, "create": True}}
    people = {"sql": sql, **project.TO_WORKSPACE, **segment}
    others = {f"other_{at}": {"sql": sql, **project.TO_WORKSPACE} for at in range(1, SYNCS)}
    with stage.project() as folder:
        source = {**database.source, "reader": database.fast}
        project.write(folder, source, {"people": people, **others})
        stage.run("first import", folder, {"added": rows}, only=["people"])
        headers = prepared(folder)
        database.change(sql, CHANGED)
        with served(folder) as url:
            found = _asked(f"{url}/api/v1", headers)
        for name, seconds in found.items():
            yield Sample(name, rows, within(seconds, SHARE))


def prepared(folder: Path) -> Mapping[str, str]:
    """Make a token, runs and lines of the audit log; return the headers of who may see all."""
    with rowlift.Project(folder, env=project.ENV) as opened:
        user = opened.access.accounts.admit("bench@example.com", Role.ADMIN, by=CONSOLE)
        by = Caller(user.email, "", RIGHTS[Role.ADMIN], user.id)
        made = opened.access.tokens.create("bench", RIGHTS[Role.ADMIN], days=1, by=by)
    engine = sa.create_engine(f"sqlite:///{folder / '.rowlift' / 'state.db'}")
    with closing(engine.connect()) as connection, connection.begin():
        for statement in _LENGTHEN:
            connection.exec_driver_sql(statement)
    engine.dispose()
    return {"authorization": f"Bearer {made.secret}", "content-type": "application/json"}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a project in a process of its own; yields the address."""
    words = [ROWLIFT, "-C", str(folder), "serve", "--port", "0"]
    with subprocess.Popen(words, env=project.ENV, stderr=subprocess.PIPE, text=True) as service:
        try:
            yield next(
                line.rpartition(" ")[2].strip().removesuffix("/api/v1")
                for line in service.stderr or ()
                if "The API answers" in line
            )
        finally:
            service.terminate()
            service.communicate(timeout=60)


def _asked(api: str, headers: Mapping[str, str]) -> Mapping[str, list[float]]:
    """Return the seconds of each page that was asked for while the run was active."""
    pool = urllib3.PoolManager(headers=headers, retries=False)
    begun = pool.request("POST", f"{api}/syncs/people/runs", body=b"{}")
    if begun.status != _ACCEPTED:
        raise WrongResult(f"the run was answered {begun.status}")
    seconds: dict[str, list[float]] = {name: [] for name in LISTS}
    for name in cycle(LISTS):
        started = time.perf_counter()
        answer = pool.request("GET", f"{api}{LISTS[name]}")
        seconds[name].append(time.perf_counter() - started)
        if answer.status != _OK or not json.loads(answer.data)["items"]:
            raise WrongResult(f"{name} was answered {answer.status}")
        if len(seconds[name]) >= ENOUGH and name == [*LISTS][-1]:
            return seconds
    return seconds


def within(seconds: list[float], share: float) -> Cost:
    """Return what a share of the pages stay within."""
    longest = sorted(seconds)[max(0, int(len(seconds) * share) - 1)]
    return Cost(longest, 0, 0, 0, 0, 0, 0)
