"""What Azure Monitor measured of the deployment in the last hour.

Names and dimensions: Microsoft Learn, "Supported metrics for Microsoft.MachineLearningServices/workspaces/
onlineEndpoints/deployments". RequestsPerMinute is the requests of a minute, so the sum of its averages is their number.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple

from pfdoctor.cloud.reader import Reader
from pfdoctor.cloud.reading import Reading
from pfdoctor.collect.azure import permissions, versions
from pfdoctor.collect.azure.body import Body, sourced, unread
from pfdoctor.core.model import Json

WINDOW_MINUTES = 60
_LATENCIES = {
    "latency_p50_ms": "RequestLatency_P50",
    "latency_p95_ms": "RequestLatency_P95",
    "latency_p99_ms": "RequestLatency_P99",
}
_LOAD = {"cpu_percent": "CpuUtilizationPercentage", "memory_percent": "CpuMemoryUtilizationPercentage"}
_REQUESTS = ("requests", "errors_4xx", "errors_5xx", "throttled")


class _Series(NamedTuple):
    metric: str
    dimension: str | None
    averages: list[float]


async def read_metrics(reader: Reader, deployment: str, now: str) -> Json:
    """The facts `metrics` of a deployment's id. A metric that has no values is null: nothing was measured."""
    latency, load, requests = await asyncio.gather(
        _metrics(reader, deployment, now, ",".join(_LATENCIES.values()), None),
        _metrics(reader, deployment, now, ",".join(_LOAD.values()), "instanceId eq '*'"),
        _metrics(reader, deployment, now, "RequestsPerMinute", "envoy_response_code eq '*'"),
    )
    readings = (latency, load, requests)
    if all(one.unknown is not None for one in readings):
        return unread(latency, "the metrics of the deployment")
    facts: dict[str, Json] = {"window_minutes": WINDOW_MINUTES}
    facts |= _largest(latency, _LATENCIES)
    facts |= _largest(load, _LOAD)
    facts |= _requests(requests)
    return sourced(facts, next(one.source for one in readings if one.unknown is None))


async def _metrics(reader: Reader, deployment: str, now: str, names: str, split: str | None) -> Reading:
    end = dt.datetime.fromisoformat(now.replace("Z", "+00:00"))
    start = end - dt.timedelta(minutes=WINDOW_MINUTES)
    query = {
        "metricnames": names,
        "timespan": f"{start:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}",
        "interval": "PT1M",
        "aggregation": "Average",
    }
    if split is not None:
        query["$filter"] = split
    path = f"{deployment}/providers/Microsoft.Insights/metrics"
    return await reader.list(path, versions.METRICS, permissions.METRICS, query)


def _series(reading: Reading) -> Iterator[_Series]:
    for metric in map(Body, reading.value):
        name = metric.child("name").raw("value")
        for series in metric.children("timeseries"):
            values = [one.raw("average") for one in series.children("data")]
            dimension = next((one.raw("value") for one in series.children("metadatavalues")), None)
            numbers = [float(one) for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
            yield _Series(str(name), None if dimension is None else str(dimension), numbers)


def _largest(reading: Reading, names: dict[str, str]) -> dict[str, Json]:
    """The largest mean of any instance, over the minutes that have a value."""
    if reading.unknown is not None:
        return dict.fromkeys(names, unread(reading, "the metrics of the deployment"))
    series = list(_series(reading))
    found: dict[str, Json] = {}
    for fact, metric in names.items():
        means = [sum(one.averages) / len(one.averages) for one in series if one.metric == metric and one.averages]
        found[fact] = round(max(means), 3) if means else None
    return found


def _requests(reading: Reading) -> dict[str, Json]:
    if reading.unknown is not None:
        return dict.fromkeys(_REQUESTS, unread(reading, "the requests of the deployment"))
    counts = dict.fromkeys(_REQUESTS, 0.0)
    for one in _series(reading):
        total, status = sum(one.averages), one.dimension or ""
        counts["requests"] += total
        counts["errors_4xx"] += total if status[:1] == "4" else 0
        counts["errors_5xx"] += total if status[:1] == "5" else 0
        counts["throttled"] += total if status == "429" else 0
    return {name: round(count, 3) for name, count in counts.items()}
