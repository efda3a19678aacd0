"""What type a model gives to the value at a path: for known keys, secrets and schemas."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr

from rowlift.project.documents import KeyPath


def annotation_at(model: type[BaseModel], path: KeyPath) -> Any:
    """Return the annotation of the value at a path, None where the model has none."""
    annotation: Any = model
    for part in path:
        annotation = _step(annotation, part)
    return annotation


def model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """Return the model of the mapping at a path, None where its keys are free or unknown."""
    return next((one for one in _plain(annotation_at(model, path)) if _is_model(one)), None)


def is_secret(model: type[BaseModel], path: KeyPath) -> bool:
    """Tell whether the value at a path is, or holds, a secret."""
    return _holds_secret(annotation_at(model, path))


def is_path(model: type[BaseModel], path: KeyPath) -> bool:
    """Tell whether the value at a path names a file or folder."""
    return any(one is Path for one in _plain(annotation_at(model, path)))


def opens_network(model: type[BaseModel], path: KeyPath) -> bool:
    """Tell whether the value at a path lets requests into a network that is closed without it.

    Where a connection may go anywhere unless it is `public_only`, none is.
    """
    return path[:1] == ("allow_networks",) and "public_only" not in model.model_fields


def _step(annotation: Any, part: str | int) -> Any:
    for one in _plain(annotation):
        if _is_model(one) and part in one.model_fields:
            return one.model_fields[part].annotation
        origin, args = get_origin(one), get_args(one)
        if not isinstance(origin, type) or not args:
            continue
        if issubclass(origin, Mapping):
            return args[1]
        if issubclass(origin, Sequence | set | frozenset):
            return args[0]
    return None


def _plain(annotation: Any) -> Iterator[Any]:
    """Yield the alternatives of an annotation, without Annotated and unions around them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _plain(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for one in get_args(annotation):
            yield from _plain(one)
    else:
        yield annotation


def _is_model(one: Any) -> bool:
    return isinstance(one, type) and get_origin(one) is None and issubclass(one, BaseModel)


def _holds_secret(annotation: Any) -> bool:
    if annotation is SecretStr or annotation is SecretBytes:
        return True
    if _is_model(annotation):
        fields = annotation.model_fields.values()
        return any(_holds_secret(field.annotation) for field in fields)
    return any(_holds_secret(one) for one in get_args(annotation))
