"""What a source of Redshift may say of the AWS identity that reads it."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from rowlift.kit.config import ConnectorConfig
from rowlift.kit.pgconfig import Secret, Text


class IamConfig(ConnectorConfig):
    """An AWS identity that asks for a temporary password; without keys, that of the machine."""

    cluster_identifier: Text | None = Field(default=None, description="A provisioned cluster")
    workgroup: Text | None = Field(default=None, description="A serverless workgroup")
    region: Text = Field(description="AWS region, like eu-central-1")
    access_key_id: Text | None = Field(default=None, description="Access key of the identity")
    secret_access_key: Secret = Field(default=SecretStr(""), description="Its secret")
    session_token: Secret = Field(default=SecretStr(""), description="With temporary keys")
    profile: Text | None = Field(default=None, description="Profile of ~/.aws/config instead")
    role_arn: Text | None = Field(default=None, description="A role that the identity assumes")

    @model_validator(mode="after")
    def _names_one_of_each(self) -> Self:
        if bool(self.cluster_identifier) == bool(self.workgroup):
            raise ValueError("iam needs either cluster_identifier or workgroup")
        if bool(self.access_key_id) != bool(self.secret_access_key.get_secret_value()):
            raise ValueError("access_key_id and secret_access_key go together")
        if self.access_key_id and self.profile:
            raise ValueError("iam takes keys or a profile, not both")
        return self
