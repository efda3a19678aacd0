"""A state on PostgreSQL that gives way, has no connection free, or isolates in another way."""

from collections.abc import Iterator
from functools import partial

import httpx
import pytest
from sqlalchemy.engine import make_url

import rowlift
from doors.api import serving
from rowlift.core.nouns import Status
from rowlift.core.rights import Role
from served import served, together, until
from servers.postgres import PostgresDatabase
from world import World

# Lets the first write to a table fail, as the server does it, whoever's transaction that is.
GIVES_WAY = """
CREATE SEQUENCE trouble_{table};
CREATE FUNCTION trouble_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('trouble_{table}') = 1 THEN
        RAISE EXCEPTION 'could not go on' USING ERRCODE = '{code}';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER trouble BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION trouble_{table}()
"""
CONFLICTS = {
    "triggers": "40001", "runs": "40P01", "images": "40001", "deliveries": "40P01",
    "people": "40001",
}  # fmt: skip


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
    return answer.status_code, problem["code"]


@pytest.mark.door("api")
def test_F66_transactions_that_give_way_are_told_tried_again_and_count_once(
    hard: World, postgres_database: PostgresDatabase
) -> None:
    with (
        serving(hard.folder, **hard.env) as api,
        api.as_user(Role.ADMIN) as admin,
        served(served_by(hard)),
    ):
        for table, code in CONFLICTS.items():
            postgres_database.execute(GIVES_WAY.format(table=table, code=code))
        ask = partial(admin.post, "/syncs/people/runs", json={})
        assert (told(ask()), told(ask())) == ((503, "STATE_LOCKED"), (202, ""))
        until(lambda: _ended(api.project) == [Status.COMPLETED] * 2)
        (run,) = api.project.runs()
        assert (run.counts["read"], run.counts["added"]) == (2, 2)
        assert {one["id"] for one in admin.get("/people").json()["items"]} == {"ann", "bob"}
    assert hard.applied().keys() == {"ann", "bob"}
    with postgres_database.connect() as state:
        for table in CONFLICTS:
            met = state.execute(f"SELECT last_value FROM trouble_{table}".encode()).fetchone()
            assert met, f"nobody made {table}"
            assert met[0] > 1, f"nothing wrote to {table} again"


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


def _ended(project: rowlift.Project) -> list[Status]:
    """How all runs, and what they deliver, ended or stand."""
    runs = project.runs()
    return [one.status for run in runs for one in (run, *run.deliveries)]
