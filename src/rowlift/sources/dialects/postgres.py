"""PostgreSQL as data: how each type is read, what is asked, what its errors mean."""

import re

from rowlift.kit.pgdialect import Failure, Grants, PgDialect, Questions, Reading

BEGIN = "TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"

SETTINGS = {
    "default_transaction_read_only": "on",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "iso_8601",  # P1M stays a month, and receivers can read it
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmloption": "content",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "10min",
}

INT = Reading("int", "{column}::int8")
TEXT = Reading("text")
JSON = Reading("json")

READINGS = {
    16: Reading("bool", "{column}"),
    17: Reading("binary", "encode({column}, 'hex')"),
    20: INT,
    21: INT,
    23: INT,
    26: INT,  # oid
    114: JSON,
    700: Reading("float", "{column}::text::float8"),  # 0.1 must not become 0.10000000149
    701: Reading("float", "{column}"),
    790: Reading("decimal", "{column}::numeric::text"),  # money, without the server's locale
    869: Reading("text", "abbrev({column})"),  # inet: a cast would add /32
    1082: Reading("date"),
    1083: Reading("time"),
    1114: Reading("timestamp", counted="{column}"),
    1184: Reading("timestamptz", counted="{column}"),
    1700: Reading("decimal"),
    2249: Reading("json", "to_json({column})::text"),  # record
    2287: Reading("json", "array_to_json({column})::text"),  # record[]
    3802: JSON,
}

CATEGORIES = {
    "A": Reading("json", "array_to_json({column})::text"),
    "C": Reading("json", "to_json({column})::text"),  # composite
}

# A well-formed UTF-8 text by its bytes (Unicode, table 3-7); in SQL_ASCII a character is a byte.
EXACT_TEXT = (
    r"CASE WHEN {text} ~ '^([\x01-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]"
    r"|[\xe1-\xec\xee\xef][\x80-\xbf]{{2}}|\xed[\x80-\x9f][\x80-\xbf]"
    r"|\xf0[\x90-\xbf][\x80-\xbf]{{2}}|[\xf1-\xf3][\x80-\xbf]{{3}}"
    r"|\xf4[\x80-\x8f][\x80-\xbf]{{2}})*$' "
    r"THEN {text} ELSE '\x' || encode(convert_to({text}, 'SQL_ASCII'), 'hex') END"
)

USERS_OWN = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
RELATIONS = "c.relkind IN ('r', 'v', 'm', 'p', 'f')"

TYPES = """
SELECT t.oid::int8, format_type(f.oid, f.typmod), t.typcategory::text
FROM unnest(%s::oid[], %s::int4[]) WITH ORDINALITY AS f (oid, typmod, place)
JOIN pg_catalog.pg_type t ON t.oid = f.oid
ORDER BY f.place
"""

# Rights that reach beyond a read-only transaction: files, programs, slots, other sessions.
UNSAFE = """
SELECT CASE
    WHEN r.rolsuper AND r.rolname = current_user THEN 'is a superuser'
    WHEN r.rolsuper THEN 'may become the superuser ' || quote_ident(r.rolname)
    WHEN r.rolreplication THEN 'may replicate the server'
    ELSE 'is a member of ' || r.rolname END
FROM pg_catalog.pg_roles r
JOIN pg_catalog.pg_roles me ON me.rolname = current_user
WHERE CASE WHEN me.rolsuper THEN r.oid = me.oid
    ELSE pg_has_role(r.oid, 'MEMBER') AND (r.rolsuper OR r.rolreplication OR r.rolname IN (
        'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program',
        'pg_signal_backend')) END
ORDER BY 1
"""

