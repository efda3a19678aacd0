"""The state machine: rules are what people, networks and machines do, in any order."""

import tempfile
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from machine.desk import Desk
from machine.model import COLUMNS

KEYS = st.sampled_from([f"k{number}" for number in range(8)])
TEXTS = st.one_of(st.none(), st.sampled_from(["a", "b", "c"]))
ROWS = st.fixed_dictionaries(dict.fromkeys(COLUMNS, TEXTS))
QUERIES = st.sampled_from(
    [("plan",), ("plan", "city"), ("city", "plan"), ("plan", "city", "team"), ("team", "plan")]
)
MOST_RESETS = 2  # in one sequence: after each one less is known of who may be where
SHARES = st.sampled_from([0.0, 0.3, 0.7])
POINTS = st.sampled_from(
    [
        "run.open.after_commit:1",
        "file.before_rename:1",
        "run.read.before_commit:1",
        "run.read.after_commit:1",
        "file.after_rename:2",
        "run.merge.before_commit:1",
        "run.merge.after_commit:1",
        "apply.slice.before_commit:1",
        "apply.slice.after_commit:1",
        "run.record.before_commit:1",
        "run.record.after_commit:1",
        "delivery.claim.after_commit:1",
        "delivery.plan.before_commit:1",
        "delivery.plan.after_commit:1",
        "delivery.start.after_commit:1",
        "deliver.before_send:1",
        "deliver.after_send:1",
        "deliver.after_send:2",
        "delivery.batch.before_commit:1",
        "delivery.batch.after_commit:2",
        "delivery.record.before_commit:1",
        "delivery.record.after_commit:1",
        "run.take_over.after_commit:1",
    ]
)


class Everything(RuleBasedStateMachine):
    """One project; a folder for each sequence of steps. `kills` counts those of all sequences."""

    kills = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="rowlift-machine-")
        self.desk = Desk(Path(self.folder.name) / "acme")

    # the shop

    @rule(rows=st.dictionaries(KEYS, ROWS, min_size=1, max_size=5))
    def put_rows(self, rows: dict[str, dict[str, str | None]]) -> None:
        self.desk.model.rows |= rows

    @rule(keys=st.sets(KEYS, min_size=1, max_size=4))
    def drop_rows(self, keys: set[str]) -> None:
        for key in keys:
            self.desk.model.rows.pop(key, None)

    # the project

    @rule(columns=QUERIES)
    def edit_the_query(self, columns: tuple[str, ...]) -> None:
        self.desk.model.columns = columns

    @rule(renamed=st.booleans())
    def edit_the_mapping(self, renamed: bool) -> None:
        self.desk.model.renamed = renamed

    @rule()
    def add_or_remove_a_destination(self) -> None:
        uses = self.desk.world.uses
        self.desk.world.uses = [] if uses else [
            {"use": "mail", "match": "user_id", "removed": "delete"}
        ]  # fmt: skip

    # the destinations

    @rule(name=st.sampled_from(["crm", "mail"]), lost=SHARES, away=SHARES, seed=st.integers(0, 3))
    def trouble(self, name: str, lost: float, away: float, seed: int) -> None:
        settings = {"lost_replies": lost, "unavailable": away, "seed": seed}
        world = self.desk.world
        (world.crm if name == "crm" else world.others["mail"]).update(settings)

    @rule(keys=st.sets(KEYS, max_size=2), how=st.sampled_from(["reject", "poison"]))
    def refuse_some_rows(self, keys: set[str], how: str) -> None:
        self.desk.world.crm[how] = sorted(keys)

    # what people do

    @rule(wait=st.booleans())
    def run(self, wait: bool) -> None:
        self.desk.run(wait=wait)

    @rule(point=POINTS)
    def die(self, point: str) -> None:
        self.desk.crash(point)

    @rule(rows=st.dictionaries(KEYS, ROWS, min_size=1, max_size=5), point=POINTS)
    def put_rows_and_die(self, rows: dict[str, dict[str, str | None]], point: str) -> None:
        self.desk.model.rows |= rows
        self.desk.crash(point)

    @rule(keys=st.sets(KEYS, min_size=1, max_size=4), point=POINTS)
    def drop_rows_and_die(self, keys: set[str], point: str) -> None:
        self.drop_rows(keys)
        self.desk.crash(point)

    @rule()
    def retry(self) -> None:
        self.desk.retry()

    @rule()
    def plan(self) -> None:
        self.desk.make_plan()

    @precondition(lambda self: self.desk.plan is not None)
    @rule()
    def apply_the_plan(self) -> None:
        self.desk.apply_plan()

    @precondition(lambda self: self.desk.resets < MOST_RESETS)
    @rule(what=st.sampled_from([None, "crm", "workspace"]))
    def reset(self, what: str | None) -> None:
        self.desk.reset(what)

    @rule(key=KEYS)
    def suppress(self, key: str) -> None:
        self.desk.suppress(key)

    @rule()
    def process_again(self) -> None:
        self.desk.process_again()

    @rule()
    def pause_for_a_while(self) -> None:
        self.desk.pause_for_a_while()

    @rule()
    def heal(self) -> None:
        self.desk.heal()

    def teardown(self) -> None:
        """However it went, in the end everything comes together."""
        try:
            self.desk.heal()
        finally:
            type(self).kills += self.desk.crashes
            self.folder.cleanup()
