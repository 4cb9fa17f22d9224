"""What the files plan, as the resources that it would become: so that what it leans on can be read before it exists."""

from __future__ import annotations

from collections.abc import Mapping

from pfdoctor.cloud.reading import Reading
from pfdoctor.collect.azure.found import Found
from pfdoctor.collect.azure.target import Target
from pfdoctor.core.model import Json, Unknown

NAME = "planned"


def planned(declared: Json, found: Found, target: Target, location: Json) -> Found:
    """`found` with a deployment as the files declare it, and with its endpoint where there is none.

    Only what other resources are read by is filled in: sizes, names of assets, variables, identities.
    """
    endpoint = found.endpoint
    if endpoint.is_missing:
        endpoint = Reading(_endpoint(_section(declared, "endpoint"), location), endpoint.source)
    body = _deployment(_section(declared, "deployment"), target, location)
    return found._replace(endpoint=endpoint, chosen={NAME: Reading(body, found.endpoint.source)})


def planned_identity(identity: Json) -> Json:
    """The identity of an endpoint that is not there: its own will be made with it, and has no id before."""
    if not isinstance(identity, dict) or identity.get("type") != "system_assigned":
        return identity
    why = Unknown("not-created", "the endpoint does not exist yet, and its own identity is made with it").to_json()
    return {**identity, "principal_id": why, "client_id": why}


def _endpoint(section: dict[str, Json], location: Json) -> dict[str, Json]:
    kind = section.get("identity_type")
    ids = section.get("user_assigned_identities")
    named = [one for one in ids if isinstance(one, str) and one.startswith("/")] if isinstance(ids, list) else []
    identity: dict[str, Json] = {"type": "SystemAssigned"}
    if kind == "user_assigned":
        identity = {"type": "UserAssigned", "userAssignedIdentities": {one: {} for one in named}}
    return {"location": location, "identity": identity, "properties": {}}


def _deployment(section: dict[str, Json], target: Target, location: Json) -> dict[str, Json]:
    variables = section.get("environment_variables")
    known = variables if isinstance(variables, dict) and "$unknown" not in variables else {}
    properties: dict[str, Json] = {
        "instanceType": _text(section, "instance_type"),
        "environmentVariables": {key: value for key, value in known.items() if isinstance(value, str)},
    }
    for key, what, collection in (("environmentId", "environment", "environments"), ("model", "model", "models")):
        named = _section(section, what)
        name, version = _text(named, "name"), _text(named, "version")
        if named.get("kind") == "registered" and name is not None and version is not None:
            properties[key] = f"{target.workspace_id}/{collection}/{name}/versions/{version}"
    count = section.get("instance_count")
    capacity = count if isinstance(count, int) and not isinstance(count, bool) else None
    return {"name": NAME, "location": location, "sku": {"capacity": capacity}, "properties": properties}


def _section(view: Json, name: str) -> dict[str, Json]:
    section = view.get(name) if isinstance(view, dict) else None
    return section if isinstance(section, dict) and "$unknown" not in section else {}


def _text(section: Mapping[str, Json], name: str) -> str | None:
    value = section.get(name)
    return value if isinstance(value, str) and value else None
