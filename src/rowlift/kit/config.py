"""The base of every connector's configuration class."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

_Config = TypeVar("_Config", bound=BaseModel)

FILE_KEYS = (
    "path", "root", "ssl_ca", "ssl_cert", "ssl_key", "sslcert", "sslkey", "sslrootcert",
)  # fmt: skip


class ConnectorConfig(BaseModel):
    """Fields are at once the YAML keys, the JSON Schema, the form and the reference page.

    Secrets are SecretStr; every field carries a description.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def below(folder: Path, config: _Config) -> _Config:
    """Return a configuration whose file names given as texts start at the project's folder.

    Fields of type Path do so already when references are replaced.
    """
    held = {name: getattr(config, name, None) for name in FILE_KEYS}
    texts = {name: value for name, value in held.items() if isinstance(value, str)}
    started = {name: str(folder / Path(value).expanduser()) for name, value in texts.items()}
    return config.model_copy(update=started)
