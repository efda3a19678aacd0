"""Redshift as data: what is asked, what its errors mean, which GRANTs mend them."""

import re

from rowlift.kit.pgdialect import Failure, Grants, PgDialect, Questions
from rowlift.sources.dialects import postgres

BEGIN = "BEGIN READ ONLY"
PREFIX = "SELECT * FROM (\n"
DESCRIBE = f"{PREFIX}{{sql}}\n) AS q LIMIT 0"
LIMITED = f"{PREFIX}{{sql}}\n) AS q LIMIT {{limit}}"
DECLARE = "DECLARE rowlift_rows CURSOR FOR\n{sql}"
PAGE = "FETCH FORWARD {rows} FROM rowlift_rows"
CANCEL = "SELECT pg_cancel_backend({pid})"

# the number of the server's process; the timeout is in milliseconds
START = """
SELECT pg_backend_pid(), set_config('statement_timeout', '{timeout}', false),
    set_config('timezone', 'UTC', false), set_config('datestyle', 'ISO, MDY', false)
"""

NOW = "SELECT floor(extract(epoch FROM getdate()))::bigint"

ME = "(SELECT usesysid FROM pg_user WHERE usename = current_user)"
USERS_OWN = "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'catalog_history')"
RELATIONS = "c.relkind IN ('r', 'v')"

UNSAFE = "SELECT 'is a superuser' FROM pg_user WHERE usename = current_user AND usesuper"

# what, the schema or database quoted, the object quoted, whether it is the user's own
WRITABLE = f"""
SELECT 'table', quote_ident(n.nspname), quote_ident(c.relname), c.relowner = {ME}
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {RELATIONS} AND {USERS_OWN} AND (c.relowner = {ME}
    OR has_table_privilege(c.oid, 'insert') OR has_table_privilege(c.oid, 'update')
    OR has_table_privilege(c.oid, 'delete'))
UNION ALL
SELECT 'schema', quote_ident(n.nspname), '', n.nspowner = {ME}
FROM pg_namespace n WHERE {USERS_OWN} AND has_schema_privilege(n.oid, 'create')
UNION ALL
SELECT 'database', quote_ident(d.datname), '', d.datdba = {ME}
FROM pg_database d
WHERE d.datname = current_database() AND has_database_privilege(d.oid, 'create')
UNION ALL
SELECT 'role', 'CREATEDB', '', false FROM pg_user WHERE usename = current_user AND usecreatedb
ORDER BY 1, 2, 3
"""

# the schema quoted, whether it may be used, tables in it, tables in it that may be read
READABLE = f"""
SELECT quote_ident(nspname), may_use, count(*),
    sum(CASE WHEN may_use AND may_read THEN 1 ELSE 0 END)::bigint
FROM (
    SELECT n.nspname, has_schema_privilege(n.oid, 'usage') AS may_use,
        has_table_privilege(c.oid, 'select') AS may_read
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {RELATIONS} AND {USERS_OWN}
) AS found
GROUP BY nspname, may_use ORDER BY nspname
"""

# schema and table quoted, whether the schema may be used, both in lower case, whether it is in the
# path; the parser has lost the case
DENIED = f"""
SELECT quote_ident(n.nspname), quote_ident(c.relname), has_schema_privilege(n.oid, 'usage'),
    lower(n.nspname), lower(c.relname), pg_table_is_visible(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {RELATIONS} AND lower(c.relname) IN ({{names}})
    AND NOT (has_schema_privilege(n.oid, 'usage') AND has_table_privilege(c.oid, 'select'))
ORDER BY 1, 2
"""

# schema, table, estimate, column, type, length, precision, scale
CATALOG = f"""
SELECT s.table_schema, s.table_name, e.estimate, s.column_name, s.data_type,
    s.character_maximum_length, s.numeric_precision, s.numeric_scale
FROM svv_columns s LEFT JOIN (
    SELECT n.nspname, c.relname,
        CASE WHEN c.reltuples >= 1 THEN c.reltuples::bigint END AS estimate
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND {USERS_OWN}
) AS e ON e.nspname = s.table_schema AND e.relname = s.table_name
WHERE s.table_schema !~ '^pg_' AND s.table_schema NOT IN ('information_schema', 'catalog_history')
ORDER BY s.table_schema, s.table_name, s.ordinal_position
"""

