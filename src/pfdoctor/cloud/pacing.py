"""Staying below the limits of Azure Resource Manager, which are a bucket of requests for each subscription.

250 reads at once and 25 a second after that, for each subscription and caller (Microsoft Learn, "Understand how Azure
Resource Manager throttles requests"). The bucket starts a little below that and believes what the answers say.
Azure Resource Graph has one of its own for each caller, some 15 queries in 5 seconds (Microsoft Learn, "Guidance for
throttled requests in Azure Resource Graph").
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy

from pfdoctor.core.pattern import Pattern

_READS = (240.0, 24.0)
_WRITES = (190.0, 9.5)
"""A POST counts as a write, though those that may leave here only read: 200 at once and 10 a second."""
_GRAPH = (12.0, 2.8)
_GENEROUS = 2
_STEP = 0.25
_SUBSCRIPTION = Pattern(r"/subscriptions/([0-9a-fA-F-]{36})(?:[/?]|\Z)")
_GRAPH_PATH = "/providers/microsoft.resourcegraph/"
_REMAINING = (
    "x-ms-ratelimit-remaining-subscription-reads",
    "x-ms-ratelimit-remaining-subscription-writes",
    "x-ms-ratelimit-remaining-tenant-reads",
    "x-ms-user-quota-remaining",
)

Sleep = Callable[[float], Awaitable[object]]
Clock = Callable[[], float]


class ClosedError(asyncio.TimeoutError):
    """The subscription asked to be left alone for longer than is waited for. (A retry policy leaves it as it is.)"""

    def __init__(self, seconds: float) -> None:
        # in minutes, so that many that are told this at once are told the same
        minutes = math.ceil(seconds / 60)
        super().__init__(f"Azure answered 429 and asks to wait some {minutes:,} min, longer than is waited for")


class Bucket:
    """The requests that one subscription still answers. A request takes its place in the queue as soon as it asks."""

    def __init__(self, now: float, size: float = _READS[0], per_second: float = _READS[1]) -> None:
        self._size = size
        self._per_second = per_second
        self._level = size
        self._at = now
        self._closed_until = now
        self.is_generous = False
        """Whether the service says that it has far more to give than such a bucket holds: other limits apply there."""

    def take(self, now: float) -> float:
        """Takes one request out and returns the seconds to wait before it may be sent."""
        self._fill(now)
        self._level -= 1
        pace = 0.0 if self.is_generous else -self._level / self._per_second
        return max(0.0, pace, self._closed_until - now)

    def closed_for(self, now: float) -> float:
        """Seconds before anything is answered."""
        return max(0.0, self._closed_until - now)

    def learn(self, now: float, remaining: int | None, retry_after: float | None) -> None:
        """What an answer said: how many are left, or that nothing is answered before so many seconds are over."""
        self._fill(now)
        if remaining is not None:
            self.is_generous = remaining > _GENEROUS * self._size
            self._level = min(self._size if self.is_generous else self._level, float(remaining))
        if retry_after is not None:
            self.is_generous = False
            self._level = min(self._level, 0.0)
            self._closed_until = max(self._closed_until, now + retry_after)

    def _fill(self, now: float) -> None:
        self._level = min(self._size, self._level + (now - self._at) * self._per_second)
        self._at = now


class PacingPolicy(AsyncHTTPPolicy[Any, Any]):
    """Holds each request until its subscription's bucket lets it go. Below the retry policy, so retries wait too."""

    def __init__(self, sleep: Sleep = asyncio.sleep, clock: Clock = time.monotonic, longest: float = math.inf) -> None:
        super().__init__()
        self._longest = longest
        self._sleep = sleep
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self.sent = 0
        self.throttled = 0
        """Of the requests sent so far, those that were answered by 429."""

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        bucket = self._bucket(request.http_request.method, request.http_request.url)
        closed_for = bucket.closed_for(self._clock())
        if closed_for > self._longest:
            raise ClosedError(closed_for)
        self.sent += 1
        wait = bucket.take(self._clock())
        while wait > 0:
            step = min(wait, _STEP)
            await self._sleep(step)
            # an answer that came meanwhile may have told that there is no need to wait
            wait = 0.0 if bucket.is_generous else wait - step
        response = await self.next.send(request)
        headers = response.http_response.headers
        is_throttled = response.http_response.status_code == 429
        self.throttled += is_throttled
        told = next((headers[name] for name in _REMAINING if name in headers), None)
        bucket.learn(self._clock(), _integer(told), _seconds(headers) if is_throttled else None)
        return response

    def _bucket(self, method: str, url: str) -> Bucket:
        match = _SUBSCRIPTION.search(url)
        is_graph = match is None and _GRAPH_PATH in url.lower()
        size = _GRAPH if is_graph else _READS if method == "GET" else _WRITES
        key = "graph" if is_graph else f"{method} {match[1].lower()}" if match is not None else ""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._clock(), *size)
        return bucket


FIRST = "first"
"""The option of a request that many wait for."""


class TurnPolicy(AsyncHTTPPolicy[Any, Any]):
    """Lets so many requests at once through, those with the option FIRST before all others that wait.

    Below the pacing: a request that a subscription's bucket holds back takes no turn from others.
    """

    def __init__(self, at_once: int) -> None:
        super().__init__()
        self._free = at_once
        self._waiting: tuple[deque[asyncio.Future[None]], ...] = (deque(), deque())
        """Those that go first, and the others."""

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        # the transport does not know the option, and a request that is tried again is in the same haste
        is_first = request.context.setdefault(FIRST, request.context.options.pop(FIRST, False))
        if self._free:
            self._free -= 1
        else:
            await self._turn(self._waiting[0 if is_first else 1])
        try:
            return await self.next.send(request)
        finally:
            self._next()

    async def _turn(self, queue: deque[asyncio.Future[None]]) -> None:
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._next()  # it had just been given the turn
            raise

    def _next(self) -> None:
        for queue in self._waiting:
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else None


def _seconds(headers: Any) -> float:
    return float(_integer(headers.get("Retry-After")) or 0)
