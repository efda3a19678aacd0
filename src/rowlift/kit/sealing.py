"""Texts sealed with AES-256-GCM, each under a name that it cannot be separated from."""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A key of 32 bytes; its id tells nothing of it."""

    secret: bytes

    @classmethod
    def new(cls) -> Self:
        """Draw a key."""
        return cls(secrets.token_bytes(_KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a key in Base64, of either alphabet; raises ValueError."""
        try:
            secret = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
        except binascii.Error as error:
            raise ValueError("not Base64") from error
        if len(secret) != _KEY_BYTES:
            raise ValueError("not 32 bytes")
        return cls(secret)

    @property
    def id(self) -> str:
        """Return 12 characters that name the key."""
        return hashlib.sha256(b"rowlift key id" + self.secret).hexdigest()[:12]

    @property
    def text(self) -> str:
        """Return the key in Base64."""
        return base64.b64encode(self.secret).decode()

    def seal(self, name: str, text: str) -> str:
        """Return a text sealed under a name, in Base64."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher().encrypt(nonce, text.encode(), name.encode())
        return base64.b64encode(nonce + sealed).decode()

    def open(self, name: str, sealed: str) -> str:
        """Return what was sealed under a name; raises ValueError if it was changed."""
        from cryptography.exceptions import InvalidTag

        content = base64.b64decode(sealed)
        nonce, inner = content[:_NONCE_BYTES], content[_NONCE_BYTES:]
        try:
            return self._cipher().decrypt(nonce, inner, name.encode()).decode()
        except InvalidTag as error:
            raise ValueError("changed from outside") from error

    def _cipher(self) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self.secret)
