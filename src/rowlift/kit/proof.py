"""What proves that a login that ends is the one that was begun."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Proof:
    """What was drawn for one login, and must come back or be known when it ends."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
