"""The connection test of a MySQL server, once it let us in."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rowlift.core.counting import counted
from rowlift.core.nouns import Finding
from rowlift.kit import mysqlwire
from rowlift.kit.clocks import clocks
from rowlift.kit.mysqlwire import Connection
from rowlift.sources.dialects import mysql as data
from rowlift.sources.dialects import mysql_columns as columns
from rowlift.sources.dialects import mysql_words as words

if TYPE_CHECKING:
    from rowlift.sources.mysql import MySQLConfig

VERIFY = "Set ssl_mode: VERIFY_IDENTITY, and ssl_ca where the authority is your own."


def findings(connection: Connection, config: "MySQLConfig") -> Iterator[Finding]:
    """Yield what is to be said of encryption, user, rights, tables, version and clock."""
    yield _encryption(connection, config.ssl_mode)
    yield Finding("login", "ok", f"Logged in as {config.user}.")
    grants = granted(connection)
    yield words.read_only(grants, config.database, allow_unsafe=config.allow_unsafe_user)
    yield _tables(connection, config.database, words.account(grants))
    yield words.supported(version(connection))
    yield clocks(_clock(connection), time.time())


def granted(connection: Connection) -> list[str]:
    """Return the user's grants; they hold a hash of the password."""
    return [grant or "" for (grant,) in mysqlwire.rows(connection, data.GRANTS)]


def version(connection: Connection) -> str:
    """Return what the server says it is."""
    ((text,),) = mysqlwire.rows(connection, data.VERSION)
    return text or ""


def _encryption(connection: Connection, mode: str) -> Finding:
    ((_, cipher),) = mysqlwire.rows(connection, data.CIPHER)
    if not cipher:
        return Finding("tls", "warning", "The connection is not encrypted.", VERIFY)
    if mode == "REQUIRED":
        return Finding("tls", "note", f"Encrypted ({cipher}), server not verified.", VERIFY)
    return Finding("tls", "ok", f"Encrypted ({cipher}), server verified.")


def _tables(connection: Connection, database: str, account: str) -> Finding:
    ((count,),) = mysqlwire.rows(connection, data.TABLES)
    name = columns.quoted(database)
    if count != "0":
        text = f"{counted(int(count or 0), 'table')} of {name} can be read."
        return Finding("privileges", "ok", text)
    mend = data.GRANT.format(what=f"{name}.*", account=account)
    text = f"The user sees no table of {name}."
    return Finding("privileges", "warning", text, mend, "PERMISSION_DENIED")


def _clock(connection: Connection) -> int:
    ((clock,),) = mysqlwire.rows(connection, data.CLOCK)
    return int(clock or 0)
