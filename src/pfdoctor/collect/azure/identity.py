"""The identity behind the endpoint, as its container would use it."""

from __future__ import annotations

import asyncio

from pfdoctor.cloud.reader import Reader
from pfdoctor.cloud.reading import Reading
from pfdoctor.collect.azure import versions
from pfdoctor.collect.azure.arm_id import parse
from pfdoctor.collect.azure.body import Body, sourced, unread
from pfdoctor.collect.azure.endpoint import identity_type
from pfdoctor.collect.azure.existence import exists
from pfdoctor.core.model import Json, Unknown


async def read_identity(reader: Reader, endpoint: Reading, variables: Json) -> Json:
    """The facts `identity`. `variables` are the environment variables of the deployment.

    The ids of a user-assigned identity are those in the endpoint's resource; the identity itself is read to see whether
    it still exists, and for what the endpoint's resource leaves out.
    """
    if endpoint.body is None:
        return unread(endpoint, "the endpoint's identity")
    identity = Body(endpoint.body).child("identity")
    kind = identity_type(identity)
    if isinstance(kind, dict):
        return {**kind, "$source": endpoint.source}
    entries = list(identity.child("userAssignedIdentities").items())
    identities = await asyncio.gather(*(_user_assigned(reader, key, Body(value)) for key, value in entries))
    named = _named_client(variables)
    facts: dict[str, Json] = {
        "type": kind,
        "principal_id": None,
        "client_id": None,
        "resource_id": None,
        "named_client_id": named,
        "matches_named": None,
        "identities": list(identities),
    }
    if kind == "none":
        return sourced(facts, endpoint.source)
    if "user_assigned" not in kind:
        return sourced({**facts, **_system(identity)}, endpoint.source)
    facts["type"] = "user_assigned"
    return sourced({**facts, **_chosen(list(identities), named)}, endpoint.source)


def told_principal(endpoint: Reading) -> Json:
    """The object id of the endpoint's identity, where its own resource tells it and there is but one; else null."""
    identity = Body(endpoint.body).child("identity")
    told = [Body(value).raw("principalId") for _, value in identity.child("userAssignedIdentities").items()]
    one = told[0] if len(told) == 1 else identity.raw("principalId")
    return one if isinstance(one, str) else None


def _system(identity: Body) -> dict[str, Json]:
    principal = identity.text("principalId")
    if principal is None:
        principal = Unknown("not-told", "the endpoint has an identity and does not tell its object id").to_json()
    client = Unknown("not-told", "Azure Resource Manager does not tell the client id of a system-assigned identity")
    # the container asks for the endpoint's own identity, whatever AZURE_CLIENT_ID says
    return {"principal_id": principal, "client_id": client.to_json()}


def _named_client(variables: Json) -> Json:
    if not isinstance(variables, dict) or "$unknown" in variables:
        return variables
    value = variables.get("AZURE_CLIENT_ID")
    return value if isinstance(value, str) and value else None


def _chosen(identities: list[Json], named: Json) -> dict[str, Json]:
    """The identity that the container gets a token of: the one that AZURE_CLIENT_ID names, else the only one."""
    keys = ("principal_id", "client_id", "resource_id")
    if isinstance(named, dict):
        if len(identities) == 1:
            return {**{key: identities[0][key] for key in keys}, "matches_named": named}
        return {**dict.fromkeys(keys, named), "matches_named": named}
    if named is not None:
        match = [one for one in identities if str(one["client_id"]).lower() == named.lower()]
        if match:
            return {**{key: match[0][key] for key in keys}, "matches_named": True}
        doubt = next((one["client_id"] for one in identities if isinstance(one["client_id"], dict)), None)
        if doubt is not None:
            return {**dict.fromkeys(keys, doubt), "matches_named": doubt}
        why = Unknown("no-such-identity", f"AZURE_CLIENT_ID is {named}, the client id of no identity of the endpoint")
        return {**dict.fromkeys(keys, why.to_json()), "matches_named": False}
    if len(identities) == 1:
        return {key: identities[0][key] for key in keys}
    count = len(identities) or "no"
    why = Unknown("ambiguous", f"the endpoint has {count} user-assigned identities and AZURE_CLIENT_ID names none")
    return dict.fromkeys(keys, why.to_json())


async def _user_assigned(reader: Reader, identifier: str, told: Body) -> dict[str, Json]:
    target = parse(identifier)
    facts: dict[str, Json] = {
        "resource_id": identifier,
        "principal_id": told.text("principalId"),
        "client_id": told.text("clientId"),
    }
    if target is None:
        return {**facts, "exists": Unknown("malformed", f"{identifier!r} is no resource id").to_json()}
    reading = await reader.get(target.text, versions.IDENTITY, target.read)
    properties = Body(reading.body).child("properties")
    for key, name in (("principal_id", "principalId"), ("client_id", "clientId")):
        if facts[key] is None:
            own = properties.text(name) if reading.unknown is None else reading.unknown.to_json()
            missing = Unknown("not-told", f"neither the endpoint nor the identity tells its {name}").to_json()
            facts[key] = missing if own is None else own
    there = await exists(reader, target.text, reading)
    return sourced({**facts, "exists": there}, reading.source)
