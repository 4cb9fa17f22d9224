"""What stands around the resources: subscriptions, resource providers, management groups, metrics, cloud metadata."""

from __future__ import annotations

from typing import Any

from pfdoctor.simulator.call import Answer, Call, etag_of
from pfdoctor.simulator.errors import ArmError, authorization_failed, bad_request
from pfdoctor.simulator.ids import scope_key, subscription_of
from pfdoctor.simulator.routing import OPEN, Routes
from pfdoctor.simulator.store import CANONICAL, Resource

routes = Routes()
_SUBSCRIPTION = "Microsoft.Resources/subscriptions"
_GROUPS = "Microsoft.Management/managementGroups"


def _visible(call: Call) -> list[Resource]:
    """The subscriptions in which the caller has any role at all."""
    access = call.world.access
    scopes = {scope_key(assignment.scope) for assignment in access.of(access.directory.identities(call.principal.id))}
    inside = {subscription_of(scope) for scope in scopes}
    return [
        resource
        for resource in call.world.store.of_type(_SUBSCRIPTION)
        if resource.name.lower() in inside or scopes & set(access.above(resource.key))
    ]


def _subscription(call: Call, resource: Resource) -> dict[str, Any]:
    return {"id": resource.id, "tenantId": call.world.tenant, **resource.body}


@routes.collection("subscriptions", OPEN)
def list_subscriptions(call: Call) -> Answer:
    return Answer(200, {"value": [_subscription(call, resource) for resource in _visible(call)]})


@routes.item("GET", _SUBSCRIPTION, OPEN)
def get_subscription(call: Call) -> Answer:
    resource = call.existing()
    if resource not in _visible(call):
        raise authorization_failed(*call.who, f"{_SUBSCRIPTION}/read", resource.id)
    return Answer(200, _subscription(call, resource), etag_of(resource))


@routes.collection("tenants", OPEN)
def list_tenants(call: Call) -> Answer:
    tenant = call.world.tenant
    return Answer(200, {"value": [{"id": f"/tenants/{tenant}", "tenantId": tenant, "displayName": "Contoso"}]})


@routes.collection(
    f"{_SUBSCRIPTION}/resourceGroups/resources", "Microsoft.Resources/subscriptions/resourceGroups/resources/read"
)
def list_resources(call: Call) -> Answer:
    """The top level resources of a group, in short."""
    found = [resource for kind in CANONICAL for resource in call.world.store.below(call.target.id, kind).values()]
    brief = [
        {"id": item.id, "name": item.name, "type": item.type, "location": item.body.get("location")} for item in found
    ]
    return Answer(200, {"value": brief})


# ------------------------------------------------------------------------------------------------ resource providers


def provider(call: Call) -> Answer:
    """`GET /subscriptions/S/providers/NAMESPACE`."""
    return Answer(200, _provider(call, call.target.name))


def _provider(call: Call, namespace: str) -> dict[str, Any]:
    state = call.world.registration(call.target.subscription, namespace)
    types = [name.partition("/")[2] for name in CANONICAL.values() if name.lower().startswith(namespace.lower() + "/")]
    return {
        "id": f"/subscriptions/{call.target.subscription}/providers/{namespace}",
        "namespace": namespace,
        "registrationState": state,
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [{"resourceType": name, "apiVersions": []} for name in types],
    }


def register(call: Call) -> Answer:
    """`POST /subscriptions/S/providers/NAMESPACE/register`."""
    states = call.world.providers.setdefault(call.target.subscription.lower(), {})
    for name in list(states):
        if name.lower() == call.target.name.lower():
            del states[name]
    return Answer(200, _provider(call, call.target.name))


# the second holds no resource here, but deployments ask for its registration
_NAMESPACES = sorted({name.partition("/")[0] for name in CANONICAL.values()} | {"Microsoft.PolicyInsights"})

for _namespace in _NAMESPACES:
    routes.item("GET", _namespace, "Microsoft.Resources/subscriptions/providers/read")(provider)
    routes.action(_namespace, "register", f"{_namespace}/register/action")(register)


@routes.collection(f"{_SUBSCRIPTION}/providers", "Microsoft.Resources/subscriptions/providers/read")
def list_providers(call: Call) -> Answer:
    return Answer(200, {"value": [_provider(call, namespace) for namespace in _NAMESPACES]})


