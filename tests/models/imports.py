"""Whole imports once more, slow and plain: what a query said, what is due, and what is written.

Imports nothing of the package. A row is a dict by column, with None for NULL; a sync's settings are
those of its file.
"""

import json
from dataclasses import dataclass, field

from models import identity

IDENTIFIERS = ("id", "email", "anonymous_id")
LINKING = ("object_type", "object_id", "id", "email", "deleted")
YES = ("true", "t", "yes", "y", "1")
BAD_EMAIL = "nonsense"
ENDED = {"deleted": True}
REMOVALS = {"clear": "clear", "delete": "delete"}


@dataclass(frozen=True)
class Held:
    """A row of the image; the version is the run in which it last changed."""

    form: dict[str, object]
    present: bool
    version: int


@dataclass(frozen=True)
class Written:
    """What the workspace acknowledged of a row."""

    form: dict[str, object]
    present: bool
    version: int
    epoch: int


@dataclass
class Memory:
    """What is remembered of one query."""

    image: dict[str, Held] = field(default_factory=dict)
    ledger: dict[str, Written] = field(default_factory=dict)
    epoch: int = 0
    kept: frozenset[str] = frozenset()

    def take(self, forms, arrived, run, is_told):
        """The result replaces what it tells of; a key that arrived is not gone, good or bad."""
        for key, form in forms.items():
            held = self.image.get(key)
            if held is None or not held.present or held.form != form:
                self.image[key] = Held(form, True, run)
        for key, held in self.image.items():
            if held.present and key not in arrived and is_told(key):
                self.image[key] = Held(held.form, False, run)

    def keep(self, names):
        """Everything is written again once an attribute is no longer set only where none is."""
        self.epoch += not self.kept <= names
        self.kept = names

    def due(self, removed):
        """Yields key, op and form of what the workspace lacks."""
        for key, held in self.image.items():
            had = self.ledger.get(key)
            is_settled = had and (had.version, had.epoch) == (held.version, self.epoch)
            if is_settled or (had is None and not held.present):
                continue
            if self.is_due(held, had, removed):
                yield key, op_of(held, removed), held.form
            else:
                self.acknowledge(key, had.present, had.form)

    def is_due(self, held, had, removed):
        is_there = had is not None and had.present
        if held.present:
            return not is_there or had.form != held.form or had.epoch != self.epoch
        return is_there and had.version != held.version and removed != "keep"

    def acknowledge(self, key, present, form):
        self.ledger[key] = Written(form, present, self.image[key].version, self.epoch)


def op_of(held, removed):
    if held.form == ENDED:
        return "delete"
    return "upsert" if held.present else REMOVALS[removed]


@dataclass(eq=False)
class Thing:
    """An object or a relationship; its fields are those of a person."""

    values: dict[str, tuple[object, object]] = field(default_factory=dict)
    syncs: set[object] = field(default_factory=set)