# what, the schema or database quoted, the object quoted, whether it is the user's own
WRITABLE = f"""
SELECT 'table', quote_ident(n.nspname), quote_ident(c.relname), pg_has_role(c.relowner, 'USAGE')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE {RELATIONS} AND {USERS_OWN} AND (pg_has_role(c.relowner, 'USAGE')
    OR has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
    OR has_any_column_privilege(c.oid, 'INSERT, UPDATE'))
UNION ALL
SELECT 'schema', quote_ident(n.nspname), '', pg_has_role(n.nspowner, 'USAGE')
FROM pg_catalog.pg_namespace n WHERE {USERS_OWN} AND has_schema_privilege(n.oid, 'CREATE')
UNION ALL
SELECT 'database', quote_ident(d.datname), '', pg_has_role(d.datdba, 'USAGE')
FROM pg_catalog.pg_database d
WHERE d.datname = current_database() AND has_database_privilege(d.oid, 'CREATE')
UNION ALL
SELECT 'role', right_name, '', false FROM pg_catalog.pg_roles r,
    LATERAL (VALUES ('CREATEDB', r.rolcreatedb), ('CREATEROLE', r.rolcreaterole))
        AS rights (right_name, held)
WHERE r.rolname = current_user AND held
ORDER BY 1, 2, 3
"""

# the schema quoted, whether it may be used, tables in it, tables in it that may be read
READABLE = f"""
SELECT quote_ident(n.nspname), has_schema_privilege(n.oid, 'USAGE'), count(*),
    count(*) FILTER (WHERE has_schema_privilege(n.oid, 'USAGE')
        AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT')))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE {RELATIONS} AND {USERS_OWN}
GROUP BY n.oid, n.nspname ORDER BY n.nspname
"""

# schema, table, both quoted, and whether the schema may be used; the names asked for are parameters
DENIED = f"""
SELECT DISTINCT quote_ident(n.nspname), quote_ident(c.relname),
    has_schema_privilege(n.oid, 'USAGE')
FROM unnest(%s::text[], %s::text[]) AS asked (schema_name, table_name)
JOIN pg_catalog.pg_class c ON c.relname = asked.table_name AND {RELATIONS}
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND (n.nspname = asked.schema_name
    OR asked.schema_name IS NULL AND n.nspname = ANY (current_schemas(true)))
WHERE NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
ORDER BY 1, 2
"""

# schema, table, estimate (-1: unknown), column, type as text, type, category
CATALOG = f"""
SELECT n.nspname, c.relname,
    CASE WHEN c.relkind IN ('v', 'f') THEN -1 ELSE c.reltuples::int8 END,
    a.attname, format_type(a.atttypid, a.atttypmod), t.oid::int8, t.typcategory::text
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type d ON d.oid = a.atttypid
JOIN pg_catalog.pg_type t ON t.oid = CASE d.typtype WHEN 'd' THEN d.typbasetype ELSE d.oid END
WHERE {RELATIONS} AND {USERS_OWN} AND has_schema_privilege(n.oid, 'USAGE')
    AND (has_table_privilege(c.oid, 'SELECT') OR has_column_privilege(c.oid, a.attnum, 'SELECT'))
ORDER BY n.nspname, c.relname, a.attnum
"""

IS_PRIMARY = "SELECT NOT pg_is_in_recovery()"

# table, estimate (-1: unknown), what each of its indexes begins with; the names are parameters
INDEXES = """
SELECT c.relname, c.reltuples::int8,
    coalesce(array_agg(pg_get_indexdef(i.indexrelid, 1, true)) FILTER (WHERE i.indisvalid), '{}')
FROM unnest(%s::text[], %s::text[]) AS asked (schema_name, table_name)
JOIN pg_catalog.pg_class c ON c.relname = asked.table_name AND c.relkind IN ('r', 'p', 'm')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND (n.nspname = asked.schema_name
    OR asked.schema_name IS NULL AND n.nspname = ANY (current_schemas(true)))
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
GROUP BY c.oid, c.relname, c.reltuples ORDER BY c.relname
"""

# A replica knows what it replayed; after a restart only what its last checkpoint holds.
NOW = """
SELECT floor(extract(epoch FROM CASE WHEN pg_is_in_recovery()
    THEN coalesce(pg_last_xact_replay_timestamp(),
        (SELECT checkpoint_time FROM pg_control_checkpoint()))
    ELSE clock_timestamp() END))::int8
"""

