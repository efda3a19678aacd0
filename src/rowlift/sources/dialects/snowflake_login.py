"""How one logs in at Snowflake: by a key pair, a token or a password."""

import logging
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr
from snowflake.connector import SnowflakeConnection, connect
from snowflake.connector.errors import Error

from rowlift.core.errors import ConnectError
from rowlift.kit.config import demand_files
from rowlift.sources.dialects import snowflake as data
from rowlift.sources.dialects.snowflake_words import Place

if TYPE_CHECKING:
    from rowlift.sources.snowflake import SnowflakeConfig

HANG_UP_SECONDS = 5
NEW_KEY = "Give an RSA key as a PEM file, with its passphrase if it has one."
os.environ.setdefault("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")  # it asks 169.254.169.254
logging.getLogger("snowflake").setLevel(logging.CRITICAL)  # what matters comes as an error
FIXED: Mapping[str, Any] = {
    "application": "Rowlift",
    "arrow_number_to_decimal": True,
    "auto_cleanup": False,
    "client_store_temporary_credential": False,
    "enable_server_session_keep_alive_auto_detection": False,
    "logout_max_attempts": 1,
    "logout_total_timeout_seconds": HANG_UP_SECONDS,
    "protocol": "https",
    "retry_backoff_cap_ms": 2_000,
    "retry_max_attempts": 3,
    "secondary_roles": "NONE",  # only the role that the connection test judges
    "server_session_keep_alive": False,
    "validate_default_parameters": True,
}


def place(config: "SnowflakeConfig") -> Place:
    """Return who reads what, as the configuration says."""
    secrets = [value for _, value in config if isinstance(value, SecretStr)]
    return Place(
        where=config.address,
        user=_folded(config.user),
        role=_folded(config.role or ""),
        warehouse=_folded(config.warehouse or ""),
        database=_folded(config.database),
        schema=_folded(config.schema_name or data.SCHEMA),
        secrets=tuple(secret.get_secret_value() for secret in secrets),
    )


def _folded(name: str) -> str:
    """Return a name as Snowflake spells it: in upper case, save for one in quotes."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.upper()


def log_in(config: "SnowflakeConfig", patience: float, limit: int | None) -> SnowflakeConnection:
    """Open a session of at most `limit` rows a result; raises ConnectError."""
    demand_files(config, "ssl_ca")
    parameters = {**data.SESSION, data.STATEMENT_TIMEOUT: math.ceil(config.statement_timeout)}
    try:
        return connect(
            **FIXED,
            **_proof(config),
            account=config.account,
            host=config.address,
            port=config.port,
            user=config.user,
            role=config.role,
            warehouse=config.warehouse,
            database=config.database,
            schema=config.schema_name,
            custom_root_store_path=str(config.ssl_ca) if config.ssl_ca else None,
            login_timeout=math.ceil(config.connect_timeout),
            query_timeout=math.ceil(patience),
            session_parameters={**parameters, data.MOST_ROWS: limit or 0},
        )
    except Error as error:
        failure = place(config).connecting(error.errno, error.raw_msg)
        if failure.code == "LOGIN_FAILED":
            _judge_key(config)
        raise failure from None


def _proof(config: "SnowflakeConfig") -> dict[str, Any]:
    if config.password:
        return {"password": config.password.get_secret_value()}
    if config.oauth_token:
        return {"authenticator": "OAUTH", "token": config.oauth_token.get_secret_value()}
    if config.access_token:
        token = config.access_token.get_secret_value()
        return {"authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token": token}
    return {
        "authenticator": "SNOWFLAKE_JWT",
        "private_key": _shown(config.private_key),
        "private_key_file": str(config.private_key_path) if config.private_key_path else None,
        "private_key_password": _shown(config.private_key_passphrase),
    }


def _shown(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _judge_key(config: "SnowflakeConfig") -> None:
    """Raise ConnectError where the key is at fault; the driver does not say what is wrong with it.

    A login that succeeds spares this look, which takes longer than all of the login.
    """
    passphrase = _shown(config.private_key_passphrase)
    try:
        if config.private_key_path:
            text = config.private_key_path.read_bytes()
        elif config.private_key:
            text = config.private_key.get_secret_value().encode()
        else:
            return
        key = load_pem_private_key(text, passphrase.encode() if passphrase else None)
    except (OSError, TypeError, ValueError, UnsupportedAlgorithm) as error:
        said = str(error)
    else:
        if isinstance(key, RSAPrivateKey):
            return
        said = "it is not an RSA key"
    raise ConnectError(
        "LOGIN_FAILED",
        f"The private key cannot be used: {said}",
        mend=NEW_KEY,
    )
