"""Every scenario whose first finding a plan can mend: planned, applied, verified and undone in the simulator.

How each scenario is mended, and why a person has to where a plan cannot, stands in tests/fixtures/healing.yaml.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pfdoctor import catalog
from pfdoctor.core.plan import Outcome, Plan
from pfdoctor.core.plan.foresee import was_true
from pfdoctor.core.plan.resource import NewVersion, UpdateDeployment
from pfdoctor.simulator import Scenario

pytestmark = pytest.mark.once

SCENARIOS = Path(__file__).resolve().parents[2] / "examples" / "scenarios"
CATALOGUE = catalog.load_full()
EXPECTED = {file.stem: Scenario.load(file).data["expect"] for file in sorted(SCENARIOS.glob("*.yaml"))}


HEALING: dict[str, str] = yaml.safe_load(
    (SCENARIOS.parents[1] / "tests" / "fixtures" / "healing.yaml").read_text(encoding="utf-8")
)
"""Scenario → `plan`, `nothing` where nothing is wrong, or why a person has to mend it."""


def may_be_healed(expected: dict[str, Any]) -> bool:
    rule = CATALOGUE.rules.get(expected.get("first", ""))
    return rule is not None and any(spec.actions for spec in rule.wording.remedies)


HEALED = [name for name, expected in EXPECTED.items() if may_be_healed(expected)]
NOT_BACK = {
    "environment-without-inference-config",
    "environment-fixed-in-newer-version",
    "traffic-to-missing-deployment",
    "drift-environment-fix-not-deployed",
}
"""Azure does not accept a deployment without scoring routes again, nor traffic to nobody."""


def as_subscription_owner(data: dict[str, Any]) -> None:
    """Registering a provider takes a right on the subscription, which the person of the scenarios has not."""
    scope = "/subscriptions/11111111-2222-3333-4444-555555555555"
    data["roleAssignments"]["dev-owns"] = {"principal": "dev", "role": "Owner", "scope": scope}


def without_versions(state: dict[str, Any]) -> dict[str, Any]:
    """The state but for environments, whose new versions are declared to stay."""
    resources = {name: body for name, body in state["resources"].items() if "/environments/" not in name}
    return {**state, "resources": resources}


@pytest.mark.parametrize("name", HEALED)
def test_what_comes_first_is_mended_and_taken_back(hospital: Callable[..., Any], name: str) -> None:
    patient = hospital(name, as_subscription_owner)
    rule = patient.expected["first"]
    before, untouched, files = patient.observe(), patient.state(), patient.files()
    plan = patient.plan(rule)
    assert [fix.rule for fix in plan.fixes] == [rule], [one.reason for one in plan.not_planned]
    assert all(step.permitted for step in plan.azure)
    applied = patient.apply(plan)
    assert (applied.failure, applied.pending) == (None, ())
    assert [fix.rule for fix in applied.fixed] == [rule]
    after = patient.observe().proven
    assert {fix.fingerprint for fix in plan.fixes}.isdisjoint(after)
    told = {*before.proven, *(one.fingerprint for one in applied.revealed)}
    new = [outcome for fingerprint, outcome in after.items() if fingerprint not in told]
    # a general rule comes to light where the sharper one that hid it is gone
    assert [one.rule for one in new if not any(was_true(CATALOGUE, facts, one) for facts, _ in before.cases)] == []
    comes_true(plan, after)
    healed = patient.state()
    assert healed != untouched
    # applying twice does nothing
    assert not patient.apply(plan).fixed
    assert patient.state() == healed
    undone = patient.undo()
    assert undone.left == ()
    assert patient.files() == files
    assert undone.steps == tuple(range(len(plan.steps), 0, -1))
    kinds = {type(step.edit) for step in plan.steps}
    if name in NOT_BACK:
        assert "does not accept what was there before" in undone.stays[0][1]
    elif NewVersion in kinds:
        assert without_versions(patient.state()) == without_versions(untouched)
        assert [step for step, _ in undone.stays] == [1]
    elif undone.stays:
        assert "stays registered" in undone.stays[0][1]
    else:
        assert patient.state() == untouched


def comes_true(plan: Plan, after: Mapping[str, Outcome]) -> None:
    """The fifth law: what the forecast is definite about is what is found afterwards."""
    forecast = plan.forecast
    assert forecast is not None
    assert {one.fingerprint for one in forecast.solved}.isdisjoint(after)
    assert {one.fingerprint for one in (*forecast.remaining, *forecast.introduced)} <= set(after)


def test_every_scenario_is_in_the_table() -> None:
    """Who adds a scenario says whether a plan mends it; what the table says of plans is what is tried above."""
    assert sorted(HEALING) == sorted(EXPECTED)
    assert [name for name, how in HEALING.items() if how == "plan"] == HEALED
    assert [name for name, how in HEALING.items() if how == "nothing"] == [
        name for name, expected in EXPECTED.items() if expected.get("nothing")
    ]
    assert len(HEALED) >= 45


def test_all_that_is_found_at_once(hospital: Callable[..., Any]) -> None:
    """Several faults on one deployment: one roll-out for all of them."""

    def worsen(data: dict[str, Any]) -> None:
        (environment,) = (body for name, body in data["resources"].items() if name.endswith("/versions/7"))
        environment["properties"]["inferenceConfig"]["readinessRoute"] = {"path": "/", "port": 5001}

    patient = hospital("identity-client-id-missing", worsen)
    plan = patient.plan()
    assert [type(step.edit) for step in plan.steps] == [NewVersion, UpdateDeployment]
    changed = {change.path for change in plan.steps[1].edit.changes}
    assert changed == {("properties", "environmentId"), ("properties", "environmentVariables", "AZURE_CLIENT_ID")}
    assert {fix.rule: fix.steps for fix in plan.fixes} == {"deployed-route-wrong": (1, 2), "client-id-not-set": (1, 2)}
    assert patient.apply(plan).failure is None
    assert not patient.plan().fixes
