"""How an account of Snowflake is named, and which host answers for it."""

from typing import Annotated

from pydantic import AfterValidator, Field

DOMAIN = ".snowflakecomputing.com"


def _without_domain(account: str) -> str:
    if account.endswith(DOMAIN):
        raise ValueError(f"give the account alone, without {DOMAIN}")
    return account


AccountName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"), AfterValidator(_without_domain)
]


def host_of(account: str) -> str:
    """Return the host name of an account; host names have no underscores."""
    return account.replace("_", "-") + DOMAIN
