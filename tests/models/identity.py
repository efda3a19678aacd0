"""The identity rules once more, slow and plain: one row, one rule, one loop at a time.

Imports nothing of the package, so that it can be wrong only in ways of its own.
"""

import copy
from dataclasses import dataclass, field

OTHERS = {
    "user_id": ("email", "anonymous_id"),
    "email": ("id", "anonymous_id"),
    "anonymous_id": ("id", "email"),
}
TAKEN = {"id": "ID_TAKEN", "email": "EMAIL_TAKEN", "anonymous_id": "ANONYMOUS_ID_TAKEN"}
TAKING = ("clear", "delete")
FIXED = {"id": "ID_IMMUTABLE", "email": "EMAIL_IMMUTABLE"}


@dataclass(eq=False)
class Person:
    """People may look alike: only the same one is equal. Values have their writer beside them.

    `syncs` wrote the person and have not taken that back.
    """

    id: str | None = None
    email: str | None = None
    anonymous: set[str] = field(default_factory=set)
    values: dict[str, tuple[object, object]] = field(default_factory=dict)
    syncs: set[object] = field(default_factory=set)

    def has(self, kind, value):
        if kind == "anonymous_id":
            return value in self.anonymous
        return folded(getattr(self, kind)) == folded(value)

    def is_blank(self, kind):
        return kind == "anonymous_id" or getattr(self, kind) is None


@dataclass
class Row:
    key: str
    op: str = "upsert"
    id: str | None = None
    email: str | None = None
    anonymous_id: str | None = None
    values: dict[str, object] = field(default_factory=dict)  # None takes away
    person: Person | None = None
    stranger: Person | None = None  # merged into the person
    claimed: Person | None = None  # the stranger whom it merges or makes known
    code: str = ""
    joins: bool = False


@dataclass(frozen=True)
class Merge:
    """`before` is the stranger as it was; the names of values are those that moved."""

    known: Person
    before: Person
    names: frozenset[str]


@dataclass(frozen=True)
class Rules:
    identify_by: str
    mode: str = "upsert"
    attach: bool = True
    allow_change: bool = False
    kept: frozenset[str] = frozenset()  # names that are set only where there is none
    writer: tuple[object, object] = (None, None)  # the sync and its run

    @property
    def own(self):
        return "id" if self.identify_by == "user_id" else self.identify_by

    @property
    def others(self):
        return OTHERS[self.identify_by]

    @property
    def moves(self):
        return self.allow_change and self.identify_by == "user_id"


def folded(value):
    return value and value.lower()


def import_rows(people, rows, by, bound=()):
    """Changes the list of people and fills each row's code; the order of rows has no say.

    Whatever leaves, others have something of those who are `bound`. Returns the merges.
    """
    for row in rows:
        if row.op == "upsert" and getattr(row, by.own) is None:
            setattr(row, by.own, row.key)
    matched = {row.key: owner(people, by.own, row.key) for row in rows}
    gone = [one for one in unnamed(people, rows, matched, by) if is_alone(one, by, bound)]
    left = [person for person in people if person not in gone]
    upserts = [row for row in rows if row.op == "upsert"]
    for row in upserts:
        judge_alone(row, matched[row.key], left, by)
    reject_fights([row for row in upserts if not row.code], left, by)
    while reject_one_without_address(upserts, left):
        pass
    people[:] = left
    clears = [row for row in rows if row.op in TAKING and matched[row.key] in left]
    for row in clears:
        row.person = matched[row.key]
    return write(people, upserts, clears, by)


def owner(people, kind, value):
    if value is None:
        return None
    return next((person for person in people if person.has(kind, value)), None)


def is_alone(record, by, bound=()):
    """Tells whether nobody but the writer has anything of a record."""
    return record.syncs <= {by.writer[0]} and record not in bound


def unnamed(people, rows, matched, by):
    """The people of rows to delete whom no other row names."""
    named = []
    for row in rows:
        if row.op == "upsert":
            named.append(matched[row.key])
            if by.own == "anonymous_id":
                named += [owner(people, kind, getattr(row, kind)) for kind in by.others]
    doomed = [matched[row.key] for row in rows if row.op == "delete"]
    return [person for person in doomed if person and person not in named]


def judge_alone(row, match, people, by):
    owners = {kind: owner(people, kind, getattr(row, kind)) for kind in by.others}
    stranger = stranger_named(people, row)
    known = None if match is stranger else match
    joinable = []
    for person in owners.values():
        blank = person and person is not stranger and person.is_blank(by.own)
        if blank and person not in joinable:
            joinable.append(person)
    is_ambiguous = known is None and len(joinable) > 1
    found = known or (joinable[0] if joinable else stranger)
    row.person = None if is_ambiguous else found
    row.stranger = stranger if row.person is not stranger else None
    row.claimed = stranger
    row.joins = match is None and row.person is not None
    row.code = "PERSON_AMBIGUOUS" if is_ambiguous else code_alone(row, owners, by)


