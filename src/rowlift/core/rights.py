"""What people who work here may do: rights, and the roles that bundle them."""

from collections.abc import Mapping
from enum import StrEnum


class Right(StrEnum):
    """One thing that a role or an API token may allow."""

    READ = "read"  # definitions, runs, counts: no value of any row
    VALUES = "values"  # rows, people, rejects with their values
    METRICS = "metrics"  # figures of the service, for a monitor's token
    RUN = "run"  # trigger, cancel, retry, pause, approve
    EDIT = "edit"  # definitions, segments, suppressions
    EXPORT = "export"  # whole lists of people leave the house
    ADMIN = "admin"  # people who work here, everybody's tokens, the audit log, erasure


class Role(StrEnum):
    """What a person who works here is."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.READ, Right.METRICS}),
    Role.EDITOR: frozenset(Right) - {Right.ADMIN},
    Role.ADMIN: frozenset(Right),
}


def rights_of(role: Role, *, viewers_see_values: bool) -> frozenset[Right]:
    """Return what a role allows; a workspace may let its viewers see values."""
    seen = {Right.VALUES} if viewers_see_values and role is Role.VIEWER else set()
    return RIGHTS[role] | seen
