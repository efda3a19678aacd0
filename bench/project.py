"""The measured project: a million people in PostgreSQL, and where they go."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SEED = """
CREATE TABLE people AS
SELECT 'u' || n AS user_id, 'user' || n || '@example.com' AS email,
    'first' || n % 1000 AS first_name,
    timestamptz '2024-01-01 00:00:00+00' + n * interval '1 second' AS created_at,
    timestamptz '2024-06-01 00:00:00+00' + n * interval '7 seconds' AS updated_at,
    'plan' || n % 4 AS plan, (n / 7.0)::numeric(12, 2) AS ltv, n AS n, n % 2 = 0 AS flag,
    CASE WHEN n % 7 = 0 THEN NULL ELSE n / 3.0::float8 END AS score
FROM generate_series(1, {rows}) AS n;
ANALYZE people;
"""
READER = """
CREATE ROLE rowlift_ro LOGIN PASSWORD 'reader';
GRANT SELECT ON people TO rowlift_ro;
"""
SQL = (
    "SELECT user_id, email, first_name, created_at, updated_at, plan, ltv, n, flag, score"
    " FROM people"
)


def write(folder: Path, source: Mapping[str, Any], sync: Mapping[str, Any], sink: str) -> None:
    """Write a project folder whose one sync is called people."""
    (folder / "syncs").mkdir(parents=True, exist_ok=True)
    segment = {
        "type": "segment",
        "write_key": "${WRITE_KEY}",
        "endpoint": sink,
        "allow_networks": ["127.0.0.0/8"],
    }
    profile = {"sources": {"db": dict(source)}, "destinations": {"segment": segment}}
    documents: dict[str, Any] = {
        "rowlift.yml": {
            "version": 1,
            "workspace": {"name": "bench", "identifiers": ["id", "email"]},
        },
        "connections.yml": {"default": "bench", "profiles": {"bench": profile}},
        "syncs/people.yml": {
            "sync": "people",
            "preset": "import",
            "kind": "person",
            "source": "db",
            "sql": SQL,
            "identify_by": "user_id",
            **sync,
        },
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, indent=1))
