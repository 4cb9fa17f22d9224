"""The product's permission proof and the simulator's own evaluator, on the same random worlds."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from tests.core import access_worlds as worlds

from pfdoctor.core.access.evaluate import Question, evaluate
from pfdoctor.core.access.world import World
from pfdoctor.simulator.directory import Directory, Principal
from pfdoctor.simulator.rbac import Access, Assignment, Deny, Outcome, Permission, Role

pytestmark = pytest.mark.once

WORLDS = 6000
AGREE = {
    "ALLOWED": (Outcome.ALLOWED,),
    "ALLOWED_PENDING": (Outcome.ALLOWED,),
    "NOT_ALLOWED": (Outcome.NONE, Outcome.DENIED),  # where a deny may or may not apply, the proof does not ask further
    "DENIED": (Outcome.DENIED,),
}
"""What each definite answer of the proof is here, where every assignment is in effect and locks are somebody else's."""


def _permission(fact: dict[str, Any]) -> Permission:
    actions, not_actions = tuple(fact["actions"]), tuple(fact["not_actions"])
    return Permission(actions, not_actions, tuple(fact["data_actions"]), tuple(fact["not_data_actions"]))


def _access(facts: dict[str, Any]) -> Access:
    """The simulator's state that the facts tell of."""
    authorization = facts["authorization"]
    rows: dict[str, dict[str, Any]] = {}
    directory = Directory("tenant")
    for entry in authorization["scopes"]:
        for row in (*entry["everyone"], *(row for one in entry["assigned"] for row in one["assignments"])):
            rows[row["id"]] = row
    in_group = any(row["principal_id"].lower() == worlds.GROUP for row in rows.values())
    directory.add(Principal(worlds.GROUP, "Group", "team", members=(worlds.ME,) if in_group else ()))
    access = Access(directory)
    access.management_groups["s"] = ("/providers/microsoft.management/managementgroups/mg",)
    for name, definition in authorization["definitions"].items():
        access.roles[name] = Role(name, name, tuple(_permission(one) for one in definition["permissions"]))
    for name, row in rows.items():
        access.add(Assignment(name, row["scope"], row["role_id"], row["principal_id"]))
    for entry in authorization["scopes"]:
        for deny in entry["denies"]:
            access.denies[deny["id"]] = Deny(
                deny["id"],
                deny["name"],
                deny["scope"],
                tuple(_permission(one) for one in deny["permissions"]),
                tuple(deny["principals"]),
                tuple(deny["excluded_principals"]),
                here_only=not deny["applies_to_child_scopes"],
            )
    return access


def _without_conditions(facts: Any) -> None:
    """Conditions are left out: the proof does not evaluate them, the simulator does."""
    if isinstance(facts, dict):
        if "condition" in facts:
            facts["condition"] = None
        for value in facts.values():
            _without_conditions(value)
    elif isinstance(facts, list):
        for value in facts:
            _without_conditions(value)


def test_both_evaluators_agree_where_the_proof_is_definite() -> None:
    rng = random.Random(20261123)
    seen: Counter[str] = Counter()
    for _ in range(WORLDS):
        case = worlds.random_world(rng)
        authorization = case.facts["authorization"]
        if case.holes or len(authorization["scopes"]) > 1 or authorization["elsewhere"]:
            continue
        _without_conditions(case.facts)
        for entry in authorization["scopes"]:
            entry["locks"] = []
        found = evaluate(
            Question(case.action, case.data, case.target, worlds.ME), World(authorization, case.facts["now"])
        )
        seen[found.verdict] += 1
        if found.verdict in AGREE:
            decision = _access(case.facts).decide(worlds.ME, case.action, case.target, now=1.0, data=case.data)
            assert decision.outcome in AGREE[found.verdict], (case.action, case.target, case.facts)
    assert min(seen[verdict] for verdict in AGREE) >= 20, seen
