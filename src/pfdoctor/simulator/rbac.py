"""Azure's role based access control, decided on its own.

The product has an evaluator too; this one shares nothing with it, so that either can prove the other wrong. Deny
assignments come first and win; then one role that grants the action at the scope or above is enough. Actions compare
without regard to case; `*` stands for any text, slashes included, and `/*/` may also stand for nothing at all
(Azure documents Managed Identity Operator, `userAssignedIdentities/*/assign/action`, as granting
`userAssignedIdentities/assign/action`).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

from pfdoctor.simulator.conditions import fulfilled
from pfdoctor.simulator.directory import Directory
from pfdoctor.simulator.ids import prefixes, scope_key, subscription_of

_AFTER_SLASH = "0"  # the character that sorts next to "/"
EVERYONE = "00000000-0000-0000-0000-000000000000"


@lru_cache(maxsize=8192)
def _pattern(text: str) -> re.Pattern[str]:
    escaped = re.escape(text).replace("/\\*/", "/(?:.*/)?").replace("\\*", ".*")
    return re.compile(escaped, re.IGNORECASE | re.DOTALL)


@lru_cache(maxsize=65536)
def action_matches(pattern: str, action: str) -> bool:
    """Whether a pattern of a role (`Microsoft.X/*/read`) covers an action."""
    return _pattern(pattern).fullmatch(action) is not None


class Permission(NamedTuple):
    """One element of a role's or deny assignment's `permissions`."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()
    condition: str | None = None

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Permission:
        return cls(
            tuple(plain.get("actions") or ()),
            tuple(plain.get("notActions") or ()),
            tuple(plain.get("dataActions") or ()),
            tuple(plain.get("notDataActions") or ()),
            plain.get("condition"),
        )

    def plain(self) -> dict[str, Any]:
        return {
            "actions": list(self.actions),
            "notActions": list(self.not_actions),
            "dataActions": list(self.data_actions),
            "notDataActions": list(self.not_data_actions),
        }

    def covers(self, action: str, *, data: bool) -> bool:
        granted, taken = (self.data_actions, self.not_data_actions) if data else (self.actions, self.not_actions)
        return any(action_matches(pattern, action) for pattern in granted) and not any(
            action_matches(pattern, action) for pattern in taken
        )


@dataclass
class Role:
    """A role definition; `id` is its GUID."""

    id: str
    name: str
    permissions: tuple[Permission, ...]
    description: str = ""
    custom: bool = False
    assignable: tuple[str, ...] = ("/",)
    _known: dict[tuple[str, bool], tuple[Permission, ...]] = field(default_factory=dict, repr=False)

    def granting(self, action: str, *, data: bool) -> tuple[Permission, ...]:
        """The elements that grant an action."""
        known = self._known.get((action, data))
        if known is None:
            known = tuple(element for element in self.permissions if element.covers(action, data=data))
            self._known[action, data] = known
        return known


@dataclass
class Assignment:
    """A role assignment: `role` is the definition's GUID, `principal` an object id."""

    name: str
    scope: str
    role: str
    principal: str
    type: str = "ServicePrincipal"
    condition: str | None = None
    created: str = ""
    updated: str = ""
    created_by: str = ""
    description: str | None = None
    effective: float = 0.0
    """When it begins to have an effect (seconds since 1970): a new one is listed at once and works later."""
    ends: float | None = None
    """When a removed one ceases to have an effect."""

    @property
    def id(self) -> str:
        return (
            f"{'' if self.scope == '/' else self.scope}/providers/Microsoft.Authorization/roleAssignments/{self.name}"
        )


@dataclass
class Deny:
    """A deny assignment."""

    name: str
    title: str
    scope: str
    permissions: tuple[Permission, ...]
    principals: tuple[str, ...] = (EVERYONE,)
    excluded: tuple[str, ...] = ()
    here_only: bool = False
    protected: bool = True
    created: str = ""

    @property
    def id(self) -> str:
        return f"{self.scope}/providers/Microsoft.Authorization/denyAssignments/{self.name}"


class Outcome(Enum):
    """How a decision came out."""

    ALLOWED = "allowed"
    DENIED = "denied by a deny assignment"
    CONDITION = "a condition is not fulfilled"
    NONE = "no role grants it"


class Decision(NamedTuple):
    """The outcome, and what decided: the assignment that grants, or the deny assignment."""

    outcome: Outcome
    assignment: Assignment | None = None
    deny: Deny | None = None

    @property
    def allowed(self) -> bool:
        return self.outcome is Outcome.ALLOWED


@lru_cache(maxsize=1)
def _builtin_source() -> Mapping[str, Mapping[str, Any]]:
    text = resources.files("pfdoctor.simulator").joinpath("builtin_roles.json").read_text(encoding="utf-8")
    roles: dict[str, Mapping[str, Any]] = json.loads(text)["roles"]
    return roles


def builtin_roles() -> dict[str, Role]:
    """Azure's built-in roles (those that the package ships), by GUID."""
    return {
        identifier: Role(
            identifier,
            plain["name"],
            tuple(Permission.of(element) for element in plain["permissions"]),
            plain["description"],
        )
        for identifier, plain in _builtin_source().items()
    }


