"""Channels that hear of a small project, and what they heard."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook

import rowlift
from rowlift.testing.clock import QuickClock, SetClock
from world import World

SECRET = "whsec_" + "QUJD" * 8
CANARY = "canary-7f3a"
SQLITE = pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)


def hearing(tmp_path, state_url, sink):
    """A sync of two good rows, and a channel that hears of it."""
    made = World(tmp_path / "acme")
    made.env |= {"ROWLIFT_STATE_URL": state_url, "HOOK": SECRET}
    made.channels["ops"] = hook(sink)
    made.rows(("1", "free"), ("2", "team"))
    made.minutes = 0
    return made


def hook(sink):
    return {
        "type": "webhook", "url": f"{sink.url}/alerts", "secret": "${HOOK}",
        "allow_networks": ["127.0.0.1"],
    }  # fmt: skip


def told(sink):
    """The messages that arrived, each proven by its signature."""
    return [Webhook(SECRET).verify(one.body, one.headers) for one in sink.requests]


def lines(sink):
    return [
        (one["rule"], one["destination"], one["recovered"], one["code"])
        for message in told(sink)
        for one in message["alerts"]
    ]


def wrong(project):
    return [(one.rule, one.sync, one.destination) for one in project.alerts.wrong()]


def run(world, **how):
    """Run once more than a minute has passed since whatever was told before."""
    world.minutes += 2
    world.save()
    clock = QuickClock()
    clock.sleep(60 * world.minutes)
    with rowlift.Project(world.folder, env=world.env, clock=clock) as project:
        return project.run(["people"], **how)[0]


@contextmanager
def at(world, moment):
    world.save()
    with rowlift.Project(world.folder, env=world.env, clock=SetClock(moment)) as project:
        yield project


def later(**ahead):
    return datetime.now(UTC) + timedelta(**ahead)


def executed(world, text):
    engine = sa.create_engine(world.env["ROWLIFT_STATE_URL"])
    with engine.begin() as connection:
        connection.execute(sa.text(text))
    engine.dispose()
