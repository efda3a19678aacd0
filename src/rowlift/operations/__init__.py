"""What can be done with a project, a module for each subject.

A module is imported when somebody first asks for it: `operations.segments` reads as it is, and a
run that has nothing to do with segments does not load them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rowlift.operations import (
        access,
        addresses,
        alerting,
        applying,
        audiences,
        backups,
        cancelling,
        cataloguing,
        certifying,
        connecting,
        dating,
        definitions,
        delivering,
        drafting,
        erasing,
        exporting,
        finding,
        forwarding,
        glance,
        histories,
        identifying,
        ingesting,
        merging,
        planning,
        plans,
        previewing,
        pruning,
        querying,
        records,
        rejects,
        repeating,
        resetting,
        restoring,
        retrying,
        running,
        sampling,
        segments,
        servicing,
        serving,
        suppressing,
        testing,
        tracing,
        watching,
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
