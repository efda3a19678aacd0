"""What is wrong with a filled form, each thing at the field it belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from rowlift.core.errors import ConfigError, RowliftError
from rowlift.project.problems import Problem, ProjectInvalid
from rowlift.web.pages.fields import Standing, sections
from rowlift.web.pages.labels import in_labels
from rowlift.web.problems import problem

NAME = "name"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong: with the field at a path, or with the whole where there is none."""

    path: str
    label: str
    message: str
    mend: str
    code: str


def mistakes(
    error: RowliftError, config: type[BaseModel], document: Mapping[str, Any]
) -> list[Mistake]:
    """Return what an operation refused a form for, in its own words."""
    if isinstance(error, ProjectInvalid):
        known = {
            one.path: one.label
            for each in sections(config, Standing(document))
            for one in each.fields
        }
        return [_mistake(one, known, config) for one in error.problems]
    told = problem(error)
    is_name = isinstance(error, ConfigError) and error.code in {"NAME_TWICE", "VALUE_WRONG"}
    path, label = (NAME, "Name") if is_name else ("", "")
    detail, mend = in_labels(config, told.detail), in_labels(config, told.mend)
    return [Mistake(path, label, detail, mend, told.code)]


def _mistake(one: Problem, known: Mapping[str, str], config: type[BaseModel]) -> Mistake:
    path = _nearest(_path(one, known), known)
    message, mend = in_labels(config, one.message), in_labels(config, one.mend)
    return Mistake(path, known.get(path, ""), message, mend, one.code)


def _path(one: Problem, known: Mapping[str, str]) -> str:
    """Return the path that a problem names; a key that is missing has its holder's place."""
    _, _, path = (one.place.path if one.place else "").partition(", ")
    if one.code == "KEY_MISSING":
        inside = f"{path}." if path else ""
        for each in known:
            key = each.removeprefix(inside)
            if each.startswith(inside) and f'The key "{key}" ' in one.message:
                return each
    return path


def _nearest(path: str, known: Mapping[str, str]) -> str:
    """Return the field that a path lies in, nothing if it is none."""
    path = path.partition("[")[0]
    while path and path not in known:
        path = path.rpartition(".")[0]
    return path
