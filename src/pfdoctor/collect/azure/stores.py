"""The resources behind a workspace: who may reach them, and by which means."""

from __future__ import annotations

from pfdoctor.cloud.reader import Reader
from pfdoctor.collect.azure import versions
from pfdoctor.collect.azure.arm_id import parse
from pfdoctor.collect.azure.body import Body, sourced, unread
from pfdoctor.collect.azure.existence import exists
from pfdoctor.core.model import Json, Unknown

_KEYS = (
    "location public_network_access default_action bypass allow_shared_key_access is_hns_enabled rbac_authorization "
    "login_server admin_user_enabled sku role_assignment_mode arm_audience_tokens disable_local_auth custom_subdomain "
    "kind retention_days principal_id private_endpoints"
).split()


async def read_store(reader: Reader, identifier: Json, what: str) -> Json:
    """The facts `store` of a resource; null where none is named, unknown where it cannot be read."""
    if identifier is None or (isinstance(identifier, dict) and "$unknown" in identifier):
        return identifier
    target = parse(identifier)
    version = versions.OF_TYPE.get(target.type.lower()) if target is not None else None
    if target is None or version is None:
        return Unknown("malformed", f"{what}: {identifier!r} is no id of a resource that is known here").to_json()
    reading = await reader.get(target.text, version, target.read)
    if reading.body is None:
        there = await exists(reader, target.text, reading)
        if reading.is_missing and isinstance(there, dict):
            return {**there, "$source": reading.source}  # the 404 says little: what it lies in has to be read
        if there is not False:
            return unread(reading, what)
        absent: dict[str, Json] = dict.fromkeys(_KEYS)
        return sourced({"id": target.text, "name": target.name, "exists": False, **absent}, reading.source)
    body = Body(reading.body)
    facts = {"id": target.text, "name": target.name, "exists": True, **_facts(body, target.type.lower())}
    return sourced(facts, reading.source)


def _facts(body: Body, kind: str) -> dict[str, Json]:
    properties = body.child("properties")
    rules = properties.child("networkAcls")
    if rules.is_absent:
        rules = properties.child("networkRuleSet")
    facts: dict[str, Json] = dict.fromkeys(_KEYS)
    facts |= {
        "location": body.text("location"),
        "public_network_access": properties.lower("publicNetworkAccess"),
        "default_action": rules.lower("defaultAction"),
        "bypass": rules.text("bypass"),
        "sku": (properties.child("sku") if kind == "microsoft.keyvault/vaults" else body.child("sku")).text("name"),
        "kind": body.text("kind"),
        "disable_local_auth": properties.boolean("disableLocalAuth"),
        "principal_id": body.child("identity").text("principalId"),
        "private_endpoints": approved(properties),
    }
    return facts | _OWN.get(kind, lambda _: {})(properties)


def approved(properties: Body) -> Json:
    """How many private endpoint connections are approved; none where the resource lists none."""
    return sum(
        one.child("properties").child("privateLinkServiceConnectionState").lower("status") == "approved"
        for one in properties.children("privateEndpointConnections")
    )


def _storage(properties: Body) -> dict[str, Json]:
    allowed = properties.boolean("allowSharedKeyAccess")
    return {
        "allow_shared_key_access": True if allowed is None else allowed,
        "is_hns_enabled": properties.boolean("isHnsEnabled"),
    }


def _vault(properties: Body) -> dict[str, Json]:
    enabled = properties.boolean("enableRbacAuthorization")
    return {"rbac_authorization": False if enabled is None else enabled}


def _registry(properties: Body) -> dict[str, Json]:
    status = properties.child("policies").child("azureADAuthenticationAsArmPolicy").lower("status")
    return {
        "login_server": properties.text("loginServer"),
        "admin_user_enabled": properties.boolean("adminUserEnabled"),
        "role_assignment_mode": properties.text("roleAssignmentMode"),
        "bypass": properties.text("networkRuleBypassOptions"),
        "arm_audience_tokens": status if isinstance(status, dict) else status in (None, "enabled"),
    }


def _component(properties: Body) -> dict[str, Json]:
    return {
        "public_network_access": properties.lower("publicNetworkAccessForIngestion"),
        "disable_local_auth": properties.boolean("DisableLocalAuth"),
        "retention_days": properties.whole("RetentionInDays"),
    }


def _cognitive(properties: Body) -> dict[str, Json]:
    return {"custom_subdomain": properties.text("customSubDomainName")}


def _search(properties: Body) -> dict[str, Json]:
    # keys alone are the default; aadOrApiKey allows both, and refusing keys leaves only roles
    options = properties.child("authOptions")
    local = properties.boolean("disableLocalAuth")
    return {"rbac_authorization": local if isinstance(local, dict) else bool(local) or bool(options.raw("aadOrApiKey"))}


_OWN = {
    "microsoft.storage/storageaccounts": _storage,
    "microsoft.keyvault/vaults": _vault,
    "microsoft.containerregistry/registries": _registry,
    "microsoft.insights/components": _component,
    "microsoft.cognitiveservices/accounts": _cognitive,
    "microsoft.search/searchservices": _search,
}
