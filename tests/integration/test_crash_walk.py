"""Kill at commits, file writes and sends, on both state databases, and compare everything."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pytest

import rowlift
from crashes.static import changes, transactions
from crashes.story import SCENARIOS
from crashes.walk import Places, Route, explore, outline, sample, walk
from today import TODAY

SOURCES = Path(rowlift.__file__).parent
STATES = ["sqlite", "postgresql"]

# What changes something outside the process without a crash point of its own, and why.
WITHOUT_POINT = {
    ("commit", "db.py", "read"): "it only reads",
    ("commit", "kit/pgsession.py", "_begun"): "it only reads",
    ("commit", "kit/pgwarehouse.py", "_start_copy"): "it only reads",
    ("commit", "operations/running.py", "_run_one"): "the points are those of `run.open`",
    (
        "commit",
        "scheduler/service.py",
        "_failed",
    ): "how often a job broke off, in memory",
    ("rename", "operations/drafting.py", "start"): "a definition, by its own transaction",
    ("rename", "engine/duck.py", "_database"): "an idle database in memory gets other settings",
    ("rename", "web/api/definitions.py", "rename"): "a definition; the point is its transaction's",
    ("send", "engine/delivery.py", "_send"): "the points stand in engine/deliver.py",
    ("send", "kit/exchange.py", "exchange"): "the points stand around it in kit/http.py",
    ("send", "web/visits.py", "_refuse"): "an answer to who speaks no HTTP",
    ("send", "kit/exchange.py", "send"): "the points stand around it in kit/http.py",
    ("send", "web/twice.py", "replay"): "an answer that a browser gets again",
    ("send", "kit/sourceanswers.py", "_answer"): "to the parent process, which sees its end",
    ("send", "kit/sourceanswers.py", "_stream"): "the same",
    ("send", "kit/sourceanswers.py", "main"): "the same",
    ("send", "kit/sourceprocess.py", "ask"): "to a child process, which only reads",
    ("send", "sources/dialects/bigquery_wire.py", "send"): "it only asks",
    ("send", "sources/dialects/sqlserver_tls.py", "_agreed"): "it only agrees on encryption",
    ("send", "sources/dialects/sqlserver_tls.py", "_has_shaken_hands"): "the same",
    ("send", "sources/dialects/sqlserver_tls.py", "sendall"): "it only asks",
    ("send", "web/tracing.py", "told"): "it only answers",
}

# Transactions that the walk does not pass, and why that is enough.
NOT_WALKED = {
    "definitions.write": "by hand, whole or not at all",
    "secrets.rotate": "whole or not at all; the key file holds old and new keys around it",
    "answer.begin": "cut off in test_repeats.py",
    "answer.end": "the same",
    "answer.forget": "nothing was begun; the key is void for a day, or not",
    "alerts.claim": "killed in test_alerts.py",
    "alerts.compose": "the same",
    "alerts.drop": "what it forgets nobody can hear",
    "alerts.forget": "what it forgets concerns nothing that is there",
    "alerts.settle": "killed in test_alerts.py",
    "audit.add": "a line is there or not",
    "audit.forget": "lines and the hash they ended with go in one transaction",
    "budget": "a moment is booked or not; nothing else hangs on it",
    "collect.expire": "its files are a month old; killed in test_state_collect.py",
    "collect.orphans": "its files are a minute old; killed in test_state_collect.py",
    "erase.begin": "killed in test_erasure.py",
    "erase.commit": "killed in test_erasure.py",
    "erase.end": "killed in test_erasure.py",
    "identity.add": "another login does it again",
    "login.begin": "a login is on its way or not",
    "login.take": "the login is spent; another one begins anew",
    "login.attempt": "an attempt is counted or not",
    "login.succeeded": "failures are forgotten or not",
    "meta.remember": "one value in place of another, whole or not at all",
    "run.cancel": "a mark is set or not; nothing else hangs on it",
    "delivery.cancel": "the same",
    "schedule.settle": "killed in test_service.py",
    "service.begin": "the next process sees that this one is dead; killed in test_service.py",
    "service.beat": "it renews a lease or does not",
    "service.end": "the same",
    "trigger.ask": "a request is queued or not",
    "trigger.end": "a request that becomes no run is looked at again",
    "restore.disown": "in a copy that nobody reads yet; killed in test_backup.py",
    "snapshot.put": "killed in test_backup.py",
    "snapshot.take": "in a copy that goes with its process",
    "segment.change": "by hand, whole or not at all, and harmless when repeated",
    "segment.create": "by hand, whole or not at all, and harmless when repeated",
    "verify.keep": "a list takes the place of the last one or does not; harmless when repeated",
    "verify.repair": "killed in test_verify.py",
    "prune.state": "what it forgets is a day old at least; killed in test_retention.py",
    "prune.workspace": "the same",
    "prune.intake": "the same; what is seen is a day old",
    "prune.exchanges": "what it forgets is only for looking at",
    "exchange.keep": "only for looking at; whole or not at all",
    "ingest.accept": "killed in test_ingest.py",
    "ingest.slice": "killed in test_ingest.py",
    "ingest.settle": "killed in test_ingest.py",
    "forward.open": "the next one finds it there, or opens it where it would have begun",
    "forward.rewind": "by hand, whole or not at all, and harmless when repeated",
    "forward.claim": "killed in test_forwards.py",
    "forward.begin": "killed in test_forwards.py",
    "forward.settle": "killed in test_forwards.py",
    "forward.rest": "killed in test_forwards.py",
    "audience.open": "killed in test_audience_members.py",
    "audience.claim": "the same",
    "audience.segment": "the same",
    "audience.members": "the same",
    "audience.answer": "the same",
    "audience.leave": "the lease ends with its process, and the next one computes it",
    "audience.fail": "the same",
    "draft.add": "by hand, whole or not at all",
    "draft.save": "by hand, whole or not at all; its version tells which",
    "draft.view": "only what a page remembers",
    "draft.pass": "whole or not at all; else they stay with who is kept out",
    "draft.drop": "by hand, whole or not at all; what it became is kept before",
    "keys.create": "by hand, whole or not at all; the key is shown afterwards",
    "keys.revoke": "by hand, whole or not at all, and harmless when repeated",
    "pins.drop": "by hand, whole or not at all, and harmless when repeated",
    "person.rename": "by hand, whole or not at all; another time it changes nothing more",
    "merge.undo": "by hand, whole or not at all; another time it finds nothing to undo",
    "heartbeat": "once a second at most; it renews a lease or does not",
    "session.close": "somebody is signed out or not",
    "session.forget": "what it forgets counts for nothing",
    "session.open": "somebody is signed in or not",
    "session.touch": "it notes a use or does not",
    "suppress": "who is suppressed and what is told of it are one transaction",
    "suppress.spread": "the same",
    "token.create": "by hand, whole or not at all",
    "token.revoke": "by hand, whole or not at all",
    "token.touch": "it notes a use or does not",
    "unsuppress": "the same the other way",
    "user.change": "by hand, whole or not at all; the sessions end with it",
    "user.create": "by hand, whole or not at all",
    "user.rehash": "the same password under one hash or the other",
}


# Where each fault of the matrix strikes: before a commit, after it, in a file, around a request.
FAULTS = {
    "F1": "run.open.after_commit",  # the run is there
    "F2": "run.read.after_commit",  # the source's time is stored
    "F3": "file.before_rename",  # amid the rows of the result
    "F4": "run.read.before_commit",  # at their end
    "F5": "delivery.plan.before_commit",
    "F6": "delivery.plan.after_commit",
    "F7": "deliver.before_send",
    "F8": "deliver.after_send",
    "F9": "delivery.batch.before_commit",
    "F10": "delivery.batch.after_commit",
    "F11": "delivery.record.before_commit",
    "F12": "delivery.record.after_commit",
}


@pytest.fixture
def places(request: pytest.FixtureRequest, tmp_path: Path, state_kind: str) -> Iterator[Places]:
    server = request.getfixturevalue("postgres_server") if state_kind == "postgresql" else None
    made = Places(tmp_path, server)
    yield made
    made.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("state_kind", STATES)
def test_F1_F2_F3_F4_F5_F6_F7_F8_F9_F10_F11_F12_nothing_is_lost_wherever_it_is_killed(
    places: Places, state_kind: str
) -> None:
    """Each state takes half of the points, the other half tomorrow, and those of all faults.

    `make torture` walks the whole way on both.
    """
    routes = [explore(places, scenario) for scenario in SCENARIOS]
    assert_all_transactions_are_passed(routes)
    ends = outline(routes, {*FAULTS.values()}, (TODAY + STATES.index(state_kind)) % 2)
    chance = Random(f"{TODAY} {state_kind}")
    stops = dict.fromkeys([*ends, *sample(routes, chance)])
    assert {point.partition(":")[0] for _, point in stops} >= {*FAULTS.values()}
    walked = walk(places, [*stops])
    assert walked.killed.total() + len(walked.unreached) == len(stops)


def assert_all_transactions_are_passed(routes: Sequence[Route]) -> None:
    names = {name for route in routes for name in route.passed}
    commits = transactions(SOURCES)
    passed = {name for name in commits if f"{name}.after_commit" in names}
    assert commits.keys() - passed == NOT_WALKED.keys()


def test_no_commit_rename_or_send_is_without_a_point() -> None:
    found = [one for one in changes(SOURCES) if not one.path.startswith("testing/")]
    bare = {(one.kind, one.path, one.function) for one in found if not one.has_point}
    assert bare == WITHOUT_POINT.keys()
    pointed = {(one.kind, one.path, one.function) for one in found if one.has_point}
    assert pointed == {
        ("commit", "db.py", "transaction"),
        ("rename", "kit/durable.py", "publish"),
        ("rename", "engine/ledger.py", "link_settled"),
        ("rename", "engine/merge.py", "write_first"),
        ("rename", "operations/backups.py", "_linked"),
        ("rename", "state/snapshot.py", "set_aside"),
    }
