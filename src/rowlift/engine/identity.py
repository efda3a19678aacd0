"""Who each due row is: identity rules as set operations over the whole run.

Reads `apply_rows` (key, op, id, email, email_key, anonymous_id, bad_email), `apply_people` (pid,
id, email_key), `apply_anonymous` (anonymous_id, pid) and `apply_kept` (pid); makes `apply_decided`,
one row per due row, and `apply_merged`. A stranger is somebody known by anonymous ids only, whom a
row names beside an id or an address. The order of rows and the size of slices have no say in it:

1. Match by the sync's own identifier. People whom this run deletes own nothing any more.
2. A row without a match joins the one person whom its other identifiers find and whose own
   identifier is blank. Known people go before strangers.
3. A row that found somebody else than the stranger it names merges the stranger into them.
4. Rows that break a rule alone are rejected.
5. Rows of those left that claim one value, one person or one stranger, or differ on one person, are
   all rejected.
6. A row may take an address whose owner moves to another one in this run. Where the owner's row was
   rejected, so is the row that wanted its address, along the whole chain; rings of swaps stand.
"""

from dataclasses import dataclass

from rowlift.core.nouns import Mode
from rowlift.core.specs import SyncSpec
from rowlift.engine.duck import Duck, text


@dataclass(frozen=True, slots=True)
class _Identifier:
    column: str  # of apply_rows
    owner: str
    taken: str
    immutable: str


_ID = _Identifier("id", "id_owner", "ID_TAKEN", "ID_IMMUTABLE")
_EMAIL = _Identifier("email_key", "email_owner", "EMAIL_TAKEN", "EMAIL_IMMUTABLE")
_ANONYMOUS = _Identifier("anonymous_id", "anonymous_owner", "ANONYMOUS_ID_TAKEN", "")

_PRIMARY = {"user_id": _ID, "email": _EMAIL, "anonymous_id": _ANONYMOUS}


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides for one sync in one workspace."""

    primary: _Identifier
    mode: Mode
    attach: bool
    moves: bool  # a row may give its person another address

    @property
    def seconds(self) -> tuple[_Identifier, _Identifier]:
        """Return the two identifiers the sync does not match by."""
        first, second = (each for each in (_ID, _EMAIL, _ANONYMOUS) if each is not self.primary)
        return first, second


def rules(spec: SyncSpec, *, allow_email_change_by_id: bool) -> Rules:
    """Return the rules of a sync that writes people."""
    return Rules(
        primary=_PRIMARY[spec.identify_by],
        mode=spec.mode,
        attach=spec.second_identifier == "attach",
        moves=allow_email_change_by_id and spec.identify_by == "user_id",
    )


def match_people(duck: Duck, by: Rules) -> None:
    """Create `apply_match`: whom each identifier of a row names."""
    duck.run(_MATCH.format(primary=by.primary.owner))


def decide_people(duck: Duck, by: Rules) -> None:
    """Create `apply_decided` of `apply_match` and `apply_kept`, and what goes with it.

    In `apply_edges` key takes the address that next gives up; `apply_merged` has the strangers by
    the person into whom they are merged.
    """
    duck.run(_deleted(by))
    duck.run(_targets(by))
    duck.run(_decided(by))
    for table in ("apply_match", "apply_target", "apply_rows"):
        duck.run(f"DROP TABLE {table}")
    _reject_fights(duck, by)
    duck.run(_EDGES)
    _reject_broken_chains(duck)
    duck.run(_MERGED)


_MATCH = """
CREATE OR REPLACE TEMP TABLE apply_match AS
SELECT r.*, i.pid AS id_owner, e.pid AS email_owner, a.pid AS anonymous_owner,
    {primary} AS matched, CASE WHEN r.op = 'upsert' AND a.is_stranger
        AND (r.id IS NOT NULL OR r.email_key IS NOT NULL) THEN a.pid END AS stranger
FROM apply_rows r
LEFT JOIN apply_people i ON i.id = r.id
LEFT JOIN apply_people e ON e.email_key = r.email_key
LEFT JOIN (
    SELECT n.anonymous_id, n.pid, p.id IS NULL AND p.email_key IS NULL AS is_stranger
    FROM apply_anonymous n JOIN apply_people p ON p.pid = n.pid
) a ON a.anonymous_id = r.anonymous_id
"""


def _deleted(by: Rules) -> str:
    """People whom this run deletes: those that no other row of it names, nor others keep."""
    named = ["matched"]
    if by.primary is _ANONYMOUS:
        named += [each.owner for each in by.seconds]
    kept = " UNION ALL ".join(
        f"SELECT {owner} FROM apply_match WHERE op = 'upsert' AND {owner} IS NOT NULL"
        for owner in named
    )
    return f"""
