"""The connection test of a PostgreSQL-like server, and the GRANTs that mend what it finds."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from rowlift.core.counting import counted
from rowlift.core.errors import ConnectError, SourceError
from rowlift.core.nouns import Finding
from rowlift.kit.clocks import clocks
from rowlift.kit.config import FileMissing
from rowlift.kit.pgconfig import is_loopback
from rowlift.kit.pgdialect import Grants, PgDialect, Server

STEPS_BEFORE_LOGIN = {
    "ADDRESS_REFUSED": "network",
    "CONNECT_FAILED": "network",
    "SSH_HOST_UNKNOWN": "network",
    "SSH_LOGIN_FAILED": "network",
    "TLS_FAILED": "tls",
}
REPLICA = " It is a replica: its replay time counts."
SHOWN = 10  # names listed in a message
TABLES = ("table or view", "tables and views")


class Session(Protocol):
    """Somebody who asks the server; the errors are ours already."""

    @property
    def dialect(self) -> PgDialect: ...

    def rows(self, sql: str, *parameters: Any) -> Sequence[Sequence[Any]]: ...

    def server(self) -> Server: ...


class Config(Protocol):
    """The keys that a connection test judges."""

    @property
    def host(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def tls(self) -> str: ...
    @property
    def allow_unsafe_user(self) -> bool: ...


def unsafe_user(user: str, reasons: Sequence[str]) -> SourceError:
    """Return the refusal of a user whose rights reach beyond a read-only session."""
    return SourceError(
        "UNSAFE_USER",
        f'User "{user}" {" and ".join(reasons)}: no read-only session can contain that.',
        mend="Use a user with SELECT only, or set allow_unsafe_user: true for this source.",
    )


def denied(
    session: Session, rows: Sequence[tuple[str, str, bool]], error: SourceError
) -> SourceError:
    """Return a refusal that names tables, user and GRANTs, or the error that was given.

    Each row is a schema and a table, both quoted, and whether the schema may be used.
    """
    if not rows:
        return error
    server = session.server()
    names = ", ".join(f"{schema}.{table}" for schema, table, _ in rows)
    return SourceError(
        error.code,
        f"User {server.user} may not read {names} in database {server.database}.",
        mend="\n".join(_grants(session.dialect.grants, server.user, rows)),
    )


def _grants(grants: Grants, user: str, rows: Sequence[tuple[str, str, bool]]) -> Iterator[str]:
    closed = dict.fromkeys(schema for schema, _, may_use in rows if not may_use)
    yield from (grants.schema.format(schema=schema, user=user) for schema in closed)
    yield from (
        grants.table.format(schema=schema, table=table, user=user) for schema, table, _ in rows
    )


class Checkup:
    """Asks step by step; a step that cannot be reached is left out."""

    def __init__(self, session: Session, config: Config) -> None:
        self._session = session
        self._config = config
        self._questions = session.dialect.questions
        self._grants = session.dialect.grants

    def findings(self) -> Iterator[Finding]:
        """Yield the findings from network to clock, up to the step that failed."""
        try:
            server = self._session.server()
        except ConnectError as error:
            yield from unreachable(error)
            return
        yield from self._reached(server)

    def _reached(self, server: Server) -> Iterator[Finding]:
        yield Finding("network", "ok", "The server answers.")
        yield self._tls(server)
        yield Finding("login", "ok", f"Logged in as {server.user} to {server.database}.")
        yield from self._read_only(server)
        yield self._privileges(server)
        yield self._version(server)
        yield clocks(server.clock, time.time(), REPLICA if server.is_replica else "")

    def _tls(self, server: Server) -> Finding:
        mode = self._config.tls
        if not server.tls_version:
            level = "ok" if is_loopback(self._config.host) else "warning"
            return Finding(
                "tls", level, "The connection is not encrypted.", "Set sslmode: verify-full."
            )
        message = f"Encrypted with {server.tls_version}, {server.cipher}"
        if mode.startswith("verify"):
            return Finding("tls", "ok", f"{message}; the certificate was verified ({mode}).")
        return Finding(
            "tls",
            "note",
            f"{message}; the certificate was not verified.",
            "Set sslmode: verify-full, with the authority's certificate as sslrootcert.",
        )

    def _read_only(self, server: Server) -> Iterator[Finding]:
        reasons = [reason for (reason,) in self._session.rows(self._questions.unsafe)]
        if reasons:
            refusal = unsafe_user(self._config.user, reasons)
            level = "warning" if self._config.allow_unsafe_user else "error"
            mend = self._new_user(server)
            yield Finding("read_only", level, refusal.message, mend, refusal.code)
        writable = self._session.rows(self._questions.writable)
        if writable:
            yield self._write_rights(server, writable)
        if not reasons and not writable:
            yield Finding("read_only", "ok", f"User {server.user} cannot write.")

    def _write_rights(self, server: Server, writable: Sequence[Sequence[Any]]) -> Finding:
        named = [_writable_name(*row) for row in writable]
        mend = [self._revoked(server, *row) for row in writable[:SHOWN]]
        if any(is_own for *_, is_own in writable):
            mend = [
                "An owner's rights cannot be revoked: use another user.",
                self._new_user(server),
            ]
        return Finding(
            "read_only",
            "warning",
            f"User {server.user} could write: {_listed(named)}. Rowlift's sessions are read-only.",
            "\n".join(mend),
            "WRITE_RIGHTS",
        )

    def _revoked(self, server: Server, what: str, place: str, table: str, _: bool) -> str:  # noqa: FBT001
        text = {
            "table": self._grants.revoke_table,
            "schema": self._grants.revoke_schema,
            "database": self._grants.revoke_database,
            "role": self._grants.revoke_role,
        }[what]
        return text.format(schema=place, table=table, database=place, right=place, user=server.user)

    def _new_user(self, server: Server) -> str:
        schemas = [schema for schema, *_ in self._session.rows(self._questions.readable)]
        listed = ", ".join(schemas) or "public"
        return self._grants.new_user.format(database=server.database, schemas=listed)

    def _privileges(self, server: Server) -> Finding:
        schemas = self._session.rows(self._questions.readable)
        tables, readable = sum(row[2] for row in schemas), sum(row[3] for row in schemas)
        message = f"{readable:,} of {counted(tables, *TABLES)} can be read"
        short = [row for row in schemas if row[3] < row[2]]
        if not short:
            return Finding("privileges", "ok", f"{message}.")
        mend = "\n".join(
            self._grants.schema_tables.format(schema=schema, user=server.user)
            for schema, *_ in short[:SHOWN]
        )
        missing = _listed([f"{row[2] - row[3]} in {row[0]}" for row in short])
        level = "note" if readable else "warning"
        return Finding("privileges", level, f"{message}; not readable: {missing}.", mend)

    def _version(self, server: Server) -> Finding:
        message = f"{self._session.dialect.product} {server.version}"
        oldest = self._session.dialect.oldest_version
        if server.number < oldest:
            mend = f"Rowlift is tested with version {oldest // 10_000} and later."
            return Finding("version", "warning", f"{message} is older than what is tested.", mend)
        return Finding("version", "ok", f"{message}.")


def unreachable(error: ConnectError) -> Iterator[Finding]:
    """Yield the findings up to the step that failed."""
    failed = STEPS_BEFORE_LOGIN.get(error.code, "login")
    if failed != "network" and not isinstance(error, FileMissing):
        yield Finding("network", "ok", "The server answers.")
    yield Finding(failed, "error", error.message, error.mend, error.code)


def _writable_name(what: str, place: str, table: str, _: bool) -> str:  # noqa: FBT001
    return f"{place}.{table}" if what == "table" else f"{what} {place}"


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest
