"""What may happen between two runs, each step drawn from the story's seed."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from torture.simulation.model import MOST_REMOVALS
from torture.simulation.shop import COLUMNS
from torture.simulation.story import CALM, Story

Step = Callable[[Story], str]

FIRST_ROWS = 14
CRASHES = 0.4
EDITS = 0.3
OPERATIONS = 0.2
CHANGES_OF_WEATHER = 0.6
REOPENED = 0.2
ALLOWED = 0.2
ALLOWED_AFTER_REFUSAL = 0.7
REVERTS = 0.4  # after a crash or a lost answer: what is unknown is asked for at once
LEAVES = 0.2
SUPPRESSES = 0.4
LIFTS = 0.2
BEGUN = 0.7  # how many stories begin with a run that nothing disturbs; others die while sending

_IMAGE_FILES = """
SELECT path FROM files WHERE kind IN ('image_base', 'image_delta') AND state = 'live'
"""

# name, and how often the run of a small story passes it
POINTS = (
    ("run.open.before_commit", 1), ("run.open.after_commit", 1), ("file.announce.after_commit", 4),
    ("file.before_write", 4), ("file.before_rename", 4), ("file.after_rename", 4),
    ("run.read.before_commit", 1), ("run.read.after_commit", 1), ("run.merge.before_commit", 1),
    ("run.merge.after_commit", 1), ("apply.plan.after_commit", 1), ("apply.slice.before_commit", 1),
    ("apply.slice.after_commit", 1), ("run.record.before_commit", 1),
    ("run.record.after_commit", 1), ("delivery.claim.after_commit", 2),
    ("delivery.plan.before_commit", 2), ("delivery.plan.after_commit", 2),
    ("delivery.start.before_commit", 4), ("delivery.start.after_commit", 4),
    ("deliver.before_send", 5), ("fake.before_send", 5), *[("fake.after_send", 2)] * 4,
    *[("deliver.after_send", 2)] * 4, *[("delivery.batch.before_commit", 2)] * 4,
    ("delivery.batch.after_commit", 5), ("delivery.record.before_commit", 2),
    ("delivery.record.after_commit", 2),
)  # fmt: skip


def change_source(story: Story) -> str:
    """Let one thing happen to the rows."""
    shop, chance, columns = story.shop, story.chance, story.settings.columns
    ways: dict[str, tuple[int, Callable[[], object]]] = {
        "change": (8, lambda: shop.change(columns)),
        "insert": (4, shop.insert),
        "delete": (4, shop.delete),
        "revert": (5, shop.revert),
        "bring back": (3, shop.bring_back),
        "change late": (2, lambda: shop.change_late(columns)),
        "duplicate": (12 if shop.pause else 2, lambda: _duplicate(story)),
        "mend rows": (2, shop.mend_rows),
        "nobody": (1, lambda: _nobody(story)),
        "lose many": (2, lambda: _lose_many(story)),
    }
    (name,) = chance.choices(list(ways), [weight for weight, _ in ways.values()])
    done = ways[name][1]()
    return name if done is None else f"{name} {done}"


def _duplicate(story: Story) -> str:
    key = story.shop.change(story.settings.columns)
    story.shop.twice.add(key)
    return key


def _nobody(story: Story) -> None:
    story.shop.nobody = 1


def _lose_many(story: Story) -> str:
    shop = story.shop
    lost = story.chance.sample(sorted(shop.rows), min(len(shop.rows), MOST_REMOVALS + 2))
    for key in lost:
        shop.lose(key)
    return " ".join(lost)


# edits of the sync


def add_column(story: Story) -> str:
    left = [name for name in COLUMNS if name not in story.settings.columns]
    if left:
        story.settings.columns.insert(0, story.chance.choice(left))
        story.shop.touch_all()
    return f"columns {story.settings.columns}"


def drop_column(story: Story) -> str:
    if len(story.settings.columns) > 1:
        story.settings.columns.remove(story.chance.choice(story.settings.columns))
        story.shop.touch_all()
    return f"columns {story.settings.columns}"


def reorder(story: Story) -> str:
    story.chance.shuffle(story.settings.columns)
    return f"columns {story.settings.columns}"


def edit_mapping(story: Story) -> str:
    use = story.settings.uses[story.chance.choice(sorted(story.settings.uses))]
    what = story.chance.choice(("fields", "only", "exclude"))
    for name in ("fields", "only", "exclude"):
        use.pop(name, None)
    chosen = story.chance.sample(COLUMNS, story.chance.randint(1, 2))
    use[what] = {name: f"the_{name}" for name in chosen} if what == "fields" else chosen
    return f"use {use}"


def edit_removed(story: Story) -> str:
    name = story.chance.choice(sorted(story.settings.uses))
    removed = story.chance.choice(("keep", "clear", "delete"))
    story.settings.uses[name]["removed"] = removed
    if story.chance.random() < 0.5:  # noqa: PLR2004
        story.settings.removed = removed
    return f"{name} removed: {removed}"


def edit_empty(story: Story) -> str:
    settings = story.settings
    settings.empty_values = story.chance.choice(("ignore", "delete"))
    settings.empty_strings = story.chance.choice(("keep", "as_null"))
    story.shop.touch_all()
    return f"empty_values: {settings.empty_values}, empty_strings: {settings.empty_strings}"


def edit_match(story: Story) -> str:
    name = story.chance.choice(sorted(story.settings.uses))
    use = story.settings.uses[name]
    use["match"] = "anonymous_id" if use["match"] != "anonymous_id" else "user_id"
    story.forgive_all(name)
    return f"{name} match: {use['match']}"


def toggle_destination(story: Story) -> str:
    uses = story.settings.uses
    if "mail" in uses and len(uses) > 1:
        del uses["mail"]
        return "mail is left"
    story.use("mail")
    return f"mail is used {uses['mail']}"


def switch_query(story: Story) -> str:
    story.settings.is_incremental = not story.settings.is_incremental
    return f"incremental: {story.settings.is_incremental}"


def toggle_workspace(story: Story) -> str:
    story.settings.writes_workspace = not story.settings.writes_workspace
    return f"workspace: {story.settings.writes_workspace}"


def change_key(story: Story) -> str:
    """Identify by another column; the guard must stop it until the sync is reset."""
    settings = story.settings
    story.process_again()  # who is known by one identifier alone
    if story.memory.image is None or story.run(allow=True) is None:
        return "the key stays"
    settings.key = "email" if settings.key == "user_id" else "user_id"
    if story.run() is not None:
        raise AssertionError("KEY_CHANGED did not stop the run")
    for use in settings.uses.values():
        use["match"] = settings.key
    if not story.reset():
        raise AssertionError("the reset was refused")
    return f"key: {settings.key}"


EDITS_OF: dict[Step, int] = {
    add_column: 3, drop_column: 3, reorder: 1, edit_mapping: 5, edit_removed: 2, edit_empty: 2,
    edit_match: 1, toggle_destination: 4, switch_query: 1, toggle_workspace: 1, change_key: 1,
}  # fmt: skip


# other operations


def reset(story: Story) -> str:
    target = story.chance.choice((None, *sorted(story.settings.uses)))
    return f"reset {target or 'all'}" if story.reset(target) else "nothing"


def back_up(story: Story) -> str:
    story.process_again()
    story.close()
    state, copy = story.world.folder / ".rowlift", story.folder / "backup"
    shutil.rmtree(copy, ignore_errors=True)
    if state.exists():
        shutil.copytree(state, copy)
    return "back up"


def restore(story: Story) -> str:
    """Put an old state back; only a reset makes it true again."""
    story.process_again()
    story.close()
    state, copy = story.world.folder / ".rowlift", story.folder / "backup"
    if not copy.exists():
        return back_up(story)
    shutil.rmtree(state)
    shutil.copytree(copy, state)
    story.memory.forget()
    story.forgive_all()
    if not story.reset():
        story.run(allow=True)
        if not story.reset():
            raise AssertionError("the reset was refused")
    return "restore and reset"


def retry(story: Story) -> str:
    """Send again what the last run's deliveries left."""
    story.save()
    runs = story.project().runs("people", limit=1)
    if runs:
        story.note_moment()  # it also goes on with a run that was interrupted
        story.project().retry(runs[0].id)
        story.record.forget_deliveries()
    story.look()
    return "retry"


