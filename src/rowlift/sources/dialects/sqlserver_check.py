"""The connection test of SQL Server, from what it says of itself."""

import re
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rowlift.core.counting import counted
from rowlift.core.nouns import Finding
from rowlift.kit.clocks import clocks
from rowlift.sources.dialects import sqlserver as data
from rowlift.sources.dialects import sqlserver_words as words
from rowlift.sources.dialects.sqlserver_columns import quoted

if TYPE_CHECKING:
    from rowlift.sources.sqlserver import SQLServerConfig

VERIFY = "Set encrypt: yes and trust_server_certificate: false, with ssl_ca for your own authority."
QUESTIONS = (data.FACTS, data.RIGHTS, data.READABLE)


def findings(
    config: "SQLServerConfig", facts: Sequence[Any], rights: Any, readable: Any
) -> Iterator[Finding]:
    """Yield what is to be said of encryption, user, rights, tables, version and clock."""
    version, edition, user, database, now = facts
    yield _encryption(config)
    yield Finding("login", "ok", f"Logged in to {database} as {user}.")
    yield words.read_only(rights, allow_unsafe=config.allow_unsafe_user)
    yield _tables(readable, user, database)
    yield _version(version, edition)
    yield clocks(now, time.time())


def _encryption(config: "SQLServerConfig") -> Finding:
    if config.encrypt == "optional":
        return Finding("tls", "warning", "The connection may not be encrypted.", VERIFY)
    if config.trust_server_certificate:
        return Finding("tls", "note", "Encrypted, server not verified.", VERIFY)
    return Finding("tls", "ok", "Encrypted, server verified.")


def _tables(schemas: Sequence[Sequence[Any]], user: str, database: str) -> Finding:
    missing = [name for name, tables, readable in schemas if readable < tables]
    count = sum(readable for _, _, readable in schemas)
    names = missing if schemas else ["dbo"]
    mend = " ".join(
        data.GRANT_SCHEMA.format(schema=quoted(name), user=quoted(user)) for name in names
    )
    if not count:
        text = f"The user can read no table of {database}."
        return Finding("privileges", "warning", text, mend, "PERMISSION_DENIED")
    text = f"{counted(count, 'table')} of {database} can be read"
    if missing:
        return Finding("privileges", "note", f"{text}; not all of {', '.join(missing)}.", mend)
    return Finding("privileges", "ok", f"{text}.")


def _version(version: str, edition: int) -> Finding:
    number = tuple(map(int, re.findall(r"\d+", version)[:3]))
    if edition in data.BOXED_EDITIONS and number < data.OLDEST:
        text = f"SQL Server {version} is older than 2014 SP3 CU4 (12.0.6329)."
        mend = "Install the last update of SQL Server 2014, or a newer version."
        return Finding("version", "warning", text, mend)
    product = "SQL Server" if edition in data.BOXED_EDITIONS else "Azure SQL"
    return Finding("version", "ok", f"{product} {version}")
