"""A Customer.io workspace behind its Track API: one login for all that is written to it."""

import base64
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, SecretStr

from rowlift.core.nouns import Finding, Outcomes
from rowlift.kit.addresses import target
from rowlift.kit.config import ConnectorConfig
from rowlift.kit.exchange import NoReply, Reply
from rowlift.kit.fields import AllowNetworks, Url
from rowlift.kit.http import Http
from rowlift.kit.replies import by_index, document, outcome, said, unreachable

# The destination's identifier a key goes to, and Customer.io's word for it.
PERSON_IDENTIFIERS = {"user_id": "id", "email": "email", "phone": "phone", "cio_id": "cio_id"}
_ENDPOINTS = {"us": "https://track.customer.io", "eu": "https://track-eu.customer.io"}
_ERROR = ("reason", "field", "message")


class TrackConfig(ConnectorConfig):
    """How to reach a Customer.io workspace."""

    site_id: str = Field(description="Site ID of the Track API credentials", min_length=1)
    api_key: SecretStr = Field(description="API key of the Track API credentials", min_length=1)
    region: Literal["us", "eu"] = Field("us", description="Region of the Customer.io account")
    endpoint: Url | None = Field(None, description="A compatible server's URL up to /api, instead")
    requests_per_second: float = Field(100, gt=0, description="Most requests in a second")
    allow_networks: AllowNetworks = ()


class Track:
    """Requests to one workspace; its account is named by the site ID."""

    def __init__(self, config: TrackConfig, http: Http) -> None:
        key = config.api_key.get_secret_value()
        basic = base64.b64encode(f"{config.site_id}:{key}".encode()).decode()
        tokens = target(config.endpoint).tokens if config.endpoint else ()
        self._http = http
        self._region = config.region
        self._url = (config.endpoint or _ENDPOINTS[config.region]).rstrip("/") + "/api"
        self._headers = {"Content-Type": "application/json", "Authorization": f"Basic {basic}"}
        self._secrets = (key, basic, basic.rstrip("="), *tokens)
        self.account = f"customerio:{config.site_id}"

    def check(self) -> Sequence[Finding]:
        """Ask for the account's region, which tests the login too."""
        answer = self._http.request("GET", f"{self._url}/v1/accounts/region", b"", self._headers)
        if isinstance(answer, NoReply):
            return [unreachable(answer)]
        if answer.status == 401:  # noqa: PLR2004
            words, mend = "Customer.io does not know the credentials", "Copy them again."
            return [Finding("login", "error", words, mend, "CREDENTIALS_REFUSED")]
        about = document(answer)
        region = about.get("region") if answer.status == 200 and isinstance(about, dict) else None  # noqa: PLR2004
        if region == self._region:
            return [Finding("login", "ok", f"Customer.io knows the credentials, region {region}")]
        if region in _ENDPOINTS:
            words, mend = f"The account is in another region, {region}", f"Set region: {region}."
            return [Finding("login", "error", words, mend, "VALUE_WRONG")]
        words = f"Customer.io did not say the account's region: {said(answer, self._secrets)}"
        return [Finding("login", "error", words, code="REPLY_UNREADABLE")]

    def post(self, path: str, body: bytes, rows: int) -> Outcomes:
        """Send one request about some rows and say what became of each."""
        answer = self._http.request("POST", self._url + path, body, self._headers)
        default = outcome(answer, name="Customer.io", secrets=self._secrets, confirmed=_accepted)
        return by_index(answer, rows, default, self._secrets, index="batch_index", reason=_ERROR)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._http.close()


def _accepted(reply: Reply) -> bool:
    return isinstance(document(reply), dict)
