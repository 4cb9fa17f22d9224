"""The deployment, in the words of the facts: milliseconds and seconds instead of ISO durations, snake_case."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs

from pfdoctor.cloud.address import https_parts
from pfdoctor.cloud.reader import Reader
from pfdoctor.collect.arm_text import seconds
from pfdoctor.collect.azure import permissions
from pfdoctor.collect.azure.arm_id import last, parse
from pfdoctor.collect.azure.body import Body, sourced, unread
from pfdoctor.collect.azure.endpoint import kind_of, share_of
from pfdoctor.collect.probe_budget import probe_budget
from pfdoctor.core.model import Json, Source, Unknown
from pfdoctor.core.pattern import Pattern

_REGISTRY = Pattern(
    r"azureml://registries/(?P<registry>[^/]+)/(?:environments|models|codes)/(?P<name>[^/]+)"
    r"(?:/(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+)))?/?\Z"
)
_SHORT = Pattern(r"azureml:(?P<name>[^:@/]+)(?::(?P<version>[^:@/]+)|@(?P<label>[^:@/]+))?\Z")


class AssetId(NamedTuple):
    """How a deployment names a model or environment: by its id, or by that of an AML registry."""

    id: str | None
    registry: str | None
    name: str
    version: str | None
    label: str | None


def asset_of(text: Json) -> AssetId | None:
    """The asset that a deployment names; None for a text that names none."""
    if not isinstance(text, str):
        return None
    match = _REGISTRY.match(text)
    if match is not None:
        return AssetId(None, match["registry"], match["name"], match["version"], match["label"])
    match = _SHORT.match(text)
    if match is not None:
        return AssetId(None, None, match["name"], match["version"], match["label"])
    target = parse(text.removeprefix("azureml:"))
    if target is None or len(target.names) < 2:
        return None
    registry = target.names[0] if target.types[0].lower() == "registries" else None
    if target.types[-1].lower() in ("versions", "labels") and len(target.names) >= 3:
        is_label = target.types[-1].lower() == "labels"
        version, label = (None, target.name) if is_label else (target.name, None)
        return AssetId(target.text, registry, target.names[-2], version, label)
    return AssetId(target.text, registry, target.name, None, None)


def read_deployment(raw: dict[str, Json], source: Source, endpoint: str, traffic: Json) -> Json:
    """The facts `deployment` of a deployment's resource. `traffic` is the endpoint's."""
    body = Body(raw)
    properties = body.child("properties")
    system = body.child("systemData")
    name = body.text("name")
    variables, malformed = _variables(properties)
    facts: dict[str, Json] = {
        "name": last(name) if isinstance(name, str) else name,
        "file": None,
        "kind": kind_of(body),
        "dialect": "arm",
        "schema_url": None,
        "endpoint_name": endpoint,
        "instance_type": properties.text("instanceType"),
        "instance_count": body.child("sku").raw("capacity"),
        "model": _named(properties.text("model"), "model"),
        "environment": _named(properties.text("environmentId"), "environment"),
        "code_configuration": _code(properties.child("codeConfiguration")),
        "environment_variables": variables,
        "malformed_environment_variables": malformed,
        "app_insights_enabled": properties.boolean("appInsightsEnabled"),
        "model_mount_path": properties.text("modelMountPath"),
        "egress_public_network_access": properties.lower("egressPublicNetworkAccess"),
        "request_settings": _request_settings(properties.child("requestSettings")),
        "scale_type": _scale_type(properties.child("scaleSettings")),
        "data_collector": _data_collector(properties.child("dataCollector")),
        "unknown_keys": [],
        "wrong_types": [],
        "malformed_references": [],
        "near_misses": [],
        "placeholders": [],
        "unrendered": [],
        "is_template": False,
        "id": body.text("id"),
        "location": body.text("location"),
        "provisioning_state": properties.text("provisioningState"),
        "created_at": system.text("createdAt"),
        "updated_at": system.text("lastModifiedAt"),
        "traffic": share_of(traffic, last(name) if isinstance(name, str) else name),
        "code_id": properties.child("codeConfiguration").text("codeId"),
        "provisioning_error": _error(properties),
    }
    for key, probe in (
        ("liveness_probe", "livenessProbe"),
        ("readiness_probe", "readinessProbe"),
        ("startup_probe", "startupProbe"),
    ):
        facts[key] = _probe(properties.child(probe))
    facts["probe_budgets"] = [
        probe_budget(key, facts[key])
        for key in ("liveness_probe", "readiness_probe")
        if isinstance(facts[key], dict) and "$unknown" not in facts[key]
    ]
    return sourced(facts, source)


def _named(text: Json, what: str) -> dict[str, Json]:
    facts: dict[str, Json] = {"kind": "none", "name": None, "version": None, "label": None}
    if text is None:
        return facts
    asset = asset_of(text)
    if asset is None:
        why = text if isinstance(text, dict) else Unknown("malformed", f"{text!r} names no {what}").to_json()
        return {**facts, "kind": why}
    kind = "registered"
    if asset.registry is not None or asset.name.startswith("AzureML-"):
        kind = "curated" if what == "environment" else "registry"
    return {"kind": kind, "name": asset.name, "version": asset.version, "label": asset.label}


def _code(code: Body) -> Json:
    if code.is_absent:
        return None
    remote = Unknown("remote", "the code is an asset in the workspace, which is not downloaded").to_json()
    identifier, script = code.text("codeId"), code.text("scoringScript")
    return {
        "code": identifier,
        "scoring_script": script,
        "code_exists": remote if identifier is not None else None,
        "scoring_script_exists": remote if script is not None else None,
    }


def _variables(properties: Body) -> tuple[Json, Json]:
    """The environment variables, and those of them that are no texts."""
    variables = properties.map("environmentVariables")
    if not isinstance(variables, dict) or "$unknown" in variables:
        return variables, []
    malformed = [
        {
            "name": name,
            "value": value,
            "problem": "null" if value is None else "not-a-text",
            "value_type": _type_of(value),
        }
        for name, value in variables.items()
        if not isinstance(value, str)
    ]
    return variables, malformed


def _type_of(value: Json) -> str:
    names = {bool: "boolean", int: "number", float: "number", list: "list", dict: "mapping"}
    return names.get(type(value), "null")


def _request_settings(settings: Body) -> Json:
    if settings.is_absent:
        return None
    return {
        "request_timeout_ms": _milliseconds(settings, "requestTimeout"),
        "max_concurrent_requests_per_instance": settings.whole("maxConcurrentRequestsPerInstance"),
        "max_queue_wait_ms": _milliseconds(settings, "maxQueueWait"),
    }


def _milliseconds(body: Body, name: str) -> Json:
    length = _seconds(body, name)
    return round(length * 1000) if isinstance(length, float) else length


def _seconds(body: Body, name: str) -> Json:
    """Seconds of an ISO 8601 duration such as PT1M30S or PT0.5S."""
    text = body.text(name)
    if not isinstance(text, str):
        return text
    length = seconds(text)
    return length if length is not None else Unknown("malformed", f"{name} {text!r} is no duration").to_json()


def _probe(probe: Body) -> Json:
    if probe.is_absent:
        return None
    http = probe.child("httpGet")
    return {
        "initial_delay": _seconds(probe, "initialDelay"),
        "period": _seconds(probe, "period"),
        "timeout": _seconds(probe, "timeout"),
        "failure_threshold": probe.whole("failureThreshold"),
        "success_threshold": probe.whole("successThreshold"),
        "path": http.text("path") if not http.is_absent else probe.text("path"),
        "port": http.raw("port") if not http.is_absent else probe.raw("port"),
    }


def _scale_type(settings: Body) -> Json:
    """`default` or `target_utilization`, as the files of the CLI have it."""
    kind = settings.text("scaleType")
    known = {"default": "default", "targetutilization": "target_utilization"}
    return known.get(kind.lower(), kind) if isinstance(kind, str) else kind


def _data_collector(collector: Body) -> Json:
    if collector.is_absent:
        return None
    collections = []
    for name, value in collector.child("collections").items():
        one = Body(value, name)
        collections.append(
            {
                "name": name,
                "enabled": one.raw("dataCollectionMode"),
                "has_data": one.raw("dataId") is not None,
            }
        )
    return {
        "sampling_rate": _sampling_rate(collector),
        "rolling_rate": collector.text("rollingRate"),
        "collections": collections,
    }


def _sampling_rate(collector: Body) -> Json:
    """The service keeps a rate for each collection; the largest is the one in force anywhere."""
    own = collector.raw("samplingRate")
    rates = [own, *(Body(one).raw("samplingRate") for _, one in collector.child("collections").items())]
    told = [one for one in rates if isinstance(one, int | float) and not isinstance(one, bool)]
    return max(told) if told else None


def _error(properties: Body) -> Json:
    """The error that a deployment's resource holds, where it holds one: not every version of the API does."""
    error = properties.child("provisioningError")
    if error.is_absent:
        error = properties.child("error")
    if error.is_absent:
        return None
    return {"code": error.text("code"), "message": error.text("message")}


async def read_provisioning_error(reader: Reader, raw: Json, host: str) -> Json:
    """The error of a failed deployment, of the last operation on it, whose address the resource names; null if none."""
    properties = Body(raw).child("properties")
    if properties.lower("provisioningState") != "failed":
        return None
    parts = https_parts(properties.child("properties").raw("AzureAsyncOperationUri"))
    version = parse_qs(parts.query).get("api-version") if parts is not None else None
    if parts is None or version is None or parts.netloc.lower() != host:
        return None
    reading = await reader.get(parts.path, version[0], permissions.OPERATION)
    if reading.body is None:
        return unread(reading, "the operation in which the deployment failed")
    body = Body(reading.body)
    error = body.child("error")
    if body.lower("status") != "failed" or error.is_absent:
        return None
    return sourced({"code": error.text("code"), "message": error.text("message")}, reading.source)
