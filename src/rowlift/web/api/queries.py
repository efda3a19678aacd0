"""What helps to a query before there is a sync: templates, a table's first rows, SQL written."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from rowlift.core.rights import Right
from rowlift.core.specs import IdentifyBy
from rowlift.kit.sqlwriting import Comparison
from rowlift.operations.offering import Offer, Template
from rowlift.operations.querying import QueryChoices, TableSample, Wish
from rowlift.web.bodies import Body
from rowlift.web.paging import Page, whole
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(tags=["queries"])

Name = Annotated[str, Path(max_length=200, description="The source's name.")]
Named = Annotated[str, Path(max_length=200, description="The template's name.")]
Part = Annotated[str, Query(max_length=300)]
Of = Annotated[str, Query(max_length=200, description="The source that shall be asked.")]
Layout = Annotated[str, Query(max_length=100, description="The loader whose tables are meant.")]
Places = Annotated[
    Sequence[Part],
    Query(
        alias="set",
        max_length=100,
        description="What stands for a table or column, as `amount=total`.",
    ),
]


class TableWish(Body):
    """Which columns and rows of a table are wanted, and which column tells who each row is of."""

    table_schema: str = Field("", max_length=300, examples=["shop"])
    table: str = Field(max_length=300, examples=["users"])
    columns: list[str] = Field(max_length=300, examples=[["plan", "country"]])
    key: str = Field(max_length=300, examples=["id"])
    identify_by: IdentifyBy = "user_id"
    column: str = Field("", max_length=300, description="What the rows are filtered by.")
    comparison: Comparison = "is"
    value: str = Field("", max_length=1000)


class Sql(BaseModel):
    """A query."""

    sql: str


@router.get("/queries/choices", **door("queries.choices", Right.READ))
def choices(project: Ours) -> QueryChoices:
    """List the sources that queries can ask, with their dialects, and what identifies people."""
    return project.queries.choices()


@router.get("/templates", **door("queries.templates", Right.READ))
def templates(project: Ours, source: Of = "") -> Page[Offer]:
    """List queries to begin with; of a source those first whose tables it is known to have.

    Its catalogue tells; `GET /sources/{name}/catalog` asks for it.
    """
    return whole(project.queries.templates(source))


@router.get("/templates/{name}", **door("queries.template", Right.READ))
def template(
    name: Named, project: Ours, source: Of = "", layout: Layout = "", places: Places = ()
) -> Template:
    """Show a template in a source's dialect, on tables that it has or that are set.

    Without a source it is in PostgreSQL's words.
    """
    settings = dict(map(_setting, places))
    return project.queries.template(name, source, layout=layout, settings=settings)


def _setting(text: str) -> tuple[str, str]:
    place, _, name = text.partition("=")
    return place, name


@router.get("/sources/{name}/sample", dependencies=ASKING, **door("queries.sample", Right.EDIT))
def sample(
    name: Name, project: Ours, caller: Asking, table: Part, table_schema: Part = ""
) -> TableSample:
    """Show a table's first rows."""
    caller.require(Right.VALUES)
    return project.queries.sample(name, table_schema, table)


@router.post("/sources/{name}/compose", dependencies=ASKING, **door("queries.compose", Right.EDIT))
def compose(name: Name, body: TableWish, project: Ours) -> Sql:
    """Write the query of some columns of a table."""
    told = body.model_dump()
    return Sql(sql=project.queries.compose(name, Wish(schema=told.pop("table_schema"), **told)))
