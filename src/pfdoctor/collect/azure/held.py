"""What the caller may do at a scope, by the service's own account: groups resolved, and nothing needed to ask."""

from __future__ import annotations

from pfdoctor.cloud.reader import Reader
from pfdoctor.collect.azure import versions
from pfdoctor.collect.azure.authorization import permission
from pfdoctor.collect.azure.body import Body, listed, unread
from pfdoctor.core.model import Json


async def read_held(reader: Reader, scope: str) -> Json:
    """The permissions of the caller's roles at the scope and above, as facts `permission`; deny assignments apart.

    Microsoft Learn, "Permissions - List For Resource".
    """
    reading = await reader.list(f"{scope}/providers/Microsoft.Authorization/permissions", versions.PERMISSIONS)
    what = f"what you may do at {scope}"
    if reading.unknown is not None:
        return unread(reading, what)
    return listed(reading, [permission(Body(one)) for one in reading.value], what)
