"""The measured project: people in a database, and where they go."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOGIN = {"user": "reader", "password": "${READER_PASSWORD}"}
ENV = {"READER_PASSWORD": "reader", "WRITE_KEY": "bench"}
TO_WORKSPACE: Mapping[str, Any] = {"destinations": []}
TO_SEGMENT: Mapping[str, Any] = {
    "workspace": "none",
    "destinations": [{"use": "segment", "match": "user_id"}],
}


def write(
    folder: Path,
    source: Mapping[str, Any],
    syncs: Mapping[str, Mapping[str, Any]],
    sink: str = "",
    destinations: Mapping[str, Any] = {},
) -> None:
    """Write a project folder with one source, its syncs, its destinations, Segment with a sink."""
    (folder / "syncs").mkdir(parents=True, exist_ok=True)
    segment = {
        "type": "segment",
        "write_key": "${WRITE_KEY}",
        "endpoint": f"{sink}/v1",
        "allow_networks": ["127.0.0.0/8"],
    }
    there = {**destinations, **({"segment": segment} if sink else {})}
    profile = {"sources": {"db": source}, "destinations": there}
    documents: dict[str, Any] = {
        "rowlift.yml": {
            "version": 1,
            "workspace": {"name": "bench", "identifiers": ["id", "email"]},
        },
        "connections.yml": {"default": "bench", "profiles": {"bench": profile}},
    }
    for name, sync in syncs.items():
        documents[f"syncs/{name}.yml"] = {
            "sync": name,
            "preset": "import",
            "kind": "person",
            "source": "db",
            "identify_by": "user_id",
            **sync,
        }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, indent=1))
