"""The derived fact `access`: for each operation that the endpoint needs, whether its identity may do it, and why.

A verdict that is open is an unknown fact, so that a rule which asks for it is undecided, too.
"""

from __future__ import annotations

from pfdoctor.core.access.decide import Decision, Subject, decide
from pfdoctor.core.access.evaluate import Question
from pfdoctor.core.access.near import CLIENT_ID
from pfdoctor.core.access.propose import Need, Proposal, smallest_set
from pfdoctor.core.access.reading import elements, field, text
from pfdoctor.core.access.roles import NONE
from pfdoctor.core.access.scopes import last, normal
from pfdoctor.core.access.world import World
from pfdoctor.core.derive.operation import NO_SUCH_RESOURCE, Operation
from pfdoctor.core.derive.operations import operations_of_deployer, operations_of_endpoint
from pfdoctor.core.model import Json, Unknown

View = dict[str, Json]
ENDPOINT, DEPLOYER = "the endpoint's identity", "the person who deploys"


def derive_access(document: View) -> Json:
    """The fact `access` of the live view, by its `authorization` and everything that tells what is needed."""
    live = document["live"]
    world = World(field(live, "authorization"), field(document.get("clock"), "now"))
    principal = field(live.get("identity"), "principal_id") if live.get("identity") is not None else None
    endpoint = _Table(world, principal, ENDPOINT, _neighbours(live), eligible=True)
    operations = [endpoint.row(one) for one in operations_of_endpoint(document)]
    return {
        "principal_id": _json(principal),
        "operations": operations,
        "deployer": _of_deployer(document, world, operations),
    }


def _of_deployer(document: View, world: World, operations: list[View]) -> Json:
    """The verdicts on what the person who deploys needs; unknown where it is not known who that is."""
    live = document["live"]
    caller = live.get("caller")
    if isinstance(caller, dict) and "$unknown" in caller:
        return caller
    person = _Table(world, field(caller, "principal_id"), DEPLOYER, _neighbours_of_caller(live), eligible=False)
    wanted = operations_of_deployer(document) if isinstance(caller, dict) else []
    return [person.row(one) for one in (*wanted, *(_grants(operations) if wanted else ()))]


def missing_roles(operations: list[View]) -> list[Proposal]:
    """The smallest role assignments that grant all that is needed and not allowed."""
    return smallest_set(
        Need(one["action"], one["plane"] == "data", one["scope"])
        for one in operations
        if one["needed"] is True and one["verdict"] == "NOT_ALLOWED" and one["proposal"] is not None
    )


def _neighbours(live: View) -> dict[str, str]:
    """Principals that are easily taken for the endpoint's identity."""
    found: dict[str, str] = {}
    _note(found, field(live.get("caller"), "principal_id"), "the person who runs pfdoctor")
    _note(found, field(live.get("workspace"), "principal_id"), "the workspace's own identity")
    for one in elements(field(live.get("identity"), "identities"))[0]:
        name = last(text(one, "resource_id") or "")
        _note(found, field(one, "client_id"), f"the client id of the identity {name}")
        _note(found, field(one, "principal_id"), f"the endpoint's other identity {name}")
    _note(found, field(live.get("identity"), "client_id"), CLIENT_ID)
    return found


def _neighbours_of_caller(live: View) -> dict[str, str]:
    found: dict[str, str] = {}
    _note(found, field(live.get("identity"), "principal_id"), ENDPOINT)
    _note(found, field(live.get("caller"), "client_id"), CLIENT_ID)
    return found


def _note(found: dict[str, str], principal: Json, who: str) -> None:
    if isinstance(principal, str):
        found[principal.lower()] = who


def _grants(operations: list[View]) -> list[Operation]:
    """Assigning the roles that the endpoint's identity lacks: by whoever deploys, or by somebody they ask."""
    scopes: dict[Json, Json] = dict.fromkeys((one.scope for one in missing_roles(operations)), True)
    for one in operations:
        undecided = next((value for value in (one["needed"], one["verdict"]) if isinstance(value, dict)), None)
        if undecided is None or one["needed"] is False or one["verdict"] not in (undecided, "NOT_ALLOWED"):
            continue
        if isinstance(one["scope"], str):
            scopes.setdefault(one["scope"], Unknown.from_json(undecided["$unknown"]))
    elsewhere = next((one["scope"] for one in operations if isinstance(one["scope"], dict)), None)
    if elsewhere is not None and not scopes:
        # what is needed at a scope that nobody knows may be lacking there
        unknown = Unknown.from_json(elsewhere["$unknown"])
        scopes[unknown] = unknown
    action = "Microsoft.Authorization/roleAssignments/write"
    why = "Assigns the roles that the endpoint's identity lacks."
    return [Operation("role-assign", action, scope, needed, why, "create") for scope, needed in scopes.items()]


