"""A verdict in one or two sentences, for a colleague: what was seen, its name, and what it means."""

from __future__ import annotations

from datetime import timedelta

from pfdoctor.core.access.conditions import attributes
from pfdoctor.core.access.evaluate import Proof, Question
from pfdoctor.core.access.near import GIVEN, Miss
from pfdoctor.core.access.reading import text
from pfdoctor.core.access.roles import NONE
from pfdoctor.core.access.scopes import is_management_group, kind_of, last, normal
from pfdoctor.core.access.world import Row, World, role_of


def place(scope: str | None) -> str:
    """A scope in words: `workspace ws-1`, `resource group rg`."""
    if scope is None:
        return "a scope that is not known"
    name = last(scope)
    if is_management_group(normal(scope)):
        return f"management group {name}"
    kind = kind_of(scope)
    if kind is None:
        parts = scope.strip("/").split("/")
        return f"{parts[-2]} {name}" if len(parts) > 1 else name
    return f"{kind.replace('-', ' ')} {name}"


def age(delta: timedelta) -> str:
    """How long ago, roughly: `40 seconds`, `3 minutes`, `5 hours`, `12 days`."""
    seconds = max(0, int(delta.total_seconds()))
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s"
    return f"{seconds} seconds"


class Wording:
    """Sentences about one question. `who` stands for the principal: `the endpoint's identity`."""

    def __init__(self, question: Question, world: World, who: str) -> None:
        self._question = question
        self._world = world
        self._who = who
        self._at = place(question.scope)

    def detail(self, proof: Proof, miss: Miss | None) -> str:
        match proof.verdict:
            case "DENIED":
                return f"{self._blocker('deny assignment', proof.by)} forbids it; no role overrides that."
            case "BLOCKED":
                return self._blocked(proof, miss)
            case "UNKNOWN":
                return self._unknown(proof)
            case "NOT_ALLOWED":
                return self._not_allowed(miss) + self._unread(proof)
            case "CONDITIONAL":
                return self._conditional(proof)
            case _:
                return self._allowed(proof)

    def _blocker(self, kind: str, row: Row | None) -> str:
        name = text(row.fact, "name") if row is not None else None
        scope = text(row.fact, "scope") if row is not None else None
        return f"The {kind} {name or 'without a name'} at {place(scope)}"

    def _blocked(self, proof: Proof, miss: Miss | None) -> str:
        level = (text(proof.by.fact, "level") if proof.by is not None else None) or ""
        sentence = f"{self._blocker(f'{level} lock', proof.by)} stops it, whatever roles are assigned."
        if miss is not None and proof.granted_most == NONE:
            sentence += f" Without the lock: {self._not_allowed(miss)}"
        return sentence

    def _unknown(self, proof: Proof) -> str:
        blame = proof.blame[0] if proof.blame else None
        if blame is None:
            return "Nothing that would decide it was collected."
        what = {
            "ASSIGNMENTS_UNREADABLE": f"the role assignments at {self._at} are not all known",
            "DEFINITION_UNREADABLE": "what an assigned role grants is not all known",
            "DENY_ASSIGNMENTS_UNREADABLE": f"the deny assignments at {self._at} are not all known",
            "LOCKS_UNREADABLE": f"the locks at {self._at} are not all known",
            "MEMBERSHIP_UNKNOWN": "a deny assignment speaks of a group",
            "UNCERTAIN_WILDCARD": "it hangs on a wildcard",
        }[blame.code]
        granted = ", a role grants it," if proof.granted_least > NONE else ""
        needs = f"; that needs {blame.reason.permission}" if blame.reason.permission else ""
        return f"Not decided{granted or ':'} {'but ' if granted else ''}{what} ({blame.reason.detail}{needs})."

    def _unread(self, proof: Proof) -> str:
        codes = dict.fromkeys(blame.code for blame in proof.blame)
        names = {"DENY_ASSIGNMENTS_UNREADABLE": "deny assignments", "LOCKS_UNREADABLE": "locks"}
        unread = [names[code] for code in codes if code in names]
        return f" (Its {' and '.join(unread)} could not all be read: one may forbid it besides.)" if unread else ""

    def _conditional(self, proof: Proof) -> str:
        asked = ", ".join(attributes(proof.by_condition or "")) or "what it asks for"
        if proof.by is not None:
            return f"{self._blocker('deny assignment', proof.by)} forbids it where its condition holds ({asked})."
        grant = proof.grant
        if grant is None:
            return "Whether it is allowed depends on a condition."
        asked = ", ".join(attributes(grant.condition or "")) or "what it asks for"
        return f"{self._role(grant.row)} grants it only where its condition holds, which depends on {asked}."

    def _allowed(self, proof: Proof) -> str:
        grant = proof.grant
        if grant is None:
            return "A role grants it."
        holder = "" if grant.direct else f", through the group {text(grant.row.fact, 'principal_id')}"
        if proof.verdict == "ALLOWED_PENDING":
            since = f"since {age(grant.age)}" if grant.age is not None else "since a time that is not known"
            wait = "10 minutes" if grant.direct else "24 hours, because the members of a group come with the token"
            return f"{self._role(grant.row)} grants it{holder}, but only {since}: it may take up to {wait} to work."
        if grant.held.lenient:
            return (
                f"{self._role(grant.row)} grants it{holder} by {grant.held.pattern}, provided that /*/ also matches a "
                "lone /, as built-in roles rely on but nothing documents."
            )
        pattern = grant.held.pattern or ""
        by = "" if pattern.lower() == self._question.action.lower() else f" by {pattern}"
        return f"{self._role(grant.row)} grants it{holder}{by}."

    def _role(self, row: Row) -> str:
        return f"The role {self._world.role_name(row.fact)} at {place(text(row.fact, 'scope'))}"

    def _not_allowed(self, miss: Miss | None) -> str:
        row = miss.row if miss is not None else None
        if miss is None or row is None:
            return f"No role is assigned to {self._who} at {self._at} or above."
        role = self._role(row)
        kind = "data action" if self._question.data else "action"
        holder = text(row.fact, "principal_id")
        if miss.code == "ROLE_LACKS_ACTION" and role_of(row.fact) in GIVEN:
            return f"None of the roles of {self._who} at {self._at} or above holds this {kind}."
        return {
            "PIM_ELIGIBLE_ONLY": f"{role} would grant it, but {self._who} is only eligible for it, and no workload can "
            "activate an eligible role.",
            "ASSIGNED_BELOW_TARGET": f"{role} grants it there, but not at {self._at}, which lies above.",
            "EXCLUDED_BY_NOTACTIONS": f"{role} holds it but takes it out again by the NotAction {miss.pattern}.",
            "CONTROL_PLANE_ROLE_FOR_DATA_ACTION": f"{role} is of the control plane ({miss.pattern}); this is a data "
            "action, which only DataActions grant.",
            "DATA_ROLE_FOR_CONTROL_ACTION": f"{role} grants DataActions only ({miss.pattern}); this is an action of "
            "the control plane.",
            "CUSTOM_ROLE_NAMESPACE_TYPO": f"{role} says {miss.pattern}, which names no operation: "
            f"{self._question.action} is meant.",
            "WRONG_SCOPE": f"{role} would grant it, but it is another scope than {self._at}.",
            "ORPHAN_OR_OTHER_PRINCIPAL": f"{role} grants it to {miss.principal} ({holder}), not to {self._who} "
            f"({self._question.principal_id}).",
            "OTHER_PRINCIPAL": f"{role} grants it to another identity ({holder}), not to {self._who} "
            f"({self._question.principal_id}).",
            "ROLE_LACKS_ACTION": f"{role} is assigned to {self._who}, but no role it has there holds this {kind}.",
        }[miss.code]
