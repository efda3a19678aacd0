"""The identity rules once more, slow and plain: one row, one rule, one loop at a time.

Imports nothing of the package, so that it can be wrong only in ways of its own.
"""

from dataclasses import dataclass, field

OTHERS = {
    "user_id": ("email", "anonymous_id"),
    "email": ("id", "anonymous_id"),
    "anonymous_id": ("id", "email"),
}
TAKEN = {"id": "ID_TAKEN", "email": "EMAIL_TAKEN", "anonymous_id": "ANONYMOUS_ID_TAKEN"}
FIXED = {"id": "ID_IMMUTABLE", "email": "EMAIL_IMMUTABLE"}


@dataclass(eq=False)
class Person:
    """People may look alike: only the same one is equal."""

    id: str | None = None
    email: str | None = None
    anonymous: set[str] = field(default_factory=set)
    values: dict[str, object] = field(default_factory=dict)

    def has(self, kind, value):
        return value in self.anonymous if kind == "anonymous_id" else getattr(self, kind) == value

    def is_blank(self, kind):
        return kind == "anonymous_id" or getattr(self, kind) is None


@dataclass
class Row:
    key: str
    op: str = "upsert"
    id: str | None = None
    email: str | None = None
    anonymous_id: str | None = None
    values: dict[str, object] = field(default_factory=dict)
    person: Person | None = None
    stranger: Person | None = None  # merged into the person
    code: str = ""
    joins: bool = False


def import_rows(people, rows, identify_by, *, attach=True, allow_change=False):
    """Changes the list of people and fills each row's code; the order of rows has no say."""
    own = "id" if identify_by == "user_id" else identify_by
    others = OTHERS[identify_by]
    moves = allow_change and identify_by == "user_id"
    for row in rows:
        setattr(row, own, row.key)
    matched = {row.key: owner(people, own, row.key) for row in rows}
    gone = deleted(people, rows, matched, own, others)
    left = [person for person in people if person not in gone]
    upserts = [row for row in rows if row.op == "upsert"]
    for row in upserts:
        judge_alone(row, matched[row.key], left, own, others, attach=attach, moves=moves)
    reject_fights([row for row in upserts if not row.code], left, own, others)
    while reject_one_without_address(upserts, left):
        pass
    people[:] = left
    write(people, upserts)


def owner(people, kind, value):
    if value is None:
        return None
    return next((person for person in people if person.has(kind, value)), None)


def deleted(people, rows, matched, own, others):
    named = []
    for row in rows:
        if row.op == "upsert":
            named.append(matched[row.key])
            if own == "anonymous_id":
                named += [owner(people, kind, getattr(row, kind)) for kind in others]
    doomed = [matched[row.key] for row in rows if row.op == "delete"]
    return [person for person in doomed if person and person not in named]


def judge_alone(row, match, people, own, others, *, attach, moves):
    owners = {kind: owner(people, kind, getattr(row, kind)) for kind in others}
    stranger = stranger_named(people, row)
    known = None if match is stranger else match
    joinable = []
    for person in owners.values():
        if person and person is not stranger and person.is_blank(own) and person not in joinable:
            joinable.append(person)
    if known is None and len(joinable) > 1:
        row.code = "PERSON_AMBIGUOUS"
        return
    row.person = known or (joinable[0] if joinable else stranger)
    row.stranger = stranger
    for kind in others:
        is_taken = owners[kind] not in (None, row.person, stranger)
        if is_taken and not (kind == "email" and moves):
            row.code = TAKEN[kind]
            return
    if match is None and row.person and not attach:
        row.code = "IDENTIFIER_MATCHES_OTHER"
        return
    for kind in others:
        value = getattr(row, kind)
        if kind == "anonymous_id" or not row.person or (kind == "email" and moves):
            continue
        if value and not row.person.is_blank(kind) and not row.person.has(kind, value):
            row.code = FIXED[kind]
            return
    row.joins = match is None and row.person is not None


def stranger_named(people, row):
    """The person known by anonymous ids only whom a row names beside an id or an address."""
    person = owner(people, "anonymous_id", row.anonymous_id)
    named = row.id is not None or row.email is not None
    is_stranger = person is not None and person.id is None and person.email is None
    return person if named and is_stranger else None


def reject_fights(rows, people, own, others):
    lost = set()
    for one in rows:
        for two in rows:
            if one is not two:
                lost |= {(one.key, code) for code in fights(one, two, people, own, others)}
    for row in rows:
        codes = sorted(code for key, code in lost if key == row.key)
        row.code = codes[0] if codes else ""


def fights(one, two, people, own, others):
    """The codes of all that two rows cannot both have."""
    same = one.person is not None and one.person is two.person
    if same and own == "anonymous_id":
        return [FIXED[kind] for kind in others if len(wanted(kind, one, two)) > 1]
    if same and one.joins and two.joins:
        kinds = [kind for kind in others if owner(people, kind, getattr(one, kind)) is one.person]
        return [TAKEN[kinds[0]]]
    contested = one.stranger is not None and one.stranger is two.stranger
    return [
        TAKEN[kind]
        for kind in others
        if len(wanted(kind, one, two)) == 1 and claims(one, kind) and claims(two, kind)
    ] + ["MERGE_CONTESTED"] * contested


def wanted(kind, *rows):
    return {getattr(row, kind) for row in rows} - {None}


def claims(row, kind):
    value = getattr(row, kind)
    return value is not None and (row.person is None or not row.person.has(kind, value))


def reject_one_without_address(rows, people):
    for row in rows:
        holder = owner(people, "email", row.email) if not row.code else None
        if holder is None or holder is row.person:
            continue
        if not any(
            each.person is holder and not each.code and each.email not in (None, holder.email)
            for each in rows
        ):
            row.code = "EMAIL_TAKEN"
            return True
    return False


def write(people, rows):
    good = sorted((row for row in rows if not row.code), key=lambda row: row.key.encode())
    for row in good:
        if row.person is None:
            row.person = Person()
            people.append(row.person)
    for row in reversed(good):
        if row.stranger not in (None, row.person):
            merge(people, row.stranger, row.person, rows)
    for row in good:
        row.person.id = row.id or row.person.id
        row.person.email = row.email or row.person.email
        row.person.anonymous |= {row.anonymous_id} - {None}
        row.person.values |= row.values


def merge(people, stranger, known, rows):
    """The known person's values stand; rows that name the stranger are of the known one now."""
    if stranger in people:
        people.remove(stranger)
        known.anonymous |= stranger.anonymous
        known.values = stranger.values | known.values
        for row in rows:
            if row.person is stranger:
                row.person = known
