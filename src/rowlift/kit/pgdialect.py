"""What differs between the warehouses that speak PostgreSQL's protocol, as plain data."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reading:
    """How a type is read: the value type, and the SQL that makes it bool, int8, float8 or text.

    `counted` is the SQL that makes it a moment, for a reader that takes PostgreSQL's own numbers.
    """

    value_type: str
    sql: str = "{column}::text"
    counted: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """What one of the server's errors means; `{text}` is the server's own first line."""

    code: str
    message: str
    mend: str = ""


Texts = Sequence[tuple[re.Pattern[str], Failure]]


@dataclass(frozen=True, slots=True)
class Server:
    """What a server says of itself; user and database come quoted."""

    version: str
    number: int
    clock: float
    is_replica: bool
    tls_version: str | None
    cipher: str | None
    user: str
    database: str


@dataclass(frozen=True, slots=True)
class Questions:
    """The SQL the source asks on its own behalf; the columns of each are named where it is used."""

    unsafe: str
    writable: str
    readable: str
    denied: str
    catalog: str
    now: str
    server: str
    types: str = ""  # where the driver does not name them
    is_primary: str = ""  # where there are others
    indexes: str = ""  # where there are any


@dataclass(frozen=True, slots=True)
class Grants:
    """Statements for the administrator; names in braces come quoted."""

    schema: str
    table: str
    schema_tables: str
    new_user: str
    revoke_table: str
    revoke_schema: str
    revoke_database: str
    revoke_role: str


@dataclass(frozen=True, slots=True)
class PgDialect:
    """One warehouse; settings hold for each transaction, so a connection pooler does no harm."""

    product: str
    begin: str
    settings: Mapping[str, str]
    questions: Questions
    grants: Grants
    failures: Mapping[str, Failure]  # by SQLSTATE, or its class of two characters
    connecting_texts: Texts  # for errors that come without an SQLSTATE
    running_texts: Texts
    otherwise_failed: Failure
    otherwise_unreachable: Failure
    cancelled: Failure
    oldest_version: int = 0  # that is tested, as the server numbers them
    readings: Mapping[int, Reading] = field(default_factory=dict)
    categories: Mapping[str, Reading] = field(default_factory=dict)  # by pg_type.typcategory
    otherwise: Reading = Reading("text")
    exact_text: str = "{text}"  # without a character set: valid text, or \x and hexadecimal

    def reading(self, oid: int, category: str) -> Reading:
        """Return how a type is read; whatever is not known is read as its text."""
        return self.readings.get(oid) or self.categories.get(category) or self.otherwise

    def local_settings(self, statement_timeout: int) -> str:
        """Return the SELECT that sets everything for this transaction; the timeout in seconds."""
        settings = {**self.settings, "statement_timeout": f"{statement_timeout}s"}
        calls = (f"set_config('{name}', '{value}', true)" for name, value in settings.items())
        return "SELECT " + ", ".join(calls)
