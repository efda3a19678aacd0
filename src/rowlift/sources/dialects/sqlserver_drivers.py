"""The two drivers of SQL Server, and which of them is taken."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rowlift.kit.drivers import installed, require

if TYPE_CHECKING:
    from rowlift.sources.sqlserver import SQLServerConfig


@dataclass(frozen=True, slots=True)
class Driver:
    """A package that only a child process loads."""

    module: str
    extra: str
    child: str


MICROSOFT = Driver("mssql_python", "sqlserver", "rowlift.sources.dialects.sqlserver_child")
FREE = Driver("pytds", "sqlserver-free", "rowlift.sources.dialects.sqlserver_tds_child")


def chosen(config: "SQLServerConfig") -> Driver:
    """Return the driver; raises SourceError DRIVER_MISSING when it is not installed."""
    found = _wanted(config)
    require(found.module, extra=found.extra)
    return found


def _wanted(config: "SQLServerConfig") -> Driver:
    if config.reader == "auto":
        microsoft = not config.suits_python_tds or installed(MICROSOFT.module)
        return MICROSOFT if microsoft or not installed(FREE.module) else FREE
    return FREE if config.reader == "python-tds" else MICROSOFT
