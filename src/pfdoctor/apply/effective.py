"""Whether a role that was assigned is in force: accepted is not effective, and effective is not yet proven."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator
from enum import IntEnum
from typing import NamedTuple

from pfdoctor.apply.verify import Observation
from pfdoctor.core.derive import derive
from pfdoctor.core.facts import Facts, members
from pfdoctor.core.model import Json
from pfdoctor.core.plan.resource import GrantRole
from pfdoctor.core.rule import Rule


class Standing(IntEnum):
    """How far a grant has come, the least first."""

    PENDING = 0
    """Azure took it, and what it is for is not possible yet, or may not be."""
    UNVERIFIED = 1
    """By Azure's own rules it is in force; nobody sent the request that would show it."""
    EFFECTIVE = 2
    """A request that was refused for want of it was answered."""


class Waiting(NamedTuple):
    """How long to wait for a grant, in seconds, and how."""

    longest: float = 1200.0
    sleep: Callable[[float], object] = time.sleep
    tell: Callable[[str], None] = lambda _: None


PATIENT = Waiting()


def standing(edit: GrantRole, rule: Rule | None, observed: Observation) -> Standing:
    """How far the grant has come, by the least of all cases that lean on it. `rule` is what fired for want of it."""
    found = [_in_case(edit, rule, facts) for facts, _ in observed.cases]
    return min((one for one in found if one is not None), default=Standing.PENDING)


def _in_case(edit: GrantRole, rule: Rule | None, facts: Facts) -> Standing | None:
    if not facts.has_view("live"):
        return None
    derived = derive(facts)
    rows = list(granted(derived, {edit.target.lower()})) or list(_of_role(derived, edit))
    if not rows:
        return None
    in_force = all(row["verdict"] == "ALLOWED" for row in rows)
    data_plane = facts.document["live"].get("data_plane")
    score = data_plane.get("score") if isinstance(data_plane, dict) else None
    status = score.get("status") if isinstance(score, dict) else None
    if not isinstance(status, int):
        return Standing.UNVERIFIED if in_force else Standing.PENDING
    if status < 300:
        return Standing.EFFECTIVE
    # answered with an error: with the one that the grant is to end, or with another
    return Standing.EFFECTIVE if in_force and not _still_refused(rule, facts) else Standing.PENDING


def granted(derived: Facts, assignments: Container[str]) -> Iterator[dict[str, Json]]:
    """The operations that one of these assignments (ids in lower case) grants."""
    for row in _operations(derived):
        grant = row.get("grant")
        if isinstance(grant, dict) and str(grant.get("id")).lower() in assignments:
            yield row


def _of_role(derived: Facts, edit: GrantRole) -> Iterator[dict[str, Json]]:
    for row in _operations(derived):
        grant = row.get("grant")
        same = isinstance(grant, dict) and str(grant.get("role_id")).lower() == edit.role_id.lower()
        if same and str(row.get("scope")).lower().startswith(edit.scope.lower()):
            yield row


def _operations(derived: Facts) -> Iterator[dict[str, Json]]:
    access = (derived.document.get("live") or {}).get("access")
    rows = access.get("operations") if isinstance(access, dict) else None
    for _, row in members(rows)[0]:
        if isinstance(row, dict):
            yield row


def _still_refused(rule: Rule | None, facts: Facts) -> bool:
    symptoms = set(rule.symptoms) if rule is not None else set()
    answers = [one for one in facts.document.get("logs") or () if str(one.get("source")).startswith("answer of")]
    return any(hit.get("symptom") in symptoms for one in answers for hit in one.get("hits") or ())
