"""Templates as they are offered: in a list, or one with its query written for a source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rowlift.core.nouns import Kind
from rowlift.core.specs import IdentifyBy
from rowlift.kit.sqlplacing import named
from rowlift.kit.sqlwriting import translated
from rowlift.operations.fitting import Fit
from rowlift.operations.templating import Entry, Layout


@dataclass(frozen=True, slots=True)
class Offer:
    """A query to begin with; it `fits` if the source is known to have all it needs.

    `group` is whose tables it reads, `missing` what the source, as far as known, lacks.
    """

    name: str
    title: str
    group: str
    about: str
    kind: Kind
    identify_by: IdentifyBy
    layout: str
    fits: bool
    missing: Sequence[str]


@dataclass(frozen=True, slots=True)
class LayoutNeeds:
    """Which tables and columns a template needs, as one loader lays them out."""

    name: str
    title: str
    tables: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Template(Offer):
    """A query to begin with, whole: its text, what it returns, and what it needs.

    `columns` gives the type of each column of the result; `sample` shows rows of it, in which a
    time may be told as "N days ago". `placeholders` are its tables and their columns, with what
    stands for each.
    """

    sql: str
    columns: Mapping[str, str]
    sample: Sequence[Sequence[Any]]
    placeholders: Mapping[str, str]
    layouts: Sequence[LayoutNeeds]


def offer(entry: Entry, fit: Fit, *, fits: bool) -> Offer:
    """Return a template as it stands in a list; without a catalogue none `fits`."""
    return Offer(**_offered(entry, fit, fits=fits))


def written(entry: Entry, fit: Fit, dialect: str, *, fits: bool) -> Template:
    """Return a template with its query in a dialect."""
    return Template(
        **_offered(entry, fit, fits=fits),
        sql=translated(fit.sql(entry, dialect), dialect).strip(),
        columns=entry.columns,
        sample=entry.sample,
        placeholders=fit.places,
        layouts=[_needs(entry, one) for one in entry.layouts],
    )


def _offered(entry: Entry, fit: Fit, *, fits: bool) -> dict[str, Any]:
    return {
        "name": entry.name,
        "title": entry.title,
        "group": entry.shelf.title,
        "about": entry.about,
        "kind": entry.kind,
        "identify_by": entry.identify_by,
        "layout": fit.layout.name,
        "fits": fits and not fit.missing,
        "missing": fit.missing,
    }


def _needs(entry: Entry, layout: Layout) -> LayoutNeeds:
    tables = {}
    for table, read in entry.reads.items():
        naming = layout.tables[table]
        columns = [column for name in read for column in named(naming.columns[name][0])]
        name = f"{entry.shelf.schema}.{naming.tables[0]}"
        tables[name] = [*columns, naming.latest] if naming.latest else columns
    return LayoutNeeds(layout.name, layout.title, tables)
