"""Passwords and other secrets that are kept as hashes only."""

import hashlib
import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from rowlift.core.errors import AccessError

LENGTHS = range(12, 129)  # characters

_HASHER = PasswordHasher()  # argon2id with 64 MiB, the second choice of RFC 9106


def hashed(password: str, email: str) -> str:
    """Return what is kept of a password; raises AccessError PASSWORD_WEAK."""
    is_varied = len(set(password)) >= 5  # noqa: PLR2004
    is_address = password.casefold() in email.casefold() or email.casefold() in password.casefold()
    if len(password) not in LENGTHS or not is_varied or is_address:
        raise AccessError(
            "PASSWORD_WEAK",
            "The password is too easy to guess.",
            mend="Use 12 to 128 characters, at least five different ones, without your address.",
        )
    return _HASHER.hash(password)


def matches(known: str, password: str) -> bool:
    """Tell whether a password is the one kept; without one it takes as long to say no."""
    try:
        return _HASHER.verify(known or _decoy(), password)
    except (InvalidHashError, VerifyMismatchError):
        return False


def is_dated(known: str) -> bool:
    """Tell whether a hash was made with weaker settings than today's."""
    return _HASHER.check_needs_rehash(known)


def digest(secret: str) -> str:
    """Return what is kept of a long random secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret(prefix: str = "") -> str:
    """Return 256 random bits as text."""
    return prefix + secrets.token_urlsafe(32)


@cache
def _decoy() -> str:
    return _HASHER.hash(new_secret())
