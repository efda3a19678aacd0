"""Who asks for an operation, and what they may."""

from dataclasses import dataclass

from rowlift.core.errors import AccessError
from rowlift.core.rights import Right


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, from which address, and what they may."""

    name: str
    address: str
    rights: frozenset[Right]
    user_id: int | None = None
    session: str = ""
    is_program: bool = False

    def require(self, right: Right) -> None:
        """Raise AccessError RIGHT_MISSING unless the right is there."""
        if right not in self.rights:
            raise AccessError(
                "RIGHT_MISSING",
                f"{self.name} lacks the right {right.value}.",
                mend="Ask an admin for the right, or use another token.",
            )


# Who works at the machine itself can read the files and the state anyway.
CONSOLE = Caller("console", "", frozenset(Right))


def signed_out() -> AccessError:
    """Return what is raised when nobody is signed in."""
    return AccessError(
        "SIGNED_OUT", "Nobody is signed in.", mend="Sign in, or send a valid API token."
    )
