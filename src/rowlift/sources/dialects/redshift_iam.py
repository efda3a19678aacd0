"""Temporary passwords from AWS, for an identity that has no password on the database."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore import exceptions as aws
from botocore.config import Config

from rowlift.core.errors import ConnectError
from rowlift.sources.dialects.redshift_identity import IamConfig

SPARE = timedelta(minutes=2)  # a password that ends sooner is not used any more
QUICK = Config(connect_timeout=10, read_timeout=20, retries={"total_max_attempts": 2})


class IamLogin:
    """Asks AWS when there is no password left that holds; safe in several threads."""

    def __init__(self, config: IamConfig, user: str, database: str) -> None:
        self._config = config
        self._user = user
        self._database = database
        self._lock = threading.Lock()
        self._known: tuple[str, str] = ("", "")
        self._until = datetime.fromtimestamp(0, UTC)
        secrets = (config.secret_access_key, config.session_token)
        self.secrets = tuple(secret.get_secret_value() for secret in secrets)

    def credentials(self) -> tuple[str, str]:
        """Return user and password; raises ConnectError CONNECT_FAILED or LOGIN_FAILED."""
        with self._lock:
            if datetime.now(UTC) > self._until - SPARE:
                self._ask()
            return self._known

    def _ask(self) -> None:
        try:
            answer = self._answer()
        except (aws.ConnectionError, aws.HTTPClientError) as error:
            raise ConnectError(
                "CONNECT_FAILED",
                f"AWS cannot be reached for a password: {error}",
                mend="Check the region and that this machine may reach AWS.",
            ) from None
        except (aws.BotoCoreError, aws.ClientError) as error:
            raise ConnectError(
                "LOGIN_FAILED", f"AWS gives no password: {error}", mend=self._mend()
            ) from None
        self._known = (answer["dbuser"], answer["dbpassword"])
        self._until = answer["expiration"]

    def _answer(self) -> dict[str, Any]:
        """Return dbuser, dbpassword and expiration."""
        session = self._session()
        if self._config.workgroup:
            client = session.client("redshift-serverless", config=QUICK)
            answer = client.get_credentials(
                workgroupName=self._config.workgroup, dbName=self._database
            )
        else:
            client = session.client("redshift", config=QUICK)
            answer = self._of_cluster(client)
        return {name.lower(): value for name, value in answer.items()}

    def _of_cluster(self, client: Any) -> Mapping[str, Any]:
        where = {"ClusterIdentifier": self._config.cluster_identifier, "DbName": self._database}
        if not self._user:
            return client.get_cluster_credentials_with_iam(**where)  # type: ignore[no-any-return]
        return client.get_cluster_credentials(  # type: ignore[no-any-return]
            **where, DbUser=self._user, AutoCreate=False
        )

    def _session(self) -> boto3.Session:
        config = self._config
        session = boto3.Session(
            aws_access_key_id=config.access_key_id,
            aws_secret_access_key=config.secret_access_key.get_secret_value() or None,
            aws_session_token=config.session_token.get_secret_value() or None,
            profile_name=config.profile,
            region_name=config.region,
        )
        return self._assumed(session, config.role_arn) if config.role_arn else session

    def _assumed(self, session: boto3.Session, role: str) -> boto3.Session:
        client = session.client("sts", config=QUICK)
        keys = client.assume_role(RoleArn=role, RoleSessionName="rowlift")["Credentials"]
        return boto3.Session(
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
            region_name=self._config.region,
        )

    def _mend(self) -> str:
        if self._config.workgroup:
            action = "redshift-serverless:GetCredentials"
        elif self._user:
            action = "redshift:GetClusterCredentials"
        else:
            action = "redshift:GetClusterCredentialsWithIAM"
        return f"Check keys and names, and that the identity's policy allows {action}."
