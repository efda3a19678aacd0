"""Edit the identifiers of one person by hand; what syncs remember of them stays as it is."""

import re
import unicodedata
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from rowlift.core.clock import Clock
from rowlift.core.errors import Busy, ConfigError, GuardStop
from rowlift.core.identifiers import email_valid
from rowlift.core.rules import rule
from rowlift.engine.emails import MAX_EMAIL
from rowlift.engine.rowrules import MAX_IDENTIFIER
from rowlift.operations.home import Home
from rowlift.operations.records import Names, PersonRecord, find_person, show_person, unknown
from rowlift.state.audiences import ask
from rowlift.workspace.records import Person
from rowlift.workspace.renaming import give, held, is_taken
from rowlift.workspace.suppression import names_any

_SEEN = re.compile(r"\S")


@dataclass(frozen=True, slots=True)
class Identifiers:
    """An id and an e-mail address; null is none."""

    id: str | None
    email: str | None


def identify(
    home: Home, clock: Clock, who: str, wanted: Identifiers, was: Identifiers | None
) -> PersonRecord:
    """Give a person other identifiers, if those that they had are still the ones that were seen.

    Raises StateError NOT_FOUND, ConfigError, and GuardStop ID_TAKEN, EMAIL_TAKEN, PERSON_SUPPRESSED
    and EDIT_CONFLICT.
    """
    person = find_person(home, who)
    if person is None:
        raise unknown(who)
    wanted = Identifiers(_checked_id(wanted.id), _checked_email(wanted.email))
    if not (wanted.id or wanted.email or person.anonymous_ids):
        text = "Nothing would be left to know this person by."
        raise ConfigError("VALUE_WRONG", text, mend="Give an id or an e-mail address.")
    try:
        with home.store.database.transaction("person.rename") as connection:
            _require_current(held(connection, person.record.pid), was, who)
            _require_free(connection, home, person, wanted)
            now = clock.now().timestamp()
            give(connection, person.record.pid, wanted.id, wanted.email, now)
            ask(connection, home.workspace_id)
    except IntegrityError as error:
        text = "Somebody else got the same id or address at this moment."
        raise Busy("BUSY", text, mend="Look at who has it, then try again.") from error
    return show_person(home, _found_by(wanted, person))


def _require_current(
    found: tuple[str | None, str | None] | None, was: Identifiers | None, who: str
) -> None:
    if found is None:
        raise unknown(who)
    if was is not None and found != (was.id, was.email):
        text = "Somebody else changed these identifiers meanwhile."
        raise GuardStop("EDIT_CONFLICT", text, mend="Load the page again and repeat the change.")


def _require_free(
    connection: sa.Connection, home: Home, person: Person, wanted: Identifiers
) -> None:
    """Raise GuardStop where an identifier is somebody else's, or somebody is suppressed."""
    pid = person.record.pid
    for code, taken in (
        ("ID_TAKEN", wanted.id and is_taken(connection, home.workspace_id, pid, id=wanted.id)),
        (
            "EMAIL_TAKEN",
            wanted.email and is_taken(connection, home.workspace_id, pid, email=wanted.email),
        ),
    ):
        if taken:
            mend = "Look that person up: one of the two has the wrong identifier."
            raise GuardStop(code, f"{rule(code).title}.", mend=mend)
    old = Names(person.id, person.email, person.anonymous_ids)
    new = Names(wanted.id, wanted.email, ())
    if names_any(connection, home.workspace_id, (*old.identifiers(), *new.identifiers())):
        text = "One of these identifiers is suppressed: a change would hide or bring back people."
        mend = "Process the person again first, change the identifiers, then suppress anew."
        raise GuardStop("PERSON_SUPPRESSED", text, mend=mend)


def _checked_id(text: str | None) -> str | None:
    if text is None or not _SEEN.search(text):
        return None
    if any(unicodedata.category(one) == "Cc" for one in text):
        raise ConfigError("ID_CHARACTERS", "The id has control characters.", mend="Leave them out.")
    if len(text) > MAX_IDENTIFIER:
        known = rule("ID_TOO_LONG")
        text = f"The id is over {MAX_IDENTIFIER} characters long."
        raise ConfigError(known.code, text, mend=known.mend)
    return text


def _checked_email(text: str | None) -> str | None:
    email = (text or "").strip()
    if not email:
        return None
    if len(email) > MAX_EMAIL or not email_valid(email):
        text = "This is no valid e-mail address."
        raise ConfigError("EMAIL_INVALID", text, mend="Write it as name@host.")
    return email


def _found_by(wanted: Identifiers, person: Person) -> str:
    if wanted.id:
        return f"id:{wanted.id}"
    return f"email:{wanted.email}" if wanted.email else f"anonymous_id:{person.anonymous_ids[0]}"
