"""Edits say which version they were made from, so that nobody undoes what another one did."""

from typing import Annotated, Protocol, TypeVar

from fastapi import Header, Response

from rowlift.core.digits import number_of
from rowlift.core.errors import GuardStop


class Versioned(Protocol):
    """Whatever has versions, which rise."""

    @property
    def version(self) -> int:
        """Return a number that rises with each change."""


Record = TypeVar("Record", bound=Versioned)

IfMatch = Annotated[
    str | None,
    Header(max_length=40, description="The ETag that the change was made from.", examples=['"3"']),
]


def expected(if_match: str | None) -> int:
    """Return the version that an ETag names; raises GuardStop VERSION_MISSING."""
    version = number_of((if_match or "").strip('"'))
    if version is None:
        raise GuardStop(
            "VERSION_MISSING",
            "The request does not say which version it changes.",
            mend="Read it first, and send its ETag as If-Match.",
        )
    return version


def tagged(response: Response, record: Record) -> Record:
    """Answer with a record under its ETag."""
    response.headers["ETag"] = f'"{record.version}"'
    return record
