"""The sheet for an administrator: what somebody needs who may not do it alone. Markdown; ids, no secrets."""

from __future__ import annotations

from collections.abc import Iterator

from pfdoctor.core.plan import Plan, Step
from pfdoctor.core.plan.equivalent import equivalent
from pfdoctor.core.plan.resource import AzureEdit, GrantRole

_GRANTERS = "Owner, User Access Administrator or Role Based Access Control Administrator"


def sheet(plan: Plan) -> str:
    """The steps of Azure that whoever made the plan may not do; all of them where none is known to be refused."""
    steps = [step for step in plan.azure if step.permitted is not True] or list(plan.azure)
    lines = ["# What is asked for", ""]
    if not steps:
        return "\n".join([*lines, "Nothing: the plan changes nothing in Azure.", ""])
    if plan.live is not None:
        lines += [f"For the endpoint `{plan.live.endpoint}`.", ""]
    for step in steps:
        lines += _step(plan, step)
    lines += ["Made by `pfdoctor plan --hand-off`. It holds ids and no secrets.", ""]
    return "\n".join(lines)


def _step(plan: Plan, step: Step) -> Iterator[str]:
    edit = step.edit
    if not isinstance(edit, AzureEdit):
        return
    same = equivalent(edit)
    yield from (f"## {step.id}. {step.title}", "")
    for fix in plan.fixes:
        if step.id in fix.steps:
            yield f"- **Why**: {fix.message} (`{fix.rule}`)"
    if isinstance(edit, GrantRole):
        yield f"- **Who gets it**: the managed identity with the object id `{edit.principal_id}` (a service principal)"
        yield f"- **What**: the role *{edit.role}* (`{edit.role_id}`)"
        yield f"- **At which scope**: `{edit.scope}`"
        yield (
            "- **Why this role**: of the built-in roles that hold the missing operation it is the smallest, and the "
            "scope is the one that the operation is checked at. Contributor or Owner would let the identity change or "
            "hand out things that it never needs."
        )
        actions = " and ".join(f"`{one.action}`" for one in step.permissions)
        yield f"- **Who can do it**: whoever has {actions} there: {_GRANTERS}"
    else:
        yield f"- **What**: `{edit.target}`"
        needed = " and ".join(f"`{one.action}` at `{one.scope}`" for one in step.permissions)
        yield f"- **Who can do it**: whoever has {needed}"
    if step.lacking and len(step.permissions) > 1:
        lacking = " and ".join(f"`{one.action}`" for one in step.lacking)
        yield f"- **What who asks for it lacks**: {lacking}"
    yield f"- **What it brings about**: {step.effect}"
    # what `pfdoctor undo` takes back is what pfdoctor did: here somebody else does it
    inverse = "delete the assignment, as under *Undo*" if isinstance(edit, GrantRole) else step.inverse
    yield f"- **Taking it back**: {inverse}"
    yield ""
    for name, language, text in (
        ("Azure CLI", "bash", same.az),
        ("Bicep", "bicep", same.bicep),
        ("Terraform", "hcl", same.terraform),
        ("Check", "bash", same.verify),
        ("Undo", "bash", same.undo),
    ):
        yield from (f"**{name}**", "", f"```{language}", text, "```", "")
