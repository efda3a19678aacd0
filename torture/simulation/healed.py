"""After everything was mended: two clean runs, and then nothing may differ any more."""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import sqlalchemy as sa

from crashes.checker import check_active, check_counts, check_files, layers
from rowlift.core.nouns import Status
from rowlift.operations.reports import RunReport
from torture.simulation.model import Attributes, mapped
from torture.simulation.story import CALM, Story, Target
from torture.simulation.undoing import let_back
from torture.simulation.watch import Divergence

CLEAN_RUNS = 2
MOST_RUNS = 5

Layer = Mapping[str, Mapping[str, Any]]


def heal(story: Story) -> None:
    """Mend the source and the destinations, run until two runs were clean, and compare all."""
    story.shop.heal()
    for target in story.targets.values():
        target.settings |= CALM
    story.process_again()
    report = _run_clean(story)
    _check_silence(story, report)
    good, _, _ = story.shop.visible(0)
    wanted = {
        story.settings.identity(key): story.settings.attributes(key, row)
        for key, row in good.items()
    }
    out = _pin(story, wanted)
    for name in story.settings.uses:
        _check_destination(story, story.targets[name], wanted, out)
    engine = sa.create_engine(f"sqlite:///{story.world.folder / '.rowlift' / 'state.db'}")
    try:
        with engine.connect() as state:
            _check_state(story, state, wanted)
    finally:
        engine.dispose()
    _check_repeats(story)


def _run_clean(story: Story) -> RunReport:
    clean = 0
    for _ in range(MOST_RUNS):
        clean = 0 if let_back(story) else clean
        story.tell("clean run")
        report = story.run(allow=True)
        if report and not report.resumed:
            clean += 1
            if clean == CLEAN_RUNS:
                return report
    raise Divergence("it never ran clean")


def _check_silence(story: Story, report: RunReport) -> None:
    wrong = _failed(story, report) & {*map(story.settings.identity, story.shop.rows)}
    if wrong or report.counts["rejected"] != report.counts["held"]:
        raise Divergence(f"the last run is {report.status.value}: {report.reason} {wrong}")
    for one in report.deliveries:
        if one.status is not Status.COMPLETED or one.counts["due"]:
            raise Divergence(f"{one.destination} is still due: {one.counts} {one.reason}")
    if {one.destination for one in report.deliveries} != story.settings.uses.keys():
        raise Divergence(f"not every destination was served: {report.deliveries}")


def _failed(story: Story, report: RunReport) -> set[str]:
    """Return whose rows failed at last: an incremental query cannot say that they left."""
    return {str(one["identifier"]) for one in story.project().rejects(report.id)}


def _pin(story: Story, wanted: dict[str, Attributes]) -> set[str]:
    """Let wanted rows be as an undo left them; returns the keys that it took out."""
    image, out = story.memory.image or {}, set()
    for key, undone in (story.memory.pins or {}).items():
        if undone is None or wanted.get(key) == undone:
            if key in image:
                wanted[key] = image[key]
            else:
                out.add(key)
                wanted.pop(key, None)
    return out


def _check_destination(
    story: Story, target: Target, wanted: Mapping[str, Attributes], out: AbstractSet[str]
) -> None:
    use = story.settings.uses[target.name]
    for key in out:
        message = target.watch.state.get((use["match"], key))
        forgiven = key.partition("@")[0] in target.forgiven
        if message is not None and message["op"] == "upsert" and not forgiven:
            raise Divergence(f"{target.name} still holds {key}, which an undo took out")
    for key, attributes in wanted.items():
        message = target.watch.state.get((use["match"], key))
        if message is None or message["op"] != "upsert":
            raise Divergence(f"{target.name} lacks {key}: {message}")
        if message["attributes"] != mapped(attributes, use):
            raise Divergence(
                f"{target.name} holds {message['attributes']} for {key}, not {attributes}"
            )
    kept = target.forgiven | story.shop.rows.keys()
    for key in story.shop.ever.keys() - kept - {one.partition("@")[0] for one in wanted}:
        message = target.watch.state.get((use["match"], story.settings.identity(key)))
        if message is not None and message["op"] == "upsert":
            raise Divergence(f"{target.name} still holds {key}, which left")


def _check_state(story: Story, state: sa.Connection, wanted: Mapping[str, Attributes]) -> None:
    folder = story.world.folder
    check_active(state)
    check_counts(state)
    check_files(state, folder)
    image = layers(state, folder, "image", "")
    _check_image(story, image, wanted)
    uids = {
        row.name: row.uid
        for row in state.execute(
            sa.text("SELECT name, uid FROM definitions WHERE kind = 'destination'")
        )
    }
    targets = [uids[name] for name in story.settings.uses]
    if story.settings.writes_workspace:
        targets.append("workspace")
        _check_workspace(story, state, wanted)
    for target in targets:
        _check_ledger(target, image, layers(state, folder, "ledger", target))
    if state.scalar(sa.text("PRAGMA integrity_check")) != "ok":
        raise Divergence("the state database is damaged")


def _check_image(story: Story, image: Layer, wanted: Mapping[str, Attributes]) -> None:
    present = {key: json.loads(row["attributes"]) for key, row in image.items() if row["present"]}
    if story.settings.is_incremental:  # rows that vanished stay
        present = {key: row for key, row in present.items() if key in wanted}
    if present != wanted:
        raise Divergence(f"the image is {present}, the source {wanted}")


def _check_ledger(target: str, image: Layer, ledger: Layer) -> None:
    for key, row in image.items():
        known = ledger.get(key)
        if known is None and row["present"]:
            raise Divergence(f"{target} never acknowledged {key}")
        if known is None:
            continue
        if known["doubt"] is not None or known["version"] != row["version"]:
            raise Divergence(f"{target} acknowledged {known}, the image has {row}")
        if row["present"] and not known["present"]:
            raise Divergence(f"{target} does not hold {key} by its ledger")


def _check_workspace(story: Story, state: sa.Connection, wanted: Mapping[str, Attributes]) -> None:
    column = "email" if story.settings.key == "email" else "id"
    found = state.execute(sa.text(f"SELECT {column}, attributes FROM people"))
    people = {row[0]: json.loads(row.attributes) for row in found}
    for key, attributes in wanted.items():
        if key not in people:
            raise Divergence(f"the workspace lacks {key}")
        for name, value in attributes.items():
            there = key if name == "email" else people[key].get(name)
            if there != value:
                raise Divergence(f"the workspace has {there!r} as {name} of {key}, not {value!r}")
    for key in story.shop.ever.keys() - story.shop.rows.keys() - story.forgiven:
        if story.settings.identity(key) in wanted:
            continue
        if story.settings.identity(key) in people and story.settings.removed == "delete":
            raise Divergence(f"{key} left and is still in the workspace")


def _check_repeats(story: Story) -> None:
    """An answered message is repeated only where a crash had a batch in flight."""
    for target in story.targets.values():
        most = story.crashes * target.settings["batch_rows"] * target.settings["in_flight"]
        repeated = len(target.watch.repeated)
        if repeated > most:
            raise Divergence(f"{repeated} answered messages of {target.name} came again")
