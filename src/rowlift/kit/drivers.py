"""Modules that need a driver are loaded when a source is built, so that its schema needs none."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from rowlift.core.errors import SourceError


def load(module: str, *, extra: str) -> ModuleType:
    """Return one of our modules; raises SourceError DRIVER_MISSING when its driver is absent."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise _missing(str(error.name), extra) from None


def require(driver: str, *, extra: str) -> None:
    """Raise SourceError DRIVER_MISSING when a driver that only a child loads is absent."""
    if not installed(driver):
        raise _missing(driver, extra)


def installed(driver: str) -> bool:
    """Tell whether a driver could be imported."""
    return find_spec(driver) is not None


def _missing(driver: str, extra: str) -> SourceError:
    return SourceError(
        "DRIVER_MISSING",
        f"The driver {driver} is not installed.",
        mend=f'pip install "rowlift[{extra}]"',
    )
