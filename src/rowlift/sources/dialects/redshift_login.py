"""Who logs in: a user with a password, or an AWS identity that is given a temporary one."""

from typing import TYPE_CHECKING, Protocol, cast

from rowlift.kit.drivers import load

if TYPE_CHECKING:
    from rowlift.sources.redshift import RedshiftConfig


class Login(Protocol):
    """Where user and password come from; the secrets may stand in no message."""

    secrets: tuple[str, ...]

    def credentials(self) -> tuple[str, str]:
        """Return user and password; raises ConnectError."""


class PasswordLogin:
    """A user with a password of their own."""

    def __init__(self, user: str, password: str) -> None:
        self.secrets: tuple[str, ...] = (password,)
        self._credentials = (user, password)

    def credentials(self) -> tuple[str, str]:
        """Return what the configuration says."""
        return self._credentials


def login_of(config: "RedshiftConfig") -> Login:
    """Return how a source logs in; AWS's library is only loaded where it is needed."""
    if config.iam is None:
        return PasswordLogin(config.user, config.password.get_secret_value())
    iam = load("rowlift.sources.dialects.redshift_iam", extra="redshift")
    return cast("Login", iam.IamLogin(config.iam, config.user, config.database))
