"""Newcomers: due rows that can only be new people, planned as they come.

Where nobody is known yet, a row makes a person if no other row of the run shares an identifier with
it. Most rows of a first import are such: they need no join, and their plan no sort. The others,
`disputed`, go the way of all rows, through identity.py; neither has a say in what becomes of the
other.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from rowlift.core.nouns import Kind, Mode
from rowlift.core.specs import SyncSpec
from rowlift.engine.duck import Duck
from rowlift.engine.known import USUAL_EMAIL, judge_emails, named
from rowlift.engine.laying import apart
from rowlift.workspace.identifiers import anybody

# Numbers stand for texts, as grouping a million texts would hold them all.
_GLANCE = """
CREATE OR REPLACE TEMP TABLE apply_glance AS
SELECT hash(key) AS hashed_key,
    op = 'upsert' AND patch IS NOT NULL AND NOT contains(patch, ':null')
        AND coalesce({usual}, TRUE) AS is_plain,
    CASE WHEN id IS NOT NULL THEN hash(id) END AS id,
    CASE WHEN {usual} THEN hash(lower(email)) END AS email_key,
    CASE WHEN NOT {usual} THEN email END AS unusual,
    CASE WHEN anonymous_id IS NOT NULL THEN hash(anonymous_id) END AS anonymous_id
FROM ({named})
"""

_DISPUTED = """
CREATE OR REPLACE TEMP TABLE apply_disputed AS
SELECT hashed_key FROM apply_glance
WHERE NOT is_plain OR email_key IN (SELECT hash(email_key) FROM apply_unusual)
    OR {first} IN (SELECT {first} FROM apply_glance GROUP BY ALL HAVING count(*) > 1)
    OR {second} IN (SELECT {second} FROM apply_glance GROUP BY ALL HAVING count(*) > 1)
"""

_REST = """
CREATE OR REPLACE TEMP VIEW apply_rest AS
SELECT * FROM {due} WHERE hash(key) IN (SELECT hashed_key FROM apply_disputed)
"""

_PLAN = """
SELECT 'person' AS kind, (number // {slice_rows})::INTEGER AS slice, 'create' AS action,
    {first} + number AS pid, id, email, {email_key} AS email_key, anonymous_id,
    patch AS attributes, '[]' AS origins, NULL::BIGINT AS revision, TRUE AS takes,
    FALSE AS release, FALSE AS attached, key, version, op, fp, present, row_number,
    '' AS code, '' AS reason
FROM (
    SELECT *, row_number() OVER () - 1 AS number FROM ({named})
    WHERE hash(key) NOT IN (SELECT hashed_key FROM apply_disputed)
)
UNION ALL BY NAME
SELECT * REPLACE (CASE WHEN slice < 0 THEN slice ELSE slice + {slices} END AS slice) FROM ({others})
"""

_SECONDS = {"user_id": ("email_key", "anonymous_id"), "email": ("id", "anonymous_id")}


@dataclass(frozen=True, slots=True)
class Newcomers:
    """How many there are; the view `apply_rest` has the other due rows."""

    count: int
    identify_by: str
    due: str

    def plan(self, first: int, slice_rows: int, *, others: str) -> str:
        """Return the query of their plan, in the order they came, and then that of the others."""
        return _PLAN.format(
            first=first,
            slice_rows=slice_rows,
            slices=self.count // slice_rows + 1,
            others=others,
            email_key="key" if self.identify_by == "email" else "lower(email)",
            named=named(self.identify_by, apart(self.identify_by, self.due)),
        )


def find_newcomers(
    duck: Duck, connection: sa.Connection, workspace_id: int, spec: SyncSpec, due: str
) -> Newcomers | None:
    """Find the due rows that can only be new people; None where they are not looked for."""
    by = spec.identify_by
    looked_for = spec.kind is Kind.PERSON and by in _SECONDS and spec.mode is not Mode.UPDATE
    if not looked_for or anybody(connection, workspace_id):
        return None
    usual = "NULL" if by == "email" else USUAL_EMAIL
    duck.run(_GLANCE.format(usual=usual, named=named(by, apart(by, due))))
    judge_emails(duck, "SELECT DISTINCT unusual FROM apply_glance WHERE unusual IS NOT NULL")
    first, second = _SECONDS[by]
    duck.run(_DISPUTED.format(first=first, second=second))
    duck.run(_REST.format(due=due))
    count = duck.count("apply_glance") - duck.count("apply_disputed")
    duck.run("DROP TABLE apply_glance")
    return Newcomers(count, by, due)
