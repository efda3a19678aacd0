"""Rules on sources."""

from rowlift.core.rules.scopes import Rule

RULES = (
    Rule(
        "CONNECT_FAILED", "source", "The source cannot be reached", "Check host, port and firewall."
    ),
    Rule(
        "SSH_HOST_UNKNOWN",
        "source",
        "The SSH server's key is not known",
        "Compare its fingerprint with its administrator, then add the key to known_hosts.",
    ),
    Rule(
        "SSH_LOGIN_FAILED",
        "source",
        "The SSH server refused the login",
        "Check ssh.user, and ssh.private_key or ssh.password.",
    ),
    Rule("LOGIN_FAILED", "source", "The source refused the login", "Check user and password."),
    Rule(
        "TLS_FAILED",
        "source",
        "The encrypted connection could not be made or verified",
        "Check the TLS mode, the CA file and the host name.",
    ),
    Rule("DATABASE_UNKNOWN", "source", "The database does not exist", "Check the database name."),
    Rule(
        "PERMISSION_DENIED",
        "source",
        "The user may not read this",
        "Run the GRANT statements shown.",
    ),
    Rule("TABLE_UNKNOWN", "source", "The table does not exist", "Check its name and schema."),
    Rule("COLUMN_UNKNOWN", "source", "The column does not exist", "Check its name."),
    Rule("QUERY_SYNTAX", "source", "The source does not understand the query", "Mend the SQL."),
    Rule("QUERY_FAILED", "source", "The query failed", "Mend the SQL or the data it reads."),
    Rule(
        "QUERY_TIMEOUT",
        "source",
        "The query took longer than allowed",
        "Make it faster, or raise statement_timeout.",
    ),
    Rule(
        "QUOTA_EXCEEDED",
        "source",
        "The warehouse's quota is used up",
        "Raise the quota, or wait until it starts anew.",
    ),
    Rule(
        "WAREHOUSE_UNAVAILABLE",
        "source",
        "There is no warehouse that runs the query",
        "Name a warehouse that the role may use and that resumes by itself.",
    ),
    Rule("QUERY_CANCELLED", "source", "The query was cancelled", "Run again."),
    Rule(
        "SOURCE_DROPPED",
        "source",
        "The source closed the connection while rows were read",
        "Run again; nothing was sent.",
    ),
    Rule(
        "UNSAFE_USER",
        "source",
        "The user has rights that no read-only session can contain",
        "Use a user with SELECT only, or set allow_unsafe_user: true.",
    ),
    Rule("WRITE_RIGHTS", "warning", "The user could write", "Use a user with SELECT only."),
    Rule("FILE_MISSING", "source", "The file does not exist", "Check its path."),
    Rule(
        "FILE_OUTSIDE_ROOT",
        "source",
        "The file lies outside the allowed folder",
        "Move it into the folder of the connection.",
    ),
    Rule(
        "DRIVER_MISSING",
        "source",
        "The driver for this source is not installed",
        "Install the extra that is named.",
    ),
)
