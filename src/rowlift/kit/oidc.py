"""An OpenID Connect issuer: where to send somebody who signs in, and who it says came back.

Authorization code with PKCE. Metadata and keys are asked anew at each login, so that a rotated key
is right at once. Needs the extra oidc.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.auth import encode_client_secret_basic
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from rowlift.core.errors import AccessError, RowliftError
from rowlift.kit.exchange import NoReply
from rowlift.kit.http import Http
from rowlift.kit.proof import Proof

_SIGNED_BY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_LEEWAY_SECONDS = 60
_OK = 200
_SCOPE = "openid email profile"
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuer, and who we are to it."""

    url: str
    client_id: str
    client_secret: str
    scope: str
    http: Http

    def login_url(self, proof: Proof) -> str:
        """Return where a browser goes to sign in; raises AccessError ISSUER_UNREACHABLE."""
        found = prepare_grant_uri(
            self._metadata()["authorization_endpoint"],
            self.client_id,
            "code",
            redirect_uri=proof.redirect_uri,
            scope=f"{_SCOPE} {self.scope}".strip(),
            state=proof.state,
            nonce=proof.nonce,
            code_challenge=create_s256_code_challenge(proof.verifier),
            code_challenge_method="S256",
        )
        return str(found)

    def logout_url(self, back_to: str) -> str | None:
        """Return where a browser goes to sign out at the issuer too, if it has such a place."""
        place = self._metadata().get("end_session_endpoint")
        if not isinstance(place, str):
            return None
        given = {"client_id": self.client_id, "post_logout_redirect_uri": back_to}
        return str(add_params_to_uri(place, [*given.items()]))

    def claims(self, code: str, proof: Proof, now: float) -> Mapping[str, Any]:
        """Return who came back with a code; raises AccessError LOGIN_REFUSED.

        The token must be signed by the issuer's keys, for us, for this login, and not over.
        """
        metadata = self._metadata()
        token = self._token(metadata, code, proof)
        try:
            keys = KeySet.import_key_set(self._asked("GET", metadata["jwks_uri"]))  # type: ignore[arg-type]
            decoded = jwt.decode(token, keys, algorithms=_SIGNED_BY)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {"iss": {"value": self.url}, "aud": {"value": self.client_id}},
                {"nonce": proof.nonce, "client_id": self.client_id},
            )
            claims.validate(now=int(now), leeway=_LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _refused("its token does not hold") from error
        return dict(claims)

    def _token(self, metadata: Mapping[str, Any], code: str, proof: Proof) -> str:
        body = prepare_token_request(
            "authorization_code",
            code=code,
            redirect_uri=proof.redirect_uri,
            code_verifier=proof.verifier,
            client_id=self.client_id,
        )
        _, headers, body = encode_client_secret_basic(self, "POST", "", dict(_FORM), body)
        token = self._asked("POST", metadata["token_endpoint"], body, headers).get("id_token")
        if not isinstance(token, str):
            raise _refused("it sent no token")
        return token

    def _metadata(self) -> Mapping[str, Any]:
        found = self._asked("GET", f"{self.url.rstrip('/')}/.well-known/openid-configuration")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if found.get("issuer") != self.url or not all(isinstance(found.get(n), str) for n in names):
            raise _unreachable("it describes itself as somebody else")
        return found

    def _asked(
        self, method: str, url: str, body: str = "", headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        try:
            reply = self.http.request(method, url, body.encode(), headers)
        except RowliftError as error:
            raise _unreachable(error.message) from error
        if isinstance(reply, NoReply):
            raise _unreachable(reply.reason)
        try:
            found = json.loads(reply.body)
        except ValueError:
            found = None
        if reply.status != _OK or not isinstance(found, dict):
            what = f"it answered {reply.status}"
            raise _refused(what) if method == "POST" else _unreachable(what)
        return found


def _refused(why: str) -> AccessError:
    return AccessError(
        "LOGIN_REFUSED", f"The issuer's login cannot be used: {why}.", mend="Sign in again."
    )


def _unreachable(why: str) -> AccessError:
    return AccessError(
        "ISSUER_UNREACHABLE",
        f"The issuer of logins cannot be asked: {why}.",
        mend="Check ROWLIFT_OIDC_ISSUER, and ROWLIFT_OIDC_NETWORKS if it is in a private network.",
    )
