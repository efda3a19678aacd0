"""A run is undone in mid-story: what comes back, what stays, and what is pinned from then on."""

import json
import time

import sqlalchemy as sa

from crashes.checker import layers
from rowlift.core import faults
from rowlift.core.errors import GuardStop
from rowlift.operations.reports import RunReport
from torture.simulation.model import Attributes, Expected, Image
from torture.simulation.shop import COLUMNS
from torture.simulation.story import Story, moment_of
from torture.simulation.watch import Divergence

UNDOES = 0.6  # of the steps of a story in which runs are undone
CRASHES = 0.3
LATEST = 2  # how many of the last runs may be chosen
POINTS = (
    "run.open.after_commit", "file.before_write", "file.after_rename", "run.merge.before_commit",
    "run.merge.after_commit", "apply.slice.before_commit", "run.record.before_commit",
    "run.record.after_commit", "delivery.plan.after_commit", "deliver.before_send",
    "fake.after_send", "delivery.batch.before_commit", "delivery.record.after_commit",
)  # fmt: skip


def undo(story: Story) -> None:
    """Undo one of the last runs, where all is known of them, perhaps dying of it once."""
    memory, chance = story.memory, story.regret
    if not story.undoes or story.suppresses or chance.random() >= UNDOES:
        return
    if memory.image is None or memory.pins is None or not memory.steps or story.is_open():
        return
    run = chance.choice(sorted(memory.steps)[-LATEST:])
    point = f"{chance.choice(POINTS)}:1" if chance.random() < CRASHES else ""
    story.asks = False  # what why says of undone rows is written down nowhere here
    story.save()
    story.look()
    _undo(story, run, memory.image, point)


def _undo(story: Story, run: int, image: Image, point: str) -> None:
    step = story.memory.steps[run]
    left = {key for key in step.changed if story.memory.brought.get(key) == run}
    story.tell(f"undo of run {run} {point}")
    _permit(story, left - step.before.keys())
    died = story.crashes
    report = _undone(story, run, point)
    found = _image(story)
    for key in found.keys() | image.keys():
        if key not in left and found.get(key) != image.get(key):
            raise Divergence(f"{key} was {image.get(key)} before the undo, and is {found.get(key)}")
    for key in left:
        _check(story, key, run, found.get(key))
    moved = {key for key in left if found.get(key) != image.get(key)}
    if not report and moved and story.crashes == died:
        raise Divergence(f"nothing is left to undo, and {sorted(moved)} moved")
    if moved:
        _follow(story, run, left, moved, found, report)


def _undone(story: Story, run: int, point: str) -> RunReport | None:
    """Return the undo's report; None where nothing was left, or where it died once it was over."""
    began = int(time.time())
    try:
        faults.arm(f"{point}:raise" if point else "")
        try:
            return story.project().undo(run)
        except faults.InjectedFault as fault:
            story.tell(f"      crash at {fault}")
            story.crashes += 1
            story.close()
        finally:
            faults.arm()
        return story.project().undo(run)
    except GuardStop as error:
        if error.code != "NOTHING_LEFT":
            raise
        story.tell("      NOTHING_LEFT")
        return None
    finally:
        for target in story.targets.values():
            moments = range(began, int(time.time()) + 1)
            target.watch.moments.update(map(moment_of, moments))
        story.project().resume("people")


def _permit(story: Story, added: set[str]) -> None:
    """Note who may be taken out though the source has them."""
    keys = {key.partition("@")[0] for key in added}
    story.taken |= keys
    story.forgiven |= keys if story.settings.removed == "keep" else set()
    for name, target in story.targets.items():
        target.gone |= keys
        use = story.settings.uses.get(name)
        if use is None or use["removed"] == "keep":
            target.forgiven |= keys


def _check(story: Story, key: str, run: int, found: Attributes | None) -> None:
    """Hold one row against what it was: what the run wrote where nothing was is null by now."""
    settings, step = story.settings, story.memory.steps[run]
    rules = [settings.removed] if settings.writes_workspace else [
        use["removed"] for use in settings.uses.values()
    ]  # fmt: skip
    before, after = step.before.get(key), step.after.get(key, {})
    if before is None and "keep" not in rules:
        if found is not None:
            raise Divergence(f"{key} was not there before the undone run, and is {found}")
        return
    was = before or {}
    if found is None or any(found.get(name, ...) != value for name, value in was.items()):
        raise Divergence(f"{key} was {before} before the undone run, and is {found}")
    if missing := after.keys() - found.keys() - {"email"}:
        raise Divergence(f"{key} is {found}: nothing is said of {missing}, which the run wrote")
    others = after.keys() if key in step.after else COLUMNS
    if more := found.keys() - was.keys() - set(others):
        raise Divergence(f"{key} is {found}: {more} was not there before the undone run")
    if story.memory.is_whole:
        steps = [one for number, one in story.memory.steps.items() if number <= run]
        for name in after.keys() - was.keys() - {"email"}:
            earlier = [one.before.get(key, {}).get(name) for one in steps]
            if found[name] is not None and found[name] not in earlier:
                raise Divergence(f"{name} of {key} is {found[name]}, which it was at no time")


def _follow(
    story: Story, run: int, left: set[str], moved: set[str], found: Image, report: RunReport | None
) -> None:
    memory = story.memory
    step, again = memory.steps[run], run in memory.undos
    pins = {key: one for key, one in (memory.pins or {}).items() if key not in left}
    if not again:
        pins |= {key: step.after.get(key) for key in moved}
    gone = None
    if memory.gone is not None:
        gone = (memory.gone | (memory.image or {}).keys()) - found.keys()
    expected = Expected({}, None, found, gone, memory.held or {}, moves=False, pins=pins)
    number = report.id if report else story.project().runs("people", limit=1)[0].id
    memory.note(number, expected)
    memory.undos.add(number)
    memory.image, memory.gone, memory.pins = found, gone, pins
    story.look(expected=expected)


def _image(story: Story) -> Image:
    """Return the rows that are present in the image, as its files have them."""
    engine = sa.create_engine(f"sqlite:///{story.world.folder / '.rowlift' / 'state.db'}")
    try:
        with engine.connect() as state:
            rows = layers(state, story.world.folder, "image", "")
    finally:
        engine.dispose()
    return {key: json.loads(row["attributes"]) for key, row in rows.items() if row["present"]}


def let_back(story: Story) -> bool:
    """Unpin what nobody knows the pins of any more, once nothing is open; tells whether it did."""
    if story.memory.pins is not None or story.is_open():
        return False
    story.project().undone.unpin("people")
    story.shop.touch_all()
    story.memory.pins = {}
    return True
