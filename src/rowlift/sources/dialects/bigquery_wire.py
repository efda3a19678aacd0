"""One HTTPS conversation with BigQuery, which another thread can end, and the key that opens it."""

import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from google.api_core.client_options import ClientOptions
from google.api_core.retry import Retry
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud.bigquery import Client
from google.oauth2.service_account import Credentials
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from rowlift.core.errors import ConnectError
from rowlift.core.rules import rule
from rowlift.kit.config import demand_files
from rowlift.kit.patience import hang_up_marked, new_mark
from rowlift.sources.dialects import bigquery as data
from rowlift.sources.dialects.bigquery_words import transient

if TYPE_CHECKING:
    from rowlift.sources.bigquery import BigQueryConfig

PATIENCE = 10.0  # seconds beyond the statement's own limit until a silent service counts as lost
LONGEST_SILENCE = 60.0  # seconds within one answer
TOKEN_HOSTS = {"oauth2.googleapis.com", "accounts.google.com", "www.googleapis.com"}
NEW_KEY = "Create a key of type JSON for the service account, and give that file unchanged."


def credentials(config: "BigQueryConfig") -> Credentials:
    """Return what the key opens; raises ConnectError LOGIN_FAILED for what is no such key.

    A key names the address that gives tokens: only Google's, or one on our own host, is asked.
    """
    try:
        info = json.loads(_key(config))
        login = urlsplit(info["token_uri"])
        if info["type"] != "service_account":
            raise _no_key("it is not a service account's")
        if login.scheme != "https" or login.hostname not in {*TOKEN_HOSTS, config.host}:
            raise _no_key("its token_uri is not Google's")
        return Credentials.from_service_account_info(info, scopes=data.SCOPES)  # type: ignore[no-any-return, no-untyped-call]
    except OSError as error:
        raise _no_key(f"{config.keyfile}: {error.strerror}") from None
    except (KeyError, TypeError, ValueError):
        raise _no_key("it is not the JSON that Google gives out") from None


def _key(config: "BigQueryConfig") -> str:
    if config.keyfile_json is not None:
        return config.keyfile_json.get_secret_value()
    return str(config.keyfile and config.keyfile.read_text(encoding="utf-8"))


def _no_key(why: str) -> ConnectError:
    return ConnectError("LOGIN_FAILED", f"{rule('LOGIN_FAILED').title}: {why}.", mend=NEW_KEY)


class Wire:
    """The driver's client over connections of its own, and how it tries again."""

    def __init__(self, config: "BigQueryConfig", login: Credentials) -> None:
        """Raise ConnectError TLS_FAILED without the file of authorities; connect when asked."""
        demand_files(config, "ssl_ca")
        self._mark = new_mark()
        self._is_over = False
        self.retry = Retry(
            predicate=lambda error: not self._is_over and transient(error),
            initial=0.1,
            maximum=2,
            timeout=config.connect_timeout,
        )
        self.asking = Request(_dressed(requests.Session(), config, self._mark))
        session = AuthorizedSession(login, auth_request=self.asking)  # type: ignore[no-untyped-call]
        self.client = Client(
            project=config.project or login.project_id,
            credentials=login,
            location=config.location,
            client_options=ClientOptions(api_endpoint=f"https://{config.host}:{config.port}"),
            _http=_dressed(session, config, self._mark),
        )

    def hang_up(self) -> None:
        """Cut its connections for good: whoever reads from them gets an error at once."""
        self._is_over = True
        hang_up_marked(self._mark)

    def close(self) -> None:
        """Give its connections back."""
        self.client.close()  # type: ignore[no-untyped-call]


def _dressed(session: requests.Session, config: "BigQueryConfig", mark: int) -> requests.Session:
    """Make a session verify what it should, and take nothing from the environment."""
    session.trust_env = False
    session.verify = str(config.ssl_ca) if config.ssl_ca else True
    session.mount("https://", _Adapter(config, mark))
    session.adapters.pop("http://", None)
    return session


class _Adapter(HTTPAdapter):
    """Bounds every silence, and marks the sockets."""

    def __init__(self, config: "BigQueryConfig", mark: int) -> None:
        self._mark = mark
        silence = min(LONGEST_SILENCE, config.statement_timeout + PATIENCE)
        self._timeout = (config.connect_timeout, silence)
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        mark = (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._mark)
        options["socket_options"] = [*HTTPConnection.default_socket_options, mark]
        super().init_poolmanager(*args, **options)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        return super().send(request, **{**options, "timeout": self._timeout})
