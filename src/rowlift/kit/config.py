"""The base of every connector's configuration class."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from rowlift.core.errors import ConnectError


def _named(value: object) -> object:
    if isinstance(value, str) and (not value or "\0" in value):
        raise ValueError("a file name is not empty and holds no NUL")
    return value


LocalPath = Annotated[Path, BeforeValidator(_named)]
"""A file or folder; a relative one starts at the project's folder."""


class ConnectorConfig(BaseModel):
    """Fields are at once the YAML keys, the JSON Schema, the form and the reference page.

    Secrets are SecretStr; every field carries a description.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class FileMissing(ConnectError):
    """A file that a connection needs cannot be read; nobody was asked anything."""


def demand_files(config: BaseModel, *keys: str) -> None:
    """Raise FileMissing for the first of some keys whose file cannot be read."""
    for key in keys:
        path = getattr(config, key)
        if path and not (os.path.isfile(path) and os.access(path, os.R_OK)):  # noqa: PTH113
            text = f"{key}: there is no file {path} that can be read."
            raise FileMissing("TLS_FAILED", text, mend=f"Check {key}.")