CREATE OR REPLACE TEMP TABLE apply_deleted AS
SELECT DISTINCT matched AS pid FROM apply_match
WHERE op = 'delete' AND matched IS NOT NULL AND matched NOT IN ({kept})
    AND matched NOT IN (FROM apply_kept)
"""


def _targets(by: Rules) -> str:
    """Each row's person: the matched one, or the one it may join."""
    first, second = by.seconds
    owners = ", ".join(
        f"CASE WHEN {each.owner} NOT IN (SELECT pid FROM apply_deleted) THEN {each.owner} END"
        f" AS {each.owner}"
        for each in by.seconds
    )
    blank = "TRUE" if by.primary is _ANONYMOUS else "{alias}." + by.primary.column + " IS NULL"
    return f"""
CREATE OR REPLACE TEMP TABLE apply_target AS
WITH live AS (
    SELECT * REPLACE ({owners}) FROM apply_match
),
blank AS (
    SELECT l.*, CASE WHEN matched IS DISTINCT FROM stranger THEN matched END AS known,
        CASE WHEN {blank.format(alias="f")} AND l.{first.owner} IS DISTINCT FROM stranger
            THEN l.{first.owner} END AS first_blank,
        CASE WHEN {blank.format(alias="s")} AND l.{second.owner} IS DISTINCT FROM stranger
            THEN l.{second.owner} END AS second_blank
    FROM live l
    LEFT JOIN apply_people f ON f.pid = l.{first.owner}
    LEFT JOIN apply_people s ON s.pid = l.{second.owner}
),
joined AS (
    SELECT *,
        coalesce(op = 'upsert' AND known IS NULL AND first_blank <> second_blank, FALSE)
            AS ambiguous,
        CASE
            WHEN known IS NOT NULL THEN known
            WHEN op = 'upsert' AND (first_blank <> second_blank) IS NOT TRUE
                THEN coalesce(first_blank, second_blank, stranger)
        END AS target
    FROM blank
)
SELECT j.* EXCLUDE (known, first_blank, second_blank),
    t.id AS target_id, t.email_key AS target_email_key,
    CASE WHEN j.target <> j.stranger THEN j.stranger END AS merged,
    j.matched IS NULL AND j.target IS NOT NULL AS attached
FROM joined j LEFT JOIN apply_people t ON t.pid = j.target
"""


def _decided(by: Rules) -> str:
    """Each row alone: skipped, rejected (code, and the other person's pid) or free to go on."""
    steps = [*_skips(by), *_rejects(by)]
    code = " ".join(f"WHEN {condition} THEN {text(code)}" for condition, code, _ in steps)
    other = " ".join(f"WHEN {condition} THEN {pid}" for condition, _, pid in steps)
    return f"""
CREATE OR REPLACE TEMP TABLE apply_decided AS
SELECT * EXCLUDE (ambiguous),
    op = 'upsert' AND anonymous_id IS NOT NULL AND anonymous_owner IS NULL AS new_anonymous,
    CASE WHEN op <> 'upsert' THEN '' {code} ELSE '' END AS code,
    CASE WHEN op <> 'upsert' THEN NULL {other} END::BIGINT AS other,
    NULL::VARCHAR AS rival
FROM apply_target
"""


def _skips(by: Rules) -> list[tuple[str, str, str]]:
    if by.mode is Mode.UPDATE:
        return [("target IS NULL AND NOT ambiguous", "SKIP", "NULL")]
    if by.mode is Mode.CREATE:
        return [("target IS NOT NULL", "SKIP", "NULL")]
    return []


def _rejects(by: Rules) -> list[tuple[str, str, str]]:
    first, second = by.seconds
    found = f"coalesce({first.owner}, {second.owner})"
    steps = [] if by.primary is _EMAIL else [("bad_email", "EMAIL_INVALID", "NULL")]
    steps.append(("ambiguous", "PERSON_AMBIGUOUS", found))
    steps += [
        (_is_taken(each.owner), each.taken, each.owner)
        for each in by.seconds
        if not (each is _EMAIL and by.moves)
    ]
    if not by.attach:
        steps.append(("attached", "IDENTIFIER_MATCHES_OTHER", "target"))
    steps += [
        (f"target_{each.column} <> {each.column}", each.immutable, "target")
        for each in by.seconds
        if each.immutable and not (each is _EMAIL and by.moves)
    ]
    return steps


def _is_taken(owner: str) -> str:
    others = f"{owner} IS DISTINCT FROM target AND {owner} IS DISTINCT FROM merged"
    return f"{owner} IS NOT NULL AND {others}"


