"""ARM's token buckets: a subscription and principal have so many calls at once and so many a second.

Bucket sizes and rates as Microsoft documents them (azure-resource-manager/management/request-limits-and-throttling):
reads 250 and 25 a second, writes and deletes 200 and 10; Resource Graph answers some 15 queries in 5 seconds.
"""

from __future__ import annotations

from collections.abc import Mapping

from pfdoctor.simulator.errors import ArmError
from pfdoctor.simulator.world import World

_UNLIMITED = "11999"
_QUOTA = 15


class Throttle:
    """All buckets. They fill with the simulated clock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buckets: dict[tuple[str, str, str], tuple[float, float]] = {}

    def take(self, subscription: str, principal: str, kind: str) -> Mapping[str, str]:
        """Take a token of `kind` (reads, writes, deletes, graph); the headers to answer with, or a 429."""
        settings = self._world.settings
        if kind == "graph":
            remaining = self._take((principal, "", kind), settings.graph_burst, settings.graph_rate)
            return {
                "x-ms-user-quota-remaining": str(int(_QUOTA if remaining is None else remaining)),
                "x-ms-user-quota-resets-after": "00:00:05",
            }
        reads = kind == "reads"
        burst, rate = (
            (settings.read_burst, settings.read_rate) if reads else (settings.write_burst, settings.write_rate)
        )
        header = f"x-ms-ratelimit-remaining-{'subscription' if subscription else 'tenant'}-{kind}"
        remaining = self._take((principal, subscription, kind), burst, rate)
        return {header: _UNLIMITED if remaining is None else str(int(remaining))}

    def _take(self, key: tuple[str, str, str], burst: float, rate: float) -> float | None:
        if not self._world.settings.throttle:
            return None
        now = self._world.clock.now()
        level, since = self._buckets.get(key, (burst, now))
        level = min(burst, level + (now - since) * rate)
        if level < 1.0:
            self._buckets[key] = (level, now)
            raise _throttled(key, max(1, round((1.0 - level) / rate)))
        self._buckets[key] = (level - 1.0, now)
        return level - 1.0


def _throttled(key: tuple[str, str, str], seconds: int) -> ArmError:
    principal, subscription, kind = key
    if kind == "graph":
        return ArmError(
            429,
            "RateLimiting",
            "Please provide below info when asking for support. Client application has been throttled and should not "
            "attempt to repeat the request until an amount of time has elapsed.",
            headers={
                "Retry-After": str(seconds),
                "x-ms-user-quota-remaining": "0",
                "x-ms-user-quota-resets-after": "00:00:05",
            },
        )
    verb = {"reads": "read", "writes": "write", "deletes": "delete"}[kind]
    return ArmError(
        429,
        "SubscriptionRequestsThrottled",
        f"Number of '{verb}' requests for subscription '{subscription}' actor '{principal}' exceeded. Please try again "
        f"after '{seconds}' seconds after additional tokens are available.",
        headers={
            "Retry-After": str(seconds),
            f"x-ms-ratelimit-remaining-{'subscription' if subscription else 'tenant'}-{kind}": "0",
        },
    )
