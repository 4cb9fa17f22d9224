"""Whether a resource exists: a 404 says so only where the thing around it was read."""

from __future__ import annotations

from pfdoctor.cloud.reader import Reader
from pfdoctor.cloud.reading import Reading
from pfdoctor.collect.azure import versions
from pfdoctor.collect.azure.arm_id import parse
from pfdoctor.core.model import Json, Unknown


async def exists(reader: Reader, identifier: str, reading: Reading) -> Json:
    """True, false, or why neither is known, for a resource that lies directly in a resource group."""
    if reading.unknown is None:
        return True
    if not reading.is_missing:
        return reading.unknown.to_json()
    group = (target := parse(identifier)) and target.group_id
    if group is None:
        return Unknown("parent-unread", f"{identifier} was not found, and nothing around it was read").to_json()
    parent = await reader.get(group, versions.GROUP, "Microsoft.Resources/subscriptions/resourceGroups/read")
    if parent.unknown is None:
        return False
    detail = f"{identifier} was not found, and its resource group was not read: {parent.unknown.detail}"
    return parent.unknown._replace(code="parent-unread", detail=detail).to_json()