def upgrade(story: Story) -> str:
    """Give the image the form of an older release: what was equal must count as equal."""
    story.close()
    folder = story.world.folder / ".rowlift"
    if not folder.exists() or story.is_open():
        return "nothing"
    with closing(sqlite3.connect(folder / "state.db")) as state, state:
        for (path,) in state.execute(_IMAGE_FILES).fetchall():
            _age(folder / "files" / path)
        state.execute("UPDATE images SET form = ''")
    return "upgrade"


def _age(path: Path) -> None:
    table = pq.ParquetFile(path).read()
    older = [json.dumps(json.loads(text)) for text in table["attributes"].to_pylist()]
    aged = {"attributes": older, "fp": [0] * len(older), "raw": [0] * len(older)}
    for name in aged.keys() & set(table.schema.names):
        field = table.schema.field(name)
        column = pa.array(aged[name], field.type)
        table = table.set_column(table.schema.get_field_index(name), field, column)
    pq.write_table(table, path)


OPERATIONS_OF: dict[Step, int] = {reset: 3, back_up: 2, restore: 1, retry: 3, upgrade: 2}


def suppressions(story: Story) -> list[str]:
    """Suppress somebody, or lift all that there is."""
    drawn = story.mercy.random()
    keys = sorted(story.shop.rows)
    if drawn < SUPPRESSES and keys:
        key = story.mercy.choice(keys)
        story.suppress(key)
        return [f"suppress {key}"]
    if drawn < SUPPRESSES + LIFTS:
        story.process_again()
        return ["process all again"]
    return []


