"""Live through the story of one seed, and tell what went wrong so that it can be lived again."""

import shutil
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

from torture.simulation.healed import heal
from torture.simulation.source import installed
from torture.simulation.steps import begin, step
from torture.simulation.story import Story
from torture.simulation.undoing import undo

STEPS = (1, 4)
UNDOES = 0.3  # of the stories
MORE_STEPS = 2  # where rows are held: they wait from the second run after their own


@dataclass(frozen=True, slots=True)
class Lived:
    """How one story ended; `failure` is empty where all held."""

    seed: int
    runs: int
    crashes: int
    messages: int
    repeats: int
    asked: int  # how often why was, and answered as the story had written it down
    told: tuple[str, ...]
    failure: str = ""


def live(seed: int, *, steps: int = 0, undoes: float = UNDOES) -> Lived:
    """Live through one story; `steps` of 0 lets the seed say how many.

    `undoes` is the share of stories in which runs are undone.
    """
    folder = Path(tempfile.mkdtemp(prefix="rowlift-story-"))
    story = Story(folder, seed, undoes)
    failure = ""
    try:
        with installed():
            begin(story)
            patience = MORE_STEPS if story.shop.pause else 0
            for _ in range(steps or story.chance.randint(*STEPS) + patience):
                undo(story)
                step(story)
            heal(story)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told with its seed
        failure = _told(story, seed, steps, undoes, error)
    finally:
        story.close()
        shutil.rmtree(folder, ignore_errors=True)
    watches = [target.watch for target in story.targets.values()]
    return Lived(
        seed, story.runs, story.crashes, sum(one.messages for one in watches),
        sum(len(one.repeated) for one in watches), story.record.asked, tuple(story.told), failure,
    )  # fmt: skip


def _told(story: Story, seed: int, steps: int, undoes: float, error: Exception) -> str:
    where = "".join(traceback.format_exception(error)[-3:]) if not str(error) else ""
    replay = f"python -m torture.simulation --seed {seed} --seeds 1"
    replay += f" --steps {steps}" if steps else ""
    replay += f" --undoes {undoes}" if undoes != UNDOES else ""
    lines = [f"seed {seed}: {type(error).__name__}: {error}{where}", *story.told]
    return "\n  ".join([*lines, f"replay: {replay}"])
