"""The names of workspaces, profiles, connections and syncs.

Names become parts of paths, of addresses and of metric labels: lower-case letters, digits, - and _,
a letter or digit first, at most 64 characters.
"""

import re

NAME = r"[a-z0-9][a-z0-9_-]{0,63}"


def name(text: object) -> str:
    """Return the name as it is; raises ValueError with a name that would do."""
    if not isinstance(text, str):
        raise ValueError("must be a name, which is text")  # noqa: TRY004
    if re.fullmatch(NAME, text, re.ASCII):
        return text
    near = suggestion(text)
    hint = f', for example "{near}"' if near else ""
    raise ValueError(
        "must be a name: lower-case letters, digits, - and _, "
        f"a letter or digit first, at most 64 characters{hint}"
    )


def suggestion(text: str) -> str:
    """Return the nearest allowed name, or nothing."""
    plain = re.sub(r"[^a-z0-9_-]+", "_", text[:200].lower(), flags=re.ASCII)
    return plain.strip("_-")[:64]
