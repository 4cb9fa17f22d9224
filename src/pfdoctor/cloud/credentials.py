"""Who is asking: one credential of azure-identity, its tokens kept for the run, its failures said in one line."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError

from pfdoctor.cloud.clouds import Cloud
from pfdoctor.cloud.errors import AuthenticationError
from pfdoctor.core.model import Json
from pfdoctor.core.redact import redact_text

# azure-identity warns of every login that it tries in vain, page by page; without a handler that goes to stderr
logging.getLogger("azure").addHandler(logging.NullHandler())

_EARLY = 300.0
"""A token that is valid for no longer is asked for again."""


class Caller(NamedTuple):
    """What the caller's token says about its owner; whatever it does not say is None."""

    principal_id: str | None
    client_id: str | None
    tenant_id: str | None
    type: str | None
    name: str | None


class Credential:
    """An azure-identity credential as azure-core's policies use one: each token is asked for once in a run.

    Some credentials keep none themselves (that of the Azure CLI starts a process for each), and azure-core has as many
    caches as policies. Raises AuthenticationError, never azure-identity's own errors, which go on for pages.
    """

    def __init__(self, credential: Any, kind: str) -> None:
        self._credential = credential
        self._kind = kind
        self._tokens: dict[tuple[str, ...], AccessToken] = {}
        self._locks: dict[tuple[str, ...], asyncio.Lock] = {}

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token for the scopes. With `claims`, a new one: the service has just refused the old one for lacking them.

        Raises AuthenticationError.
        """
        lock = self._locks.setdefault(scopes, asyncio.Lock())
        async with lock:
            token = self._tokens.get(scopes)
            if token is None or options.get("claims") or token.expires_on - time.time() < _EARLY:
                token = self._tokens[scopes] = await self._ask(scopes, options)
        return token

    async def _ask(self, scopes: tuple[str, ...], options: dict[str, Any]) -> AccessToken:
        try:
            token = await self._credential.get_token(*scopes, **options)
        except (AzureError, ValueError) as error:
            raise AuthenticationError(explain_failure(str(error), self._kind)) from error
        return AccessToken(token.token, token.expires_on)

    async def caller(self, scope: str) -> Caller:
        """Who the token says that we are."""
        return caller_of((await self.get_token(scope)).token)

    async def close(self) -> None:
        await self._credential.close()

    async def __aenter__(self) -> Credential:  # noqa: PYI034 - Self needs Python 3.11
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Threaded:
    """A credential that azure-identity has in its blocking form only, run in a thread that ends with the program."""

    def __init__(self, credential: Any) -> None:
        self._credential = credential

    async def get_token(self, *scopes: str, **options: Any) -> Any:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()

        def settle(action: Callable[[Any], None], value: Any) -> None:
            if not answer.done():
                action(value)

        def ask() -> None:
            try:
                token = self._credential.get_token(*scopes, **options)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where it is waited for
                outcome: tuple[Callable[[Any], None], Any] = (answer.set_exception, error)
            else:
                outcome = (answer.set_result, token)
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, *outcome)

        threading.Thread(target=ask, daemon=True).start()
        return await answer

    async def close(self) -> None:
        self._credential.close()


def make_credential(name: str | None, cloud: Cloud, environment: Mapping[str, str], trust: str | None) -> Credential:
    """The credential of that name (`default` for none), for the cloud's authority. `trust` is a bundle of certificates.

    Raises AuthenticationError for a name that is none, and for variables that do not make one.
    """
    kind = name or "default"
    make = _MAKERS.get(kind)
    if make is None:
        raise AuthenticationError(f"there is no credential {kind!r}: choose one of {', '.join(CREDENTIALS)}")
    options: dict[str, Any] = {"authority": cloud.authority}
    if trust:
        options["connection_verify"] = trust
    if not cloud.authority.startswith("https://login."):
        # asking Microsoft whether an authority that is not Microsoft's is a real one leads nowhere
        options["disable_instance_discovery"] = True
    try:
        return Credential(make(options, environment), kind)
    except ValueError as error:
        raise AuthenticationError(explain_failure(str(error), kind)) from error


def _default(options: dict[str, Any], _: Mapping[str, str]) -> Any:
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential(**options)


def _cli(_: dict[str, Any], environment: Mapping[str, str]) -> Any:
    from azure.identity.aio import AzureCliCredential

    return AzureCliCredential(tenant_id=environment.get("AZURE_TENANT_ID", ""))


def _powershell(_: dict[str, Any], environment: Mapping[str, str]) -> Any:
    from azure.identity.aio import AzurePowerShellCredential

    return AzurePowerShellCredential(tenant_id=environment.get("AZURE_TENANT_ID", ""))


def _developer_cli(_: dict[str, Any], environment: Mapping[str, str]) -> Any:
    from azure.identity.aio import AzureDeveloperCliCredential

    return AzureDeveloperCliCredential(tenant_id=environment.get("AZURE_TENANT_ID", ""))


def _managed_identity(options: dict[str, Any], environment: Mapping[str, str]) -> Any:
    from azure.identity.aio import ManagedIdentityCredential

    verify = {key: value for key, value in options.items() if key == "connection_verify"}
    return ManagedIdentityCredential(client_id=environment.get("AZURE_CLIENT_ID"), **verify)


def _environment(options: dict[str, Any], _: Mapping[str, str]) -> Any:
    from azure.identity.aio import EnvironmentCredential

    return EnvironmentCredential(**options)


def _workload(options: dict[str, Any], _: Mapping[str, str]) -> Any:
    from azure.identity.aio import WorkloadIdentityCredential

    return WorkloadIdentityCredential(**options)


def _device_code(options: dict[str, Any], environment: Mapping[str, str]) -> Any:
    from azure.identity import DeviceCodeCredential

    return _Threaded(DeviceCodeCredential(tenant_id=environment.get("AZURE_TENANT_ID"), **options))


def _browser(options: dict[str, Any], environment: Mapping[str, str]) -> Any:
    from azure.identity import InteractiveBrowserCredential

    return _Threaded(InteractiveBrowserCredential(tenant_id=environment.get("AZURE_TENANT_ID"), **options))


_MAKERS: dict[str, Callable[[dict[str, Any], Mapping[str, str]], Any]] = {
    "default": _default,
    "cli": _cli,
    "managed-identity": _managed_identity,
    "environment": _environment,
    "workload": _workload,
    "powershell": _powershell,
    "azd": _developer_cli,
    "device-code": _device_code,
    "browser": _browser,
}
CREDENTIALS = tuple(_MAKERS)
"""What `--credential` takes."""

# What azure-identity and Microsoft Entra ID say, in lower case, and what it means; the first that is found counts.
# The AADSTS codes are those of Microsoft Learn, "Microsoft Entra authentication and authorization error codes".
_MEANINGS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("aadsts7000222",), "the secret of the service principal has expired: make a new one and set AZURE_CLIENT_SECRET"),
    (("aadsts7000215",), "AZURE_CLIENT_SECRET is not the secret of that service principal"),
    (("aadsts700016",), "there is no application AZURE_CLIENT_ID in that tenant: check it and AZURE_TENANT_ID"),
    (
        ("aadsts90002", "aadsts50020", "aadsts500011", "aadsts900023", "invalidauthenticationtokentenant"),
        "the login belongs to another tenant: run az login --tenant TENANT",
    ),
    (
        ("aadsts50076", "aadsts50079", "aadsts53003", "aadsts50158"),
        "the tenant wants another factor or a known device: run az login --tenant TENANT again",
    ),
    (
        ("aadsts700082", "aadsts50173", "aadsts70043", "aadsts70008", "aadsts50078", "token has expired", "expired"),
        "the login has expired: run az login",
    ),
    (("no subscription found", "subscription not found"), "the login sees no subscription: run az account set -s NAME"),
    (
        ("identity not found", "no managed identity endpoint", "managed identity authentication unavailable"),
        "there is no managed identity here, or not the one that AZURE_CLIENT_ID names: pass --credential cli",
    ),
)
_NOT_LOGGED_IN = {
    "cli": "nobody is logged in to the Azure CLI: run az login",
    "powershell": "nobody is logged in to Azure PowerShell: run Connect-AzAccount",
    "azd": "nobody is logged in to the Azure Developer CLI: run azd auth login",
    "environment": "the variables AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or a certificate) are not "
    "all set",
    "workload": "the variables AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE are not all set",
    "managed-identity": "there is no managed identity here, or not the one that AZURE_CLIENT_ID names: pass "
    "--credential cli",
    "default": "nobody is logged in to Azure: run az login, or choose a login by --credential",
}
# What a login says whose program is not there, in lower case
_NO_PROGRAM = {
    "cli": (("azure cli not found on path",), "the Azure CLI is not installed (or not on PATH)"),
    "powershell": (("powershell is not installed",), "PowerShell is not installed (or not on PATH)"),
    "azd": (("azure developer cli could not be found",), "the Azure Developer CLI is not installed (or not on PATH)"),
    "default": (
        ("azure cli not found on path",),
        "nobody is logged in, and the Azure CLI is not installed (or not on PATH): choose another by --credential",
    ),
}
_UNREACHABLE = (
    "failed to resolve",
    "cannot connect to host",
    "name or service not known",
    "temporary failure in name resolution",
    "getaddrinfo failed",
    "nodename nor servname",
    "network is unreachable",
    "failed to establish a new connection",
)
_ABSENT = (
    "please run 'az login'",
    "az login",
    "not found on path",
    "failed to invoke",
    "connect-azaccount",
    "azd auth login",
    "no accounts were found",
    "environment variables are not fully configured",
    "failed to retrieve a token from the included credentials",
    "missing required",
)


def explain_failure(text: str, kind: str) -> str:
    """What a failed login means, in one line without tokens, and what to do."""
    lowered = text.lower()
    for marks, meaning in _MEANINGS:
        if any(mark in lowered for mark in marks):
            return meaning
    marks, meaning = _NO_PROGRAM.get(kind, ((), ""))
    if any(mark in lowered for mark in marks):
        return meaning
    # a managed identity is asked for at an address that answers inside Azure only: its silence says nothing
    if kind not in ("default", "managed-identity") and any(mark in lowered for mark in _UNREACHABLE):
        return (
            f"the login ({kind}) failed: who issues tokens cannot be reached from here; pfdoctor selfcheck tells more"
        )
    if kind in _NOT_LOGGED_IN and any(mark in lowered for mark in _ABSENT):
        return _NOT_LOGGED_IN[kind]
    if kind == "managed-identity":
        return _NOT_LOGGED_IN[kind]
    first = next((line.strip() for line in redact_text(text).splitlines() if line.strip()), "no reason was given")
    return f"the login ({kind}) failed: {first[:300]}"


def caller_of(token: str) -> Caller:
    """What a token of Microsoft Entra ID says about its owner; nothing when it is no JSON web token.

    It is read, not verified: that is the service's business, which alone has to believe it.
    """
    claims = _claims(token)
    kind = claims.get("idtyp")
    if kind not in ("user", "app"):
        kind = "user" if claims.get("scp") or claims.get("upn") else "app" if claims else None
    names = ("upn", "preferred_username", "unique_name", "name", "app_displayname")
    return Caller(
        _text(claims, "oid"),
        _text(claims, "appid", "azp"),
        _text(claims, "tid"),
        kind,
        _text(claims, *names),
    )


def _claims(token: str) -> dict[str, Json]:
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _text(claims: dict[str, Json], *names: str) -> str | None:
    return next((claims[name] for name in names if isinstance(claims.get(name), str)), None)
