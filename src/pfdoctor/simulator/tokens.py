"""Access tokens: real JWTs, issued to any principal and checked on every call."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Collection
from typing import Any

from pfdoctor.simulator.clock import Clock
from pfdoctor.simulator.directory import AZURE_CLI, Principal
from pfdoctor.simulator.errors import ArmError

_REMEMBERED = 4096
ARM_AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")


class Tokens:
    """Issues and checks the tokens of one tenant."""

    def __init__(self, tenant: str, clock: Clock) -> None:
        self.tenant = tenant
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._checked: dict[str, dict[str, Any]] = {}

    def issue(self, principal: Principal, audience: str, seconds: float, *, tenant: str | None = None) -> str:
        """A token for an audience (a resource URI, as the client wrote it) that expires after `seconds`."""
        now = int(self._clock.now())
        tenant = tenant or self.tenant
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant}/",
            "iat": now,
            "nbf": now - 300,
            "exp": now + int(seconds),
            "tid": tenant,
            "oid": principal.id,
            "sub": principal.id,
            "ver": "1.0",
            "uti": secrets.token_urlsafe(12),
        }
        if principal.type == "User":
            claims |= {"appid": AZURE_CLI, "idtyp": "user", "upn": principal.name, "unique_name": principal.name}
        else:
            claims |= {"appid": principal.application, "idtyp": "app"}
            if principal.resource:
                claims["xms_mirid"] = principal.resource
        head = _encode(json.dumps({"typ": "JWT", "alg": "HS256", "kid": "simulator"}).encode())
        body = _encode(json.dumps(claims).encode())
        return f"{head}.{body}.{_encode(self._sign(f'{head}.{body}'))}"

    def check(self, header: str | None, audiences: Collection[str]) -> dict[str, Any]:
        """The claims of an Authorization header. Raises the 401 that ARM answers to a token it does not take."""
        if not header:
            raise self._refusal("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise self._refusal(
                "AuthenticationFailedInvalidHeader",
                "Authentication failed. The 'Authorization' header is provided in an invalid format.",
            )
        claims = self._checked.get(token)
        if claims is None:
            claims = self._read(token.strip())
            if len(self._checked) > _REMEMBERED:
                self._checked.clear()
            self._checked[token] = claims
        if claims["exp"] <= self._clock.now():
            raise self._refusal("ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than now.")
        if str(claims["aud"]).rstrip("/").lower() not in audiences:
            raise self._refusal(
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource "
                f"'{claims['aud']}'. It should exactly match with one of the allowed audiences "
                + ", ".join(f"'{audience}/'" for audience in sorted(audiences))
                + ".",
            )
        if claims["tid"] != self.tenant:
            raise self._refusal(
                "InvalidAuthenticationTokenTenant",
                f"The access token is from the wrong issuer 'https://sts.windows.net/{claims['tid']}/'. It must match "
                f"the tenant 'https://sts.windows.net/{self.tenant}/' associated with this subscription. Please use "
                "the authority (URL) 'https://login.windows.net/"
                f"{self.tenant}' to get the token.",
            )
        return claims

    def _read(self, token: str) -> dict[str, Any]:
        signed, _, signature = token.rpartition(".")
        try:
            genuine = hmac.compare_digest(_decode(signature), self._sign(signed))
            claims = json.loads(_decode(signed.partition(".")[2]))
        except ValueError:
            genuine, claims = False, None
        if not genuine or not isinstance(claims, dict):
            raise self._refusal("InvalidAuthenticationToken", "The access token is invalid.")
        return claims

    def _sign(self, text: str) -> bytes:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).digest()

    def _refusal(self, code: str, message: str) -> ArmError:
        challenge = (
            f'Bearer authorization_uri="https://login.windows.net/{self.tenant}", error="invalid_token", '
            f'error_description="{message}"'
        )
        return ArmError(401, code, message, headers={"WWW-Authenticate": challenge})


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
