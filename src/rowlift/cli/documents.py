"""The JSON documents of `-o json`: one per command, versioned, with a published schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, make_dataclass
from functools import cache
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter

from rowlift.core.errors import RowliftError
from rowlift.core.nouns import Finding
from rowlift.core.rules import RULES
from rowlift.engine.preview import Preview
from rowlift.operations.accounts import Invitation
from rowlift.operations.addresses import Addresses
from rowlift.operations.alerting import AlertReport, ChannelReport
from rowlift.operations.applying import DefinitionChange
from rowlift.operations.audiences import AudienceRecord, AudienceSample, Overlap
from rowlift.operations.backups import BackupReport
from rowlift.operations.defining import DefinitionRecord
from rowlift.operations.erasing import ErasureReport
from rowlift.operations.finding import Found
from rowlift.operations.forwarding import ForwardReport
from rowlift.operations.freshness import Freshness
from rowlift.operations.ingesting import NewWriteKey
from rowlift.operations.merging import MergeRecord
from rowlift.operations.offering import Offer, Template
from rowlift.operations.pruning import PruneReport
from rowlift.operations.records import ObjectRecord, PersonRecord
from rowlift.operations.rehearsing import SentMessage
from rowlift.operations.reports import (
    PlanReport,
    RequestReport,
    RetryReport,
    RunReport,
    ServiceReport,
    SyncReport,
)
from rowlift.operations.restoring import RestoreReport
from rowlift.operations.sampling import SampleReport
from rowlift.operations.segments import (
    EventRecord,
    MemberRecord,
    MembersChanged,
    SegmentRecord,
)
from rowlift.operations.suppressing import SuppressionReport
from rowlift.operations.tracing import Why
from rowlift.operations.unloading import FilesReport
from rowlift.operations.watching import ExchangeReport
from rowlift.operations.writing_back import WriteBackReport
from rowlift.state.audiences import AudienceSize
from rowlift.state.audit import AuditProof, AuditRecord
from rowlift.state.catalogues import Catalogue
from rowlift.state.definitions import Version
from rowlift.state.forwards import ForwardReject
from rowlift.state.intake import MessageReject
from rowlift.state.keys import WriteKey
from rowlift.state.users import User
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


FIELDS: Mapping[str, Mapping[str, Any]] = {
    "error": {"error": Problem},
    "check": {"problems": Sequence[Problem]},
    "debug": {"connections": Mapping[str, Sequence[Finding]], "addresses": Addresses},
    "catalog": {"source": str, "catalogue": Catalogue},
    "preview": {"preview": Preview},
    "plan": {"plan": PlanReport},
    "run": {"runs": Sequence[RunReport]},
    "runs": {"runs": Sequence[RunReport]},
    "retry": {"retry": RetryReport},
    "suppress": {"suppression": SuppressionReport},
    "suppressions": {"suppressions": Sequence[Suppression]},
    "rejects": {"run": int, "rejects": Sequence[RejectedRow]},
    "state": {"state": Mapping[str, Any]},
    "prune": {"prune": PruneReport},
    "write_back": {"write_back": WriteBackReport},
    "rotation": {"sealed": int},
    "apply": {"changes": Sequence[DefinitionChange], "applied": bool},
    "files": {"files": FilesReport},
    "versions": {"versions": Sequence[Version]},
    "definition": {"definition": DefinitionRecord},
    "diff": {"diff": str},
    "ls": {"syncs": Sequence[SyncReport], "service": ServiceReport | None},
    "status": {
        "service": ServiceReport | None,
        "wrong": Sequence[AlertReport],
        "channels": Sequence[ChannelReport],
        "freshness": Sequence[Freshness],
    },
    "alerts": {"wrong": Sequence[AlertReport], "channels": Sequence[ChannelReport]},
    "alert_test": {"channel": str},
    "requests": {"requests": Sequence[RequestReport]},
    "people": {"people": Sequence[PersonRecord]},
    "person": {"person": PersonRecord},
    "merges": {"merges": Sequence[MergeRecord]},
    "merge": {"merge": MergeRecord},
    "objects": {"objects": Sequence[ObjectRecord]},
    "object": {"object": ObjectRecord},
    "segments": {"segments": Sequence[SegmentRecord]},
    "segment": {"segment": SegmentRecord, "members": Sequence[MemberRecord]},
    "segment_events": {"segment": str, "events": Sequence[EventRecord]},
    "segment_change": {"change": MembersChanged},
    "audiences": {"audiences": Sequence[AudienceRecord]},
    "audience": {"audience": AudienceRecord, "sizes": Sequence[AudienceSize]},
    "audience_sample": {"sample": AudienceSample},
    "overlap": {"overlap": Overlap},
    "keys": {"keys": Sequence[WriteKey]},
    "key": {"key": NewWriteKey},
    "message_rejects": {"rejects": Sequence[MessageReject]},
    "message_events": {"events": Sequence[Event]},
    "message": {"message": SentMessage},
    "exchanges": {"requests": Sequence[ExchangeReport]},
    "forwards": {"forwards": Sequence[ForwardReport]},
    "forward": {"forward": ForwardReport, "rejects": Sequence[ForwardReject]},
    "invitation": {"invitation": Invitation},
    "users": {"users": Sequence[User]},
    "audit": {"lines": Sequence[AuditRecord]},
    "audit_proof": {"proof": AuditProof},
    "backup": {"backup": BackupReport},
    "restore": {"restore": RestoreReport},
    "why": {"why": Why},
    "find": {"found": Found},
    "erasure": {"erasure": ErasureReport},
    "export": {"file": str, "format": str, "bytes": int},
    "init": {"folder": str, "files": Sequence[str]},
    "samples": {"samples": SampleReport},
    "templates": {"templates": Sequence[Offer]},
    "template": {"template": Template},
    "demo": {"folder": str, "steps": Sequence[Step]},
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
        *FIELDS[kind].items(),
    ]
    config = {"__pydantic_config__": ConfigDict(extra="forbid", ser_json_inf_nan="strings")}
    return make_dataclass(f"{kind.capitalize()}Document", fields, frozen=True, namespace=config)
