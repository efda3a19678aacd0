"""An OpenID Connect issuer on the loopback, with keys of its own, that can be made to misbehave."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "rowlift", "a secret of the client's"
Claims = dict[str, Any]


class Issuer:
    """Signs in whoever comes as `person`; `tamper` changes a token's claims before it is signed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.person: Claims = {
            "sub": "s-1", "email": "ann@example.com", "email_verified": True, "groups": ["staff"],
        }  # fmt: skip
        self.tamper: Callable[[Claims], None] = lambda _claims: None
        self.sign: Callable[[Claims], str] = self.signed
        self.metadata: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.rotate()

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one is not published any more."""
        self.key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"})
        self.key.ensure_kid()

    def signed(self, claims: Claims) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def described(self) -> dict[str, Any]:
        names = ("authorize", "token", "jwks", "end_session")
        paths = {name: f"{self.url}/{name}" for name in names}
        return {
            "issuer": self.url,
            "authorization_endpoint": paths["authorize"],
            "token_endpoint": paths["token"],
            "jwks_uri": paths["jwks"],
            "end_session_endpoint": paths["end_session"],
        } | self.metadata

    def authorize(self, asked: dict[str, str]) -> str:
        """Let the person in and send the browser back with a code."""
        code = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
        self.codes[code] = asked
        back = {"code": code, "state": asked["state"]}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def token(self, given: dict[str, str], login: str) -> dict[str, Any] | None:
        """Change a code, once, for a token; None where the client or its proof is wrong."""
        asked = self.codes.pop(given.get("code", ""), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        expected = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != given.get("redirect_uri")
            or login != f"Basic {expected}"
        ):
            return None
        now = int(time.time())
        times = {"iat": now, "exp": now + 300}
        claims = {"iss": self.url, "aud": CLIENT, "nonce": asked["nonce"], **times, **self.person}
        self.tamper(claims)
        return {"access_token": "x", "token_type": "Bearer", "id_token": self.sign(claims)}


class _Handler(BaseHTTPRequestHandler):
    issuer: Issuer

    def do_GET(self) -> None:
        wanted = urlsplit(self.path)
        match wanted.path:
            case "/.well-known/openid-configuration":
                self._answer(self.issuer.described())
            case "/jwks":
                self._answer({"keys": [self.issuer.key.as_dict(private=False)]})
            case "/authorize":
                asked = {name: values[0] for name, values in parse_qs(wanted.query).items()}
                self.send_response(302)
                self.send_header("location", self.issuer.authorize(asked))
                self.send_header("content-length", "0")
                self.end_headers()
            case _:
                self._answer({}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        given = {name: values[0] for name, values in parse_qs(body).items()}
        token = self.issuer.token(given, self.headers.get("authorization", ""))
        self._answer(token or {"error": "invalid_grant"}, 200 if token else 400)

    def log_message(self, *_: object) -> None: ...

    def _answer(self, document: object, status: int = 200) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Run an issuer as long as the block lasts."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        handler.issuer = Issuer(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield handler.issuer  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()
