"""Who is asking: tokens are asked for once, failures are one clear line without a token in it."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from pfdoctor.cloud.clouds import PUBLIC
from pfdoctor.cloud.credentials import CREDENTIALS, Caller, Credential, caller_of, explain_failure, make_credential
from pfdoctor.cloud.errors import AuthenticationError


def jwt(**claims: Any) -> str:
    parts = ({"alg": "none"}, claims)
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts), "sig"]
    )


class Fake:
    def __init__(self, lifetime: float = 3600, error: Exception | None = None) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.closed = False
        self._lifetime = lifetime
        self._error = error

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self.asked.append((*scopes, options.get("claims")))
        await asyncio.sleep(0)
        if self._error is not None:
            raise self._error
        return AccessToken(jwt(oid="o", n=len(self.asked)), int(time.time() + self._lifetime))

    async def close(self) -> None:
        self.closed = True


def test_many_ask_and_one_token_is_fetched() -> None:
    fake = Fake()

    async def run() -> None:
        async with Credential(fake, "cli") as credential:
            await asyncio.gather(*(credential.get_token("a") for _ in range(20)))
            await credential.get_token("b")
            await credential.get_token("a", claims="{}")
            await credential.get_token("a")

    asyncio.run(run())
    assert fake.asked == [("a", None), ("b", None), ("a", "{}")]
    assert fake.closed


def test_a_token_about_to_expire_is_fetched_again() -> None:
    fake = Fake(lifetime=200)

    async def run() -> None:
        credential = Credential(fake, "cli")
        await credential.get_token("a")
        await credential.get_token("a")

    asyncio.run(run())
    assert len(fake.asked) == 2


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        (
            {"oid": "o", "appid": "a", "tid": "t", "idtyp": "user", "upn": "dev@contoso.example"},
            Caller("o", "a", "t", "user", "dev@contoso.example"),
        ),
        ({"oid": "o", "azp": "a", "tid": "t", "idtyp": "app"}, Caller("o", "a", "t", "app", None)),
        ({"oid": "o", "scp": "user_impersonation", "name": "Dev"}, Caller("o", None, None, "user", "Dev")),
        ({"oid": ["wrong"]}, Caller(None, None, None, "app", None)),
    ],
)
def test_what_a_token_says(claims: dict[str, Any], expected: Caller) -> None:
    assert caller_of(jwt(**claims)) == expected


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "a.!!!.c", f"a.{base64.b64encode(b'[1]').decode()}.c"])
def test_a_token_that_says_nothing(token: str) -> None:
    assert caller_of(token) == Caller(None, None, None, None, None)


FAILURES = [
    ("cli", "Please run 'az login' to set up an account", "run az login"),
    ("cli", "Azure CLI not found on path", "the Azure CLI is not installed (or not on PATH)"),
    ("cli", "Please run 'az login' to set up an account", "nobody is logged in to the Azure CLI"),
    ("environment", "Failed to resolve 'login.example'", "cannot be reached from here"),
    (
        "default",
        "DefaultAzureCredential failed to retrieve a token from the included credentials.\nAttempted…",
        "az login",
    ),
    ("cli", "AADSTS700082: The refresh token has expired due to inactivity.", "has expired: run az login"),
    ("cli", "AADSTS50173: The provided grant has expired due to it being revoked", "has expired"),
    ("environment", "AADSTS7000215: Invalid client secret provided.", "AZURE_CLIENT_SECRET is not the secret"),
    ("environment", "AADSTS7000222: The provided client secret keys for app 'x' are expired.", "make a new one"),
    ("environment", "AADSTS90002: Tenant 'x' not found.", "another tenant: run az login --tenant"),
    ("environment", "EnvironmentCredential: Environment variables are not fully configured", "are not all set"),
    ("cli", "AADSTS50076: you must use multi-factor authentication", "another factor"),
    ("cli", "ERROR: No subscription found. Run 'az account set'", "no subscription"),
    ("managed-identity", "ManagedIdentityCredential authentication unavailable, no response", "no managed identity"),
    ("managed-identity", "Identity not found", "no managed identity"),
    ("powershell", "Please run 'Connect-AzAccount' to set up account", "Connect-AzAccount"),
    ("azd", "Please run 'azd auth login'", "azd auth login"),
]


@pytest.mark.parametrize(("kind", "text", "expected"), FAILURES)
def test_a_failed_login_is_one_line_that_says_what_to_do(kind: str, text: str, expected: str) -> None:
    said = explain_failure(text, kind)
    assert expected in said
    assert "\n" not in said


def test_no_token_and_no_traceback_in_what_is_said() -> None:
    token = jwt(oid="canary", exp=1)
    text = f"something new went wrong: Bearer {token}\n" + "details " * 500
    fake = Fake(error=ClientAuthenticationError(message=text))

    async def run() -> None:
        await Credential(fake, "cli").get_token("a")

    with pytest.raises(AuthenticationError) as error:
        asyncio.run(run())
    assert token not in str(error.value)
    assert len(str(error.value)) < 400
    assert error.value.exit_code == 4


@pytest.mark.parametrize("name", [one for one in CREDENTIALS if one != "workload"])
def test_every_name_makes_a_credential(name: str) -> None:
    async def run() -> None:
        async with make_credential(name, PUBLIC, {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}, None):
            pass

    asyncio.run(run())


def test_a_credential_that_lacks_a_variable_names_it() -> None:
    with pytest.raises(AuthenticationError, match="AZURE_FEDERATED_TOKEN_FILE"):
        make_credential("workload", PUBLIC, {}, None)


def test_another_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(AuthenticationError, match="choose one of default, cli, managed-identity"):
        make_credential("password", PUBLIC, {}, None)
