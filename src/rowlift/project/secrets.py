"""Connections with their references: checked offline, resolved for use, masked for show.

Only the values of connections.yml below a source or destination are ever looked into.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rowlift.core.errors import Place
from rowlift.core.specs import ConnectionSpec
from rowlift.project.annotations import is_path, is_secret
from rowlift.project.documents import KeyPath
from rowlift.project.problems import Problem, ProjectInvalid
from rowlift.project.references import (
    Secret,
    Variable,
    expand,
    has_reference,
    parts,
    without_defaults,
)
from rowlift.project.walking import mapped, texts
from rowlift.project.words import Where, dotted, problems

_Config = TypeVar("_Config", bound=BaseModel)

MASK = "set"
_SHORTEST = 3  # shorter secrets would blot out ordinary words of a message


def resolve(
    connection: ConnectionSpec,
    config: type[_Config],
    env: Mapping[str, str],
    root: Path | None = None,
) -> _Config:
    """Return the connector's configuration with every reference replaced.

    Relative paths, which are fields of type Path, start at `root`, the project's folder. Raises
    ProjectInvalid with all problems; no message holds a value.
    """
    broken: list[Problem] = []
    secrets: set[str] = set()

    def replace(path: KeyPath, text: str) -> str:
        try:
            value = expand(text, env, place_of(connection, path))
        except Problem as problem:
            broken.append(problem)
            return text
        if value != text or is_secret(config, path):
            secrets.add(value)
        return str(root / value) if root and value and is_path(config, path) else value

    raw = mapped(connection.config, replace)
    if broken:
        raise ProjectInvalid(broken)
    try:
        return config.model_validate(raw)
    except ValidationError as error:
        found = problems(error, config, _where(connection))
        raise ProjectInvalid(_scrubbed(one, secrets) for _, one in found) from None


def inspect(connection: ConnectionSpec, config: type[BaseModel]) -> Iterator[Problem]:
    """Yield what can be known to be wrong without the environment, and plain-text secrets."""
    open_paths: set[KeyPath] = set()
    plain: set[str] = set()
    for path, text in texts(connection.config):
        place = place_of(connection, path)
        if has_reference(text):
            open_paths.add(path)
        try:
            pieces = parts(text, place)
        except Problem as problem:
            yield problem
            continue
        if connection.managed == "files" and any(isinstance(one, Secret) for one in pieces):
            yield _elsewhere(path, place)
        if is_secret(config, path):
            plain.add(text)
            if text and connection.managed == "files" and _stands_in_file(pieces):
                yield _in_file(path, place)
    yield from _offline(connection, config, open_paths, plain)


def masked(connection: ConnectionSpec, config: type[BaseModel]) -> dict[str, Any]:
    """Return the configuration as it may be shown: references stay, a plain secret is "set"."""

    def mask(path: KeyPath, text: str) -> str:
        if not is_secret(config, path):
            return text
        if not has_reference(text):
            return MASK
        try:
            pieces = parts(text, Place(""))
        except Problem:
            return MASK
        hides = any(isinstance(one, str) for one in pieces)
        return MASK if hides else without_defaults(text, Place(""))

    shown: dict[str, Any] = mapped(connection.config, mask)
    return {
        key: MASK
        if is_secret(config, (key,)) and not isinstance(value, str | list | dict)
        else value
        for key, value in shown.items()
    }


def _offline(
    connection: ConnectionSpec, config: type[BaseModel], open_paths: set[KeyPath], plain: set[str]
) -> Iterator[Problem]:
    try:
        config.model_validate(connection.config)
    except ValidationError as error:
        for path, problem in problems(error, config, _where(connection)):
            if not any(_around(path, one) for one in open_paths) or problem.code != "VALUE_WRONG":
                yield _scrubbed(problem, plain)


def _around(path: KeyPath, one: KeyPath) -> bool:
    """Tell whether an error at a path can come from a value that is not known yet."""
    shorter = min(len(path), len(one))
    return path[:shorter] == one[:shorter]


def _stands_in_file(pieces: tuple[object, ...]) -> bool:
    variables = [one for one in pieces if isinstance(one, Variable)]
    return all(isinstance(one, str) for one in pieces) or any(one.default for one in variables)


def _in_file(path: KeyPath, place: Place) -> Problem:
    text = f"{dotted(path)} is a secret that stands in the file as plain text."
    return Problem("SECRET_IN_FILE", text, place=place)


def _elsewhere(path: KeyPath, place: Place) -> Problem:
    text = f"{dotted(path)} refers to a secret of the state database, which no file may."
    return Problem("VALUE_WRONG", text, place=place, mend="Use ${VARIABLE} or ${file:/path}.")


def _where(connection: ConnectionSpec) -> Where:
    def place(path: KeyPath) -> Place:
        return place_of(connection, path)

    return Where(place, place, lambda _: False, f"{connection.name} ({connection.type})")


def place_of(connection: ConnectionSpec, path: KeyPath) -> Place:
    """Return where the value at a path stands, or the nearest thing around it."""
    while path and (found := connection.places.get(place_key(path))) is None:
        path = path[:-1]
    found = connection.places.get(place_key(path))
    return found or Place(connection.name)


def place_key(path: KeyPath) -> str:
    """Return how a path is written in a ConnectionSpec's places."""
    return ".".join(str(part) for part in path)


def _scrubbed(problem: Problem, secrets: set[str]) -> Problem:
    """Return the problem without any secret that a connector's own check put into its words."""
    message = problem.message
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            message = message.replace(secret, "***")
    return Problem(problem.code, message, place=problem.place, mend=problem.mend)
