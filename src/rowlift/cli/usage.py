"""A wrong command line in our words: with a code, and as a document where one is asked for."""

import os
from collections.abc import Sequence
from itertools import pairwise

from typer.exceptions import TyperException

from rowlift.core.errors import ConfigError


def usage_error(error: TyperException) -> ConfigError:
    """Return what Typer says about a command line."""
    said = getattr(error, "format_message", lambda: str(error))()
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "rowlift"
    return ConfigError("USAGE", _sentence(said), mend=f"See {path} --help")


def wants_json(words: Sequence[str]) -> bool:
    """Tell whether a command line asks for a document, even one that cannot be understood."""
    if {"--output=json", "-ojson"} & set(words):
        return True
    if any(one in {"-o", "--output"} and value == "json" for one, value in pairwise(words)):
        return True
    return os.environ.get("ROWLIFT_OUTPUT") == "json"


def _sentence(said: str) -> str:
    text = " ".join(said.split())
    return text if text.endswith((".", "?", "!")) else f"{text}."
