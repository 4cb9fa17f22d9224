"""The smallest built-in role, and the smallest set of role assignments, that grants what is missing.

Small is, in this order: none of the roles that let their holder rule a workspace or hand out roles; no wildcard beyond
reading; few and deep patterns. A role is assigned at the very scope that an operation is checked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from pfdoctor.core.access.builtin_roles import ROLES, BuiltInRole
from pfdoctor.core.access.patterns import Match, match
from pfdoctor.core.access.scopes import contains, normal

_TOO_BROAD = frozenset(
    (
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",  # Owner
        "b24988ac-6180-42a0-ab88-20f7382dd24c",  # Contributor
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",  # User Access Administrator
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",  # Role Based Access Control Administrator
        "f6c7c914-8db3-469d-8ca1-694a8f32e121",  # AzureML Data Scientist
        "64702f94-c441-49e6-a78b-ef80e0188fee",  # Azure AI Developer
    )
)


class Need(NamedTuple):
    """An action (`data`: a data action) that somebody lacks at a scope."""

    action: str
    data: bool
    scope: str


class Proposal(NamedTuple):
    """A built-in role to assign at a scope."""

    role: str
    role_id: str
    scope: str


def propose(need: Need) -> Proposal | None:
    """The smallest built-in role that grants the action, at its scope; None when pfdoctor knows none."""
    found = smallest_set([need])
    return found[0] if found else None


def smallest_set(needs: Iterable[Need]) -> list[Proposal]:
    """The smallest role assignments that together grant all the needs that a built-in role can grant.

    Scopes are looked at from the widest down, so that what is granted above is not granted again below.
    """
    by_scope: dict[str, list[Need]] = {}
    for need in needs:
        by_scope.setdefault(normal(need.scope), []).append(need)
    chosen: list[tuple[str, BuiltInRole, str]] = []
    for place in sorted(by_scope, key=lambda scope: (scope.count("/"), scope)):
        above = [role for outer, role, _ in chosen if contains(outer, place)]
        wanted = {
            (need.action.lower(), need.data)
            for need in by_scope[place]
            if not any(_holds(role, need.action, need.data) for role in above)
        }
        written = by_scope[place][0].scope
        chosen += [(place, role, written) for role in _cover(frozenset(wanted))]
    return [Proposal(role.name, role.guid, written) for _, role, written in chosen]


@lru_cache(maxsize=1024)
def _holds(role: BuiltInRole, action: str, data: bool) -> bool:
    actions, excluded = (role.data_actions, role.not_data_actions) if data else (role.actions, role.not_actions)
    held = any(match(one, action) is not Match.NO for one in actions)
    return held and not any(match(one, action) is not Match.NO for one in excluded)


@lru_cache(maxsize=256)
def _cover(wanted: frozenset[tuple[str, bool]]) -> tuple[BuiltInRole, ...]:
    """The cheapest roles that hold all of `wanted` that any role holds: by the parts of it that are covered so far."""
    holding = {role: frozenset(one for one in wanted if _holds(role, *one)) for role in ROLES}
    best: dict[frozenset[tuple[str, bool]], tuple[_Cost, tuple[BuiltInRole, ...]]] = {frozenset(): (_NOTHING, ())}
    for role in ROLES:
        if not holding[role]:
            continue
        for covered, (cost, roles) in list(best.items()):
            more = covered | holding[role]
            candidate = (cost.plus(_cost(role)), (*roles, role))
            if more not in best or candidate[0] < best[more][0]:
                best[more] = candidate
    return best[frozenset(one for one in wanted if any(one in held for held in holding.values()))][1]


class _Cost(NamedTuple):
    """What assigning roles costs, the gravest first."""

    too_broad: int
    wildcards: int
    breadth: float
    roles: int

    def plus(self, other: _Cost) -> _Cost:
        return _Cost(
            self.too_broad + other.too_broad,
            self.wildcards + other.wildcards,
            self.breadth + other.breadth,
            self.roles + other.roles,
        )


_NOTHING = _Cost(0, 0, 0.0, 0)


@lru_cache(maxsize=256)
def _cost(role: BuiltInRole) -> _Cost:
    patterns = (*role.actions, *role.data_actions)
    wild = any("*" in one and not one.lower().endswith("/read") for one in patterns)
    return _Cost(int(role.guid in _TOO_BROAD), int(wild), sum(map(_breadth, patterns)), 1)


def _breadth(pattern: str) -> float:
    """About how many operations the pattern stands for: a wildcard the fewer, the more is written before it."""
    if "*" not in pattern:
        return 1.0
    depth = pattern.partition("*")[0].count("/")
    return 1000 * 4.0 ** (2 - depth) * (0.03 if pattern.lower().endswith("/read") else 1)
