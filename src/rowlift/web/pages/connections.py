"""Sources and destinations: the lists, and one of them with its test, tables and requests."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from rowlift.core.errors import AccessError, ConfigError, RowliftError
from rowlift.core.nouns import Finding, Table
from rowlift.core.rights import Right
from rowlift.operations.addresses import Addresses
from rowlift.operations.callers import Caller
from rowlift.operations.connecting import ConnectionReport, Hear, KindReport
from rowlift.operations.covering import covered
from rowlift.operations.kinds import KINDS
from rowlift.operations.project import Project
from rowlift.operations.rehearsing import SampleMessage, SentMessage
from rowlift.operations.watching import ExchangeReport
from rowlift.project.connections import ROLES
from rowlift.web.pages.forms import Filled, onward, version_in
from rowlift.web.pages.kinds import title
from rowlift.web.pages.labels import labelled
from rowlift.web.pages.render import show
from rowlift.web.pages.stepwise import stepwise
from rowlift.web.pages.words import part
from rowlift.web.problems import Problem, problem
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door

router = APIRouter()

TABLES = 200  # on one page; a search finds the others
REQUESTS = 50

Name = Annotated[str, Path(max_length=200)]
Search = Annotated[str, Query(max_length=200)]


def _kind(request: Request) -> str:
    return "source" if "/source" in request.scope["route"].path else "destination"


Kind = Annotated[str, Depends(_kind)]


@dataclass(frozen=True, slots=True)
class Line:
    """One connection of a list; `title` is what its type is called."""

    connection: ConnectionReport
    title: str


@dataclass(frozen=True, slots=True)
class Connections:
    """The connections that meet the search, of `all` that there are."""

    kind: str
    items: Sequence[Line]
    all: int
    q: str
    addresses: Addresses


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection, what its type can do, and what is wrong with what was asked of it.

    `findings` are those of its last test in the words of its form, if it is changed with one.
    """

    kind: str
    connection: ConnectionReport
    title: str
    type: KindReport | None
    addresses: Addresses
    findings: Sequence[Finding] = ()
    problem: Problem | None = None
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of one schema."""

    name: str
    tables: Sequence[Table]


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables of a source that meet the search, the first of `found` ones."""

    connection: ConnectionReport
    title: str
    as_of: float | None
    schemas: Sequence[Schema]
    found: int
    all: int
    q: str
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Requests:
    """The last requests to a destination and their replies, the newest first."""

    connection: ConnectionReport
    title: str
    items: Sequence[ExchangeReport]
    values: bool


@dataclass(frozen=True, slots=True)
class Message:
    """A destination's test message: what it would be, and what became of one."""

    connection: ConnectionReport
    title: str
    sample: SampleMessage | None
    sent: SentMessage | None = None
    problem: Problem | None = None


@router.get("/sources", **door("connections.list", Right.READ))
@router.get("/destinations", **door("connections.list", Right.READ))
def connections(
    request: Request, kind: Kind, project: Ours, caller: Asking, q: Search = ""
) -> Response:
    """List connections with what their last tests found and what uses them."""
    found = [
        Line(one, title(kind, one.type))
        for one in project.connections.list(kind, whole=may_edit(caller))
    ]
    kept = [one for one in found if _meets(one, q.casefold())]
    page = Connections(kind, kept, len(found), q, project.addresses())
    return show(request, "connections.html", page)


@router.get("/sources/{name}", **door("connections.get", Right.READ))
@router.get("/destinations/{name}", **door("connections.get", Right.READ))
def connection(name: Name, request: Request, kind: Kind, project: Ours, caller: Asking) -> Response:
    """Show one connection."""
    return show(request, "connection.html", _page(kind, name, project, caller))


