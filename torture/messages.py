"""Messages on their way in and on, while who takes them in and who forwards them are killed."""

import random

from doors.forks import forked
from intakeservice import POINTS, post_until_killed, serving
from rowlift.core import faults
from rowlift.testing.clock import QuickClock
from rowlift.testing.folder import project_in
from rowlift.testing.forwards import Crossing
from rowlift.testing.sink import Sink
from torture.score import Score
from torture.task import Task

_FORWARDING = [
    *(
        f"forward.{commit}.{when}_commit"
        for commit in ("claim", "begin", "settle", "rest")
        for when in ("before", "after")
    ),
    "deliver.before_send",
    "deliver.after_send",
]
_SECONDS = 120
_MOST_PASSED = 4
_EVENTS = 1000  # numbers of a round
_AT_ONCE = 3  # events in a request


def message_loop(task: Task, state: str) -> Score:
    """Post until the ingest API dies, forward until that dies, and look for what was answered."""
    score = Score(task.part)
    chance = random.Random(f"{task.seed} messages {state}")  # noqa: S311
    url = task.postgres.create_database("messages_state").url if state == "postgresql" else ""
    with Sink() as sink:
        hook = {"type": "webhook", "url": f"{sink.url}/hook", "allow_networks": ["127.0.0.0/8"]}
        crossing = Crossing(
            task.folder / state / "acme", {**hook, "batch_rows": _AT_ONCE}, state_url=url
        )
        with crossing.project() as project:
            key = project.ingest.create_key("web").secret
        answered: list[int] = []
        for number in task.rounds():
            score.rounds = number
            answered += _posted(crossing, key, number, chance)
            spec = f"{chance.choice(_FORWARDING)}:{chance.randint(1, _MOST_PASSED)}:kill"
            code = forked(_forward, str(crossing.path), spec, crossing.env, seconds=_SECONDS)
            score.kills += 1 + (code != 0)
            if not _judged(task, crossing, sink, answered, score):
                break
        score.duplicates = sink.taken.repeats
    return score


def _posted(crossing: Crossing, key: str, number: int, chance: random.Random) -> list[int]:
    """Return the numbers of the events that were answered before the ingest API was killed."""
    point = chance.choice(POINTS)
    passed = 1 if "slice" in point else chance.randint(1, _MOST_PASSED)
    with serving(crossing.path, spec=f"{point}:{passed}:kill", **crossing.env) as address:
        return list(post_until_killed(key, address, f"u{number}", number * _EVENTS))


def _forward(folder: str, spec: str, env: dict[str, str]) -> None:
    with project_in(folder, QuickClock(), **env) as project:
        faults.arm(spec)
        while project.ingest.write_some():
            pass
        project.ingest.forwards.run()


def _judged(task: Task, crossing: Crossing, sink: Sink, answered: list[int], score: Score) -> bool:
    """Let all go its way, and compare what was answered with what arrived, and its order."""
    with crossing.project() as project:
        while project.ingest.write_some():
            pass
        project.ingest.forwards.run()
    arrived = [int(one["name"]) for one in sink.taken.records.values()]
    score.lost = len({*answered} - {*arrived})
    score.wrong = int(arrived != sorted(arrived))
    score.wrong += max(0, len({*arrived} - {*answered}) - score.rounds)
    if score.lost or score.wrong:
        score.failures.append(f"round {score.rounds}: {task.replay(score.rounds)}")
    return not score.failures
