"""The JSON documents of `-o json`: one per command, versioned, with a published schema."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, make_dataclass
from functools import cache
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter

from rowlift import operations
from rowlift.core.errors import RowliftError
from rowlift.core.nouns import Finding
from rowlift.core.rules import RULES
from rowlift.operations.reports import RunReport
from rowlift.state.audiences import AudienceSize
from rowlift.state.audit import AuditProof, AuditRecord
from rowlift.state.catalogues import Catalogue
from rowlift.state.definitions import Version
from rowlift.state.forwards import ForwardReject
from rowlift.state.intake import MessageReject
from rowlift.state.keys import WriteKey
from rowlift.state.users import User
from rowlift.state.verification_turns import UnderWay
from rowlift.state.verifications import Verification
from rowlift.workspace.suppression import Suppression
from rowlift.workspace.tracking import Event

VERSION = 1
DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Position:
    """Where in a file; lines and columns count from 1."""

    path: str
    line: int | None
    column: int | None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, by a stable code, and how to mend it."""

    code: str
    level: Literal["error", "warning"]
    message: str
    mend: str
    place: Position | None = None
    examples: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that did not go; target is empty for the rules, else workspace or a destination.

    Query is `relationships` for the rows of a sync's second query, else empty. Row has the values,
    where they were asked for and are kept.
    """

    row_number: int | None
    identifier: str | None
    code: str
    reason: str
    target: str
    query: str = ""
    row: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the demo; exit_code is what the command in it would leave with."""

    title: str
    command: str
    exit_code: int
    runs: Sequence[RunReport] = ()
    problem: Problem | None = None


def _of_preview() -> Mapping[str, Any]:
    from rowlift.engine.preview import Preview

    return {"preview": Preview}