@router.post("/sources/{name}/test", dependencies=ASKING, **door("connections.test", Right.EDIT))
@router.post(
    "/destinations/{name}/test", dependencies=ASKING, **door("connections.test", Right.EDIT)
)
def test(name: Name, request: Request, kind: Kind, project: Ours, caller: Asking) -> Response:
    """Test a connection step by step; at most ten times a minute."""
    form = _form(project.connections.get(kind, name))
    try:
        request.app.state.tests.take(caller.name)
    except AccessError as error:
        page = _page(kind, name, project, caller, error)
        return show(request, "connection.html", page, problem(error).status)

    def work(hear: Hear) -> Response:
        project.connections.test(
            kind, name, discreet=True, hear=lambda one: hear(labelled(form, one))
        )
        return onward(f"/{kind}s/{part(name)}?said=tested")

    return stepwise(request, work)


@router.get("/sources/{name}/delete", **door("connections.get", Right.EDIT))
@router.get("/destinations/{name}/delete", **door("connections.get", Right.EDIT))
def before_delete(
    name: Name, request: Request, kind: Kind, project: Ours, caller: Asking
) -> Response:
    """Ask whether a connection shall go, and say what stays."""
    return show(request, "connection_delete.html", _page(kind, name, project, caller))


@router.post("/sources/{name}/delete", **door("definitions.archive", Right.EDIT))
@router.post("/destinations/{name}/delete", **door("definitions.archive", Right.EDIT))
def delete(
    name: Name, request: Request, kind: Kind, project: Ours, caller: Asking, filled: Filled
) -> Response:
    """Take a connection out of use, if its name was typed."""
    before = project.definitions.get(kind, name)
    try:
        _require_typed(filled.get("name", ""), name)
        expected = version_in(filled.get("version", str(before.version)))
        project.definitions.by(caller.name, "ui").archive(kind, name, expected=expected)
    except RowliftError as error:
        page = _page(kind, name, project, caller, error)
        return show(request, "connection_delete.html", page, problem(error).status)
    project.access.audit.note(caller, f"{kind}.archive", name, before=covered(before).document)
    return onward(f"/{kind}s?said=disconnected")


@router.get("/sources/{name}/tables", dependencies=ASKING, **door("catalog", Right.READ))
def tables(name: Name, request: Request, project: Ours, caller: Asking, q: Search = "") -> Response:
    """Show the schemas, tables and columns that a source lets us read."""
    return _tables(request, project, caller, name, q)


@router.post("/sources/{name}/tables", dependencies=ASKING, **door("catalog", Right.EDIT))
def refresh(
    name: Name, request: Request, project: Ours, caller: Asking, filled: Filled
) -> Response:
    """Ask a source for its tables anew."""
    try:
        project.catalog(name, refresh=True)
    except RowliftError:
        return _tables(request, project, caller, name, "")
    q = filled.get("q", "")[:200]
    return onward(f"/sources/{part(name)}/tables?said=refreshed" + (f"&q={part(q)}" if q else ""))


@router.get("/destinations/{name}/requests", **door("watch.requests", Right.READ))
def requests(name: Name, request: Request, project: Ours, caller: Asking) -> Response:
    """Show the last requests to a destination and what it answered, without secrets."""
    values = Right.VALUES in caller.rights
    one = project.connections.get("destination", name, whole=may_edit(caller))
    found: Sequence[ExchangeReport] = ()
    with suppress(ConfigError):  # one that is left out, because it is wrong, was sent nothing
        found = project.watch.requests(name, REQUESTS, values=values, whole=may_edit(caller))[::-1]
    page = Requests(one, title("destination", one.type), found, values)
    return show(request, "requests.html", page)


@router.get("/destinations/{name}/message", **door("connections.message", Right.READ))
def before_message(name: Name, request: Request, project: Ours, caller: Asking) -> Response:
    """Show what a test message would be, or why none is sent."""
    return _message(request, project, caller, name)


