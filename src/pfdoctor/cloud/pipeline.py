"""The way to Azure: official policies of azure-core over a transport that can only read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import aiohttp
from azure.core.pipeline import AsyncPipeline
from azure.core.pipeline.policies import (
    AsyncBearerTokenCredentialPolicy,
    AsyncRetryPolicy,
    HeadersPolicy,
    RequestIdPolicy,
    UserAgentPolicy,
)
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpTransport

import pfdoctor
from pfdoctor.cloud.clouds import Cloud
from pfdoctor.cloud.credentials import Credential
from pfdoctor.cloud.guard import ArmGuard, Guard
from pfdoctor.cloud.pacing import Clock, PacingPolicy, Sleep
from pfdoctor.cloud.tls import tls_context

_CONNECTIONS = 32


class Limits(NamedTuple):
    """How long things may take. Seconds; `sleep` and `clock` are those of the machine except in tests."""

    connect: float = 10.0
    read: float = 30.0
    request: float = 120.0
    """For one read with all its retries."""
    longest_retry_after: float = 60.0
    """A service that asks to wait longer is not waited for."""
    backoff: float = 0.8
    sleep: Sleep = asyncio.sleep
    clock: Clock = time.monotonic


class GuardedTransport(AsyncHttpTransport[Any, Any]):
    """A transport through which only what its guard allows can leave."""

    def __init__(self, guard: Guard, limits: Limits, environment: Mapping[str, str]) -> None:
        connector = aiohttp.TCPConnector(ssl=tls_context(environment), limit=_CONNECTIONS)
        session = aiohttp.ClientSession(
            connector=connector,
            trust_env=True,  # HTTPS_PROXY and NO_PROXY
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._inner: AsyncHttpTransport[Any, Any] = AioHttpTransport(
            session=session, connection_timeout=limits.connect, read_timeout=limits.read
        )
        self._guard = guard
        self._limits = limits

    async def send(self, request: Any, **options: Any) -> Any:
        """Sends what may leave. Raises RefusedRequestError for anything else, before a connection is made."""
        self._guard.check(request.method, request.url, request.headers)
        return await self._inner.send(request, **options)

    async def sleep(self, duration: float) -> None:
        await self._limits.sleep(duration)

    async def open(self) -> None:
        await self._inner.open()

    async def close(self) -> None:
        await self._inner.close()

    async def __aenter__(self) -> GuardedTransport:  # noqa: PYI034 - Self needs Python 3.11
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class RetryPolicy(AsyncRetryPolicy[Any, Any]):
    """Retries a throttled request eight times, as azure-core's default of three does not get through a full bucket.

    Any other fault gets three further tries. POSTs are tried again like GETs: those that may leave only read.
    """

    _OTHER_FAULTS = 3

    def __init__(self, limits: Limits) -> None:
        super().__init__(
            retry_total=10,
            retry_status=8,
            retry_connect=2,
            retry_read=2,
            retry_backoff_factor=limits.backoff,
            retry_backoff_max=10,
            retry_on_methods=frozenset(("GET", "POST")),
        )
        self._limits = limits

    def is_retry(self, settings: dict[str, Any], response: Any) -> bool:
        if not super().is_retry(settings, response):
            return False
        wait: float | None = self.get_retry_after(response)
        if wait is not None and wait > self._limits.longest_retry_after:
            return False
        if response.http_response.status_code == 429:
            return True
        earlier = [one.http_response for one in settings["history"] if one.http_response is not None]
        return len([one for one in earlier if one.status_code != 429]) < self._OTHER_FAULTS


def arm_pipeline(
    cloud: Cloud,
    credential: Credential,
    environment: Mapping[str, str],
    limits: Limits,
    posts: Iterable[str] = (),
) -> AsyncPipeline[Any, Any]:
    """The pipeline to Azure Resource Manager; `posts` are the paths of POSTs that were asked for by name.

    The policy of azure-mgmt-core that registers resource providers is left out on purpose: it writes.
    """
    policies = [
        *headers(),
        RetryPolicy(limits),
        AsyncBearerTokenCredentialPolicy(credential, cloud.arm_scope, enable_cae=True),
        PacingPolicy(limits.sleep, limits.clock),
    ]
    return AsyncPipeline(GuardedTransport(ArmGuard(cloud.host, posts), limits, environment), policies)


def endpoint_pipeline(
    host: str, environment: Mapping[str, str], limits: Limits, posts: Iterable[str] = ()
) -> AsyncPipeline[Any, Any]:
    """The pipeline to an endpoint: nothing is tried twice, so that what is measured is one request."""
    return AsyncPipeline(GuardedTransport(Guard(host, posts), limits, environment), headers())


def headers() -> list[Any]:
    return [
        RequestIdPolicy(),
        HeadersPolicy({"Accept": "application/json"}),
        UserAgentPolicy(base_user_agent=f"pfdoctor/{pfdoctor.__version__}"),
    ]
