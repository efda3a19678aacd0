"""Apprise: e-mail, Slack, Teams, PagerDuty and a hundred others, each by its URL.

It runs in a process of its own, which can be ended and reaches only addresses that are allowed.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import ClassVar

from pydantic import BaseModel, Field, SecretStr

from rowlift.core.alerts import AlertMessage, Heard
from rowlift.core.errors import ConfigError
from rowlift.kit.arrowchild import ENVIRONMENT
from rowlift.kit.config import ConnectorConfig
from rowlift.kit.fields import AllowNetworks

DEADLINE = 10.0
_CHILD = (sys.executable, "-P", "-m", "rowlift.channels.apprise_child")
_REASONS = {2: "The URL is none that apprise knows.", 1: "The service did not take it."}


class AppriseConfig(ConnectorConfig):
    """Where to send, in the words of apprise."""

    url: SecretStr = Field(description="URL of the service, such as slack://… or mailtos://…")
    allow_networks: AllowNetworks = ()


class Apprise:
    """Hands a message to apprise, which says only whether it was taken."""

    Config: ClassVar[type[BaseModel]] = AppriseConfig

    def __init__(self, config: AppriseConfig) -> None:
        if find_spec("apprise") is None:
            raise ConfigError(
                "DRIVER_MISSING",
                "Channels of type apprise need apprise, which is not installed.",
                mend='Run: pip install "rowlift[alerts]"',
            )
        self._config = config

    def tell(self, message: AlertMessage) -> Heard:
        request = {
            "url": self._config.url.get_secret_value(),
            "allow": self._config.allow_networks,
            "title": message.title,
            "body": f"{message.text}\n\nmessage {message.id}",
            "kind": "success" if message.is_good else "failure",
        }
        try:
            done = subprocess.run(  # noqa: S603 - our own program, the request goes to its stdin
                _CHILD, input=json.dumps(request).encode(), capture_output=True,
                timeout=DEADLINE, check=False, start_new_session=True,
                env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Heard(ok=False, code="UNREACHABLE", reason="It took too long.")
        if done.returncode == 0:
            return Heard(ok=True)
        reason = _REASONS.get(done.returncode, _REASONS[1])
        return Heard(ok=False, code="REFUSED", reason=reason)

    def close(self) -> None: ...
