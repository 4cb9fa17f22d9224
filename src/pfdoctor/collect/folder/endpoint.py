"""Endpoint definitions as facts, from the CLI, SDK and Azure Resource Manager dialects."""

from __future__ import annotations

from pfdoctor.collect.arm_text import snake
from pfdoctor.collect.folder.environment import unknown_keys
from pfdoctor.collect.folder.section import Section
from pfdoctor.collect.placeholder import any_placeholder
from pfdoctor.core.model import Json, Unknown

# read in azure-ai-ml 1.35.2, azure/ai/ml/_schema/_endpoint: unknown keys are refused
_KEYS = frozenset(
    "$schema name id description tags provisioning_state properties auth_mode scoring_uri location openapi_uri "
    "identity traffic kind mirror_traffic public_network_access compute".split()
)
_FLAG = "enforce_access_to_default_secret_stores"


def read_endpoint(section: Section, file: str, kind: str) -> dict[str, Json]:
    """The facts of an endpoint mapping. `kind` is managed or kubernetes."""
    body = (section.child("properties") if section.arm else None) or section
    properties = body.child("properties")
    identity = section.child("identity")
    name = section.text("name")
    traffic = _traffic(body, "traffic")
    mode = body.text("auth_mode")
    return {
        "$file": file,
        "$at": section.places("name", "identity")
        | body.places("auth_mode", "traffic", "mirror_traffic", "compute", "public_network_access", "properties")
        | ({_FLAG: properties.place(_FLAG)} if properties is not None and properties.key(_FLAG) else {})
        | (
            {
                "identity_type": identity.place("type"),
                "user_assigned_identities": identity.place("user_assigned_identities"),
            }
            if identity is not None
            else {}
        ),
        "name": name.rpartition("/")[2] if section.arm and name else name,
        "file": file,
        "kind": kind,
        "dialect": "arm" if section.arm else "cli",
        "schema_url": section.text("$schema"),
        "auth_mode": _AUTH.get(mode.lower(), mode) if mode is not None else None,
        "compute": body.text("compute"),
        "identity_type": _identity_type(identity),
        "user_assigned_identities": _identities(identity),
        _FLAG: properties.get(_FLAG) if properties is not None else None,
        "properties": properties.value if properties is not None else None,
        "traffic": traffic,
        "traffic_total": _total(traffic),
        "mirror_traffic": _traffic(body, "mirror_traffic"),
        "public_network_access": (body.text("public_network_access") or "").lower() or None,
        "name_placeholder": any_placeholder(name),
        "unknown_keys": [] if section.arm else unknown_keys(section, _KEYS),
    }


# Azure Resource Manager writes AMLToken, Key and AADToken
_AUTH = {"amltoken": "aml_token", "key": "key", "aadtoken": "aad_token"}


def _identity_type(identity: Section | None) -> Json:
    if identity is None:
        return None
    kind = identity.text("type")
    if kind is None:
        return None
    if any_placeholder(kind):
        return Unknown("placeholder", f"the identity type is the placeholder {kind}").to_json()
    return snake(kind).replace(",_", ",").replace(", ", ",")


def _identities(identity: Section | None) -> Json:
    if identity is None:
        return []
    raw = identity.get("user_assigned_identities")
    if isinstance(raw, dict):
        return list(raw)
    found: list[Json] = []
    for one in raw if isinstance(raw, list) else ():
        if isinstance(one, dict):
            found += [str(value) for key, value in one.items() if snake(key) in ("resource_id", "client_id")][:1]
        elif isinstance(one, str):
            found.append(one)
    return found


def _traffic(section: Section, name: str) -> Json:
    child = section.child(name)
    if child is None:
        raw = section.get(name)
        if raw is None or raw in ("", []):
            return None
        return Unknown("template" if any_placeholder(raw) else "malformed", f"{name} {raw!r} is no mapping").to_json()
    return {"$at": child.places(*child.value), **child.value}


def _total(traffic: Json) -> Json:
    if not isinstance(traffic, dict) or "$unknown" in traffic:
        return traffic
    total = 0.0
    for name, share in traffic.items():
        if name == "$at":
            continue
        number = int(share) if isinstance(share, str) and share.strip().isdigit() else share
        if isinstance(number, bool) or not isinstance(number, int | float):
            return Unknown("malformed", f"the traffic of {name} is {share!r}, no number").to_json()
        total += number
    return total
