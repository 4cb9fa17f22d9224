"""Latencies that repeat: what a scenario says a container takes, without a clock and without chance."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Protocol

from pfdoctor.simulator.dataplane import Json

PERIOD = 20
"""Requests after which the latencies of {p50, p95, max} repeat: the fewest that hold a 95th percentile."""

_STRIDE, _FIRST = 7, 9  # 7 shares no factor with 20: every rank comes once a period, and the first is a usual one


class Latencies(Protocol):
    """The latency of each request in turn, in milliseconds."""

    def __next__(self) -> float: ...


def latencies(declared: Json) -> Latencies:
    """Latencies without end, from `latency_ms`: a list taken in turn, or {p50, p95, max}; nothing said is 0.

    Any 20 requests in a row have that median, that 95th percentile and that maximum, between which they lie evenly.
    """
    if isinstance(declared, list) and declared:
        values = [float(value) for value in declared]
    elif isinstance(declared, Mapping):
        values = _spread(declared)
    else:
        values = [float(declared) if isinstance(declared, int | float) else 0.0]
    return (values[number % len(values)] for number in count())


def _spread(declared: Mapping[str, Json]) -> list[float]:
    median = float(str(declared.get("p50", 0)))
    p95 = float(str(declared.get("p95", median)))
    longest = float(str(declared.get("max", p95)))
    # Of 20 sorted values the 10th and 11th lie about the median, the 19th is the 95th percentile, the 20th the longest.
    ranked = [median * (0.8 + 0.2 * rank / 9) for rank in range(10)]
    ranked += [median + (p95 - median) * rank / 8 for rank in range(9)]
    ranked.append(longest)
    return [ranked[(_FIRST + _STRIDE * number) % PERIOD] for number in range(PERIOD)]
