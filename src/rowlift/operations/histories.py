"""Rows of a person or an object in every sync, and how each attribute came to be what it is."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rowlift.core.nouns import Kind, Status
from rowlift.core.specs import SyncSpec
from rowlift.engine.duck import Duck
from rowlift.engine.history import (
    Edition,
    Refused,
    changes,
    editions,
    made_by,
    of_object,
    of_person,
    refused,
    related_keys,
)
from rowlift.engine.parts import RELATIONSHIPS, uids
from rowlift.operations.home import Home, sync_names
from rowlift.operations.records import (
    AttributeRecord,
    Change,
    Names,
    ObjectRecord,
    PersonRecord,
    named,
)
from rowlift.state.runs import Run
from rowlift.workspace.records import Person

MOST_LINKS = 20  # relationships that one sync tells of a person or an object
_QUERY_DIGITS = 12
_ACCOUNT = "1"  # the type of objects that accounts are


@dataclass(frozen=True, slots=True)
class SyncRow:
    """One row of a person or an object in one sync; `bad` tells why the last run rejected it.

    `tries` are that run and later retries, the newest first. Image and ledgers stand under `uid`,
    which is that of a part of the sync.
    """

    uid: str
    sync: str
    spec: SyncSpec
    key: str
    editions: Sequence[Edition]
    runs: Mapping[int, Run]  # by revision of the image
    tries: Sequence[Run]
    bad: Refused | None
    part: str = ""

    @property
    def sync_uid(self) -> str:
        """Return the uid of the sync itself."""
        return self.uid.partition(".")[0]

    @property
    def last(self) -> Run | None:
        """Return the last run that read all of the source, or began to."""
        return next((one for one in self.tries if one.is_whole), None)

    @property
    def newest(self) -> Edition | None:
        """Return the row as it is now; None where no row was ever good."""
        return self.editions[-1] if self.editions else None

    @property
    def made_by(self) -> Run | None:
        """Return the run that brought the newest edition, if it is known."""
        return self.runs.get(self.newest.version) if self.newest else None


def names_of(person: Person | None, who: str) -> Names:
    """Return a person's identifiers, or those that a text may stand for."""
    if person:
        return Names(person.id, person.email, person.anonymous_ids)
    given = named(who)
    anonymous = given.get("anonymous_id")
    return Names(given.get("id"), given.get("email"), [anonymous] if anonymous else [])


def sync_rows(home: Home, duck: Duck, names: Names) -> list[SyncRow]:
    """Return a person's rows in every sync of people there ever was."""

    def keys(spec: SyncSpec) -> Sequence[str]:
        return names.keys(spec.identify_by) if spec.kind is Kind.PERSON else ()

    return list(_rows(home, duck, keys))


def object_rows(home: Home, duck: Duck, object_type: str, object_id: str) -> list[SyncRow]:
    """Return an object's rows in every sync of accounts or objects there ever was."""
    joined = json.dumps([object_type, object_id], ensure_ascii=False, separators=(",", ":"))

    def keys(spec: SyncSpec) -> Sequence[str]:
        if spec.kind is Kind.ACCOUNT and object_type == _ACCOUNT:
            return [object_id]
        return [joined] if spec.kind is Kind.OBJECT else ()

    return list(_rows(home, duck, keys))


def person_links(home: Home, duck: Duck, names: Names) -> list[SyncRow]:
    """Return a person's relationships in every sync there ever was, of each those changed last."""

    def conditions(spec: SyncSpec) -> Sequence[str]:
        return [of_person(key) for key in names.keys(spec.identify_by)]

    return list(_links(home, duck, conditions))


def object_links(home: Home, duck: Duck, object_type: str, object_id: str) -> list[SyncRow]:
    """Return an object's relationships in the same way."""
    return list(_links(home, duck, lambda _: [of_object(object_type, object_id)]))