# Only what a kind needs is imported when a document of that kind is made.
FIELDS: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    "error": lambda: {"error": Problem},
    "check": lambda: {"problems": Sequence[Problem]},
    "debug": lambda: {
        "connections": Mapping[str, Sequence[Finding]],
        "addresses": operations.addresses.Addresses,
    },
    "catalog": lambda: {"source": str, "catalogue": Catalogue},
    "preview": _of_preview,
    "plan": lambda: {"plan": operations.reports.PlanReport},
    "run": lambda: {
        "runs": Sequence[RunReport],
        "undo": operations.reports.UndoReport | None,
    },
    "runs": lambda: {"runs": Sequence[RunReport]},
    "undo": lambda: {
        "plan": operations.reports.PlanReport,
        "runs": Sequence[RunReport],
    },
    "retry": lambda: {"retry": operations.reports.RetryReport},
    "suppress": lambda: {"suppression": operations.suppressing.SuppressionReport},
    "suppressions": lambda: {"suppressions": Sequence[Suppression]},
    "rejects": lambda: {"run": int, "rejects": Sequence[RejectedRow]},
    "state": lambda: {"state": Mapping[str, Any]},
    "prune": lambda: {"prune": operations.pruning.PruneReport},
    "write_back": lambda: {"write_back": operations.writing_back.WriteBackReport},
    "rotation": lambda: {"sealed": int},
    "apply": lambda: {"changes": Sequence[operations.applying.DefinitionChange], "applied": bool},
    "files": lambda: {"files": operations.unloading.FilesReport},
    "versions": lambda: {"versions": Sequence[Version]},
    "definition": lambda: {"definition": operations.defining.DefinitionRecord},
    "diff": lambda: {"diff": str},
    "ls": lambda: {
        "syncs": Sequence[operations.reports.SyncReport],
        "service": operations.reports.ServiceReport | None,
    },
    "status": lambda: {
        "service": operations.reports.ServiceReport | None,
        "wrong": Sequence[operations.alerting.AlertReport],
        "channels": Sequence[operations.alerting.ChannelReport],
        "freshness": Sequence[operations.freshness.Freshness],
        "undone": Mapping[str, int],
    },
    "alerts": lambda: {
        "wrong": Sequence[operations.alerting.AlertReport],
        "channels": Sequence[operations.alerting.ChannelReport],
    },
    "alert_test": lambda: {"channel": str},
    "requests": lambda: {"requests": Sequence[operations.reports.RequestReport]},
    "people": lambda: {"people": Sequence[operations.records.PersonRecord]},
    "person": lambda: {"person": operations.records.PersonRecord},
    "merges": lambda: {"merges": Sequence[operations.merging.MergeRecord]},
    "merge": lambda: {"merge": operations.merging.MergeRecord},
    "objects": lambda: {"objects": Sequence[operations.records.ObjectRecord]},
    "object": lambda: {"object": operations.records.ObjectRecord},
    "object_why": lambda: {"syncs": Sequence[operations.traces.SyncTrace]},
    "segments": lambda: {"segments": Sequence[operations.segments.SegmentRecord]},
    "segment": lambda: {
        "segment": operations.segments.SegmentRecord,
        "members": Sequence[operations.segments.MemberRecord],
    },
    "segment_events": lambda: {"segment": str, "events": Sequence[operations.segments.EventRecord]},
    "segment_change": lambda: {"change": operations.segments.MembersChanged},
    "audiences": lambda: {"audiences": Sequence[operations.audiences.AudienceRecord]},
    "audience": lambda: {
        "audience": operations.audiences.AudienceRecord,
        "sizes": Sequence[AudienceSize],
    },
    "audience_sample": lambda: {"sample": operations.audiences.AudienceSample},
    "overlap": lambda: {"overlap": operations.audiences.Overlap},
    "keys": lambda: {"keys": Sequence[WriteKey]},
    "key": lambda: {"key": operations.ingesting.NewWriteKey},
    "message_rejects": lambda: {"rejects": Sequence[MessageReject]},
    "message_events": lambda: {"events": Sequence[Event]},
    "message": lambda: {"message": operations.rehearsing.SentMessage},
    "exchanges": lambda: {"requests": Sequence[operations.watching.ExchangeReport]},
    "forwards": lambda: {"forwards": Sequence[operations.forwarding.ForwardReport]},
    "forward": lambda: {
        "forward": operations.forwarding.ForwardReport,
        "rejects": Sequence[ForwardReject],
    },
    "invitation": lambda: {"invitation": operations.accounts.Invitation},
    "users": lambda: {"users": Sequence[User]},
    "audit": lambda: {"lines": Sequence[AuditRecord]},
    "audit_proof": lambda: {"proof": AuditProof},
    "backup": lambda: {"backup": operations.backups.BackupReport},
    "restore": lambda: {"restore": operations.restoring.RestoreReport},
    "verification": lambda: {
        "verification": Verification,
        "repair": operations.repairing.Repair | None,
    },
    "verification_cancelled": lambda: {"cancelled": UnderWay | None},
    "why": lambda: {"why": operations.traces.Why},
    "find": lambda: {"found": operations.finding.Found},
    "erasure": lambda: {"erasure": operations.erasing.ErasureReport},
    "export": lambda: {"file": str, "format": str, "bytes": int},
    "init": lambda: {"folder": str, "files": Sequence[str]},
    "samples": lambda: {"samples": operations.sampling.SampleReport},
    "templates": lambda: {"templates": Sequence[operations.offering.Offer]},
    "template": lambda: {"template": operations.offering.Template},
    "demo": lambda: {"folder": str, "steps": Sequence[Step]},
}


def problem(error: RowliftError) -> Problem:
    """Return an error as a document shows it."""
    at = error.place
    place = Position(at.path, at.line, at.column) if at else None
    level: Literal["error", "warning"] = "warning" if is_warning(error) else "error"
    return Problem(error.code, level, error.message, error.mend, place, tuple(error.examples))


def is_warning(error: RowliftError) -> bool:
    """Tell whether a problem stops nothing."""
    return error.code in RULES and RULES[error.code].scope == "warning"


def dumped(kind: str, content: Mapping[str, Any]) -> str:
    """Return a document as JSON text."""
    adapter = _adapter(kind)
    values = {
        name: problem(value) if isinstance(value, RowliftError) else value
        for name, value in content.items()
    }
    document = _document(kind)(version=VERSION, kind=kind, **values)
    text: bytes = adapter.dump_json(document, indent=2, fallback=str)
    return text.decode()


def json_schema(kind: str) -> dict[str, Any]:
    """Return the published schema of a kind of document."""
    schema = _adapter(kind).json_schema(mode="serialization")
    return {"$schema": DIALECT, "title": f"rowlift {kind}, version {VERSION}"} | {
        key: value for key, value in schema.items() if key != "title"
    }


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(_document(kind))


@cache
def _document(kind: str) -> type[Any]:
    fields: list[tuple[str, Any]] = [
        ("version", Literal[1]),
        ("kind", Literal[kind]),
        *FIELDS[kind]().items(),
    ]
    config = {"__pydantic_config__": ConfigDict(extra="forbid", ser_json_inf_nan="strings")}
    return make_dataclass(f"{kind.capitalize()}Document", fields, frozen=True, namespace=config)
