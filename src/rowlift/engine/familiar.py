"""Familiar people: rows that find their person and change no identifier, set apart from the rules.

Such a row claims nothing that another row could want: neither has a say in what becomes of the
other. Most rows of a later run are such.
"""

from rowlift.core.nouns import Mode
from rowlift.core.specs import SyncSpec
from rowlift.engine.duck import Duck

OWN = {"user_id": "id", "email": "email_key"}

# ASCII addresses are one where they are in lower case.
_SAME = {
    "user_id": "n.email IS NULL OR coalesce("
    "lower(n.email) = p.email_key AND strlen(n.email) = length(n.email), FALSE)",
    "email": "n.id IS NULL OR coalesce(n.id = p.id, FALSE)",
}
_FAMILIAR = """
CREATE OR REPLACE TEMP TABLE apply_familiar AS
SELECT n.key, n.email, p.pid, p.id, p.email_key
FROM apply_named n JOIN apply_people p ON p.{own} = n.key
WHERE n.op = 'upsert' AND n.anonymous_id IS NULL AND ({same})
"""
_NOBODY = """
CREATE OR REPLACE TEMP TABLE apply_familiar
(key VARCHAR, email VARCHAR, pid BIGINT, id VARCHAR, email_key VARCHAR)
"""
_OTHERS = "DELETE FROM apply_named WHERE key IN (SELECT key FROM apply_familiar)"

_DECISIONS = """
INSERT INTO apply_decisions BY NAME
WITH others AS (
    SELECT count(*) AS rows, coalesce(max(slice), -1) + 1 AS slices FROM apply_decisions
)
SELECT key, 'update' AS action, pid AS target, FALSE AS attached, email, email_key,
    id AS target_id, email_key AS target_email_key, FALSE AS takes, FALSE AS release,
    (slices + number // {slice_rows})::INTEGER AS slice, rows + number AS position, '' AS code
FROM (SELECT *, row_number() OVER (ORDER BY pid) - 1 AS number FROM apply_familiar), others
"""


def set_familiar_apart(duck: Duck, spec: SyncSpec) -> None:
    """Move rows of `apply_named` into `apply_familiar`, with their people of `apply_people`."""
    own = OWN.get(spec.identify_by)
    if own is None or spec.mode is Mode.CREATE:
        duck.run(_NOBODY)
        return
    duck.run(_FAMILIAR.format(own=own, same=_SAME[spec.identify_by]))
    duck.run(_OTHERS)


def decide_familiar(duck: Duck, slice_rows: int) -> None:
    """Add updates of `apply_familiar` to `apply_decisions`, in slices after those of the others.

    They stand in the order of the people's numbers, which is that of the stored records.
    """
    duck.run(_DECISIONS.format(slice_rows=slice_rows))
