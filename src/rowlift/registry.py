"""Kinds of sources and destinations by entry point, and of channels; imported when first used."""

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, distributions, entry_points
from typing import Any, cast

from rowlift.core.alerts import Channel
from rowlift.core.errors import ConfigError
from rowlift.core.nouns import Accepts
from rowlift.core.ports import Destination, Source
from rowlift.core.specs import WORKSPACE_SOURCE
from rowlift.kit.config import ConnectorConfig

SOURCES = "rowlift.sources"
DESTINATIONS = "rowlift.destinations"
_CHANNELS = {
    "apprise": ("rowlift.channels.apprise", "Apprise"),
    "webhook": ("rowlift.channels.webhook", "Webhook"),
}


def source_kind(kind: str) -> type[Source]:
    """Return the class of a kind of source; raises ConfigError for an unknown or missing one."""
    if kind == WORKSPACE_SOURCE:
        return cast("type[Source]", import_module("rowlift.sources.workspace").OwnPeople)
    return cast("type[Source]", _load(SOURCES, kind))


def destination_kind(kind: str) -> type[Destination]:
    """Return the class of a kind of destination; raises ConfigError for an unknown one."""
    return cast("type[Destination]", _load(DESTINATIONS, kind))


def channel_kind(kind: str) -> type[Channel]:
    """Return the class of a kind of channel; KeyError for an unknown one."""
    module, name = _CHANNELS[kind]
    return cast("type[Channel]", getattr(import_module(module), name))


class ChannelKinds(Mapping[str, type[ConnectorConfig]]):
    """The configuration class of each kind of channel; a class is imported when it is asked for."""

    def __getitem__(self, kind: str) -> type[ConnectorConfig]:
        return cast("type[ConnectorConfig]", channel_kind(kind).Config)

    def __iter__(self) -> Iterator[str]:
        return iter(_CHANNELS)

    def __len__(self) -> int:
        return len(_CHANNELS)


class Kinds(Mapping[str, type[ConnectorConfig]]):
    """The configuration class of each kind; a class is imported when it is asked for."""

    def __init__(self, group: str) -> None:
        self._group = group

    def __getitem__(self, kind: str) -> type[ConnectorConfig]:
        if _point(self._group, kind) is None:
            raise KeyError(kind)
        return cast("type[ConnectorConfig]", _load(self._group, kind).Config)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(_points(self._group)))

    def __len__(self) -> int:
        return len(_points(self._group))


class Abilities(Mapping[str, Accepts]):
    """What each kind of destination can do; a class is imported when it is asked for."""

    def __getitem__(self, kind: str) -> Accepts:
        if _point(DESTINATIONS, kind) is None:
            raise KeyError(kind)
        return destination_kind(kind).accepts

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(_points(DESTINATIONS)))

    def __len__(self) -> int:
        return len(_points(DESTINATIONS))


def _point(group: str, kind: str) -> EntryPoint | None:
    """Return a kind's entry point: Rowlift's own, or else that of any package."""
    return _own(group).get(kind) or _points(group).get(kind)


@cache
def _own(group: str) -> Mapping[str, EntryPoint]:
    own = (one.entry_points for one in distributions(name="rowlift"))
    return {point.name: point for points in own for point in points.select(group=group)}


def _points(group: str) -> Mapping[str, EntryPoint]:
    return _points_on(tuple(sys.path), group)


@cache
def _points_on(_path: tuple[str, ...], group: str) -> Mapping[str, EntryPoint]:
    """Look through the installed packages once: there may be hundreds, and each is a file."""
    return {point.name: point for point in entry_points(group=group)}


def _load(group: str, kind: str) -> Any:
    point = _point(group, kind)
    noun = group.removeprefix("rowlift.").removesuffix("s")
    if point is None:
        raise ConfigError(
            "NAME_UNKNOWN",
            f"There is no kind of {noun} called {kind}.",
            mend=f"Known kinds: {', '.join(sorted(_points(group)))}.",
        )
    try:
        return point.load()
    except ModuleNotFoundError as error:
        raise ConfigError(
            "DRIVER_MISSING",
            f"The driver for {kind} is not installed ({error.name}).",
            mend=f'Run: pip install "rowlift[{kind}]"',
        ) from error
