"""The operations that an endpoint's identity, and whoever deploys, need on Azure: what, where, and whether at all."""

from __future__ import annotations

from typing import NamedTuple

from pfdoctor.core.access.scopes import contains, normal
from pfdoctor.core.derive.operation import Operation
from pfdoctor.core.derive.operations_of_deployer import deployer_operations
from pfdoctor.core.derive.operations_of_service import service_operations
from pfdoctor.core.derive.operations_of_tools import tool_operations
from pfdoctor.core.derive.usage import Usage
from pfdoctor.core.model import Json


class Scope(NamedTuple):
    """A scope whose role assignments, deny assignments and locks have to be read, and the operations it is for."""

    scope: str
    kind: str
    why: str


def operations_of_endpoint(document: dict[str, Json]) -> list[Operation]:
    """What the endpoint's identity needs, by the facts of one case with what follows from them."""
    usage = Usage(document)
    return [*service_operations(usage), *tool_operations(usage)]


def operations_of_deployer(document: dict[str, Json]) -> list[Operation]:
    """What the person who deploys needs, by the facts of one case with what follows from them.

    Nothing, where the facts say that they do not know that person: then nobody's roles are to be read.
    """
    caller = (document.get("live") or {}).get("caller")
    if isinstance(caller, dict) and "$unknown" in caller:
        return []
    return list(deployer_operations(Usage(document)))


def scopes_of(operations: list[Operation]) -> tuple[Scope, ...]:
    """Where permissions have to be read to decide the operations.

    What is set above a scope shows in the lists of the scope, so no scope that has another of them below it is read.
    """
    wanted: dict[str, list[Operation]] = {}
    for one in operations:
        if isinstance(one.scope, str) and one.needed is not False and one.elsewhere is None:
            wanted.setdefault(normal(one.scope), []).append(one)
    lowest = [place for place in wanted if not any(place != other and contains(place, other) for other in wanted)]
    found = []
    for place in lowest:
        first = wanted[place][0]
        why = ", ".join(dict.fromkeys(one.key for one in wanted[place]))
        found.append(Scope(str(first.scope), first.kind or "resource", why))
    return tuple(found)