# the weather


def weather(story: Story) -> str:
    """Let each destination behave well or badly for a while."""
    return ", ".join(f"{name} {_weather(story, name)}" for name in sorted(story.settings.uses))


def _weather(story: Story, name: str) -> str:
    chance, settings = story.chance, story.targets[name].settings
    settings |= CALM
    keys = story.shop.touched() or sorted(story.shop.rows)
    some = [story.settings.identity(key) for key in chance.sample(keys, min(2, len(keys)))]
    weathers: dict[str, dict[str, Any]] = {
        "calm": {},
        "lossy": {"lost_replies": 0.5, "late": 0.2, "partial": 0.3},
        "mute": {"lost_replies": 0.97},
        "failing": {"failing": 0.5, "unavailable": 0.3, "retry_after": chance.choice((None, 7))},
        "down": {"unavailable": 0.97},
        "flapping": {"lost_replies": 0.8, "unavailable": 0.8},
        "picky": {"reject": some},
        "poisoned": {"poison": some},
    }
    (kind,) = chance.choices(list(weathers), (8, 4, 4, 3, 2, 6, 4, 4))
    settings |= weathers[kind]
    return kind


def crash(story: Story) -> str:
    """Return the point at which the next run ends, or nothing."""
    if story.chance.random() >= CRASHES:
        return ""
    name, most = story.chance.choice(POINTS)
    return f"{name}:{story.chance.randint(1, story.chance.randint(1, most))}"


def ask_again(story: Story) -> list[str]:
    """Revert or lose what the last run did not bring to an end, where anything is known of it."""
    drawn, shop = story.chance.random(), story.shop
    if drawn < REVERTS:
        reverted = shop.revert()
        return [f"revert {reverted}"] if reverted else []
    if drawn < REVERTS + LEAVES:
        left = shop.leave()
        return [f"leave {left}"] if left else []
    return []


def step(story: Story) -> None:
    """Let something happen, and run."""
    chance, shop = story.chance, story.shop
    shop.pass_time()
    shop.is_empty, shop.cut = chance.random() < 0.05, None  # noqa: PLR2004
    if chance.random() < 0.05:  # noqa: PLR2004
        shop.cut = chance.randint(0, 3)
    done = [] if story.is_calm else ask_again(story)
    if not done:
        done += [change_source(story) for _ in range(chance.randint(0, 3))]
    for share, ways in ((EDITS, EDITS_OF), (OPERATIONS, OPERATIONS_OF)):
        if chance.random() < share and not shop.is_empty and shop.cut is None:
            (way,) = chance.choices(list(ways), list(ways.values()))
            done.append(way(story))
    if story.suppresses and not story.is_open():
        done += suppressions(story)
    if chance.random() < REOPENED:
        story.close()
    if chance.random() < CHANGES_OF_WEATHER:
        done.append(weather(story))
    point = crash(story)
    allowed = ALLOWED_AFTER_REFUSAL if story.was_refused else ALLOWED
    allow = chance.random() < allowed and not shop.is_empty
    plan = chance.random() < 0.05 and not point and not shop.is_empty  # noqa: PLR2004
    plan = plan and not (story.is_open() or story.is_open("deliveries"))  # else it is stale
    allow = allow or plan  # what a plan shows is wanted
    wrong = "the source is empty; " if shop.is_empty else ""
    wrong += "the result breaks off; " if shop.cut is not None else ""
    story.tell(
        f"at {shop.now:.2f}: {wrong}{'; '.join(done)}; run allow={allow} plan={plan} {point}"
    )
    story.run(crash=point, allow=allow, plan=plan)


def begin(story: Story) -> None:
    """Fill the source."""
    for _ in range(FIRST_ROWS):
        story.shop.insert()
    story.tell(f"begin: {story.settings}")
    dies = story.chance.random() >= BEGUN
    story.run(crash=f"fake.after_send:{story.chance.randint(1, 4)}" if dies else "")
