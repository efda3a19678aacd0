"""The SQL studio: a query written or picked, looked at before there is a sync, and made one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from rowlift.core.errors import ConfigError, RowliftError
from rowlift.core.nouns import Preset
from rowlift.core.rights import Right
from rowlift.core.specs import IdentifyBy
from rowlift.engine.preview import Preview
from rowlift.kit.sqlwriting import Comparison
from rowlift.operations.offering import Offer, Template
from rowlift.operations.project import Project
from rowlift.operations.querying import QueryChoices, TableSample, Wish
from rowlift.project.presets import PRESETS
from rowlift.web.pages.forms import onward
from rowlift.web.pages.places import Wrong, wrong
from rowlift.web.pages.render import Frame, show, text
from rowlift.web.pages.stepwise import told_early
from rowlift.web.pages.words import part, query
from rowlift.web.problems import status
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/queries/new")

Rules = Literal["traits", "import"]
Given = Annotated[str, Query(max_length=300)]
TABLES = 200  # that are listed at once
AT = "at."  # before the placeholder of a template, in the name of its field
KINDS: Mapping[IdentifyBy, str] = {"group_id": "account", "object_id": "object"}


class Asked(BaseModel):
    """What stands in the form: a source, what each row is of, by which rules, and the query."""

    source: str = Field("", max_length=300)
    by: IdentifyBy = "user_id"
    rules: Rules = "traits"
    sql: str = Field("", max_length=500_000)

    @property
    def document(self) -> dict[str, Any]:
        """Return what a sync's file would hold."""
        return {
            "preset": self.rules,
            "kind": KINDS.get(self.by, "person"),
            "source": self.source,
            "identify_by": self.by,
            "sql": self.sql,
        }

    @property
    def address(self) -> str:
        """Return where the studio shows this query."""
        told = {"source": self.source, "by": self.by, "rules": self.rules, "sql": self.sql}
        return f"/queries/new{query(told)}"


class Made(Asked):
    """A query that becomes a sync: its name, where it goes, and how often."""

    name: str = Field("", max_length=200)
    destinations: list[str] = Field([], max_length=100)
    every: int = Field(12, ge=1, le=10_000)
    unit: Literal["m", "h", "d"] = "h"
    start_at: str = Field("", max_length=40)
    new_people: bool = False  # hardly any of them is known, and that is right

    @property
    def document(self) -> dict[str, Any]:
        """Return what the sync's file would hold."""
        guards = {"guards": {"unknown": "off"}} if self.new_people else {}
        start = {"start_at": self.start_at} if self.start_at else {}
        return {
            **super().document,
            **guards,
            "schedule": {"every": f"{self.every}{self.unit}", **start},
            "destinations": [{"use": one, "match": self.by} for one in self.destinations],
        }


