"""Types for the fields of connectors' configurations, checked when the file is read."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from rowlift.kit.addresses import is_network, normal_host, target
from rowlift.kit.signatures import signing_key

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = re.compile(r"(webhook-.*|host|content-.*|transfer-encoding|connection)", re.IGNORECASE)
_VISIBLE = re.compile(r"[\x20-\x7e]*")


def _allowed(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        is_network(text) or normal_host(text)
    return texts


def _parsed(url: str) -> str:
    target(url)
    if url.endswith("/***"):
        raise ValueError("is masked: only who may edit it sees its path")
    return url


def _signing_secret(secret: SecretStr) -> SecretStr:
    signing_key(secret.get_secret_value())
    return secret


def _sendable(headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or _OURS.fullmatch(name):
            raise ValueError("a header has a name that cannot be set")
        if not _VISIBLE.fullmatch(value.get_secret_value()):
            raise ValueError("a header value holds more than printable ASCII")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is set twice")
    return headers


Networks = Annotated[tuple[str, ...], AfterValidator(_allowed)]
AllowNetworks = Annotated[
    Networks,
    Field(description="Private networks (CIDR) or host names that may be reached, over http too"),
]
OpenNetworks = Annotated[
    Networks,
    Field(description="Private networks (CIDR) or host names that public_only leaves open"),
]
PublicOnly = Annotated[
    bool,
    Field(
        description="Refuse a host with an address that is not public, whatever its name; the "
        "connection goes to an address that was checked"
    ),
]
Headers = Annotated[Mapping[str, SecretStr], AfterValidator(_sendable)]
SigningSecret = Annotated[SecretStr, AfterValidator(_signing_secret)]
Url = Annotated[str, AfterValidator(_parsed)]