def code_alone(row, owners, by):
    if (by.mode, row.person is None) in (("update", True), ("create", False)):
        return "SKIP"
    for kind in by.others:
        is_taken = owners[kind] not in (None, row.person, row.stranger)
        if is_taken and not (kind == "email" and by.moves):
            return TAKEN[kind]
    if row.joins and not by.attach:
        return "IDENTIFIER_MATCHES_OTHER"
    for kind in by.others:
        value = getattr(row, kind)
        if kind == "anonymous_id" or not row.person or (kind == "email" and by.moves):
            continue
        if value and not row.person.is_blank(kind) and not row.person.has(kind, value):
            return FIXED[kind]
    return ""


def stranger_named(people, row):
    """The person known by anonymous ids only whom a row names beside an id or an address."""
    person = owner(people, "anonymous_id", row.anonymous_id)
    named = row.id is not None or row.email is not None
    is_stranger = person is not None and person.id is None and person.email is None
    return person if named and is_stranger else None


def reject_fights(rows, people, by):
    lost = set()
    for one in rows:
        for two in rows:
            if one is not two:
                lost |= {(one.key, code) for code in fights(one, two, people, by)}
    for row in rows:
        codes = sorted(code for key, code in lost if key == row.key)
        row.code = codes[0] if codes else ""


def fights(one, two, people, by):
    """The codes of all that two rows cannot both have."""
    same = one.person is not None and one.person is two.person
    if same and by.own == "anonymous_id":
        return [FIXED[kind] for kind in by.others if len(wanted(kind, one, two)) > 1]
    if same and one.joins and two.joins:
        found = (
            kind for kind in by.others if owner(people, kind, getattr(one, kind)) is one.person
        )
        return [TAKEN[next(found)]]
    contested = one.claimed is not None and one.claimed is two.claimed
    return [
        TAKEN[kind]
        for kind in by.others
        if len(wanted(kind, one, two)) == 1 and claims(one, kind) and claims(two, kind)
    ] + ["MERGE_CONTESTED"] * contested


def wanted(kind, *rows):
    return {folded(getattr(row, kind)) for row in rows} - {None}


def claims(row, kind):
    value = getattr(row, kind)
    owners = [person for person in (row.person, row.claimed) if person]
    return value is not None and not any(person.has(kind, value) for person in owners)


def reject_one_without_address(rows, people):
    for row in rows:
        holder = owner(people, "email", row.email) if not row.code else None
        if holder is None or holder is row.person:
            continue
        givers = [each for each in rows if each.person is holder and each.email and not each.code]
        if not any(not holder.has("email", each.email) for each in givers):
            row.code = "EMAIL_TAKEN"
            return True
    return False


def write(people, upserts, clears, by):
    good = sorted((row for row in upserts if not row.code), key=lambda row: row.key.encode())
    for row in good:
        if row.person is None:
            row.person = Person()
            people.append(row.person)
    merges = [
        merge(people, row.stranger, row.person) for row in reversed(good) if row.stranger in people
    ]
    patches = {}
    for row in good:
        row.person.id = row.id or row.person.id
        row.person.email = row.email or row.person.email
        row.person.anonymous |= {row.anonymous_id} - {None}
        patches.setdefault(row.person, {}).update(row.values)
    for person, patch in patches.items():
        lay(person, patch, by)
    for row in clears:
        if row.person not in patches:
            clear(row.person, by)
    return merges


def merge(people, stranger, known):
    """The known person's values stand."""
    before = copy.deepcopy(stranger)
    names = frozenset(stranger.values.keys() - known.values.keys())
    people.remove(stranger)
    known.anonymous |= stranger.anonymous
    known.syncs |= stranger.syncs
    known.values.update({name: stranger.values[name] for name in names})
    return Merge(known, before, names)


def undo(people, merge):
    known, again = merge.known, merge.before
    known.anonymous -= again.anonymous
    for name in merge.names:
        if known.values.get(name) is not None and known.values[name][1] == again.values[name][1]:
            del known.values[name]
    people.append(again)


def lay(record, patch, by):
    """Sets, takes away what is None, and leaves alone what is kept and there."""
    values = record.values
    record.syncs.add(by.writer[0])
    for name, value in patch.items():
        if value is None:
            values.pop(name, None)
        elif name not in by.kept or name not in values:
            values[name] = value, by.writer


def clear(record, by):
    """Takes away what the same sync wrote last."""
    record.syncs.discard(by.writer[0])
    for name in [name for name, (_, wrote) in record.values.items() if wrote[0] == by.writer[0]]:
        del record.values[name]