class Picked(BaseModel):
    """What was picked of a table."""

    source: str = Field("", max_length=300)
    table_schema: str = Field("", max_length=300, alias="schema")
    table: str = Field("", max_length=300)
    columns: list[str] = Field([], max_length=300)
    key: str = Field("", max_length=300)
    by: IdentifyBy = "user_id"
    column: str = Field("", max_length=300)
    comparison: Comparison = "is"
    value: str = Field("", max_length=1000)

    @property
    def wish(self) -> Wish:
        """Return it as the operation that writes the query takes it."""
        return Wish(
            self.table_schema, self.table, self.columns, self.key, self.by, self.column,
            self.comparison, self.value,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Begun:
    """The template that the query begins with, and what was said of where its tables are."""

    template: Template
    places: Mapping[str, str]
    wrong: Sequence[Wrong] = ()


@dataclass(frozen=True, slots=True)
class Studio:
    """The studio with a query, what there is to choose, and what the last look at it gave."""

    asked: Asked
    choices: QueryChoices
    templates: Sequence[Offer]
    begun: Begun | None = None
    destinations: Sequence[str] = ()
    preview: Preview | None = None
    is_counting: bool = False
    seconds: float = 0.0
    wrong: Sequence[Wrong] = ()
    name: str = ""

    @property
    def dialect(self) -> str:
        """Return the dialect of the chosen source."""
        found = (one.dialect for one in self.choices.sources if one.name == self.asked.source)
        return next(found, "")


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a source that meet a search, of `all` that it shows; why not, if it cannot."""

    source: str
    q: str
    all: int
    schemas: Mapping[str, Sequence[Any]]
    shown: int
    wrong: Sequence[Wrong] = ()


@dataclass(frozen=True, slots=True)
class Picking:
    """A table whose columns are picked; what was picked already, and what is wrong with it."""

    table: TableSample
    wish: Wish | None = None
    wrong: Sequence[Wrong] = ()


@router.get("", **door("queries.choices", Right.EDIT))
def studio(
    request: Request,
    project: Ours,
    source: Given = "",
    by: IdentifyBy | None = None,
    rules: Rules = "traits",
    template: Given = "",
    sql: Annotated[str, Query(max_length=20_000)] = "",
) -> Response:
    """Show the studio: empty, with a template, or with the query of the address."""
    choices = project.queries.choices()
    names = [one.name for one in choices.sources]
    source = source or next(iter(names), "")
    begun = _begun(project, template, source, _places(request)) if source and template else None
    key = by or (begun.template.identify_by if begun else _usual(choices))
    asked = Asked(source=source, by=key, rules=rules, sql=begun.template.sql if begun else sql)
    page = _studio(project, asked, choices, begun=begun, wrong=begun.wrong if begun else ())
    return show(request, "studio.html", page)


@router.post("", dependencies=ASKING, **door("definitions.preview", Right.EDIT))
def preview(
    request: Request, project: Ours, caller: Asking, asked: Annotated[Asked, Form()]
) -> Response:
    """Preview the query, its first rows as soon as they are there; what is wrong is beside it."""
    caller.require(Right.VALUES)
    began = perf_counter()

    def looked(seen: Preview, *, is_counting: bool = False) -> Studio:
        took = perf_counter() - began
        return _studio(project, asked, preview=seen, seconds=took, is_counting=is_counting)

    def work(hear: Callable[[Preview], None]) -> Response:
        try:
            seen = project.definitions.preview(asked.document, on_sample=hear)
        except RowliftError as error:
            page = _studio(project, asked, wrong=wrong(error, asked.sql))
            return show(request, "studio.html", page, status(error))
        return show(request, "studio.html", looked(seen))

    def draw(first: Preview) -> str:
        page = looked(first, is_counting=first.key is not None)
        return text("looked.html", page=page, frame=Frame.of(request))

    return told_early(request, work, draw)


@router.post("/sync", dependencies=ASKING, **door("definitions.create", Right.EDIT))
def create(
    request: Request, project: Ours, caller: Asking, asked: Annotated[Made, Form()]
) -> Response:
    """Make the query a sync; a trait is previewed once more, and refused if it stops."""
    definitions = project.definitions.by(caller.name, "ui")
    try:
        made = definitions.create("sync", asked.name, asked.document)
    except RowliftError as error:
        page = _studio(project, asked, wrong=wrong(error, asked.sql), name=asked.name)
        return show(request, "studio.html", page, status(error))
    project.access.audit.note(caller, "sync.create", made.name, before={}, after=made.document)
    return onward(f"/syncs/{part(made.name)}?said=sync-made")


@router.get("/tables", dependencies=ASKING, **door("catalog", Right.EDIT))
def tables(request: Request, project: Ours, source: Given, q: Given = "") -> Response:
    """Show what a source has to select from."""
    try:
        found = project.catalog(source).tables
    except RowliftError as error:
        page = Tables(source, q, 0, {}, 0, wrong(error, ""))
        return show(request, "tables.html", page, status(error))
    kept = [one for one in found if _meets(one, q.casefold())]
    schemas: dict[str, list[Any]] = {}
    for one in kept[:TABLES]:
        schemas.setdefault(one.schema, []).append(one)
    return show(request, "tables.html", Tables(source, q, len(found), schemas, len(kept)))


@router.get("/table", dependencies=ASKING, **door("queries.sample", Right.EDIT))
def table(
    request: Request, project: Ours, caller: Asking, source: Given, table: Given, schema: Given = ""
) -> Response:
    """Show a table's columns with values, to pick from."""
    caller.require(Right.VALUES)
    found = project.queries.sample(source, schema, table)
    return show(request, "table.html", Picking(found))


@router.post("/table", dependencies=ASKING, **door("queries.compose", Right.EDIT))
def compose(
    request: Request, project: Ours, caller: Asking, picked: Annotated[Picked, Form()]
) -> Response:
    """Write the query of what was picked, and show it in the studio."""
    caller.require(Right.VALUES)
    try:
        sql = project.queries.compose(picked.source, picked.wish)
    except RowliftError as error:
        sample = project.queries.sample(picked.source, picked.table_schema, picked.table)
        page = Picking(sample, picked.wish, wrong(error, ""))
        return show(request, "table.html", page, status(error))
    rules: Rules = "traits" if len(picked.columns) < PRESETS[Preset.TRAITS].columns else "import"
    asked = Asked(source=picked.source, by=picked.by, rules=rules, sql=sql)
    return onward(asked.address)


def _studio(
    project: Project,
    asked: Asked,
    choices: QueryChoices | None = None,
    **given: Any,
) -> Studio:
    choices = choices or project.queries.choices()
    known = {one.name for one in choices.sources}
    templates = project.queries.templates(asked.source) if asked.source in known else []
    uses = [one.name for one in project.definitions.list("destination")]
    return Studio(asked, choices, templates, destinations=uses, **given)


def _begun(project: Project, name: str, source: str, places: Mapping[str, str]) -> Begun | None:
    """Return a template on the tables that were named, or as it is with what is wrong with them."""
    if name not in {one.name for one in project.queries.templates()}:
        return None
    try:
        return Begun(project.queries.template(name, source, settings=places), places)
    except ConfigError as error:
        return Begun(project.queries.template(name, source), places, wrong(error, ""))


def _places(request: Request) -> dict[str, str]:
    """Return what was said of where a template's tables and columns are: fields `at.PLACE`."""
    told = request.query_params.items()
    return {key.removeprefix(AT): value[:300] for key, value in told if key.startswith(AT)}


def _usual(choices: QueryChoices) -> IdentifyBy:
    return "user_id" if "id" in choices.identifiers else "email"


def _meets(table: Any, q: str) -> bool:
    names = (f"{table.schema}.{table.name}", *(one.name for one in table.columns))
    return any(q in name.casefold() for name in names)