def _links(
    home: Home, duck: Duck, conditions: Callable[[SyncSpec], Sequence[str]]
) -> Iterator[SyncRow]:
    called = sync_names(home)
    for sync_uid, body in home.store.definitions.bodies(home.workspace_id, "sync").items():
        spec = SyncSpec.from_json(body).relating
        if spec is None:
            continue
        uid, tries = uids(sync_uid)[RELATIONSHIPS], _tries(home, sync_uid)
        wanted = " OR ".join(conditions(spec))
        keys = related_keys(duck, home.store, uid, wanted, MOST_LINKS) if wanted else []
        made = made_by(home.store, uid) if keys else {}
        for key in keys:
            found = editions(duck, home.store, uid, key)
            ids = {one.version: made[one.version] for one in found if one.version in made}
            runs = {
                version: run for version, one in ids.items() if (run := home.store.runs.find(one))
            }
            bad = _rejected(home, duck, uid, key, tries)
            yield SyncRow(uid, called[sync_uid], spec, key, found, runs, tries, bad, RELATIONSHIPS)


def _rows(home: Home, duck: Duck, keys: Callable[[SyncSpec], Sequence[str]]) -> Iterator[SyncRow]:
    """Yield the rows that a sync ever had under some keys; `keys` tells which it may have."""
    called = sync_names(home)
    for uid, body in home.store.definitions.bodies(home.workspace_id, "sync").items():
        spec = SyncSpec.from_json(body)
        wanted = keys(spec)
        tries = _tries(home, uid) if wanted else ()
        for key in wanted:
            found = editions(duck, home.store, uid, key)
            made = home.store.runs.of_revisions(uid, [one.version for one in found])
            bad = _rejected(home, duck, uid, key, tries)
            if found or bad:
                yield SyncRow(uid, called[uid], spec, key, found, made, tries, bad)


def _tries(home: Home, uid: str) -> list[Run]:
    """Return the last whole run that was more than an attempt to begin, after what came since."""
    latest = home.store.runs.latest(home.workspace_id, uid)
    begun = [one for one in latest if one.status is not Status.SKIPPED]
    imports = [at for at, one in enumerate(begun) if one.is_whole]
    return begun[: imports[0] + 1] if imports else begun


def _rejected(home: Home, duck: Duck, uid: str, key: str, tries: Sequence[Run]) -> Refused | None:
    files = home.store.files
    found = (refused(duck, files.of_run("rejects", one.id, uid), key) for one in tries)
    return next(filter(None, found), None)


def changes_of(rows: Sequence[SyncRow]) -> dict[str, list[Change]]:
    """Return the changes of each attribute, the newest first."""
    found = [
        (edition.version, name, _change(row, edition, before, after))
        for row in rows
        for edition, name, before, after in changes(row.editions)
    ]
    listed: dict[str, list[Change]] = {}
    for _, name, change in sorted(found, key=lambda one: one[0], reverse=True):
        listed.setdefault(name, []).append(change)
    return listed


def _change(row: SyncRow, edition: Edition, before: object, after: object) -> Change:
    run = row.runs.get(edition.version)
    return Change(
        row.sync,
        run.id if run else None,
        run.created_at if run else None,
        edition.row_number,
        query_version(run),
        before,
        after,
    )


def query_version(run: Run | None, part: str = "") -> str | None:
    """Return what tells the query of a run, or of a part of it, from the other texts it had."""
    if run is None:
        return None
    spec = SyncSpec.from_json(run.spec)
    told = spec.relating if part else spec
    return hashlib.sha256(told.sql.encode()).hexdigest()[:_QUERY_DIGITS] if told else None


def with_changes(
    attributes: Sequence[AttributeRecord], rows: Sequence[SyncRow]
) -> list[AttributeRecord]:
    """Return attributes with their history, of what syncs wrote to the workspace."""
    listed = changes_of([row for row in rows if row.spec.workspace])
    return [replace(one, changes=listed.get(one.name, ())) for one in attributes]


def remember(home: Home, record: PersonRecord) -> PersonRecord:
    """Return a person's record with the history of each attribute."""
    names = Names(record.id, record.email, record.anonymous_ids)
    with Duck(home.store.files.scratch) as duck:
        rows = sync_rows(home, duck, names)
    return replace(record, attributes=with_changes(record.attributes, rows))


def remember_object(home: Home, record: ObjectRecord) -> ObjectRecord:
    """Return an object's record with the history of each attribute."""
    with Duck(home.store.files.scratch) as duck:
        rows = object_rows(home, duck, record.object_type, record.object_id)
    return replace(record, attributes=with_changes(record.attributes, rows))
