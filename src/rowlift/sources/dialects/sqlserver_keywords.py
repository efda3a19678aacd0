"""What Microsoft's driver is told: the keywords of an ODBC connection."""

import re
from collections.abc import Mapping
from typing import Any

AUTHENTICATIONS = {
    "sql_login": "SqlPassword",
    "entra_service_principal": "ActiveDirectoryServicePrincipal",
}
_SIMPLE = re.compile(r"[\w.,:-]+")


def connection_string(way: Mapping[str, Any]) -> str:
    """Return the keywords as one text, password included."""
    return ";".join(f"{key}={_braced(value)}" for key, value in keywords(way).items())


def keywords(way: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what is told, of where the server is and who reads."""
    name = way["certificate_name"]
    return ({"HostnameInCertificate": name} if name else {}) | {
        "Server": f"tcp:{way['host']},{way['port']}",
        "Database": way["database"],
        "Authentication": AUTHENTICATIONS[way["authentication"]],
        "UID": way["user"],
        "PWD": way["password"],
        "Encrypt": way["encrypt"],
        "TrustServerCertificate": "yes" if way["trusting"] else "no",
        "ApplicationIntent": "ReadOnly" if way["only_reading"] else "ReadWrite",
        "ConnectRetryCount": "0",
    }


def _braced(value: str) -> str:
    return value if _SIMPLE.fullmatch(value) else "{" + value.replace("}", "}}") + "}"
