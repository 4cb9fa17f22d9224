"""The way to Azure: official policies of azure-core over a transport that can only read."""

from __future__ import annotations

import asyncio
import socket
import time
import weakref
from collections.abc import Iterable, Mapping
from functools import cache
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
from pfdoctor.cloud.pacing import Clock, PacingPolicy, Sleep, TurnPolicy
from pfdoctor.cloud.proxy import proxy_for
from pfdoctor.cloud.tls import tls_context


class Limits(NamedTuple):
    """How long things may take. Seconds; `sleep` and `clock` are those of the machine except in tests."""

    connect: float = 10.0
    read: float = 30.0
    request: float = 120.0
    """For one read with all its retries."""
    longest_retry_after: float = 60.0
    """A service that asks to wait longer is not waited for."""
    backoff: float = 0.8
    connections: int = 32
    """At once; further requests wait for a free one."""
    sleep: Sleep = asyncio.sleep
    clock: Clock = time.monotonic


class _Sockets:
    """The sockets that a connector opened, so that its closing can be waited for.

    aiohttp waits for the connections in its pool only. One that was cancelled, or that an answer ended, closes on its
    own time, and a loop that ends before it leaves the socket open.
    """

    _PATIENCE = 1.0
    """Seconds. The other side may never answer the end of TLS."""

    def __init__(self) -> None:
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def make(self, address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, *_ = address
        made = socket.socket(family, kind, protocol)
        self._open.add(made)
        return made

    async def closed(self) -> None:
        """Returns as soon as all are closed; those that the other side keeps waiting are closed without it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._PATIENCE
        # the first turns of the loop carry out what the closing has scheduled
        pause = 0.0
        while any(one.fileno() != -1 for one in self._open):
            if loop.time() > deadline:
                for one in self._open:
                    one.close()
                return
            await asyncio.sleep(pause)
            pause = min(0.02, pause + 0.001)


class _UnansweredError(aiohttp.ClientError):
    """The connection was lost after a write was sent: whether it took effect, nobody here can tell."""


async def _write_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a write again by itself.

    It does so once with a PUT or DELETE whose connection breaks off, and has no option against it
    (github.com/aio-libs/aiohttp/issues/10790). The first may have taken effect.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method in {"GET", "HEAD"}:
            raise
        raise _UnansweredError(str(error)) from error


class GuardedTransport(AsyncHttpTransport[Any, Any]):
    """A transport through which only what its guard allows can leave."""

    def __init__(self, guard: Guard, limits: Limits, environment: Mapping[str, str]) -> None:
        self._sockets = _Sockets()
        connector = aiohttp.TCPConnector(
            ssl=tls_context(environment), limit=limits.connections, socket_factory=self._sockets.make
        )
        session = aiohttp.ClientSession(
            connector=connector,
            trust_env=False,  # it would send the logins of ~/.netrc, too
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_write_once,),
        )
        self._inner: AsyncHttpTransport[Any, Any] = AioHttpTransport(
            session=session, connection_timeout=limits.connect, read_timeout=limits.read
        )
        self._guard = guard
        self._limits = limits
        # the variables are read once: they are many, and requests are, too
        self._proxy = cache(_proxy_for)

    async def send(self, request: Any, **options: Any) -> Any:
        """Sends what may leave. Raises RefusedRequestError for anything else, before a connection is made."""
        self._guard.check(request.method, request.url, request.headers)
        proxy = self._proxy(self._guard.host)
        if proxy is not None:
            options = {**options, "proxy": proxy}
        return await self._inner.send(request, **options)

    async def sleep(self, duration: float) -> None:
        await self._limits.sleep(duration)

    async def open(self) -> None:
        await self._inner.open()

    async def close(self) -> None:
        await self._inner.close()
        await self._sockets.closed()

    async def __aenter__(self) -> GuardedTransport:  # noqa: PYI034 - Self needs Python 3.11
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _proxy_for(host: str) -> str | None:
    proxy = proxy_for(host)
    return proxy.address if proxy is not None else None


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
    *,
    pacing: PacingPolicy | None = None,
) -> AsyncPipeline[Any, Any]:
    """The pipeline to Azure Resource Manager; `posts` are the paths of POSTs that were asked for by name.

    `pacing` is given by whoever wants to know what was sent.

    The policy of azure-mgmt-core that registers resource providers is left out on purpose: it writes.
    """
    policies = [
        *headers(),
        RetryPolicy(limits),
        AsyncBearerTokenCredentialPolicy(credential, cloud.arm_scope, enable_cae=True),
        pacing or PacingPolicy(limits.sleep, limits.clock),
        TurnPolicy(limits.connections),
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
