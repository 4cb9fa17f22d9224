"""Actions into edits of Azure: which resource holds a live fact, under which key, and in which spelling."""

from __future__ import annotations

from typing import NamedTuple

from pfdoctor.core.access.builtin_roles import ROLES
from pfdoctor.core.action import (
    Action,
    AssignRole,
    EnableProvider,
    RefreshKeys,
    RemoveFact,
    RenameKey,
    RouteTraffic,
    SetFact,
    concrete_keys,
)
from pfdoctor.core.condition import Scope
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.plan.resource import (
    AzureEdit,
    BodyChange,
    BodyPath,
    GrantRole,
    NewVersion,
    RegisterProvider,
    Resources,
    SyncKeys,
    UpdateDeployment,
    UpdateEndpoint,
    changed_body,
    content,
)
from pfdoctor.core.plan.step import RefusedError
from pfdoctor.core.redact import redact_value

LIVE_ACTIONS = AssignRole | RouteTraffic | EnableProvider | RefreshKeys


class _Key(NamedTuple):
    """Where the raw body has a fact, and how it writes the value: as it is, in ISO 8601, or in words of its own."""

    path: str
    unit: str = ""
    words: tuple[tuple[str, str], ...] = ()


_ACCESS = (("enabled", "Enabled"), ("disabled", "Disabled"))
_PROBE = {
    "initial_delay": _Key("initialDelay", "s"),
    "period": _Key("period", "s"),
    "timeout": _Key("timeout", "s"),
    "failure_threshold": _Key("failureThreshold"),
    "success_threshold": _Key("successThreshold"),
}
_DEPLOYMENT = {
    "environment_variables": _Key("properties.environmentVariables"),
    "instance_type": _Key("properties.instanceType"),
    "instance_count": _Key("sku.capacity"),
    "app_insights_enabled": _Key("properties.appInsightsEnabled"),
    "model_mount_path": _Key("properties.modelMountPath"),
    "egress_public_network_access": _Key("properties.egressPublicNetworkAccess", words=_ACCESS),
    "request_settings.request_timeout_ms": _Key("properties.requestSettings.requestTimeout", "ms"),
    "request_settings.max_queue_wait_ms": _Key("properties.requestSettings.maxQueueWait", "ms"),
    "request_settings.max_concurrent_requests_per_instance": _Key(
        "properties.requestSettings.maxConcurrentRequestsPerInstance"
    ),
    **{
        f"{probe}_probe.{name}": key._replace(path=f"properties.{probe}Probe.{key.path}")
        for probe in ("liveness", "readiness", "startup")
        for name, key in _PROBE.items()
    },
}
_ENDPOINT = {
    "traffic": _Key("properties.traffic"),
    "mirror_traffic": _Key("properties.mirrorTraffic"),
    "public_network_access": _Key("properties.publicNetworkAccess", words=_ACCESS),
}
_ROUTES = {"liveness_route": "livenessRoute", "readiness_route": "readinessRoute", "scoring_route": "scoringRoute"}
_ENVIRONMENT = {
    "inference_config": _Key("properties.inferenceConfig"),
    "image.reference": _Key("properties.image"),
}


def resolve_live(action: Action, scope: Scope, resources: Resources) -> tuple[AzureEdit, ...]:
    """The edits of Azure that a rendered action comes to. Raises RefusedError with the reason."""
    live = scope.facts.document.get("live") or {}
    match action:
        case AssignRole(role, where):
            return (_grant(role, where, live),)
        case RouteTraffic(deployment):
            return (_route(deployment, live, resources),)
        case EnableProvider(namespace):
            subscription = _id(live, "workspace").split("/")[2]
            return (RegisterProvider(subscription, namespace),)
        case RefreshKeys():
            return (SyncKeys(_id(live, "workspace")),)
        case SetFact() | RemoveFact() | RenameKey():
            return _of_fact(action, scope, live, resources)
        case _:
            raise RefusedError("it is a change of files, which are not here")


def _grant(role: str, where: str, live: dict[str, Json]) -> GrantRole:
    known = next((one for one in ROLES if one.name == role), None)
    if known is None:
        raise RefusedError(f"the role {role} is none that pfdoctor knows")
    identity = live.get("identity")
    principal = identity.get("principal_id") if isinstance(identity, dict) else None
    if not isinstance(principal, str):
        raise RefusedError("the endpoint's identity is not known, or there is none yet")
    if not where.lower().startswith("/subscriptions/"):
        raise RefusedError(f"{where} is no scope")
    return GrantRole(where, role, known.guid, principal)


def _route(deployment: str, live: dict[str, Json], resources: Resources) -> UpdateEndpoint:
    target = _id(live, "endpoint")
    old = _raw_value(_body(target, resources), ("properties", "traffic"))
    return UpdateEndpoint(target, (BodyChange("set", ("properties", "traffic"), {deployment: 100}, old),))


