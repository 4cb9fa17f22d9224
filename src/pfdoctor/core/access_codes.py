"""What the verdicts and reasons of `pfdoctor access` mean, and what to do about each; the words are ours."""

from __future__ import annotations

from pfdoctor.core.codes import Code

_TABLE = "pfdoctor access --endpoint ENDPOINT"
_ASSIGN = f"{_TABLE}; run the az role assignment create that it prints"
_READ = f"log in as somebody who may read them, then: {_TABLE}"
_WAIT = f"wait, then: {_TABLE}"

VERDICTS = (
    Code("ALLOWED", "A role that is assigned to the identity, or to a group it is in, grants the action.", ""),
    Code(
        "ALLOWED_PENDING",
        "A role grants the action, but was assigned so recently that Azure may still refuse: up to ten minutes for a "
        "role of the identity itself, up to a day for one that comes through a group.",
        _WAIT,
    ),
    Code(
        "CONDITIONAL",
        "A role grants the action only where the condition of its assignment holds, or a deny assignment forbids it "
        "only where its own does; the condition asks for something that only the request shows.",
        f"read the condition in {_TABLE}, and compare it with what the flow asks for",
    ),
    Code("NOT_ALLOWED", "No role that is assigned at this scope or above grants the action.", _ASSIGN),
    Code(
        "DENIED",
        "A deny assignment forbids the action, and no role overrides that.",
        "ask the owner of the deployment stack or managed application that it belongs to for an exception",
    ),
    Code(
        "BLOCKED",
        "A lock stops the action, whatever roles are assigned.",
        "ask the lock's owner to remove it or to make it CanNotDelete",
    ),
    Code(
        "NOT_APPLICABLE",
        "The action is not needed here, is not decided by roles, or belongs to a resource that does not exist.",
        "",
    ),
    Code("UNKNOWN", "Not decided: something that would decide it could not be read.", _READ),
)

REASONS = (
    Code("DIRECT", "The role is assigned to the identity itself.", ""),
    Code("GROUP", "The role is assigned to a group that the identity is a member of.", ""),
    Code(
        "LENIENT_WILDCARD",
        "The role grants the action by a wildcard of which it is not documented how far it reaches.",
        "if it is refused all the same, assign a role that names the action",
    ),
    Code("CONDITION", "The assignment of the role has a condition.", f"read the condition in {_TABLE}"),
    Code("DENY_CONDITION", "A deny assignment has a condition.", f"read the condition in {_TABLE}"),
    Code("DENY_ASSIGNMENT", "A deny assignment forbids the action.", "ask its owner to exclude the identity"),
    Code("LOCK", "A lock stops the action.", "ask its owner to remove it or to make it CanNotDelete"),
    Code("NO_ASSIGNMENT", "No role at all is assigned to the identity at this scope or above.", _ASSIGN),
    Code(
        "ROLE_LACKS_ACTION",
        "The identity has roles at this scope or above, and none of them holds the action.",
        _ASSIGN,
    ),
    Code(
        "ASSIGNED_BELOW_TARGET",
        "The right role is assigned on something below the scope where it is checked, and roles are inherited "
        "downwards only.",
        _ASSIGN,
    ),
    Code("WRONG_SCOPE", "The right role is assigned, at a scope that has nothing to do with this one.", _ASSIGN),
    Code(
        "OTHER_PRINCIPAL",
        "The right role is assigned at this scope to another principal, and not to the endpoint's identity.",
        _ASSIGN,
    ),
    Code(
        "ORPHAN_OR_OTHER_PRINCIPAL",
        "The right role is assigned to another principal, which was taken for this one or does not exist any more: "
        "an endpoint that is created again gets a new identity.",
        _ASSIGN,
    ),
    Code(
        "PIM_ELIGIBLE_ONLY",
        "The identity is only eligible for the right role; a person can activate that, a workload cannot.",
        _ASSIGN,
    ),
    Code(
        "EXCLUDED_BY_NOTACTIONS",
        "A role holds the action and takes it out again by its NotActions.",
        f"{_ASSIGN}, or correct the role",
    ),
    Code(
        "CONTROL_PLANE_ROLE_FOR_DATA_ACTION",
        "The role grants actions of the control plane, as Owner and Contributor do; this is a data action, which only "
        "DataActions grant.",
        _ASSIGN,
    ),
    Code(
        "DATA_ROLE_FOR_CONTROL_ACTION",
        "The role grants data actions only; this is an action of the control plane, which only Actions grant.",
        _ASSIGN,
    ),
    Code(
        "CUSTOM_ROLE_NAMESPACE_TYPO",
        "A custom role misprints the action, so that it names no operation.",
        "az role definition list --name ROLE > role.json; correct it; az role definition update --role-definition "
        "@role.json",
    ),
    Code("NOT_NEEDED", "What the flow and the endpoint are made of does not need this action.", ""),
    Code("OTHER_MECHANISM", "Something else than a role decides it: a key, or Azure itself.", ""),
    Code("NO_SUCH_RESOURCE", "The resource that the action is for does not exist.", ""),
    Code("ASSIGNMENTS_UNREADABLE", "The role assignments could not all be read.", _READ),
    Code("DEFINITION_UNREADABLE", "What an assigned role grants could not be read.", _READ),
    Code("DENY_ASSIGNMENTS_UNREADABLE", "The deny assignments could not all be read.", _READ),
    Code("LOCKS_UNREADABLE", "The locks could not all be read.", _READ),
    Code("MEMBERSHIP_UNKNOWN", "Whether the identity is in a group of a deny assignment is not known.", _READ),
    Code("UNCERTAIN_WILDCARD", "Whether a wildcard of a role covers the action is not certain.", _TABLE),
    Code("SCOPE_UNKNOWN", "Where the action is checked is not known.", _TABLE),
    Code("SCOPE_NOT_READ", "Roles may be assigned on something that was not read.", _TABLE),
    Code("REASON_UNREAD", "It is not allowed; why is open, as a list that would tell was not read.", _TABLE),
    Code("PRINCIPAL_UNKNOWN", "The object id of whoever needs the action is not known.", _TABLE),
    Code("NOT_COLLECTED", "Nothing that would decide it was collected.", _TABLE),
)
