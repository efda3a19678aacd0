"""The base of every connector's configuration class."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


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
