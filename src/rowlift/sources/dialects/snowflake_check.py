"""The connection test of a Snowflake account, once it let us in."""

import time
from collections.abc import Iterator

from snowflake.connector.errors import ProgrammingError

from rowlift.core.counting import counted
from rowlift.core.nouns import Finding
from rowlift.kit.clocks import clocks
from rowlift.sources.dialects import snowflake as data
from rowlift.sources.dialects import snowflake_words as words
from rowlift.sources.dialects.snowflake_columns import quoted
from rowlift.sources.dialects.snowflake_session import Session


def findings(session: Session, place: words.Place, *, allow_unsafe: bool) -> Iterator[Finding]:
    """Yield what is to be said of encryption, login, rights, tables, version and clock."""
    yield Finding("tls", "ok", "Encrypted, server verified.")
    yield Finding("login", "ok", f"Logged in as {place.user} with role {place.role}.")
    yield _rights(session, place, allow_unsafe=allow_unsafe)
    yield _tables(session, place)
    ((version,),) = session.rows(data.VERSION)
    yield Finding("version", "ok", f"Snowflake {version}")
    yield clocks(session.clock(), time.time())


def _rights(session: Session, place: words.Place, *, allow_unsafe: bool) -> Finding:
    try:
        grants = granted(session, place.role)
    except ProgrammingError:
        text = f"Snowflake does not show what role {place.role} may do besides reading."
        mend = f"As an administrator: {data.GRANTS.format(role=place.names['role'])};"
        return Finding("read_only", "note", text, mend)
    return place.read_only(grants, allow_unsafe=allow_unsafe)


def granted(session: Session, role: str) -> list[words.Grant]:
    """Return what a role was granted, that of the roles it was granted included."""
    found: list[words.Grant] = []
    waiting, seen = [role], {role}
    while waiting:
        records = session.records(data.GRANTS.format(role=quoted(waiting.pop())))
        grants = [words.Grant(one["privilege"], one["granted_on"], one["name"]) for one in records]
        inherited = {grant.name for grant in grants if grant.kind == "ROLE"} - seen
        found += [grant for grant in grants if grant.kind != "ROLE"]
        waiting += inherited
        seen |= inherited
    return found


def _tables(session: Session, place: words.Place) -> Finding:
    ((count,),) = session.rows(data.TABLES)
    name = place.names["database"]
    if count:
        text = f"{counted(int(str(count)), 'table')} of {name} can be read."
        return Finding("privileges", "ok", text)
    text = f"Role {place.role} sees no table of {name}."
    return Finding("privileges", "warning", text, place.tables_mend, "PERMISSION_DENIED")
