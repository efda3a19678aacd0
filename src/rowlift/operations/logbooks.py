"""Which warehouse the logs of runs are written to, and whether they could be."""

from hashlib import sha256

from rowlift.operations.home import Home

URL, SCHEMA = "ROWLIFT_WRITE_BACK_URL", "ROWLIFT_WRITE_BACK_SCHEMA"
_FAILED = "write_back_failed"


def is_asked_for(home: Home) -> bool:
    """Tell whether a warehouse is named."""
    return bool(home.env.get(URL))


def failure(home: Home) -> str:
    """Return the code of why the last attempt failed; nothing where it did not, or none is due."""
    return home.store.recall(key_of(home, _FAILED)) if is_asked_for(home) else ""


def remember_failure(home: Home, code: str) -> None:
    """Keep the code of why an attempt failed, or that it did not, with an empty one."""
    if is_asked_for(home) and failure(home) != code:
        home.store.remember(key_of(home, _FAILED), code)


def key_of(home: Home, what: str) -> str:
    """Return under which key something is remembered of the schema that is written to."""
    place = f"{home.env.get(URL, '')} {home.env.get(SCHEMA, 'rowlift')}"
    return f"{what}:{home.workspace_id}:{sha256(place.encode()).hexdigest()[:16]}"
