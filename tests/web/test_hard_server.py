"""A state on PostgreSQL that gives way, ends sessions, is away, is full, or isolates otherwise."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest
from sqlalchemy.engine import make_url

import rowlift
from doors.api import serving
from intake import Asked
from rowlift.core.nouns import Status
from rowlift.core.rights import Role
from rowlift.workers.ingesting import IngestWorker
from served import SECONDS, Gate, served, together, until
from servers.postgres import OwnServer, PostgresDatabase
from world import World

# Lets the first write to a table fail, as the server does it, whoever's transaction that is, or
# ends the session in the middle of the statement.
TROUBLE = """
CREATE SEQUENCE trouble_{table};
CREATE FUNCTION trouble_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('trouble_{table}') = 1 THEN
        {trouble};
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER trouble BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION trouble_{table}()
"""
GIVES_WAY = "RAISE EXCEPTION 'could not go on' USING ERRCODE = '{}'".format
ENDED = "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60)"
TROUBLES = {
    "triggers": ENDED, "runs": GIVES_WAY("40P01"), "files": ENDED, "images": GIVES_WAY("40001"),
    "deliveries": GIVES_WAY("40P01"), "people": ENDED, "ledgers": ENDED, "batches": ENDED,
    "ingested": ENDED, "message_ids": ENDED, "segment_members": ENDED,
}  # fmt: skip
PROS = {"audience": "pros", "where": {"attribute": "plan", "is": "pro"}}
EVE = {"userId": "eve", "traits": {"plan": "pro"}}


@pytest.fixture
def hard(shop: World, postgres_database: PostgresDatabase) -> World:
    shop.env["ROWLIFT_STATE_URL"] = postgres_database.url
    shop.rows(("ann", "ann@example.com", "pro"), ("bob", "bob@example.com", "free"))
    shop.save()
    return shop


@pytest.fixture
def narrow(postgres_database: PostgresDatabase) -> Iterator[str]:
    """The URL of the state as a role of its own, which may be given few connections."""
    name = postgres_database.name
    role = f"n_{name}"
    postgres_database.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD 'narrow'; ALTER DATABASE {name} OWNER TO {role}"
    )
    url = make_url(postgres_database.url).set(username=role, password="narrow")
    yield url.render_as_string(hide_password=False)
    postgres_database.execute(
        f"ALTER DATABASE {name} OWNER TO CURRENT_USER; REASSIGN OWNED BY {role} TO CURRENT_USER; "
        f"DROP ROLE {role}"
    )


def served_by(world: World) -> rowlift.Project:
    return rowlift.Project(world.folder, env=world.env)


def told(answer: httpx.Response) -> tuple[int, str]:
    """The status of an answer and its code; what went wrong says how to mend it."""
    if answer.is_success:
        return answer.status_code, ""
    problem = answer.json()
    assert problem["mend"]
    assert int(answer.headers["retry-after"])
    return answer.status_code, problem["code"]


@pytest.mark.door("api")
def test_F66_transactions_that_give_way_or_lose_their_session_are_tried_again_and_count_once(
    hard: World, postgres_database: PostgresDatabase
) -> None:
    (hard.folder / "audiences").mkdir()
    hard.write("audiences/pros.yml", PROS)
    with (
        serving(hard.folder, **hard.env) as api,
        api.as_user(Role.ADMIN) as admin,
        served(served_by(hard)),
        served_by(hard) as taking_in,
    ):
        until(lambda: admin.get("/audiences/pros").json()["status"] == "Completed")
        asked = Asked(taking_in)
        for table, trouble in TROUBLES.items():
            postgres_database.execute(TROUBLE.format(table=table, trouble=trouble))
        ask = partial(admin.post, "/syncs/people/runs", json={})
        assert (told(ask()), told(ask())) == ((503, "STATE_UNREACHABLE"), (202, ""))
        sent = [asked.post("identify", EVE) for _ in range(2)]
        assert [one.status_code for one in sent] == [503, 200]
        assert sent[0].headers["retry-after"]
        with IngestWorker(taking_in.ingest):
            until(lambda: _ended(api.project) == [Status.COMPLETED] * 2)
            until(lambda: admin.get("/audiences/pros").json()["members"] == 2)
        (run,) = api.project.runs()
        assert (run.counts["read"], run.counts["added"]) == (2, 2)
        people = {one["id"] for one in admin.get("/people").json()["items"]}
        assert people == {"ann", "bob", "eve"}
    assert hard.applied().keys() == {"ann", "bob"}
    assert [one for one in TROUBLES if not _was_met(postgres_database, one)] == []


@pytest.mark.door("api")
def test_F66_of_two_transactions_in_a_deadlock_both_take_effect(
    hard: World, postgres_database: PostgresDatabase
) -> None:
    """The run has its own row and wants `deliveries`, which the other has, who wants the row."""
    postgres_database.execute("CREATE TABLE others (number int)")
    with (
        serving(hard.folder, **hard.env) as api,
        api.as_user(Role.ADMIN) as admin,
        served(served_by(hard)),
        ThreadPoolExecutor(1) as pool,
        postgres_database.connect() as other,
        postgres_database.connect() as gate,
    ):
        until(lambda: admin.get("/service").json()["is_alive"])
        gate.execute("BEGIN; LOCK TABLE images IN SHARE MODE")
        # Who looks for deadlocks first is the one that gives way.
        other.execute("BEGIN; SET LOCAL deadlock_timeout = '1h'; INSERT INTO others VALUES (1)")
        other.execute("LOCK TABLE deliveries IN SHARE MODE")
        assert told(admin.post("/syncs/people/runs", json={})) == (202, "")
        until(lambda: _waits(postgres_database, "relation = 'images'::regclass"))
        waiting = pool.submit(other.execute, "UPDATE runs SET unjudged = unjudged")
        until(lambda: _waits(postgres_database, f"pid = {other.info.backend_pid}"))
        gate.execute("COMMIT")
        waiting.result(SECONDS)
        other.execute("COMMIT")
        until(lambda: _ended(api.project) == [Status.COMPLETED] * 2)
        assert other.execute("SELECT number FROM others").fetchall() == [(1,)]
        carried = other.execute("SELECT generation FROM runs").fetchall()
        assert [number > 1 for (number,) in carried] == [True], "the run gave way, and went on"
    assert hard.applied().keys() == {"ann", "bob"}


@pytest.mark.door("api")
def test_F66_a_server_that_is_stopped_and_started_again_fails_no_run(
    hard: World, own_postgres: OwnServer
) -> None:
    hard.env["ROWLIFT_STATE_URL"] = own_postgres.database.url
    gate = Gate(once=True)
    with (
        serving(hard.folder, **hard.env) as api,
        api.as_user(Role.ADMIN) as admin,
        served(rowlift.Project(hard.folder, env=hard.env, progress=gate)),
    ):
        until(lambda: admin.get("/service").json()["is_alive"])
        ask = partial(admin.post, "/syncs/people/runs", json={})
        assert told(ask()) == (202, "")
        with gate.holding(), admin.stream("GET", "/runs/1/events") as watched:
            lines = watched.iter_lines()
            assert next(lines)
            own_postgres.stop()
            assert [*lines], "it ends in order"
            assert {told(ask()), told(admin.get("/people"))} == {(503, "STATE_UNREACHABLE")}
        until(lambda: any("import 1 broke off and goes on" in one for one in gate.said))
        own_postgres.start()
        until(lambda: told(admin.get("/runs")) == (200, ""))
        until(lambda: _ended(api.project) == [Status.COMPLETED] * 2)
        assert told(ask()) == (202, "")
    assert hard.applied().keys() == {"ann", "bob"}


@pytest.mark.door("api")
def test_F66_a_server_whose_transactions_are_serializable_by_default_serves_as_any_other(
    hard: World, postgres_database: PostgresDatabase
) -> None:
    name = postgres_database.name
    postgres_database.execute(
        f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"
    )
    with (
        serving(hard.folder, **hard.env) as api,
        api.as_user(Role.ADMIN) as admin,
        served(served_by(hard)),
    ):
        asked = [partial(admin.post, "/syncs/people/runs", json={})] * 10
        asked += [partial(admin.post, "/suppressions", json={"people": ["id:eve"]})] * 10
        answers = together(asked)
        assert {told(one)[1] for one in answers} == {""}
        until(lambda: not any(one.is_waiting for one in api.project.service.requests()))
        until(lambda: {*_ended(api.project)} == {Status.COMPLETED})
    assert hard.applied().keys() == {"ann", "bob"}


@pytest.mark.door("api")
def test_F66_a_server_without_a_free_connection_is_told_and_everything_goes_on_later(
    hard: World, narrow: str, postgres_database: PostgresDatabase
) -> None:
    hard.env["ROWLIFT_STATE_URL"] = narrow
    with (
        serving(hard.folder, **hard.env) as api,
        api.as_user(Role.ADMIN) as admin,
        served(served_by(hard)),
    ):
        until(lambda: admin.get("/service").json()["is_alive"])
        limit = "ALTER ROLE {} CONNECTION LIMIT {}".format
        postgres_database.execute(limit(make_url(narrow).username, 0))
        postgres_database.server.stop_backends(postgres_database.name)
        asked = [partial(admin.get, path) for path in ("/runs", "/people", "/overview")] * 8
        asked += [partial(admin.post, "/syncs/people/runs", json={})] * 4
        assert {told(one) for one in together(asked)} == {(503, "STATE_LOCKED")}
        postgres_database.execute(limit(make_url(narrow).username, 50))
        until(lambda: told(admin.post("/syncs/people/runs", json={})) == (202, ""))
        until(lambda: {*_ended(api.project)} == {Status.COMPLETED})
    assert hard.applied().keys() == {"ann", "bob"}


@pytest.mark.door("api")
def test_F66_an_erasure_whose_session_ends_is_done_by_whoever_goes_on_with_it(
    hard: World, postgres_database: PostgresDatabase
) -> None:
    hard.run()
    met = TROUBLE.replace("INSERT OR UPDATE", "UPDATE OR DELETE")
    for table in ("runs", "files", "images", "people"):
        postgres_database.execute(met.format(table=table, trouble=ENDED))
    with serving(hard.folder, **hard.env) as api, api.as_user(Role.ADMIN) as admin:
        until(lambda: told(admin.get("/people/ann")) == (200, ""))
        erase = partial(admin.delete, "/people/ann")
        assert [told(erase()) for _ in range(3)] == [(503, "STATE_UNREACHABLE")] * 3
        with served(served_by(hard)):
            until(lambda: admin.get("/people/ann").status_code == 404)
            until(lambda: all(one.is_over for one in api.project.runs()))
        erasures = [one.status for one in api.project.runs() if one.sync == "erasure"]
        assert erasures == [Status.COMPLETED, Status.CANCELLED], "one had not written down whom"
        assert [one.id for one in api.project.people()] == ["bob"]
    assert _was_met(postgres_database, "people"), "the service met the last one"


def _was_met(database: PostgresDatabase, table: str) -> bool:
    """Tell whether a table's trouble came, and was followed by another write."""
    with database.connect() as state:
        met = state.execute(f"SELECT last_value FROM trouble_{table}".encode()).fetchone()
        return met is not None and met[0] > 1


def _waits(database: PostgresDatabase, condition: str) -> bool:
    """Tell whether somebody waits for a lock."""
    with database.connect() as state:
        asked = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND {condition}"
        return state.execute(asked.encode()).fetchone() != (0,)


def _ended(project: rowlift.Project) -> list[Status]:
    """How all runs, and what they deliver, ended or stand."""
    runs = project.runs()
    return [one.status for run in runs for one in (run, *run.deliveries)]