# ------------------------------------------------------------------------------------------------ management groups


@routes.collection(_GROUPS, OPEN)
def list_management_groups(call: Call) -> Answer:
    """Those that the caller may read."""
    groups = (_group(call, name) for name in call.world.management_groups)
    found = [group for group in groups if call.world.allows(call.principal.id, f"{_GROUPS}/read", group["id"])]
    return Answer(200, {"value": found})


@routes.item("GET", _GROUPS)
def get_management_group(call: Call) -> Answer:
    if call.target.name not in call.world.management_groups:
        raise ArmError(404, "NotFound", f"The management group '{call.target.name}' cannot be found.")
    return Answer(200, _group(call, call.target.name))


def _group(call: Call, name: str) -> dict[str, Any]:
    group = call.world.management_groups[name]
    return {
        "id": f"/providers/{_GROUPS}/{name}",
        "type": _GROUPS,
        "name": name,
        "properties": {
            "tenantId": call.world.tenant,
            "displayName": group.get("displayName", name),
            "details": {"parent": {"id": f"/providers/{_GROUPS}/{group['parent']}"} if group.get("parent") else None},
        },
    }


@routes.collection(f"{_GROUPS}/descendants")
def descendants(call: Call) -> Answer:
    """All groups and subscriptions below one."""
    groups = call.world.management_groups
    found: list[dict[str, Any]] = []
    pending = [call.target.name]
    while pending:
        name = pending.pop(0)
        parent = {"id": f"/providers/{_GROUPS}/{name}"}
        for below, group in groups.items():
            if group.get("parent") == name:
                pending.append(below)
                found.append(_descendant(f"/providers/{_GROUPS}/{below}", _GROUPS, below, parent))
        for subscription in groups.get(name, {}).get("subscriptions") or ():
            found.append(_descendant(f"/subscriptions/{subscription}", "/subscriptions", subscription, parent))
    return Answer(200, {"value": found})


def _descendant(identifier: str, kind: str, name: str, parent: dict[str, str]) -> dict[str, Any]:
    return {"id": identifier, "type": kind, "name": name, "properties": {"displayName": name, "parent": parent}}


# ------------------------------------------------------------------------------------------------------------ metrics


@routes.collection("Microsoft.Insights/metrics")
def metrics(call: Call) -> Answer:
    """The series that the scenario holds for a resource, for the metrics that are asked for."""
    key = call.target.scope.lower()
    if call.world.store.get(key) is None:
        raise ArmError(404, "ResourceNotFound", f"The resource '{call.target.scope}' could not be found.")
    names = [name for name in call.query.get("metricnames", "").split(",") if name]
    if not names:
        raise bad_request("The metricnames query parameter is required.")
    known = call.world.metrics.get(key, {})
    values = [
        {
            "id": f"{call.target.scope}/providers/Microsoft.Insights/metrics/{name}",
            "type": "Microsoft.Insights/metrics",
            "name": {"value": name, "localizedValue": name},
            "unit": (known.get(name) or {}).get("unit", "Unspecified"),
            "timeseries": (known.get(name) or {}).get("timeseries", []),
            "errorCode": "Success",
        }
        for name in names
    ]
    return Answer(200, {"cost": 0, "timespan": call.query.get("timespan", ""), "interval": "PT1M", "value": values})


def cloud_metadata(base: str, api_version: str) -> Any:
    """`/metadata/endpoints`: how a client learns where everything is."""
    if api_version < "2018-05-01":
        return {
            "galleryEndpoint": f"{base}/",
            "graphEndpoint": f"{base}/",
            "portalEndpoint": "https://portal.simulator.invalid",
            "authentication": {"loginEndpoint": f"{base}/", "audiences": [base, f"{base}/"]},
        }
    cloud = {
        # Each simulator needs a name of its own: azure-ai-ml remembers clouds by name.
        "name": f"PfdoctorSimulator{base.rpartition(':')[2]}",
        "portal": "https://portal.simulator.invalid",
        "resourceManager": f"{base}/",
        "authentication": {
            "loginEndpoint": f"{base}/",
            "audiences": [base, f"{base}/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graph": f"{base}/",
        "suffixes": {
            "storage": "core.windows.net",
            "keyVaultDns": "vault.azure.net",
            "acrLoginServer": "azurecr.io",
        },
    }
    return [cloud]