def _of_fact(
    action: SetFact | RemoveFact | RenameKey, scope: Scope, live: dict[str, Json], resources: Resources
) -> tuple[AzureEdit, ...]:
    _, first, *rest = concrete_keys(scope.look_up(action.fact).path)
    section, names = str(first), [str(key) for key in rest]
    if section == "environment" and names == ["version"] and isinstance(action, SetFact):
        return (_other_version(str(action.value), live, resources),)
    if section == "environment":
        return _new_version(action, names, live, resources)
    tables = {"deployment": _DEPLOYMENT, "endpoint": _ENDPOINT}
    if section not in tables:
        raise RefusedError(f"no property in Azure that can be changed holds {'.'.join([section, *names])}")
    target = _id(live, section)
    change = _change(action, names, tables[section], _body(target, resources))
    if section == "endpoint":
        return (UpdateEndpoint(target, (change,)),)
    return (UpdateDeployment(target, (change,)),)


def _new_version(
    action: SetFact | RemoveFact | RenameKey, names: list[str], live: dict[str, Json], resources: Resources
) -> tuple[AzureEdit, ...]:
    """A version never changes: a copy with the change, and the deployment pointed at it."""
    base, deployment = _id(live, "environment"), _id(live, "deployment")
    container, _, _ = base.partition("/versions/")
    body, _ = _body(base, resources), _body(deployment, resources)
    version = resources.next_version(container)
    if version is None:
        raise RefusedError("the versions of the environment could not be read, so the next free one is not known")
    new = NewVersion(container, base, version, (_change(action, names, _ENVIRONMENT, body),))
    pin = BodyChange("set", ("properties", "environmentId"), new.target, base)
    return (new, UpdateDeployment(deployment, (pin,)))


def _other_version(version: str, live: dict[str, Json], resources: Resources) -> UpdateDeployment:
    """The deployment pointed at a version that there is."""
    now, deployment = _id(live, "environment"), _id(live, "deployment")
    _body(deployment, resources)
    container, _, _ = now.partition("/versions/")
    registered = resources.versions.get(container.lower())
    if registered is not None and version not in registered:
        raise RefusedError(f"version {version} of the environment is not registered")
    return UpdateDeployment(
        deployment, (BodyChange("set", ("properties", "environmentId"), f"{container}/versions/{version}", now),)
    )


def _change(
    action: SetFact | RemoveFact | RenameKey, names: list[str], table: dict[str, _Key], body: dict[str, Json]
) -> BodyChange:
    for count in (len(names), 2, 1):
        key = table.get(".".join(names[:count]))
        if key is not None:
            path: BodyPath = (*key.path.split("."), *(_ROUTES.get(name, name) for name in names[count:]))
            break
    else:
        raise RefusedError(f"no property in Azure that can be changed holds {'.'.join(names)}")
    old = redact_value(_raw_value(body, path), path[-1])
    match action:
        case SetFact(_, value):
            return BodyChange("set", path, _written(value, key), old)
        case RemoveFact():
            return BodyChange("remove", path, None, old)
        case RenameKey(_, to):
            return BodyChange("rename", path, to)


def _written(value: Json, key: _Key) -> Json:
    """The value as the raw body writes it."""
    if key.unit and isinstance(value, int | float) and not isinstance(value, bool):
        return duration(value / 1000 if key.unit == "ms" else value)
    if isinstance(value, str):
        return dict(key.words).get(value, value)
    if isinstance(value, dict):
        return {_ROUTES.get(name, name): child for name, child in value.items()}
    return value


def duration(seconds: float) -> str:
    """Seconds in ISO 8601, as Azure Resource Manager writes them: PT1M30S, PT0.5S."""
    minutes, rest = divmod(seconds, 60)
    text = f"{rest:.3f}".rstrip("0").rstrip(".")
    return "PT" + (f"{int(minutes)}M" if minutes else "") + (f"{text}S" if rest or not minutes else "")


def _raw_value(body: Json, path: BodyPath) -> Json:
    for key in path:
        body = body.get(key) if isinstance(body, dict) else None
    return body


def _id(live: dict[str, Json], section: str) -> str:
    part = live.get(section)
    identifier = part.get("id") if isinstance(part, dict) else None
    if not isinstance(identifier, str) or not identifier.lower().startswith("/subscriptions/"):
        why = Unknown.from_json(part["$unknown"]).detail if isinstance(part, dict) and "$unknown" in part else ""
        raise RefusedError(f"the {section} is not known in Azure{f': {why}' if why else ''}")
    return identifier


def _body(identifier: str, resources: Resources) -> dict[str, Json]:
    body = resources.body(identifier)
    if body is None:
        raise RefusedError(f"{identifier} could not be read, so it is not known what would be overwritten")
    return body


def changes_anything(edit: AzureEdit, resources: Resources) -> bool:
    """Whether the edit would change what was read."""
    if isinstance(edit, UpdateDeployment | UpdateEndpoint):
        body = _body(edit.target, resources)
        return changed_body(body, edit.changes) != content(body)
    return True