class Access:
    """Roles, assignments and deny assignments of the world, indexed by principal and by scope."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.roles = builtin_roles()
        self.assignments: dict[str, Assignment] = {}
        self.denies: dict[str, Deny] = {}
        self.management_groups: dict[str, tuple[str, ...]] = {}
        """Subscription (lower case), or key of a management group → keys of the groups that it is in, nearest first."""
        self._by_principal: dict[str, dict[str, Assignment]] = defaultdict(dict)
        self._by_scope: dict[str, dict[str, Assignment]] = defaultdict(dict)
        self._held: dict[tuple[str, str], dict[str, Assignment]] = defaultdict(dict)  # by principal and scope
        self._made: dict[str, int] = {}  # the order in which the assignments were made
        self._scopes: list[str] | None = None  # the keys of _by_scope in order, made when asked for
        self._counts: dict[str, int] = defaultdict(int)
        self._lingering: list[Assignment] = []

    def add(self, assignment: Assignment) -> None:
        key = assignment.id.lower()
        scope = scope_key(assignment.scope)
        self.assignments[key] = assignment
        self._by_principal[assignment.principal.lower()][key] = assignment
        self._held[assignment.principal.lower(), scope][key] = assignment
        self._made.setdefault(key, len(self._made))
        if scope not in self._by_scope:
            self._scopes = None
        self._by_scope[scope][key] = assignment
        self._counts[subscription_of(scope)] += 1

    def remove(self, assignment: Assignment, *, ends: float) -> None:
        """Take an assignment out of every list; until `ends` it goes on to have its effect."""
        key = assignment.id.lower()
        scope = scope_key(assignment.scope)
        del self.assignments[key]
        del self._by_principal[assignment.principal.lower()][key]
        del self._held[assignment.principal.lower(), scope][key]
        del self._by_scope[scope][key]
        self._counts[subscription_of(scope)] -= 1
        assignment.ends = ends
        self._lingering.append(assignment)

    def role(self, reference: str) -> Role | None:
        """A role by GUID, by resource id or by name."""
        found = self.roles.get(reference.lower().rpartition("/")[2])
        if found is None:
            found = next((role for role in self.roles.values() if role.name.lower() == reference.lower()), None)
        return found

    def above(self, key: str) -> Iterator[str]:
        """A scope's key, then all that are above it: parents, subscription, management groups, tenant."""
        yield from prefixes(key)
        yield from self.management_groups.get(subscription_of(key) or key, ())
        yield "/"

    def at_and_above(self, key: str) -> Iterator[Assignment]:
        for scope in self.above(key):
            yield from list(self._by_scope.get(scope, {}).values())

    def below(self, key: str) -> Iterator[Assignment]:
        """Assignments at scopes below the given one."""
        if self._scopes is None:
            self._scopes = sorted(self._by_scope)
        start = "/" if key == "/" else key + "/"
        first = bisect_left(self._scopes, start)
        for scope in self._scopes[first : bisect_left(self._scopes, start[:-1] + _AFTER_SLASH)]:
            if scope != key:
                yield from list(self._by_scope[scope].values())

    def of(self, principals: Iterable[str]) -> Iterator[Assignment]:
        """Assignments made out to any of these object ids (lower case), at whatever scope."""
        for principal in principals:
            yield from list(self._by_principal.get(principal, {}).values())

    def held_at(self, principals: Iterable[str], scopes: Iterable[str]) -> list[Assignment]:
        """The assignments of these object ids (lower case) at these scopes' keys, as they were made."""
        places = list(scopes)
        found: dict[str, Assignment] = {}
        for principal in principals:
            for place in places:
                found |= self._held.get((principal, place), {})
        return [found[key] for key in sorted(found, key=self._made.__getitem__)]

    def exists(self, principal: str, role: str, scope: str) -> Assignment | None:
        """The assignment of this role to this principal at exactly this scope."""
        key = scope_key(scope)
        return next(
            (
                assignment
                for assignment in self._by_principal.get(principal.lower(), {}).values()
                if assignment.role == role and scope_key(assignment.scope) == key
            ),
            None,
        )

    def count(self, subscription: str) -> int:
        """How many assignments count against the subscription's limit."""
        return self._counts[subscription.lower()]

    def decide(
        self,
        principal: str,
        action: str,
        scope: str,
        *,
        now: float,
        data: bool = False,
        attributes: Mapping[str, str] | None = None,
    ) -> Decision:
        """Whether a principal may do something at a scope, at the time `now`."""
        key = scope_key(scope)
        identities = self.directory.identities(principal)
        deny = self._denied(identities, action, key, data=data)
        if deny is not None:
            return Decision(Outcome.DENIED, deny=deny)
        covering = tuple(self.above(key))
        self._lingering = [assignment for assignment in self._lingering if (assignment.ends or 0.0) > now]
        lingering = [assignment for assignment in self._lingering if assignment.principal.lower() in identities]
        conditional = False
        for assignment in (*self.held_at(identities, covering), *lingering):
            if assignment.effective > now or scope_key(assignment.scope) not in covering:
                continue
            role = self.roles.get(assignment.role)
            for element in role.granting(action, data=data) if role else ():
                conditions = [text for text in (element.condition, assignment.condition) if text]
                if all(fulfilled(text, action, attributes or {}, action_matches) for text in conditions):
                    return Decision(Outcome.ALLOWED, assignment=assignment)
                conditional = True
        return Decision(Outcome.CONDITION if conditional else Outcome.NONE)

    def _denied(self, identities: frozenset[str], action: str, key: str, *, data: bool) -> Deny | None:
        if not self.denies:
            return None
        covering = frozenset(self.above(key))
        present = identities | {EVERYONE}
        for deny in self.denies.values():
            at = scope_key(deny.scope)
            if at not in covering or (deny.here_only and at != key):
                continue
            named = {principal.lower() for principal in deny.principals}
            if not named & present or {principal.lower() for principal in deny.excluded} & present:
                continue
            if any(element.covers(action, data=data) for element in deny.permissions):
                return deny
        return None
