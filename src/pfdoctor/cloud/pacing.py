"""Staying below the limits of Azure Resource Manager, which are a bucket of requests for each subscription.

250 reads at once and 25 a second after that, for each subscription and caller (Microsoft Learn, "Understand how Azure
Resource Manager throttles requests"). The bucket starts a little below that and believes what the answers say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy

from pfdoctor.core.pattern import Pattern

_SIZE = 240.0
_PER_SECOND = 24.0
_SUBSCRIPTION = Pattern(r"/subscriptions/([0-9a-fA-F-]{36})(?:[/?]|\Z)")
_REMAINING = "x-ms-ratelimit-remaining-subscription-reads"

Sleep = Callable[[float], Awaitable[object]]
Clock = Callable[[], float]


class Bucket:
    """The requests that one subscription still answers. A request takes its place in the queue as soon as it asks."""

    def __init__(self, now: float) -> None:
        self._level = _SIZE
        self._at = now
        self._closed_until = now

    def take(self, now: float) -> float:
        """Takes one request out and returns the seconds to wait before it may be sent."""
        self._fill(now)
        self._level -= 1
        return max(0.0, -self._level / _PER_SECOND, self._closed_until - now)

    def learn(self, now: float, remaining: int | None, retry_after: float | None) -> None:
        """What an answer said: how many are left, or that nothing is answered before so many seconds are over."""
        self._fill(now)
        if remaining is not None:
            self._level = min(self._level, float(remaining))
        if retry_after is not None:
            self._level = min(self._level, 0.0)
            self._closed_until = max(self._closed_until, now + retry_after)

    def _fill(self, now: float) -> None:
        self._level = min(_SIZE, self._level + (now - self._at) * _PER_SECOND)
        self._at = now


class PacingPolicy(AsyncHTTPPolicy[Any, Any]):
    """Holds each request until its subscription's bucket lets it go. Below the retry policy, so retries wait too."""

    def __init__(self, sleep: Sleep = asyncio.sleep, clock: Clock = time.monotonic) -> None:
        super().__init__()
        self._sleep = sleep
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        match = _SUBSCRIPTION.search(request.http_request.url)
        key = match[1].lower() if match is not None else ""
        bucket = self._buckets.setdefault(key, Bucket(self._clock()))
        wait = bucket.take(self._clock())
        if wait > 0:
            await self._sleep(wait)
        response = await self.next.send(request)
        headers = response.http_response.headers
        throttled = response.http_response.status_code == 429
        bucket.learn(self._clock(), _integer(headers.get(_REMAINING)), _seconds(headers) if throttled else None)
        return response


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else None


def _seconds(headers: Any) -> float:
    return float(_integer(headers.get("Retry-After")) or 0)