class _Table:
    """The verdicts on the operations of one principal."""

    def __init__(self, world: World, principal: Json, who: str, others: dict[str, str], *, eligible: bool) -> None:
        self._world = world
        self._principal = principal
        self._who = who
        self._others = others
        self._eligible = eligible

    def row(self, operation: Operation) -> View:
        """The operation with its verdict, as the schema's `operation`."""
        decision = self._decision(operation)
        open_because = decision.missing[0] if decision.missing else None
        reason = decision.reason.lower().replace("_", "-")
        undecided: Json = None
        if decision.why_open is not None:
            # at least this is granted, and perhaps more: neither "under a condition" nor "too fresh" is proven
            undecided = decision.why_open._replace(detail=f"{decision.detail} ({decision.why_open.detail})").to_json()
        if decision.verdict == "UNKNOWN":
            permission = open_because.permission if open_because is not None else None
            command = open_because.collect_command if open_because is not None else None
            undecided = Unknown(reason, decision.detail, permission, command).to_json()
        # that it is not allowed is proven; why is not, where what would tell better was not read
        unsure: Json = decision.why_unsure.to_json() if decision.why_unsure is not None else None
        return {
            "key": operation.key,
            "action": operation.action or None,
            "plane": "data" if operation.data else "control",
            "scope": _json(operation.scope),
            "scope_kind": operation.kind,
            "target": operation.target,
            "needed": _json(operation.needed),
            "why": operation.why,
            "phase": operation.phase,
            "principal_id": _json(self._principal),
            "verdict": undecided or decision.verdict,
            # a rule that asks for a certain reason is undecided with the verdict, and no pass
            "reason": undecided or unsure or decision.reason,
            "detail": decision.detail,
            "grant": decision.grant or undecided,
            "near": unsure or decision.near or undecided,
            "blocked_by": decision.blocked_by or undecided,
            "proposal": decision.proposal,
        }

    def _decision(self, operation: Operation) -> Decision:
        scope, principal = operation.scope, self._principal
        if operation.elsewhere is not None:
            code = "NOT_NEEDED" if operation.needed is False else "OTHER_MECHANISM"
            return Decision("NOT_APPLICABLE", code, operation.elsewhere)
        if operation.needed is False:
            return Decision("NOT_APPLICABLE", "NOT_NEEDED", operation.why)
        if scope == NO_SUCH_RESOURCE:
            return Decision("NOT_APPLICABLE", "NO_SUCH_RESOURCE", "The workspace names no such resource.")
        if not isinstance(scope, str):
            return _open("SCOPE_UNKNOWN", "where it is checked is not known", scope)
        if self._world.exists(normal(scope)) is False:
            return Decision("NOT_APPLICABLE", "NO_SUCH_RESOURCE", f"There is no {operation.kind} {last(scope)}.")
        if principal is None and self._who == ENDPOINT:
            detail = "The endpoint has no identity, so no role can be assigned to it."
            return Decision("NOT_ALLOWED", "NO_ASSIGNMENT", detail)
        if not isinstance(principal, str):
            return _open("PRINCIPAL_UNKNOWN", f"who {self._who} is, is not known", principal)
        return self._decided(operation, scope, principal)

    def _decided(self, operation: Operation, scope: str, principal: str) -> Decision:
        question = Question(operation.action, operation.data, scope, principal, operation.through_arm)
        subject = Subject(principal, self._who, self._others, self._eligible)
        decision = decide(question, self._world, subject)
        if operation.key != "connection-secrets" or decision.reason != "ASSIGNED_BELOW_TARGET":
            return decision
        # a role on single connections is enough for those: then it hangs on what was not read there
        names = (operation.target or "").split(", ")
        places = [f"{scope.rstrip('/')}/connections/{name}" for name in names if name]
        if places and all(self._may(question._replace(scope=place)) for place in places):
            unread = Unknown(
                "scope-not-read", "roles are assigned on the connections themselves, where nothing was read"
            )
            return _open("SCOPE_NOT_READ", "the connections have roles of their own", unread)
        return decision

    def _may(self, question: Question) -> bool:
        """Whether an assignment that was read grants it, at least under a condition."""
        rows, _ = self._world.assigned(question.principal_id.lower(), normal(question.scope))
        covering = [row for row in rows if row.covers(normal(question.scope)) is True]
        return any(self._world.held(row.fact, question.action, data=question.data).least > NONE for row in covering)


def _open(code: str, what: str, reason: Json) -> Decision:
    why = reason if isinstance(reason, Unknown) else Unknown("not-collected", "not collected")
    needs = f"; that needs {why.permission}" if why.permission else ""
    return Decision("UNKNOWN", code, f"Not decided: {what} ({why.detail}{needs}).", missing=(why,))


def _json(value: Json) -> Json:
    return value.to_json() if isinstance(value, Unknown) else value
