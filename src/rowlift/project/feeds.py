"""A sync of an audience's people as what it stands for: a query on the workspace itself."""

from rowlift.core.audiences import IDENTIFIERS
from rowlift.core.nouns import Kind, Mode, Preset, Removed
from rowlift.core.specs import WORKSPACE_SOURCE
from rowlift.project.documents import Document
from rowlift.project.models import FeedFile, ScheduleFile, SyncFile

EVERY = "1h"
_INSTEAD = ("source", "sql", "query", "workspace", "segment", "relationships", "attributes")
_ONLY = {"kind": Kind.PERSON, "mode": Mode.UPSERT}
_ID = "id AS user_id"
_COLUMNS = {"user_id": _ID, "id": _ID, "email": "email"}


def require_rows(document: Document) -> None:
    """Note that a sync's document says neither where its query runs nor whose people it sends."""
    given = document.value
    if document.is_spoiled(()) or any(given.get(key) for key in ("source", "audience")):
        return
    if not document.is_spoiled(("source",)):
        text = 'The key "source" is missing: where does the query run?'
        document.report("KEY_MISSING", text, mend="Add source: NAME, of connections.yml.")


def expanded(file: SyncFile, document: Document) -> SyncFile:
    """Return a sync with its query written out; what cannot stand beside an audience is noted."""
    feed = file.audience
    if feed is None:
        return file
    given = file.model_fields_set
    for key in _INSTEAD:
        if key in given and (key, file.workspace) != ("workspace", "none"):
            text = f"audience and {key} cannot both be there: the audience's people are the rows."
            document.report("VALUE_WRONG", text, (key,), f"Remove {key}.")
    for key, only in _ONLY.items():
        if getattr(file, key) is not only:
            text = f"{key}: {getattr(file, key)} is not for the people of an audience."
            document.report("VALUE_WRONG", text, (key,), f"Remove {key}.")
    by = file.identify_by or "user_id"
    if by not in _COLUMNS:
        text = f"identify_by: {by} does not identify the people of an audience."
        document.report("VALUE_WRONG", text, ("identify_by",), "Use user_id or email.")
    trait = feed.trait or feed.name
    if trait in feed.attributes:
        text = f"The trait {trait} would be twice in each row: as an attribute too."
        mend = "Give it another name: audience: {name: …, trait: is_inside}"
        document.report("VALUE_WRONG", text, ("audience",), mend)
    policies = {(use.removed or file.removed) is Removed.KEEP for use in file.destinations}
    if len(policies) > 1:
        text = "Where removed is keep a trait says who left, elsewhere they are taken away."
        document.report("VALUE_WRONG", text, ("destinations",), "Make a sync for each kind.")
    usual = {
        "preset": file.preset if "preset" in given else Preset.IMPORT,
        "schedule": file.schedule if "schedule" in given else ScheduleFile(every=EVERY),
    }
    told = {
        "source": WORKSPACE_SOURCE, "workspace": "none", "kind": Kind.PERSON,
        "identify_by": "email" if by == "email" else "user_id",
    }  # fmt: skip
    sql = query(feed, trait, by, former=True in policies)
    return file.model_copy(update={**usual, **told, "sql": sql})


def query(feed: FeedFile, trait: str, by: str, *, former: bool) -> str:
    """Return the query for the people of a segment, and for those who were in it until lately.

    Without the latter, whoever left has left the result.
    """
    key = _COLUMNS.get(by, _ID)
    columns = [key, *(_column(one) for one in feed.attributes if one != by)]
    halves = [
        f"SELECT {', '.join([*columns, f'{inside} AS {_name(trait)}'])}\n"
        f"FROM {schema}.{_name(feed.name)}"
        for schema, inside in (("members", "true"), ("former", "false"))[: 2 if former else 1]
    ]
    return "\nUNION ALL\n".join(halves)


def _column(attribute: str) -> str:
    if attribute in IDENTIFIERS:
        return attribute
    pointer = "/" + attribute.replace("~", "~0").replace("/", "~1").replace("'", "''")
    return f"json_extract(attributes, '{pointer}') AS {_name(attribute)}"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
