"""Where tokens come from: the managed identity endpoint (plain HTTP, as in App Service) and OAuth's token endpoint."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

from pfdoctor.simulator.dataplane import Endpoint
from pfdoctor.simulator.directory import Principal
from pfdoctor.simulator.log import ONGOING
from pfdoctor.simulator.online import identity_of
from pfdoctor.simulator.store import Resource
from pfdoctor.simulator.tokens import Tokens
from pfdoctor.simulator.world import World

HEADER = "simulator"
"""The secret that the managed identity endpoint wants in X-IDENTITY-HEADER (IDENTITY_HEADER)."""


class Identity:
    """Issues tokens to whoever the scenario knows."""

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world = world
        self._tokens = tokens

    async def managed_identity(self, request: web.Request) -> web.Response:
        """`GET /msi/token?resource=…`, or `/msi/{principal}/token` for the identity of one resource."""
        if not self._known(request.headers.get("X-IDENTITY-HEADER", "")):
            return _refusal(401, "unauthorized", "The X-IDENTITY-HEADER header is missing or wrong.")
        resource = request.query.get("resource")
        if not resource:
            return _refusal(400, "invalid_request", "The resource query parameter is missing.")
        principal = self._principal(request)
        if principal is None:
            return _refusal(400, "invalid_request", "No managed identity with the requested id is assigned here.")
        ONGOING.get().principal = principal.id
        seconds = self._world.settings.token_seconds
        return web.json_response(
            {
                "access_token": self._tokens.issue(principal, resource, seconds),
                # The client compares this with its own clock, which need not be the simulated one.
                "expires_on": str(int(time.time() + seconds)),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": principal.application or "",
            }
        )

    def header_of(self, endpoint: Endpoint) -> str:
        """The header that gives access to the identities of an endpoint, and to no others."""
        return f"{HEADER} {endpoint.resource_id}"

    def _known(self, header: str) -> bool:
        return header == HEADER or self._endpoint(header) is not None

    def _endpoint(self, header: str) -> Resource | None:
        word, _, identifier = header.partition(" ")
        return self._world.store.get(identifier) if word == HEADER and identifier else None

    def _principal(self, request: web.Request) -> Principal | None:
        directory = self._world.directory
        wanted = request.query.get("client_id")
        endpoint = self._endpoint(request.headers.get("X-IDENTITY-HEADER", ""))
        if endpoint is not None:
            oid = identity_of(endpoint.body).principal(wanted)
            return directory.get(oid) if oid else None
        if wanted:
            return directory.by_application.get(wanted.lower())
        wanted = (
            request.query.get("principal_id") or request.query.get("object_id") or request.match_info.get("principal")
        )
        if wanted:
            return directory.get(wanted)
        wanted = request.query.get("mi_res_id") or request.query.get("msi_res_id")
        if wanted:
            return directory.by_resource.get(wanted.lower())
        return directory.get(self._world.caller)

    async def configuration(self, request: web.Request) -> web.Response:
        """OpenID configuration of a tenant, which msal reads before it asks for a token."""
        base = f"{request.scheme}://{request.host}/{request.match_info['tenant']}"
        tenant = self._world.tenant
        return web.json_response(
            {
                "issuer": f"{request.scheme}://{request.host}/{tenant}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_types_supported": ["code", "id_token"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def token(self, request: web.Request) -> web.Response:
        """The client credentials grant: an application's id with its secret or a federated assertion."""
        form = await request.post()
        if request.match_info["tenant"].lower() not in {self._world.tenant.lower(), "common", "organizations"}:
            return _oauth(400, "invalid_request", f"AADSTS90002: Tenant '{request.match_info['tenant']}' not found.")
        client = str(form.get("client_id") or "")
        principal = self._world.directory.by_application.get(client.lower())
        if principal is None:
            return _oauth(
                400,
                "unauthorized_client",
                f"AADSTS700016: Application with identifier '{client}' was not found in the directory.",
            )
        if form.get("grant_type") != "client_credentials":
            return _oauth(400, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.")
        if "client_assertion" not in form and (not principal.secret or form.get("client_secret") != principal.secret):
            return _oauth(401, "invalid_client", f"AADSTS7000215: Invalid client secret provided for app '{client}'.")
        ONGOING.get().principal = principal.id
        scope = str(form.get("scope") or "").split()[0] if form.get("scope") else ""
        audience = scope.removesuffix("/.default")
        seconds = int(self._world.settings.token_seconds)
        return web.json_response(
            {
                "token_type": "Bearer",
                "expires_in": seconds,
                "ext_expires_in": seconds,
                "access_token": self._tokens.issue(principal, audience, seconds),
            }
        )


def _refusal(status: int, code: str, message: str) -> web.Response:
    body: dict[str, Any] = {"statusCode": status, "error": code, "message": message}
    return web.json_response(body, status=status)


def _oauth(status: int, code: str, message: str) -> web.Response:
    number = message.partition(":")[0].removeprefix("AADSTS")
    return web.json_response(
        {"error": code, "error_description": message, "error_codes": [int(number)] if number.isdigit() else []},
        status=status,
    )
