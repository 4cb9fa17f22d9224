"""How many cores the deployment's VM family may have in its region, and the providers that endpoints need."""

from __future__ import annotations

import asyncio

from pfdoctor.cloud.reader import Reader
from pfdoctor.cloud.reading import Reading
from pfdoctor.collect.azure import permissions, versions
from pfdoctor.collect.azure.arm_id import ML, subscription_id
from pfdoctor.collect.azure.body import Body, placed, sourced, unread
from pfdoctor.collect.kept import keep
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

# Microsoft Learn, "Manage and increase quotas": online deployments are checked against the dedicated cores of their VM
# family; 20 % are reserved for upgrades but for the families with A100, H100 and MI-class accelerators.
# types of usages of a family's cores: those of the subscription before those of one workspace
_KINDS = ("/vmfamily/", "dedicatedcores", "/usages")
_UNRESERVED = Pattern(r"a100|h100|h200|ndv2|ndrsv2|nd40rs|nd96|nc24ads|nc48ads|nc96ads|nc40ads|nc80adis", 2)
_LETTERS = Pattern(r"[^a-z0-9]")
# the second as Microsoft Learn's page on accessing data from endpoints asks for it
_PROVIDERS = (ML, "Microsoft.PolicyInsights")


async def read_quota(reader: Reader, subscription: str, location: Json, size: Json, instances: Json) -> Json:
    """The facts `quota` but for those derived of them. Null for a deployment without a VM size (Kubernetes)."""
    for one in (location, size):
        if isinstance(one, dict):
            return one
    if size is None or location is None:
        return None
    base = f"{subscription_id(subscription)}/providers/{ML}/locations/{location}"
    sizes, usages = await asyncio.gather(
        reader.list(f"{base}/vmSizes", versions.USAGES, permissions.VM_SIZES),
        reader.list(f"{base}/usages", versions.USAGES, permissions.USAGES),
    )
    facts: dict[str, Json] = {
        "instance_type": size,
        "instances": instances if isinstance(instances, int) and not isinstance(instances, bool) else None,
        "reserved": _UNRESERVED.search(size) is None,
        **_size(sizes, size),
    }
    facts |= _usage(usages, facts["family"])
    if sizes.unknown is not None and usages.unknown is not None:
        return unread(sizes, "the VM sizes and quota of the region")
    return sourced(facts, sizes.source if usages.unknown is not None else usages.source)


def _size(sizes: Reading, size: str) -> dict[str, Json]:
    keys = ("family", "cores_per_instance", "memory_gb")
    if sizes.unknown is not None:
        why = unread(sizes, "the VM sizes of the region")
        return {**dict.fromkeys(keys, why), "known_size": why}
    body = next((one for one in map(Body, sizes.value) if str(one.raw("name")).lower() == size.lower()), None)
    if body is None:
        doubt = sizes.incomplete.to_json() if sizes.incomplete is not None else None
        absent = placed(value=False, source=sizes.source)
        return {**dict.fromkeys(keys, doubt), "known_size": absent if doubt is None else doubt}
    return {
        "family": body.text("family"),
        "cores_per_instance": body.whole("vCPUs"),
        "memory_gb": body.number("memoryGB"),
        "known_size": placed(value=True, source=sizes.source),
    }


def _usage(usages: Reading, family: Json) -> dict[str, Json]:
    keys = ("limit", "used", "endpoints_limit", "deployments_limit")
    if usages.unknown is not None:
        return dict.fromkeys(keys, unread(usages, "the quota of the region"))
    missing = usages.incomplete or Unknown("not-told", "the list of quotas of the region does not name it")
    facts: dict[str, Json] = dict.fromkeys(keys, missing.to_json())
    best = len(_KINDS)
    for body in map(Body, usages.value):
        name, kind = body.child("name"), str(body.lower("type"))
        words = {_plain(name.raw("value")), _plain(name.raw("localizedValue"))}
        rank = next((number for number, part in enumerate(_KINDS) if part in kind), best)
        # the dedicated and the low-priority cores of a family have one name, and their type tells them apart
        if isinstance(family, str) and _plain(family) in words and "lowpriority" not in kind and rank < best:
            best, facts["limit"], facts["used"] = rank, _limit(body), body.whole("currentValue")
        elif words & {"onlineendpoints", "totalonlineendpoints", "endpoints"}:
            facts["endpoints_limit"] = _limit(body)
        elif words & {"deploymentsperendpoint", "onlinedeploymentsperendpoint"}:
            facts["deployments_limit"] = _limit(body)
    if isinstance(family, dict):
        facts["limit"] = facts["used"] = family
    return facts


def _limit(body: Body) -> Json:
    """The limit; none where the service writes -1."""
    limit = body.whole("limit")
    return None if limit == -1 else limit


def _plain(name: Json) -> str:
    """`Standard DSv2 Family Cluster Dedicated vCPUs` and `standardDSv2Family` alike."""
    text = _LETTERS.sub("", name.lower()) if isinstance(name, str) else ""
    return text.removesuffix("clusterdedicatedvcpus").removesuffix("dedicatedvcpus")


async def read_providers(reader: Reader, subscription: str) -> Json:
    """The fact `providers`: whether the subscription has registered those that managed online endpoints need."""
    paths = [f"{subscription_id(subscription)}/providers/{one}" for one in _PROVIDERS]
    readings = await asyncio.gather(*(reader.get(path, versions.PROVIDER, permissions.PROVIDER) for path in paths))
    return [keep(_provider(name, reading)) for name, reading in zip(_PROVIDERS, readings, strict=True)]


def _provider(name: str, reading: Reading) -> dict[str, Json]:
    if reading.body is None:
        return {"namespace": name, "state": unread(reading, f"the registration of {name}"), "$source": reading.source}
    return sourced({"namespace": name, "state": Body(reading.body).text("registrationState")}, reading.source)
