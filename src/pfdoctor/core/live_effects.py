"""What an action makes of the facts that Azure told: what it states, and what nobody knows until it is read again."""

from __future__ import annotations

from pfdoctor.core.access.builtin_roles import ROLES
from pfdoctor.core.access.scopes import normal
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json

IN_FORCE = "2000-01-01T00:00:00Z"
"""When a predicted assignment was made: long enough ago to be in force, which is what is predicted."""
PREDICTED_ID = "predicted"

# section of a live view that an action changes → what the service says of it afterwards, and nobody knows before
RESTARTED = (
    "deployment.provisioning_state", "deployment.provisioning_error", "deployment.updated_at", "data_plane", "metrics",
    "latency",
)  # fmt: skip
REPLACED = (
    "environment.id", "environment.version", "environment.latest_version", "environment.provisioning_state",
    "deployment.environment.version", *RESTARTED,
)  # fmt: skip
ROUTED = ("endpoint.updated_at", "endpoint.mirror_traffic", "data_plane", "metrics")

_MEASURED = ("data_plane", "metrics", "latency")


def measured(facts: Facts) -> dict[str, Json]:
    """What was measured of the running deployment, and not read of its definition."""
    live = facts.document.get("live") or {}
    return {section: live[section] for section in _MEASURED if section in live}


def as_measured(facts: Facts, before: dict[str, Json]) -> Facts:
    """The facts with what was measured before an action that left it open."""
    live = facts.document.get("live")
    return facts.with_document(live={**live, **before}) if isinstance(live, dict) else facts


def grant(body: dict[str, Json], role: str, scope: str) -> None:
    """Adds the assignment of a built-in role to the endpoint's identity to the facts `authorization`."""
    known = next((one for one in ROLES if one.name == role), None)
    identity, authorization = body.get("identity"), body.get("authorization")
    principal = identity.get("principal_id") if isinstance(identity, dict) else None
    if known is None or not isinstance(principal, str) or not isinstance(authorization, dict):
        return
    row = {
        "id": PREDICTED_ID,
        "role_id": known.guid,
        "role_definition_id": None,
        "principal_id": principal,
        "principal_type": "ServicePrincipal",
        "scope": scope,
        "condition": None,
        "created_at": IN_FORCE,
        "updated_at": IN_FORCE,
        "description": None,
        "principal_exists": True,
    }
    for entry in _items(authorization.get("scopes")):
        if isinstance(entry, dict) and normal(str(entry.get("scope"))).startswith(normal(scope)):
            for one in _items(entry.get("assigned")):
                if str(one.get("principal_id")).lower() == principal.lower():
                    one["assignments"] = _with(one.get("assignments"), row)
            entry["everyone"] = _with(entry.get("everyone"), row)
    definitions = authorization.setdefault("definitions", {})
    if isinstance(definitions, dict) and not isinstance(definitions.get(known.guid), dict):
        definitions[known.guid] = {
            "id": None,
            "name": known.name,
            "type": "BuiltInRole",
            "permissions": [
                {
                    "actions": list(known.actions),
                    "not_actions": list(known.not_actions),
                    "data_actions": list(known.data_actions),
                    "not_data_actions": list(known.not_data_actions),
                    "condition": None,
                }
            ],
            "assignable_scopes": ["/"],
        }


def _items(value: Json) -> list[Json]:
    if isinstance(value, dict):
        value = value.get("items")
    return value if isinstance(value, list) else []


def _with(rows: Json, row: dict[str, Json]) -> Json:
    if isinstance(rows, list):
        return [*rows, row]
    if isinstance(rows, dict) and "$incomplete" in rows:
        return {**rows, "items": [*_items(rows), row]}
    return rows


def route(body: dict[str, Json], deployment: str) -> None:
    """All traffic goes to one deployment."""
    endpoint, own = body.get("endpoint"), body.get("deployment")
    if not isinstance(endpoint, dict):
        return
    endpoint["traffic"] = {deployment: 100}
    endpoint["traffic_total"] = 100
    for one in _items(endpoint.get("deployments")):
        one["traffic"] = 100 if str(one.get("name")).lower() == deployment.lower() else 0
    if isinstance(own, dict):
        own["traffic"] = 100 if str(own.get("name")).lower() == deployment.lower() else 0


def register(body: dict[str, Json], namespace: str) -> None:
    """The resource provider is registered, or about to be."""
    for one in _items(body.get("providers")):
        if str(one.get("namespace")).lower() == namespace.lower():
            one["state"] = "Registered"
