"""The base of every connector's configuration class."""

from pydantic import BaseModel, ConfigDict


class ConnectorConfig(BaseModel):
    """Fields are at once the YAML keys, the JSON Schema, the form and the reference page.

    Secrets are SecretStr; every field carries a description.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
