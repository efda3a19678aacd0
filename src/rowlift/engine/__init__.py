"""Read, validate, merge, apply, deliver, record.

A module may be imported when somebody first asks for it: `engine.compare` reads as it is, and is
loaded while the source answers.
"""

from typing import TYPE_CHECKING

from rowlift.core.lazily import modules_of

if TYPE_CHECKING:
    from rowlift.engine import (
        arrivals,
        compare,
        delivery,
        duck,
        early,
        held,
        layers,
        pins,
        populate,
        preflight,
        rejected,
        touching,
        undo,
        validate,
    )
else:
    __getattr__ = modules_of(__name__)
