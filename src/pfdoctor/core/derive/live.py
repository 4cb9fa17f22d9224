"""What follows from the answers of Azure: cores needed, where the time goes, who uses a connection."""

from __future__ import annotations

from typing import TypeGuard

from pfdoctor.core.derive.drift import derive_drift
from pfdoctor.core.derive.nodes import items
from pfdoctor.core.facts import members
from pfdoctor.core.model import Json, Unknown

_MANY = 20
"""Requests of which a 95th percentile can be told."""
DEFAULT_TIMEOUT_MS = 5000
"""The request timeout of a deployment that sets none. Source: the reference of the managed online deployment YAML."""

_NODE_RUNS = "node-runs-long"
"""The symptom "a node runs for N seconds", which captures both."""


def derive_live(live: dict[str, Json], declared: Json, document: dict[str, Json]) -> dict[str, Json]:
    """The live view with all that follows from it, from the logs and from what the files declare."""
    extended = dict(live)
    if "quota" in live:
        extended["quota"] = derive_quota(live)
    if "deployment" in live and "latency" not in live:
        extended["latency"] = derive_latency(live, document.get("logs"))
    if "connections" in live:
        extended["connections"] = mark_users(live, declared)
    if isinstance(declared, dict) and "drift" not in live:
        extended["drift"] = derive_drift(declared, extended)
    return extended


def derive_quota(view: dict[str, Json]) -> Json:
    """The quota with the cores that the deployment takes of it: 20 % are reserved for upgrades unless exempt."""
    quota = view["quota"]
    if not _known(quota):
        return quota
    cores, instances, reserved = (quota.get(key) for key in ("cores_per_instance", "instances", "reserved"))
    lacking = next((one for one in (cores, instances, reserved) if not isinstance(one, int)), None)
    needed: Json = lacking
    if isinstance(cores, int) and isinstance(instances, int) and isinstance(reserved, bool):
        # ceil(1.2 × instances) in whole numbers: 1.2 × 5 is 6.000000000000001 otherwise
        needed = cores * (-(-instances * 12 // 10) if reserved else instances)
    limit, used = quota.get("limit"), quota.get("used")
    unknown = next((one for one in (limit, used) if not isinstance(one, int)), None)
    available = limit - used if isinstance(limit, int) and isinstance(used, int) else unknown
    return {**quota, "cores_needed": needed, "available": available}


def derive_latency(view: dict[str, Json], logs: Json) -> Json:
    """The fact `latency`: the timeout in force beside what was observed, by the probe or else by Azure Monitor."""
    deployment = view.get("deployment")
    if not _known(deployment):
        return deployment
    timeout = _timeout(deployment)
    observed = _observed(view)
    p95 = observed["observed_p95_ms"]
    comparable = isinstance(p95, int | float) and isinstance(timeout, int | float) and timeout > 0
    share = round(p95 / timeout, 4) if comparable else (timeout if isinstance(timeout, dict) else p95)
    return {"timeout_ms": timeout, **observed, "share_of_timeout": share, **_from_logs(logs)}


def _timeout(deployment: dict[str, Json]) -> Json:
    settings = deployment.get("request_settings")
    if isinstance(settings, dict) and "$unknown" in settings:
        return settings
    value = settings.get("request_timeout_ms") if isinstance(settings, dict) else None
    return DEFAULT_TIMEOUT_MS if value is None else value


def _observed(view: dict[str, Json]) -> dict[str, Json]:
    probe = view.get("data_plane")
    sent = probe.get("score") if _known(probe) else None
    measured = probe.get("score_latency") if _known(probe) else None
    number = measured.get("n") if _known(measured) else None
    metrics = view.get("metrics")
    if _known(metrics) and isinstance(metrics.get("latency_p95_ms"), int | float) and (number or 0) < _MANY:
        # what an hour of requests came to says more than the few of a probe
        return {"observed_p95_ms": metrics["latency_p95_ms"], "observed_by": "metrics", "observed_n": None}
    if _known(measured) and number:
        return {"observed_p95_ms": measured["p95"], "observed_by": "probe", "observed_n": number}
    if _known(sent) and isinstance(sent.get("status"), int):
        failed = f"the request of --probe-score failed ({sent['status']}), so there is no latency"
        why = Unknown("not-observed", failed)
    elif isinstance(sent, dict) and sent["$unknown"].get("code") != "not-asked":
        why = Unknown("not-observed", f"the request of --probe-score failed: {sent['$unknown'].get('detail')}")
    else:
        command = "pfdoctor diagnose --probe-score REQUEST.json"
        why = Unknown("not-observed", "no request was measured", collect_command=command)
    reason = metrics if isinstance(metrics, dict) and "$unknown" in metrics else why.to_json()
    return {"observed_p95_ms": reason, "observed_by": None, "observed_n": None}


def _from_logs(logs: Json) -> dict[str, Json]:
    """The slowest node and the retries of model calls, where logs were read that tell of them."""
    if not logs:
        nothing = Unknown("no-logs", "no log was read").to_json()
        return {"slowest_node": nothing, "node_seconds": nothing, "retries": nothing}
    longest: tuple[float, str] | None = None
    retries = 0
    for log in logs:
        # "RateLimitError #2, … Back off 30 seconds for retry": the LLM tools number the tries of one call
        errors = [one for one in log.get("errors") or () if one.get("kind") == "retry"]
        retries += sum(int(one.get("count") or 1) for one in errors if "attempt" in (one.get("fields") or {}))
        for hit in log.get("hits") or ():
            captures = hit.get("captures") or {}
            if hit.get("symptom") == _NODE_RUNS and {"node", "seconds"} <= captures.keys():
                longest = max(longest or (0.0, ""), (float(captures["seconds"]), str(captures["node"])))
    seconds, node = longest or (None, None)
    # a part of a log proves what is in it, and nothing of what is not
    unread = None if any(log.get("complete") for log in logs) else Unknown("log-cut", "no log was read whole").to_json()
    return {
        "slowest_node": node or unread,
        "node_seconds": seconds or unread,
        "retries": retries or unread or 0,
    }


def mark_users(live: dict[str, Json], declared: Json) -> Json:
    """The live connections, each with the nodes that name it, where the flow's files were read."""
    connections = live["connections"]
    needs = declared.get("needs") if isinstance(declared, dict) else None
    if not _known(needs):
        return connections
    named, why = members(needs.get("connections"))
    if why is not None:
        return connections
    users: dict[str, list[str]] = {}
    for _, one in named:
        users.setdefault(str(one["name"]).lower(), []).append(one["node"])
    marked = [{**one, "used_by": users.get(str(one["name"]).lower(), [])} for one in items(connections)]
    return {**connections, "items": marked} if isinstance(connections, dict) and "items" in connections else marked


def _known(value: Json) -> TypeGuard[dict[str, Json]]:
    return isinstance(value, dict) and "$unknown" not in value
