"""What connections made in Rowlift may refer to: who writes them is not who runs the machine.

An editor must neither send a variable of the server's environment to a host of their own, nor read
a file of the server's through a source, nor write into what the operator declares, nor ask what
answers only to the server itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from rowlift.core.errors import Place
from rowlift.core.specs import ConnectionSpec
from rowlift.kit.addresses import is_within
from rowlift.project.annotations import is_path, is_secret, opens_network
from rowlift.project.documents import KeyPath
from rowlift.project.problems import Problem
from rowlift.project.references import Secret, Variable, parts
from rowlift.project.secrets import place_of
from rowlift.project.walking import texts
from rowlift.project.words import dotted


@dataclass(frozen=True, slots=True)
class Custody:
    """The variables that secrets may refer to, and the folders that paths may lead into.

    Relative paths start at the first folder; the closed one, the data directory, is never allowed.
    Nothing is written to what is `declared`, files and folders of the project's own. `networks`,
    CIDR or host names, are those that requests may be let into.
    """

    closed: Path
    folders: tuple[Path, ...]
    declared: tuple[Path, ...] = ()
    variables: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()

    def judge(
        self, connection: ConnectionSpec, config: type[BaseModel], *, writes: bool
    ) -> Iterator[Problem]:
        """Yield every reference and path of a connection that is not allowed."""
        for path, text in texts(connection.config):
            place = place_of(connection, path)
            if not self._may_refer(text, is_a_secret=is_secret(config, path)):
                yield _reference(path, place)
            elif is_path(config, path) and not self._may_open(text):
                yield _outside(path, place)
            elif writes and is_path(config, path) and self._is_declared(text):
                yield _declared(path, place)
            elif opens_network(config, path) and not self._may_reach(text):
                yield _unreachable(path, place)

    def _may_refer(self, text: str, *, is_a_secret: bool) -> bool:
        try:
            pieces = [one for one in parts(text, Place("")) if not isinstance(one, str)]
        except Problem:  # it is said elsewhere
            return True
        return all(
            is_a_secret
            and (isinstance(one, Secret) or (isinstance(one, Variable) and self._is_shared(one)))
            for one in pieces
        )

    def _is_shared(self, variable: Variable) -> bool:
        return variable.name in self.variables and not variable.default

    def _may_open(self, text: str) -> bool:
        try:
            path = (self.folders[0] / text).resolve()
        except (OSError, RuntimeError, ValueError):
            return False
        inside = any(path.is_relative_to(one.resolve()) for one in self.folders)
        return inside and not _overlap(path, self.closed.resolve())

    def _is_declared(self, text: str) -> bool:
        path = (self.folders[0] / text).resolve()
        return any(_overlap(path, one.resolve()) for one in self.declared)

    def _may_reach(self, text: str) -> bool:
        return any(is_within(text, one) for one in self.networks)


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _reference(path: KeyPath, place: Place) -> Problem:
    return Problem(
        "VALUE_WRONG",
        f"{dotted(path)} refers to the environment or to a file of the server.",
        place=place,
        mend="Give the secret itself: it is kept sealed. Secrets may name the variables that "
        "ROWLIFT_SHARED_VARIABLES lists.",
    )


def _outside(path: KeyPath, place: Place) -> Problem:
    return Problem(
        "FILE_OUTSIDE_ROOT",
        f"{dotted(path)} leads outside the folders that are open here.",
        place=place,
        mend="Move it into the project's folder, or list its folder in ROWLIFT_FILE_ROOTS.",
    )


def _declared(path: KeyPath, place: Place) -> Problem:
    return Problem(
        "FILE_OUTSIDE_ROOT",
        f"{dotted(path)} leads to what the project itself is read from.",
        place=place,
        mend="Name a place of its own.",
    )


def _unreachable(path: KeyPath, place: Place) -> Problem:
    return Problem(
        "ADDRESS_REFUSED",
        f"{dotted(path)} opens a network or host that is not open here.",
        place=place,
        mend="Leave it out, or list it in ROWLIFT_SHARED_NETWORKS of the service.",
    )