@dataclass
class World:
    """The workspace, and what is remembered of every sync."""

    people: list[identity.Person] = field(default_factory=list)
    objects: dict[tuple[str, str], Thing] = field(default_factory=dict)
    relationships: dict[tuple[identity.Person, tuple[str, str]], Thing] = field(
        default_factory=dict
    )
    merges: list[identity.Merge] = field(default_factory=list)
    memories: dict[tuple[str, str], Memory] = field(default_factory=dict)

    def memory(self, sync, query=""):
        return self.memories.setdefault((sync, query), Memory())

    def run(self, sync, settings, tables, run, *, allow_change):
        """Imports both queries; returns (query, identifier, code) of every reject."""
        whole = ("", settings, tables["rows"])
        second = settings.get("relationships")
        parts = [whole] if second is None else [whole, ("relationships", second, tables["links"])]
        read = [self.read(sync, settings, *part, run) for part in parts]
        writer = (sync, run)
        rejects = [reject for rejects in read for reject in rejects]
        if settings["kind"] == "object":
            rejects += self.write_objects(sync, settings, writer)
        else:
            rejects += self.write_people(sync, settings, writer, allow_change=allow_change)
        if second:
            rejects += self.write_relationships(sync, settings, writer)
        return sorted(rejects)

    # from rows to the image

    def read(self, sync, settings, query, part, rows, run):
        keys = [key_of(part, row, query) for row in rows]
        bad = [row.get("email") == BAD_EMAIL for row in rows]
        forms = {
            key: form_of(settings, part, row, query)
            for key, row, is_bad in zip(keys, rows, bad, strict=True)
            if not is_bad
        }
        self.memory(sync, query).take(forms, keys, run, is_told(part, keys))
        codes = zip(keys, bad, strict=True)
        return [("", key, "EMAIL_INVALID") for key, is_bad in codes if is_bad]

    # from the image to the workspace

    def write_people(self, sync, settings, writer, *, allow_change):
        memory = self.memory(sync)
        policies = settings["attributes"]
        memory.keep(frozenset(one for one, rule in policies.items() if rule == "set_if_empty"))
        own = settings["identify_by"]
        by = identity.Rules(
            "user_id" if own == "id" else own,
            settings["mode"],
            attach=settings["second_identifier"] == "attach",
            allow_change=allow_change,
            kept=memory.kept,
            writer=writer,
        )
        due = list(memory.due(settings["removed"]))
        rows = [identity_row(key, self.op(key, op, own, memory), form) for key, op, form in due]
        self.merges += identity.import_rows(self.people, rows, by, self.related(0, by))
        self.forget_the_dead()
        return self.settle(memory, "", due, {row.key: row.code for row in rows})

    def op(self, key, op, own, memory):
        """A person whom another row names has not left."""
        person = identity.owner(self.people, own, key)
        others = person.anonymous - {key} if person and own == "anonymous_id" else ()
        is_named = any(one in memory.image and memory.image[one].present for one in others)
        return "stay" if is_named and op != "upsert" else op

    def write_objects(self, sync, settings, writer):
        memory = self.memory(sync)
        memory.keep(frozenset())
        by = identity.Rules("user_id", writer=writer)
        due = list(memory.due(settings["removed"]))
        codes = {}
        for key, op, form in due:
            ends = tuple(json.loads(key))
            is_there = ends in self.objects
            unwanted = {"update": not is_there, "create": is_there}.get(settings["mode"], False)
            codes[key] = "SKIP" if op == "upsert" and unwanted else ""
            if op == "upsert" and not unwanted:
                identity.lay(self.objects.setdefault(ends, Thing()), form, by)
            elif op != "upsert" and is_there:
                bound = [self.objects.get(one) for one in self.related(1, by)]
                take_back(self.objects, ends, op, by, bound)
        self.forget_the_dead()
        return self.settle(memory, "", due, codes)

    def write_relationships(self, sync, settings, writer):
        second = settings["relationships"]
        memory = self.memory(sync, "relationships")
        by = identity.Rules("user_id", writer=writer)
        due = list(memory.due("delete" if "replace_for" in second else "keep"))
        codes = {}
        for key, op, form in due:
            *thing, named = json.loads(key)
            person = identity.owner(self.people, second["identify_by"], named)
            ends = person, tuple(thing)
            if op == "upsert":
                unknown = "OBJECT_UNKNOWN" if ends[1] not in self.objects else ""
                codes[key] = unknown if person else "PERSON_UNKNOWN"
                if not codes[key]:
                    identity.lay(self.relationships.setdefault(ends, Thing()), form, by)
            else:
                codes[key] = ""
                if form == ENDED:
                    self.relationships.pop(ends, None)
                elif ends in self.relationships:
                    take_back(self.relationships, ends, op, by)
        return self.settle(memory, "relationships", due, codes)

    def settle(self, memory, query, due, codes):
        for key, op, form in due:
            if not codes[key]:
                memory.acknowledge(key, op == "upsert", form)
        return [(query, key, code) for key, code in codes.items() if code not in ("", "SKIP")]

    def related(self, end, by):
        """The people (end 0) or objects (end 1) that other syncs relate."""
        return [
            ends[end] for ends, one in self.relationships.items() if not identity.is_alone(one, by)
        ]

    def forget_the_dead(self):
        self.relationships = {
            (person, thing): values
            for (person, thing), values in self.relationships.items()
            if person in self.people and thing in self.objects
        }
        self.merges = [one for one in self.merges if one.known in self.people]

    # by hand

    def undo(self, anonymous_id):
        """Parts those who were merged by an anonymous id."""
        (merge,) = [one for one in self.merges if anonymous_id in one.before.anonymous]
        self.merges.remove(merge)
        identity.undo(self.people, merge)


def take_back(things, ends, op, by, bound=()):
    """Deletes what nobody else has anything of; takes back the rest."""
    if op == "delete" and identity.is_alone(things[ends], by, bound):
        del things[ends]
    else:
        identity.clear(things[ends], by)


def key_of(part, row, query):
    if not query and part["kind"] != "object":
        return named_by(part, row)
    ends = [row["object_type"] or "1", row["object_id"]]
    return json.dumps([*ends, named_by(part, row)] if query else ends, separators=(",", ":"))


def named_by(part, row):
    value = row[part["identify_by"]]
    return identity.folded(value) if part["identify_by"] == "email" else value


def form_of(settings, part, row, query):
    """The attributes that are compared; where NULL takes a value away, it is there as None."""
    if query and (row["deleted"] or "").lower() in YES:
        return ENDED
    left_out = LINKING if query else left_out_of(part)
    form = {}
    for name, value in row.items():
        is_empty = value is None or (value == "" and settings["empty_strings"] == "as_null")
        policy = {} if query else settings["attributes"]
        is_taken_away = policy.get(name, settings["empty_values"]) == "delete"
        if name in left_out or (is_empty and (not is_taken_away or name in IDENTIFIERS)):
            continue
        form[name] = None if is_empty else value
    return form


def left_out_of(part):
    if part["kind"] == "object":
        return ("object_type", "object_id")
    return () if part["identify_by"] == "email" else (part["identify_by"],)


def is_told(part, keys):
    """Tells which keys a full result is all there is of."""
    parent = {"person": lambda key: json.loads(key)[2], "object": lambda key: json.loads(key)[:2]}
    if part.get("replace_for") is None:
        return lambda _: True
    named = parent[part["replace_for"]]
    parents = [named(key) for key in keys]
    return lambda key: named(key) in parents


def identity_row(key, op, form):
    if op != "upsert":
        return identity.Row(key, op)
    found = {kind: form.get(kind) for kind in IDENTIFIERS}
    values = {name: value for name, value in form.items() if name not in IDENTIFIERS}
    return identity.Row(key, op, **found, values=values)
