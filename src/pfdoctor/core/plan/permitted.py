"""Whether whoever makes the plan may do its steps: the same evaluation as for the endpoint's identity."""

from __future__ import annotations

from pfdoctor.core.access.evaluate import Question, evaluate
from pfdoctor.core.access.world import World
from pfdoctor.core.facts import Facts
from pfdoctor.core.plan.resource import (
    AzureEdit,
    GrantRole,
    NewVersion,
    RegisterProvider,
    UpdateDeployment,
    UpdateEndpoint,
)
from pfdoctor.core.plan.step import Edit

_ML = "Microsoft.MachineLearningServices/workspaces"
_MAY = {"ALLOWED": True, "ALLOWED_PENDING": True, "NOT_ALLOWED": False, "DENIED": False, "BLOCKED": False}


def action_of(edit: AzureEdit) -> tuple[str, str]:
    """The operation that performing the edit needs, and the scope that it is checked at."""
    match edit:
        case GrantRole(scope):
            return "Microsoft.Authorization/roleAssignments/write", scope
        case NewVersion(container):
            return f"{_ML}/environments/versions/write", _workspace(container)
        case UpdateDeployment(target):
            return f"{_ML}/onlineEndpoints/deployments/write", _workspace(target)
        case UpdateEndpoint(target):
            return f"{_ML}/onlineEndpoints/write", _workspace(target)
        case RegisterProvider(subscription, namespace):
            return f"{namespace}/register/action", f"/subscriptions/{subscription}"
        case _:
            return f"{_ML}/resynckeys/action", edit.target


def is_permitted(edit: Edit, facts: Facts) -> bool | None:
    """Whether the caller may; None for an edit of files, and where the role assignments do not tell."""
    if not isinstance(edit, AzureEdit):
        return None
    live = facts.document.get("live") or {}
    caller = live.get("caller")
    principal = caller.get("principal_id") if isinstance(caller, dict) else None
    if not isinstance(principal, str):
        return None
    action, scope = action_of(edit)
    world = World(live.get("authorization"), (facts.document.get("clock") or {}).get("now"))
    proof = evaluate(Question(action, False, scope, principal, True), world)
    return _MAY.get(proof.verdict)


def _workspace(identifier: str) -> str:
    """The workspace around a resource of Azure Machine Learning."""
    words = identifier.split("/")
    return "/".join(words[: [word.lower() for word in words].index("workspaces") + 2])
