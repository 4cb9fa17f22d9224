"""The simulated clock: it runs as the machine's does, and can be put forward."""

from __future__ import annotations

import datetime as dt
import time


class Clock:
    """Seconds since 1970 of the simulated world. `start` is where it begins; without one, it is the machine's own."""

    def __init__(self, start: float | None = None) -> None:
        self._offset = 0.0 if start is None else start - time.time()

    def now(self) -> float:
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Put it forward (never back: what has taken effect stays so)."""
        if seconds < 0:
            raise ValueError("the clock only goes forward")
        self._offset += seconds

    def text(self) -> str:
        return instant(self.now())


def instant(seconds: float) -> str:
    """The time as ARM writes it: `2026-03-02T09:14:31.440820Z`."""
    return dt.datetime.fromtimestamp(seconds, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_of(text: str) -> float:
    """The other way round. ARM writes up to seven digits of a second; Python reads six."""
    whole, _, rest = text.strip().rstrip("Z").partition(".")
    fraction = float(f"0.{rest}") if rest.isdigit() else 0.0
    return dt.datetime.fromisoformat(whole).replace(tzinfo=dt.timezone.utc).timestamp() + fraction
