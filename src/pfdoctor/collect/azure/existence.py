"""Whether a resource exists: a 404 says so only where the thing around it was read."""

from __future__ import annotations

from pfdoctor.cloud.reader import Reader
from pfdoctor.cloud.reading import Reading
from pfdoctor.collect.azure import permissions, versions
from pfdoctor.collect.azure.arm_id import ArmId, parse
from pfdoctor.core.model import Json, Unknown


async def exists(reader: Reader, identifier: str, reading: Reading) -> Json:
    """True, false, or why neither is known, for what was read of a resource."""
    if reading.unknown is None:
        return True
    if not reading.is_missing:
        return reading.unknown.to_json()
    target = parse(identifier)
    parent = await _parent(reader, target) if target is not None else None
    if parent is None:
        return Unknown("parent-unread", f"{identifier} was not found, and nothing around it was read").to_json()
    if parent.unknown is None:
        return False
    detail = f"{identifier} was not found, and what it lies in was not read: {parent.unknown.detail}"
    return parent.unknown._replace(code="parent-unread", detail=detail).to_json()


async def _parent(reader: Reader, target: ArmId) -> Reading | None:
    """What a resource lies in: the resource at the root of a nested one, else the resource group."""
    version = versions.OF_TYPE.get(target.root.type.lower())
    if target.root.text != target.text and version is not None:
        return await reader.get(target.root.text, version, target.root.read)
    if target.group_id is None:
        return None
    return await reader.get(target.group_id, versions.GROUP, permissions.GROUP)
