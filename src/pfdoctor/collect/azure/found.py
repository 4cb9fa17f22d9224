"""Which deployments there are to look at, and what to say where there is nothing of that name."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterable
from typing import NamedTuple

from pfdoctor.cloud.at_hand import together
from pfdoctor.cloud.errors import AuthenticationError
from pfdoctor.cloud.reader import Reader
from pfdoctor.cloud.reading import Reading
from pfdoctor.collect.azure import permissions, versions
from pfdoctor.collect.azure.arm_id import ML
from pfdoctor.collect.azure.target import Target
from pfdoctor.core.model import Json, NoInputError, Unknown

_WRONG_TENANT = "InvalidAuthenticationTokenTenant"
_NO_SUBSCRIPTION = ("SubscriptionNotFound", "InvalidSubscriptionId")


class Found(NamedTuple):
    """The endpoint as read, the list of its deployments as read, and those of them to look at, by name."""

    workspace: Reading
    endpoint: Reading
    deployments: Reading
    chosen: dict[str, Reading]


async def find(reader: Reader, target: Target, deployment: str | None, *, planned: bool) -> Found:
    """The endpoint and its deployments; with `planned` it is no mistake that there are none yet.

    Raises NoInputError where the names prove to be wrong, and AuthenticationError where the login sees nothing of the
    subscription. What merely cannot be read is left to be unknown.
    """
    workspace, endpoint, deployments = await together(
        reader.get(target.workspace_id, versions.WORKSPACE, permissions.WORKSPACE),
        reader.get(target.id, versions.ENDPOINT, permissions.ENDPOINT),
        reader.list(f"{target.id}/deployments", versions.ENDPOINT, permissions.DEPLOYMENT),
    )
    _check_login(workspace, target)
    if workspace.is_missing and endpoint.unknown is not None:
        # an endpoint that answers has a workspace, whatever that one's own answer says
        await _no_workspace(reader, target)
    if planned and endpoint.is_missing and workspace.unknown is None:
        return Found(workspace, endpoint, deployments, {})
    if endpoint.is_missing and workspace.unknown is None:
        names = await reader.list(f"{target.workspace_id}/onlineEndpoints", versions.ENDPOINT, permissions.ENDPOINT)
        if _lacks(names, target.endpoint):
            where = f"in the workspace {target.workspace}"
            raise NoInputError(_nothing(f"no online endpoint {target.endpoint!r} {where}", target.endpoint, names))
    chosen = await _chosen(reader, target, deployment, endpoint, deployments, planned=planned)
    return Found(workspace, endpoint, deployments, chosen)


def _check_login(workspace: Reading, target: Target) -> None:
    why = workspace.unknown
    if why is None:
        return
    if why.code == "unauthenticated" and _WRONG_TENANT in why.detail:
        raise AuthenticationError(
            f"the login is for another tenant than the subscription {target.subscription}: run az login --tenant TENANT"
        )
    if any(code in why.detail for code in _NO_SUBSCRIPTION):
        raise AuthenticationError(
            f"the login sees no subscription {target.subscription}: check the id, or run az login --tenant TENANT"
        )


async def _no_workspace(reader: Reader, target: Target) -> None:
    """Raises NoInputError where what is around it was read and does not hold it: the group, or the list of groups."""
    subscription = f"/subscriptions/{target.subscription}"
    group = f"{subscription}/resourceGroups/{target.resource_group}"
    parent, names = await asyncio.gather(
        reader.get(group, versions.GROUP, permissions.GROUP),
        reader.list(f"{group}/providers/{ML}/workspaces", versions.WORKSPACE, permissions.WORKSPACE),
    )
    if parent.unknown is None and _lacks(names, target.workspace):
        what = f"no workspace {target.workspace!r} in the resource group {target.resource_group}"
        raise NoInputError(_nothing(what, target.workspace, names))
    if parent.is_missing:
        groups = await reader.list(f"{subscription}/resourceGroups", versions.GROUP, permissions.GROUP)
        if isinstance(groups.value, list) and _lacks(groups, target.resource_group):
            what = f"no resource group {target.resource_group!r} in the subscription {target.subscription}"
            raise NoInputError(_nothing(what, target.resource_group, groups))


async def _chosen(
    reader: Reader, target: Target, deployment: str | None, endpoint: Reading, deployments: Reading, *, planned: bool
) -> dict[str, Reading]:
    found: dict[str, Reading] = {}
    for one in deployments.value if isinstance(deployments.value, list) else ():
        name = _name_of(one)
        if name is not None and (deployment is None or name.lower() == deployment.lower()):
            found[name] = Reading(one, deployments.source._replace(id=str(one.get("id"))))
    if found or deployment is None:
        return found
    if isinstance(deployments.value, list) and _lacks(deployments, deployment):
        if planned:
            return {}
        what = f"no deployment {deployment!r} at the endpoint {target.endpoint}"
        raise NoInputError(_nothing(what, deployment, deployments))
    reading = await reader.get(f"{target.id}/deployments/{deployment}", versions.ENDPOINT, permissions.DEPLOYMENT)
    if planned and reading.is_missing and endpoint.unknown is None:
        return {}
    if reading.is_missing and endpoint.unknown is None:
        raise NoInputError(f"no deployment {deployment!r} at the endpoint {target.endpoint}")
    return {deployment: reading}


def _name_of(resource: dict[str, Json]) -> str | None:
    name = resource.get("name")
    return name.rpartition("/")[2] if isinstance(name, str) and name else None


def _lacks(listed: Reading, name: str) -> bool:
    """Whether what was read of a list proves that it lacks the name; a list that was not read proves nothing else."""
    items = listed.value if isinstance(listed.value, list) else []
    is_whole = listed.incomplete is None and all(_name_of(one) is not None for one in items)
    return is_whole and name.lower() not in _names(listed)


def _names(listed: Reading) -> dict[str, str]:
    """The names in a list, by their lower case."""
    names = map(_name_of, listed.value if isinstance(listed.value, list) else ())
    return {name.lower(): name for name in names if name is not None}


def _nothing(what: str, wanted: str, listed: Reading) -> str:
    """`what`, and the names that there are instead: the nearest first."""
    names = sorted(_names(listed).values())
    if not names:
        return f"{what}: there is none" if not isinstance(listed.value, Unknown) else what
    close = difflib.get_close_matches(wanted, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{what}: {hint}there {_are(names)}"


def _are(names: Iterable[str]) -> str:
    shown = list(names)
    rest = f" and {len(shown) - 10} more" if len(shown) > 10 else ""
    return ("is " if len(shown) == 1 else "are ") + ", ".join(shown[:10]) + rest