# version, seconds of its clock, user, database (both quoted)
SERVER = """
SELECT version(), extract(epoch FROM getdate())::float8, quote_ident(current_user),
    quote_ident(current_database())
"""

NEW_USER = """\
CREATE USER rowlift_reader PASSWORD '…';
GRANT USAGE ON SCHEMA {schemas} TO rowlift_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA {schemas} TO rowlift_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA {schemas} GRANT SELECT ON TABLES TO rowlift_reader;"""

TIMEOUT = Failure(
    "QUERY_TIMEOUT",
    "The query took longer than statement_timeout allows ({timeout} seconds), or the server "
    "ended it: {text}.",
    "Make it faster, raise statement_timeout of the source, or look at the workload's rules.",
)
LOGIN = Failure(
    "LOGIN_FAILED",
    '{product} refused the login of user "{user}".',
    "Check user, password and database; an expired password is refused too.",
)
UNREACHABLE = Failure(
    "CONNECT_FAILED",
    "{product} at {host}:{port} cannot be reached.",
    "Check host, port and security group; a paused cluster must be resumed.",
)
CONFLICT = Failure("QUERY_FAILED", "Another transaction came in between: {text}.", "Run again.")

FAILURES = {**postgres.FAILURES, "28": LOGIN, "40001": CONFLICT, "57014": TIMEOUT}

CONNECTING_TEXTS = tuple(
    (re.compile(pattern, re.IGNORECASE), failure)
    for pattern, failure in (
        (f"{postgres.ANOTHER_PROTOCOL}|refuses SSL|before TLS handshake", UNREACHABLE),
        (
            "hostname mismatch|address mismatch|not valid for",
            Failure(
                "TLS_FAILED",
                "The server's certificate is not for {host}.",
                "Use the endpoint's own host name, or sslmode: verify-ca.",
            ),
        ),
        (
            "certificate verify failed",
            Failure(
                "TLS_FAILED",
                "The server's certificate is not of an authority this machine trusts, or expired.",
                "Check that the host is the endpoint; SSL_CERT_FILE names other authorities.",
            ),
        ),
        (r"\bSSL\b|\bTLS\b", Failure("TLS_FAILED", "The encrypted connection failed.")),
        (
            "mechanism name|server error",  # a login that only PostgreSQL has
            Failure(
                "LOGIN_FAILED",
                'The server did not let user "{user}" in, and may not be {product} at all.',
                "Check user and password; for PostgreSQL use type: postgres.",
            ),
        ),
        ("authentication|no password", LOGIN),
    )
)
RUNNING_TEXTS = ((re.compile("connection lost", re.IGNORECASE), postgres.DROPPED),)

REDSHIFT = PgDialect(
    product="Amazon Redshift",
    begin=BEGIN,
    settings={},
    questions=Questions(
        unsafe=UNSAFE,
        writable=WRITABLE,
        readable=READABLE,
        denied=DENIED,
        catalog=CATALOG,
        now=NOW,
        server=SERVER,
    ),
    grants=Grants(
        schema="GRANT USAGE ON SCHEMA {schema} TO {user};",
        table="GRANT SELECT ON {schema}.{table} TO {user};",
        schema_tables=postgres.SCHEMA_TABLES,
        new_user=NEW_USER,
        revoke_table="REVOKE INSERT, UPDATE, DELETE ON {schema}.{table} FROM {user};",
        revoke_schema="REVOKE CREATE ON SCHEMA {schema} FROM {user}, PUBLIC;",
        revoke_database="REVOKE CREATE ON DATABASE {database} FROM {user};",
        revoke_role="ALTER USER {user} NO{right};",
    ),
    failures=FAILURES,
    connecting_texts=CONNECTING_TEXTS,
    running_texts=RUNNING_TEXTS,
    otherwise_failed=postgres.OTHERWISE_FAILED,
    otherwise_unreachable=UNREACHABLE,
    cancelled=postgres.CANCELLED,
)