# version, its number, seconds of its clock, whether it is a replica, TLS version, cipher, user,
# database (both quoted)
SERVER = """
SELECT current_setting('server_version'), current_setting('server_version_num')::int4,
    extract(epoch FROM clock_timestamp())::float8, pg_is_in_recovery(), s.version, s.cipher,
    quote_ident(current_user), quote_ident(current_database())
FROM (SELECT pg_backend_pid() AS pid) me LEFT JOIN pg_catalog.pg_stat_ssl s ON s.pid = me.pid
"""

NEW_USER = """\
CREATE ROLE rowlift_reader LOGIN PASSWORD '…';
GRANT CONNECT ON DATABASE {database} TO rowlift_reader;
GRANT USAGE ON SCHEMA {schemas} TO rowlift_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA {schemas} TO rowlift_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA {schemas} GRANT SELECT ON TABLES TO rowlift_reader;"""

SCHEMA_TABLES = """\
GRANT USAGE ON SCHEMA {schema} TO {user};
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {user};"""

DROPPED = Failure(
    "SOURCE_DROPPED",
    "{product} closed the connection while the query ran: {text}.",
    "Run again; nothing was sent.",
)
DATA = Failure(
    "QUERY_FAILED",
    "{product} stopped at a value it cannot use: {text}.",
    "Mend the SQL or the data.",
)
LOGIN = Failure(
    "LOGIN_FAILED",
    '{product} refused the login of user "{user}".',
    "Check user and password, and that pg_hba.conf lets this user in from here.",
)
NO_DATABASE = Failure(
    "DATABASE_UNKNOWN", 'There is no database "{database}" on {host}.', "Check the database name."
)
UNREACHABLE = Failure(
    "CONNECT_FAILED",
    "{product} at {host}:{port} cannot be reached.",
    "Check host, port and firewall.",
)
TIMEOUT = Failure(
    "QUERY_TIMEOUT",
    "The query took longer than statement_timeout allows ({timeout} seconds).",
    "Make it faster, or raise statement_timeout of the source.",
)
CANCELLED = Failure("QUERY_CANCELLED", "The query was cancelled.", "Run again.")
FULL = Failure(
    "CONNECT_FAILED", "{product} takes no more connections: {text}.", "Try again in a moment."
)

FAILURES = {
    "08": DROPPED,
    "22": DATA,
    "25006": Failure(
        "SQL_WRITES",
        "The query would write, and the session is read-only: {text}.",
        "Remove the writing part; Rowlift only reads.",
    ),
    "25P03": DROPPED,
    "28": LOGIN,
    "3D000": NO_DATABASE,
    "3F000": Failure("TABLE_UNKNOWN", "{text}.", "Check the schema's name."),
    "40001": Failure(
        "QUERY_FAILED",
        "The replica stopped the query to go on replaying: {text}.",
        "Run again, or raise max_standby_streaming_delay on the replica.",
    ),
    "42501": Failure(
        "PERMISSION_DENIED", 'User "{user}" may not do this: {text}.', "Grant what is missing."
    ),
    "42601": Failure(
        "QUERY_SYNTAX",
        "{product} does not understand the query: {text}.",
        'Mend the SQL; its end is told as near ")".',
    ),
    "42703": Failure("COLUMN_UNKNOWN", "{text}.", "Check the column's name."),
    "42P01": Failure("TABLE_UNKNOWN", "{text}.", "Check the table's name and schema."),
    "53300": FULL,
    "55P03": Failure(
        "QUERY_TIMEOUT",
        "A table of the query stayed locked for 30 seconds.",
        "Run again when whatever locks it has ended.",
    ),
    "57014": TIMEOUT,
    "57P": DROPPED,
    "57P03": FULL,
}

OTHERWISE_FAILED = Failure("QUERY_FAILED", "The query failed: {text}.", "Mend the SQL.")

# What else answers at a port is nobody's business: it reads like a port that nothing answers at.
ANOTHER_PROTOCOL = (
    "expected authentication request|invalid authentication request|response to SSL negotiation|"
    "during SSL exchange|wrong.version.number|SSL SYSCALL error"
)

