"""References in the values of connections: ${NAME}, ${NAME:-default}, ${file:/path}, $${ for ${.

A connection that was made in Rowlift refers to its own secrets: ${secret:ID}. Nothing here puts a
value into a message.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rowlift.core.errors import Place
from rowlift.project.problems import Problem

MAX_SECRET_BYTES = 65_536

SECRET = "secret:"  # noqa: S105 - how a reference to one begins

_TOKEN = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_ID = re.compile(r"[0-9a-f]{1,32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the environment; the default holds also where it is set but empty."""

    name: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file whose text is the value, without the line end at its end."""

    path: str


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of the state database, by its id."""

    id: str


Part = str | Variable | File | Secret


def parts(text: str, place: Place) -> tuple[Part, ...]:
    """Split a text into plain pieces and references; raises Problem for a broken reference."""
    found: list[Part] = []
    end = 0
    for token in _TOKEN.finditer(text):
        found.append(text[end : token.start()])
        end = token.end()
        if token[0] == "$${":
            found.append("${")
        else:
            found.append(_reference(token[1], place))
    found.append(text[end:])
    return tuple(part for part in found if part != "")


def has_reference(text: str) -> bool:
    """Tell whether a text holds a reference, also a broken one."""
    return any(token[0] != "$${" for token in _TOKEN.finditer(text))


def expand(text: str, env: Mapping[str, str], place: Place) -> str:
    """Return the text with each reference replaced; what replaces it is not read again."""
    return "".join(_value(part, env, place) for part in parts(text, place))


def without_defaults(text: str, place: Place) -> str:
    """Return the text with the defaults of its references left out, fit to be shown."""
    return "".join(_shown(part) for part in parts(text, place))


def secret_reference(secret_id: str) -> str:
    """Return how a document refers to one of its secrets."""
    return f"${{{SECRET}{secret_id}}}"


def _reference(inner: str | None, place: Place) -> Variable | File | Secret:
    if inner is None:
        raise Problem(
            "VALUE_WRONG",
            "A reference that starts with ${ is not closed, or holds another { inside.",
            place=place,
            mend="Write ${NAME}, without { or } inside; write $${ for the text ${.",
        )
    if inner.startswith("file:"):
        path = inner.removeprefix("file:")
        if Path(path).is_absolute() and "\0" not in path:
            return File(path)
    if inner.startswith(SECRET) and _ID.fullmatch(inner.removeprefix(SECRET)):
        return Secret(inner.removeprefix(SECRET))
    name, separator, default = inner.partition(":-")
    if _NAME.fullmatch(name):
        return Variable(name, default if separator else None)
    raise Problem(
        "VALUE_WRONG",
        "A reference is not one of ${NAME}, ${NAME:-default} and ${file:/absolute/path}.",
        place=place,
        mend="Mend the reference; write $${ for the text ${.",
    )


def _value(part: Part, env: Mapping[str, str], place: Place) -> str:
    match part:
        case Variable(name, default):
            return _variable(name, default, env, place)
        case File(path):
            return _file(path, place)
        case Secret(secret_id):
            return _secret(secret_id, env, place)
    return part


def _variable(name: str, default: str | None, env: Mapping[str, str], place: Place) -> str:
    value = env.get(name)
    if default is not None:
        return value or default
    if value is None:
        raise Problem(
            "VARIABLE_UNSET",
            f"The variable {name} is not set.",
            place=place,
            mend=f"Set {name} in the environment, or give a default: ${{{name}:-default}}.",
        )
    return value


def _secret(secret_id: str, env: Mapping[str, str], place: Place) -> str:
    value = env.get(f"{SECRET}{secret_id}")
    if value is None:
        raise Problem("SECRET_MISSING", "The secret is not in the state database.", place=place)
    return value


def _file(path: str, place: Place) -> str:
    try:
        if not Path(path).is_file():
            what = "is not a file" if Path(path).exists() else "does not exist"
            raise Problem("FILE_MISSING", f"The file {path} {what}.", place=place)
        with Path(path).open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
        content = b""
        problem = "cannot be read as UTF-8 text"
    else:
        problem = "is larger than 64 KB" if len(content) > MAX_SECRET_BYTES else ""
    if problem:
        raise Problem("FILE_UNREADABLE", f"The file {path} {problem}.", place=place)
    return text.removesuffix("\n").removesuffix("\r")


def _shown(part: Part) -> str:
    match part:
        case Variable(name, _):
            return f"${{{name}}}"
        case File(path):
            return f"${{file:{path}}}"
        case Secret(secret_id):
            return secret_reference(secret_id)
    return "$${" if part == "${" else part