@router.post(
    "/destinations/{name}/message",
    dependencies=ASKING,
    **door("connections.send_message", Right.EDIT),
)
def message(name: Name, request: Request, project: Ours, caller: Asking) -> Response:
    """Send a test message, and show request and reply; at most ten times a minute."""
    values = Right.VALUES in caller.rights
    try:
        request.app.state.tests.take(caller.name)
        sent = project.connections.send_message(name, discreet=True, values=values)
    except RowliftError as error:
        return _message(request, project, caller, name, error=error)
    project.access.audit.note(caller, "destination.message", name)
    return _message(request, project, caller, name, sent=sent)


def _message(
    request: Request, project: Project, caller: Caller, name: str, *,
    sent: SentMessage | None = None, error: RowliftError | None = None,
) -> Response:  # fmt: skip
    one = project.connections.get("destination", name, whole=may_edit(caller))
    sample, status = sent.message if sent else None, problem(error).status if error else 200
    try:
        sample = sample or project.connections.message(name)
    except RowliftError as wrong:  # there is no test message to this one: the page says why
        error = error or wrong
    told = problem(error) if error else None
    page = Message(one, title("destination", one.type), sample, sent, told)
    return show(request, "message.html", page, status)


def may_edit(caller: Caller) -> bool:
    """Tell whether somebody may see the paths of addresses."""
    return Right.EDIT in caller.rights


def _page(
    kind: str, name: str, project: Project, caller: Caller, error: RowliftError | None = None
) -> Connection:
    one = project.connections.get(kind, name, whole=may_edit(caller))
    types = [each for each in project.connections.kinds(kind) if each.type == one.type]
    found = [labelled(_form(one), each) for each in one.tested.findings] if one.tested else ()
    return Connection(
        kind, one, title(kind, one.type), types[0] if types else None, project.addresses(),
        found, problem(error) if error else None,
    )  # fmt: skip


def _form(one: ConnectionReport) -> type[BaseModel] | None:
    """Return the class of a connection's form; one of files has none."""
    known = KINDS.of(ROLES[one.definition.kind])
    return None if one.definition.managed == "files" else known.get(one.type)


def _meets(line: Line, q: str) -> bool:
    one = line.connection
    told = (one.name, line.title, one.type, one.place, *one.syncs)
    return any(q in each.casefold() for each in told)


def _require_typed(typed: str, name: str) -> None:
    if typed.strip() != name:
        text = "The name that was typed is another one, so nothing was changed."
        raise ConfigError("VALUE_WRONG", text, mend=f"Type {name}.")


def _tables(request: Request, project: Project, caller: Caller, name: str, q: str) -> Response:
    one = project.connections.get("source", name, whole=may_edit(caller))
    told: Mapping[str, Any] = {"connection": one, "title": title("source", one.type), "q": q}
    try:
        known = project.catalog(name)
    except RowliftError as error:
        wrong = problem(error)
        page = Tables(**told, as_of=None, schemas=(), found=0, all=0, problem=wrong)
        return show(request, "source_tables.html", page, wrong.status)
    kept = [_narrowed(one, q) for one in known.tables if _has(one, q)]
    kept.sort(key=lambda one: (one.schema, one.name))
    by_schema = groupby(kept[:TABLES], key=lambda one: one.schema)
    schemas = [Schema(schema, list(each)) for schema, each in by_schema]
    page = Tables(
        **told, as_of=known.as_of, schemas=schemas, found=len(kept), all=len(known.tables)
    )
    return show(request, "source_tables.html", page)


def _has(table: Table, q: str) -> bool:
    words = q.casefold().split()
    names = f"{table.schema}.{table.name} {' '.join(one.name for one in table.columns)}".casefold()
    return all(word in names for word in words)


def _narrowed(table: Table, q: str) -> Table:
    """Return a table with the columns that were searched for first."""
    words = q.casefold().split()
    if not words:
        return table
    columns = sorted(
        table.columns, key=lambda one: not any(word in one.name.casefold() for word in words)
    )
    return Table(table.schema, table.name, tuple(columns), table.rows_estimate)
