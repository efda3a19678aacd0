"""What can be done with a project, a module for each subject.

A module is imported when somebody first asks for it: `operations.segments` reads as it is, and a
run that has nothing to do with segments does not load them.
"""

from typing import TYPE_CHECKING

from rowlift.core.lazily import modules_of

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
        repairing,
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
        verifying,
        watching,
    )
else:
    __getattr__ = modules_of(__name__)
