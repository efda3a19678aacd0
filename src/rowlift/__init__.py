"""Reverse ETL: from a query on a database to people in a workspace and delivered changes."""

from rowlift.core.version import VERSION

TYPE_CHECKING = False  # typing takes its time, in which Ctrl-C would be answered by a traceback
if TYPE_CHECKING:
    from rowlift.operations.project import Project

__version__ = VERSION
__all__ = ["Project", "__version__"]


def __getattr__(name: str) -> object:
    """Import the Python door when somebody goes through it."""
    if name != "Project":
        message = f"module 'rowlift' has no attribute {name!r}"
        raise AttributeError(message)
    from rowlift.operations.project import Project  # noqa: PLC0415

    return Project
