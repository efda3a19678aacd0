"""Webhook: alerts as signed JSON to an address of the user's own (Standard Webhooks)."""

import json
import time
from typing import ClassVar

from pydantic import BaseModel, Field

from rowlift.core.alerts import AlertMessage, Heard
from rowlift.core.errors import DestinationError
from rowlift.core.nouns import Verdict
from rowlift.kit.addresses import target
from rowlift.kit.config import ConnectorConfig
from rowlift.kit.fields import AllowNetworks, Headers, SigningSecret, Url
from rowlift.kit.http import Http
from rowlift.kit.replies import outcome
from rowlift.kit.signatures import signature, signing_key

DEADLINE = 10.0


class WebhookConfig(ConnectorConfig):
    """Where to send and how to sign."""

    url: Url = Field(description="Address that takes the POST requests")
    secret: SigningSecret = Field(description="Signing secret, whsec_…")
    secrets: tuple[SigningSecret, ...] = Field((), description="More of them, while rotating")
    headers: Headers = Field({}, description="More request headers, such as Authorization; ASCII")
    allow_networks: AllowNetworks = ()


class Webhook:
    """Sends a message as it is kept: the same bytes under the same id at every attempt."""

    Config: ClassVar[type[BaseModel]] = WebhookConfig

    def __init__(self, config: WebhookConfig) -> None:
        keys = tuple(one.get_secret_value() for one in (config.secret, *config.secrets))
        fixed = {name: value.get_secret_value() for name, value in config.headers.items()}
        self._url = config.url
        self._keys = tuple(map(signing_key, keys))
        self._headers = {"Content-Type": "application/json", **fixed}
        self._secrets = (*keys, *fixed.values(), config.url, *target(config.url).tokens)
        self._http = Http(config.allow_networks, deadline=DEADLINE)

    def tell(self, message: AlertMessage) -> Heard:
        body = json.dumps(message.document(), ensure_ascii=False).encode()
        now = int(time.time())
        signed = {
            "webhook-id": message.id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self._keys, message.id, now, body),
        }
        try:
            answer = self._http.request("POST", self._url, body, self._headers | signed)
            told = outcome(answer, name="The channel", secrets=self._secrets)
        except DestinationError as error:
            return Heard(ok=False, code=error.code, reason=error.message)
        return Heard(told.verdict is Verdict.DELIVERED, told.code, told.reason)

    def close(self) -> None:
        self._http.close()
