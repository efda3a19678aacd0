"""Requests that ask a source: a few at once, and none for somebody who has gone."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from select import select

import duckdb
import httpx
import pytest

from doors.api import serving
from rowlift.core.errors import SourceError, Throttled
from rowlift.core.rights import Role
from rowlift.operations.asking import Asker
from rowlift.web.queries import AT_ONCE_EACH, Seats
from served import served, until
from servers.postgres import PostgresDatabase
from world import World

PASSWORD = "reads only"
ENDLESS = """SELECT count(*)::text AS user_id
FROM generate_series(1, 1000000) AS a, generate_series(1, 1000000) AS b"""
COUNTING = """WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t)
SELECT max(n) AS user_id FROM t"""


@pytest.fixture
def slow(tmp_path: Path, postgres_database: PostgresDatabase) -> Iterator[World]:
    """A sync whose query ends when it is stopped."""
    server, reader = postgres_database.server, f"{postgres_database.name}_reader"
    postgres_database.execute(f"CREATE ROLE {reader} LOGIN PASSWORD '{PASSWORD}'")
    world = World(tmp_path / "acme")
    world.shop = {
        "type": "postgres", "host": server.host, "port": server.port, "user": reader,
        "database": postgres_database.name, "password": "${SHOP}",
        "sslrootcert": str(server.ca_file),
    }  # fmt: skip
    world.sync["sql"] = ENDLESS
    world.save()
    yield world
    postgres_database.execute(f"DROP ROLE {reader}")


def begun(client: httpx.Client, path: str, more: Mapping[str, str] | None = None) -> HTTPConnection:
    """Send a request, with more headers, and wait for nothing."""
    url = client.base_url
    connection = HTTPConnection(url.host, url.port, timeout=60)
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    headers = {"x-csrf-token": client.headers["x-csrf-token"], "cookie": cookies, **(more or {})}
    connection.request("POST", f"{url.path.rstrip('/')}{path}", headers=headers)
    return connection


def seated(client: httpx.Client, path: str) -> list[HTTPConnection]:
    """Send requests until one is refused, and return those that go on."""
    asked = [begun(client, path) for _ in range(AT_ONCE_EACH + 1)]
    (answered,), _, _ = select([one.sock for one in asked], [], [], 60)
    (refused,) = [one for one in asked if one.sock is answered]
    assert refused.getresponse().status == 429
    refused.close()
    return [one for one in asked if one is not refused]


def running(database: PostgresDatabase) -> int:
    query = b"SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND state = 'active'"
    with database.connect() as admin:
        return int(admin.execute(query, [f"{database.name}_reader"]).fetchone()[0])


@pytest.mark.door("api")
@pytest.mark.parametrize("path", ["/syncs/people/preview", "/syncs/people/plans"])
def test_B7_S44_who_goes_away_leaves_no_query_behind(
    slow: World, postgres_database: PostgresDatabase, path: str
) -> None:
    with serving(slow.folder, SHOP=PASSWORD) as api, api.as_user(Role.EDITOR) as editor:
        asked = [begun(editor, path) for _ in range(AT_ONCE_EACH)]
        until(lambda: running(postgres_database) == AT_ONCE_EACH)
        third = editor.post(path)
        assert (third.status_code, third.json()["code"]) == (429, "TOO_MANY_QUERIES")
        assert int(third.headers["retry-after"]) > 0
        with api.as_user(Role.ADMIN) as admin:
            assert admin.get("/check").status_code == 200
        for one in asked:
            one.close()
        until(lambda: running(postgres_database) == 0)
        until(lambda: editor.get("/check").status_code == 200)


STUCK = {  # in one call of a function
    "sqlite": "SELECT instr(hex(zeroblob(30000000)), hex(zeroblob(9000000)) || 'x') AS user_id",
}
LONG = "SELECT levenshtein(repeat('a', 2000000), repeat('b', 2000000)) AS user_id"


@pytest.mark.door("api")
@pytest.mark.parametrize("is_stuck", [False, True])
@pytest.mark.parametrize("kind", ["files", "duckdb", "sqlite"])
def test_B7_S44_an_embedded_databases_query_ends_with_its_client_and_with_the_service(
    shop: World, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, is_stuck: bool
) -> None:
    path = tmp_path / f"shop.{kind}"
    if kind == "sqlite":
        path.touch()
    else:
        duckdb.connect(path).close()
    if kind != "files":
        shop.shop = {"type": kind, "path": str(path)}
    shop.sync["sql"] = STUCK.get(kind, LONG) if is_stuck else COUNTING
    shop.save()
    with serving(shop.folder, grace=0.1) as api, api.as_user(Role.EDITOR) as editor:
        leaving, staying = seated(editor, "/syncs/people/preview")
        leaving.close()
        until(lambda: editor.get("/check").status_code == 200)
    with closing(staying), pytest.raises(ConnectionError):
        staying.getresponse()
    assert not [one for one in caplog.records if one.exc_info]


def test_F26_a_run_leaves_no_query_behind_when_the_service_ends(
    slow: World, postgres_database: PostgresDatabase
) -> None:
    slow.env["SHOP"] = PASSWORD
    start = datetime.now(UTC) - timedelta(hours=1)
    slow.sync["schedule"] = {"every": "366d", "start_at": start.isoformat(timespec="minutes")}
    with served(slow.project()):
        until(lambda: running(postgres_database) == 1)
    assert running(postgres_database) == 0


def test_S44_all_together_have_so_many_places_and_each_of_them_a_few() -> None:
    seats = Seats(most=3, most_each=2)
    with ExitStack() as stack:
        for whose in ("ann", "ann", "bob"):
            stack.enter_context(seats.taken(whose))
        for whose, code in (("ann", "TOO_MANY_QUERIES"), ("bob", "QUERIES_FULL")):
            with pytest.raises(Throttled) as refused, seats.taken(whose):
                pass
            assert refused.value.code == code
    with seats.taken("ann"), seats.taken("ann"), seats.taken("bob"):
        pass


def test_nothing_is_asked_for_whom_has_left(shop: World) -> None:
    with shop.project() as project, Asker().asking() as asker:
        assert project.preview("people").rows
        asker.leave()
        with pytest.raises(SourceError) as refused:
            project.preview("people")
    assert refused.value.code == "QUERY_CANCELLED"


@pytest.mark.door("api")
def test_who_goes_away_in_the_middle_of_a_request_is_no_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path / "acme")
    world.save()
    with (
        serving(world.folder) as api,
        api.as_user(Role.EDITOR) as editor,
        closing(begun(editor, "/syncs/people/plans", {"content-length": "10"})) as asked,
    ):
        asked.sock.sendall(b"{")
        asked.close()
    assert "failed to answer" not in caplog.text
