"""The endpoint and what its deployments have in common."""

from __future__ import annotations

from pfdoctor.cloud.reading import Reading
from pfdoctor.collect.arm_text import snake
from pfdoctor.collect.azure.body import Body, sourced, unread
from pfdoctor.core.model import Json, Unknown

_FLAG = "enforce_access_to_default_secret_stores"
# Azure Resource Manager writes AMLToken, Key and AADToken
_AUTH = {"amltoken": "aml_token", "key": "key", "aadtoken": "aad_token"}


def read_endpoint(reading: Reading, deployments: Reading) -> Json:
    """The facts `endpoint` of an endpoint's resource and the list of its deployments."""
    if reading.body is None:
        return unread(reading, "the endpoint")
    body = Body(reading.body)
    properties = body.child("properties")
    identity = body.child("identity")
    mode = properties.lower("authMode")
    traffic = properties.map("traffic")
    system = body.child("systemData")
    facts = {
        "name": body.text("name"),
        "file": None,
        "kind": kind_of(body),
        "dialect": "arm",
        "schema_url": None,
        "auth_mode": _AUTH.get(mode, mode) if isinstance(mode, str) else mode,
        "compute": properties.text("compute"),
        "identity_type": identity_type(identity),
        "user_assigned_identities": [key for key, _ in identity.child("userAssignedIdentities").items()],
        _FLAG: properties.child("properties").raw(_FLAG),
        "properties": properties.map("properties"),
        "traffic": traffic,
        "traffic_total": traffic_total(traffic),
        "mirror_traffic": properties.map("mirrorTraffic"),
        "public_network_access": properties.lower("publicNetworkAccess"),
        "name_placeholder": False,
        "unknown_keys": [],
        "id": body.text("id"),
        "location": body.text("location"),
        "provisioning_state": properties.text("provisioningState"),
        "scoring_uri": properties.text("scoringUri"),
        "swagger_uri": properties.text("swaggerUri"),
        "created_at": system.text("createdAt"),
        "updated_at": system.text("lastModifiedAt"),
        "deployments": _deployments(deployments, traffic),
    }
    return sourced(facts, reading.source)


def kind_of(body: Body) -> Json:
    """managed or kubernetes; the resource says K8S for the latter."""
    kind = body.lower("kind")
    if kind in ("managed", None):
        return "managed"
    if kind in ("k8s", "kubernetes", "azuremlcompute"):
        return "kubernetes" if kind != "azuremlcompute" else "managed"
    return kind if isinstance(kind, dict) else Unknown("unknown-kind", f"the kind {kind!r} is not known").to_json()


def identity_type(identity: Body) -> Json:
    """system_assigned, user_assigned or none."""
    kind = identity.text("type")
    if not isinstance(kind, str):
        return kind if kind is not None else "none"
    return snake(kind.replace(" ", "")).replace(",_", ",")


def share_of(traffic: Json, name: Json) -> Json:
    """The share of the traffic that a deployment gets, in percent; 0 when none is named."""
    if isinstance(traffic, dict) and "$unknown" in traffic:
        return traffic
    shares = {key.lower(): value for key, value in traffic.items()} if isinstance(traffic, dict) else {}
    share = shares.get(str(name).lower(), 0)
    if isinstance(share, bool) or not isinstance(share, int | float):
        return Unknown("wrong-type", f"the traffic of {name} is {share!r}, no number").to_json()
    return share


def traffic_total(traffic: Json) -> Json:
    if not isinstance(traffic, dict) or "$unknown" in traffic:
        return traffic
    shares = [share_of(traffic, name) for name in traffic]
    return next((one for one in shares if isinstance(one, dict)), None) or sum(shares)


def _deployments(reading: Reading, traffic: Json) -> Json:
    if reading.unknown is not None:
        return unread(reading, "the endpoint's deployments")
    found = []
    for one in reading.value:
        body = Body(one)
        properties = body.child("properties")
        found.append(
            {
                "name": body.text("name"),
                "provisioning_state": properties.text("provisioningState"),
                "traffic": share_of(traffic, body.raw("name")),
                "instance_type": properties.text("instanceType"),
                "environment": properties.text("environmentId"),
            }
        )
    if reading.incomplete is not None:
        return {"$incomplete": reading.incomplete.to_json()["$unknown"], "items": found, "$source": reading.source}
    return {"$list": found, "$source": reading.source}
