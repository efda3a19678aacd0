"""A state of every release is taken in by this one: nothing is lost, nothing is sent again."""

import zipfile
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import released
from rowlift.db import metadata
from rowlift.operations.restoring import restore
from rowlift.state.store import Store
from servers import postgres
from world import World

OURS = "this one"


@pytest.fixture(params=[OURS, *released.versions()])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The backup that a release made of its story; a release without one fails here."""
    if request.param != OURS:
        kept = released.KEPT / f"{request.param}.zip"
        assert kept.exists(), "make it before the release: PYTHONPATH=tests python -m released"
        return kept
    made = tmp_path / "ours.zip"
    released.story(tmp_path / "before", made)
    return made


def has_all(world: World) -> None:
    with world.project() as project:
        known = {one.id for one in project.people(limit=99)}
        assert known == {str(row[0]) for row in released.ROWS} | {"gone"}
        values = {one.name: one.value for one in project.person("k29").attributes}
        assert values == {"visits": "29"}
        assert [one.id for one in project.segment_members("friends")] == ["k1"]
        assert len(project.suppressions()) == 1
        assert len(project.runs(limit=9)) >= 3


def test_F26_the_state_of_a_release_goes_on_where_it_was(archive: Path, tmp_path: Path) -> None:
    world = released.world(tmp_path / "acme")
    with zipfile.ZipFile(archive) as content:
        content.extractall(world.folder / ".rowlift")
    store = Store.open(world.folder / ".rowlift")
    with store.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    store.close()
    has_all(world)
    run = world.run()
    assert (run.counts["unchanged"], run.counts["rejected"]) == (len(released.ROWS), 1)
    assert not world.log().exists(), "nothing is sent again"
    has_all(world)


def test_F26_the_backup_of_a_release_is_restored_into_postgresql(
    archive: Path, tmp_path: Path, postgres_database: postgres.PostgresDatabase
) -> None:
    world = released.world(tmp_path / "acme")
    world.env = {"ROWLIFT_STATE_URL": postgres_database.url}
    restore(world.folder, world.env, archive)
    has_all(world)
    assert world.run().counts["unchanged"] == len(released.ROWS)
    assert len(world.applied()) == len(released.ROWS)