def _reject_fights(duck: Duck, by: Rules) -> None:
    first, second = by.seconds
    claims = [_claim(each.column, each.column, text(each.taken)) for each in by.seconds]
    claims.append(_claim("stranger", "stranger", text("MERGE_CONTESTED")))
    if by.primary is not _ANONYMOUS:
        finder = f"CASE WHEN {first.owner} = target THEN '{first.taken}' ELSE '{second.taken}' END"
        claims.append(_claim("person", "CASE WHEN attached THEN target END", finder))
    duck.run(f"CREATE OR REPLACE TEMP VIEW apply_claims AS {' UNION ALL '.join(claims)}")
    duck.run(_FIGHTS)
    if by.primary is _ANONYMOUS:
        for each in by.seconds:
            duck.run(_DIFFERENCES.format(column=each.column, code=each.immutable))
    duck.run(_REJECT_FIGHTS)


def _claim(kind: str, value: str, code: str) -> str:
    news = {
        "id": "target_id IS NULL",
        "email_key": "target_email_key IS DISTINCT FROM email_key",
        "anonymous_id": "new_anonymous",
        "person": "TRUE",
        "stranger": "TRUE",
    }[kind]
    return f"""
SELECT {text(kind)} AS kind, ({value})::VARCHAR AS value, {code} AS code, key,
    coalesce('p' || target, 'k' || key) AS claimant
FROM apply_decided WHERE op = 'upsert' AND code = '' AND ({value}) IS NOT NULL AND {news}
"""


# Two rows that join one person fight for it even though the person is one claimant.
_FIGHTS = """
CREATE OR REPLACE TEMP TABLE apply_fights AS
WITH contested AS (
    SELECT kind, value FROM apply_claims GROUP BY kind, value HAVING count(*) > 1
),
fought AS (
    SELECT c.* FROM apply_claims c JOIN contested USING (kind, value)
),
several AS (
    SELECT kind, value, min(key) AS least, max(key) AS most FROM fought GROUP BY kind, value
    HAVING count(DISTINCT CASE WHEN kind = 'person' THEN key ELSE claimant END) > 1
)
SELECT f.key, f.code, CASE WHEN f.key = s.least THEN s.most ELSE s.least END AS rival
FROM fought f JOIN several s USING (kind, value)
"""

# Several rows of one person, possible only by anonymous id, must agree on its other identifiers.
_DIFFERENCES = """
INSERT INTO apply_fights
WITH wanted AS (
    SELECT key, target, {column} AS value FROM apply_decided
    WHERE op = 'upsert' AND code = '' AND target IS NOT NULL AND {column} IS NOT NULL
),
torn AS (
    SELECT target, min(key) AS least, max(key) AS most FROM wanted
    GROUP BY target HAVING count(DISTINCT value) > 1
)
SELECT key, '{code}', CASE WHEN key = least THEN most ELSE least END
FROM wanted JOIN torn USING (target)
"""

_REJECT_FIGHTS = """
UPDATE apply_decided SET code = f.code, rival = f.rival
FROM (SELECT key, min(code) AS code, min(rival) AS rival FROM apply_fights GROUP BY key) f
WHERE f.key = apply_decided.key
"""

_EDGES = """
CREATE OR REPLACE TEMP TABLE apply_edges AS
WITH takers AS (
    SELECT key, email_owner FROM apply_decided
    WHERE op = 'upsert' AND code = '' AND email_owner IS NOT NULL
        AND email_owner IS DISTINCT FROM target
),
givers AS (
    SELECT key, target FROM apply_decided
    WHERE op = 'upsert' AND code = '' AND target IN (SELECT email_owner FROM takers)
        AND email_key <> target_email_key
)
SELECT t.key, g.key AS next FROM takers t LEFT JOIN givers g ON g.target = t.email_owner
"""

# `next` leaps over twice as many rows in each round; `root` is the farthest row reached.
_LEAP_START = """
CREATE OR REPLACE TEMP TABLE apply_moves AS
SELECT key, next, next IS NULL AS bad, next AS root, key AS least FROM apply_edges
"""
_LEAP = """
CREATE OR REPLACE TEMP TABLE apply_moves AS
SELECT m.key, n.next, m.bad OR coalesce(n.bad, FALSE) AS bad,
    coalesce(n.root, m.root) AS root, least(m.least, n.least) AS least
FROM apply_moves m LEFT JOIN apply_moves n ON n.key = m.next
"""


# As among rows of one person, the last by key goes before the others.
_MERGED = """
CREATE OR REPLACE TEMP TABLE apply_merged AS
SELECT target AS into_pid,
    list(struct_pack(pid := merged, revision := revision) ORDER BY key DESC) AS strangers
FROM (
    SELECT target, merged, max(key) AS key FROM apply_decided
    WHERE merged IS NOT NULL AND code = '' GROUP BY target, merged
) JOIN apply_people ON pid = merged
GROUP BY target
"""


def _reject_broken_chains(duck: Duck) -> None:
    duck.run(_LEAP_START)
    for _ in range(duck.count("apply_edges").bit_length()):
        duck.run(_LEAP)
    duck.run("""
UPDATE apply_decided SET code = 'EMAIL_TAKEN', other = email_owner
WHERE key IN (SELECT key FROM apply_moves WHERE bad)
""")
