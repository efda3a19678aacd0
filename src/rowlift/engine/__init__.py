"""Read, validate, merge, apply, deliver, record.

A module may be imported when somebody first asks for it: `engine.compare` reads as it is, and is
loaded while the source answers.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rowlift.engine import (
        arrivals,
        compare,
        delivery,
        duck,
        early,
        held,
        layers,
        populate,
        preflight,
        rejected,
        validate,
    )
else:

    def __getattr__(name: str) -> object:
        path = f"{__name__}.{name}"
        try:
            return import_module(path)
        except ModuleNotFoundError as error:
            if error.name != path:
                raise
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message) from None
