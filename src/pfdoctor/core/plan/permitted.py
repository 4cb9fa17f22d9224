"""Whether whoever makes the plan may do its steps: the same evaluation as for the endpoint's identity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pfdoctor.core.access.evaluate import Question, evaluate
from pfdoctor.core.access.world import World
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json
from pfdoctor.core.plan.resource import (
    AzureEdit,
    GrantRole,
    NewVersion,
    RegisterProvider,
    UpdateDeployment,
    UpdateEndpoint,
)
from pfdoctor.core.plan.step import Edit, Permission

_ML = "Microsoft.MachineLearningServices/workspaces"
_MAY = {"ALLOWED": True, "ALLOWED_PENDING": True, "NOT_ALLOWED": False, "DENIED": False, "BLOCKED": False}


def permissions_of(edit: Edit, facts: Facts) -> tuple[Permission, ...]:
    """All that performing the edit needs, and what of it the caller has; nothing for an edit of files."""
    if not isinstance(edit, AzureEdit):
        return ()
    live = facts.document.get("live") or {}
    caller = live.get("caller")
    principal = caller.get("principal_id") if isinstance(caller, dict) else None
    world = World(live.get("authorization"), (facts.document.get("clock") or {}).get("now"))

    def permission(action: str, scope: str) -> Permission:
        if not isinstance(principal, str):
            return Permission(action, scope, None)
        proof = evaluate(Question(action, False, scope, principal, True), world)
        return Permission(action, scope, _MAY.get(proof.verdict))

    return tuple(permission(action, scope) for action, scope in _operations(edit, live))


def is_permitted(permissions: Sequence[Permission]) -> bool | None:
    """Whether somebody with these may do what needs them all; None where that is not known, or none is needed."""
    held = [one.held for one in permissions]
    if False in held:
        return False
    return None if None in held or not held else True


def _operations(edit: AzureEdit, live: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """The operations, each with the scope that it is checked at."""
    match edit:
        case GrantRole(scope):
            yield "Microsoft.Authorization/roleAssignments/write", scope
        case NewVersion(container):
            yield f"{_ML}/environments/versions/write", _workspace(container)
        case UpdateDeployment(target):
            yield f"{_ML}/onlineEndpoints/deployments/write", _workspace(target)
        case UpdateEndpoint(target):
            yield f"{_ML}/onlineEndpoints/write", _workspace(target)
            if _gives_secrets(live.get("endpoint")):
                yield f"{_ML}/connections/listsecrets/action", _workspace(target)
        case RegisterProvider(subscription, namespace):
            yield f"{namespace}/register/action", f"/subscriptions/{subscription}"
        case _:
            yield f"{_ML}/resynckeys/action", edit.target


def _gives_secrets(endpoint: Json) -> bool:
    """Whether the endpoint is to be given the workspace's secrets: who writes it has to be allowed to read them, too.

    https://learn.microsoft.com/azure/machine-learning/concept-endpoints-online-auth
    """
    flag = endpoint.get("enforce_access_to_default_secret_stores") if isinstance(endpoint, dict) else None
    return str(flag).lower() in ("enabled", "true")


def _workspace(identifier: str) -> str:
    """The workspace around a resource of Azure Machine Learning."""
    words = identifier.split("/")
    return "/".join(words[: [word.lower() for word in words].index("workspaces") + 2])