# Errors before the login carry no SQLSTATE, nor do those of the fast reader in mid-stream.
CONNECTING_TEXTS = tuple(
    (re.compile(pattern, re.IGNORECASE), failure)
    for pattern, failure in (
        (ANOTHER_PROTOCOL, UNREACHABLE),
        (
            "does not match host name",
            Failure(
                "TLS_FAILED",
                "The server's certificate is not for {host}.",
                "Use the host name the certificate was made for, or sslmode: verify-ca.",
            ),
        ),
        (
            "root certificate file|could not (read|load) .*certificate|private key file",
            Failure(
                "TLS_FAILED",
                "A certificate or key file of the connection cannot be used.",
                "Check sslrootcert, sslcert and sslkey.",
            ),
        ),
        (
            "valid client certificate",
            Failure(
                "TLS_FAILED",
                "The server asks for a certificate of our own.",
                "Give one that it trusts as sslcert, and its key as sslkey.",
            ),
        ),
        (
            "certificate verify failed",
            Failure(
                "TLS_FAILED",
                "The server's certificate is not of an authority this source trusts, or expired.",
                "Give the authority's certificate as sslrootcert, or renew the server's.",
            ),
        ),
        (
            "does not support SSL",
            Failure(
                "TLS_FAILED",
                "The server offers no encryption, and the source asks for it.",
                "Turn TLS on at the server, or set sslmode: disable on a network you trust.",
            ),
        ),
        (
            "no encryption",
            Failure(
                "TLS_FAILED",
                "The server takes no unencrypted connection from here.",
                "Set sslmode: require or stricter.",
            ),
        ),
        (r"\bSSL\b|\bTLS\b", Failure("TLS_FAILED", "The encrypted connection failed.")),
        ('database ".*" does not exist', NO_DATABASE),
        ("authentication|no password|not permitted to log in|pg_hba|role .* not exist", LOGIN),
        ("too many|remaining connection slots|starting up|shutting down", FULL),
    )
)
RUNNING_TEXTS = tuple(
    (re.compile(pattern, re.IGNORECASE), failure)
    for pattern, failure in (
        ("due to statement timeout", TIMEOUT),
        ("due to user request|query cancel", CANCELLED),
        ("terminating connection|connection.*(closed|lost|reset|broken|bad|timed out)", DROPPED),
        (
            r"closed the connection|could not (send|receive) data|consuming input|\bSSL\b|\beof\b",
            DROPPED,
        ),
        ("read-only transaction", FAILURES["25006"]),
        ("permission denied for", FAILURES["42501"]),
    )
)

POSTGRES = PgDialect(
    product="PostgreSQL",
    oldest_version=120_000,
    begin=BEGIN,
    settings=SETTINGS,
    readings=READINGS,
    categories=CATEGORIES,
    otherwise=TEXT,
    exact_text=EXACT_TEXT,
    questions=Questions(
        types=TYPES,
        unsafe=UNSAFE,
        writable=WRITABLE,
        readable=READABLE,
        denied=DENIED,
        catalog=CATALOG,
        now=NOW,
        server=SERVER,
        is_primary=IS_PRIMARY,
        indexes=INDEXES,
    ),
    grants=Grants(
        schema="GRANT USAGE ON SCHEMA {schema} TO {user};",
        table="GRANT SELECT ON {schema}.{table} TO {user};",
        schema_tables=SCHEMA_TABLES,
        new_user=NEW_USER,
        revoke_table="REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {schema}.{table} FROM {user};",
        revoke_schema="REVOKE CREATE ON SCHEMA {schema} FROM {user};",
        revoke_database="REVOKE CREATE ON DATABASE {database} FROM {user};",
        revoke_role="ALTER ROLE {user} NO{right};",
    ),
    failures=FAILURES,
    connecting_texts=CONNECTING_TEXTS,
    running_texts=RUNNING_TEXTS,
    otherwise_failed=OTHERWISE_FAILED,
    otherwise_unreachable=UNREACHABLE,
    cancelled=CANCELLED,
)
