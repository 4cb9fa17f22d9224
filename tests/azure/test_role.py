"""The role of `permissions --command apply`, held against what plan, apply and undo ask of Azure and are answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pfdoctor import catalog
from pfdoctor.cli.needed import needed
from pfdoctor.core.plan.resource import SyncKeys
from pfdoctor.report.role import Operation

SCOPE = "/subscriptions/11111111-2222-3333-4444-555555555555"
ROLE = "pfdoctor"
SCENARIOS = (
    "identity-without-acrpull",
    "environment-route-wrong",
    "schema-no-traffic",
    "provider-not-registered",
    "identity-client-id-missing",
)
"""One for every kind of step, the keys that a workspace fetches again apart: no rule's remedy does that yet."""

ROLE_OF_APPLY = needed("apply", catalog.load_full().rules.values(), probe=True)
WRITES = tuple(one.name for one in ROLE_OF_APPLY if one.writes)


def holding(actions: list[str]) -> Callable[[dict[str, Any]], None]:
    """Makes a custom role with these actions all that the caller holds."""

    def change(data: dict[str, Any]) -> None:
        others = {
            name: one for name, one in data["roleAssignments"].items() if one["principal"] not in ("ml-team", "dev")
        }
        data["roles"] = {**data.get("roles", {}), ROLE: {"actions": actions}}
        data["roleAssignments"] = {**others, "doctor": {"principal": "dev", "role": ROLE, "scope": SCOPE}}

    return change


def names(operations: tuple[Operation, ...]) -> list[str]:
    return [one.name for one in operations]


def treated(patient: Any) -> list[str]:
    """Plans, applies and undoes what comes first; what was refused of it."""
    patient.simulator.requests.clear()
    plan = patient.plan(patient.expected["first"])
    applied = patient.apply(plan)
    if applied.failure is None:
        assert applied.fixed
        assert patient.undo().left == ()
    return [f"{one.method} {one.path}" for one in patient.simulator.requests if one.status == 403]


@pytest.mark.parametrize("name", SCENARIOS)
def test_with_the_role_nothing_is_refused(hospital: Callable[..., Any], name: str) -> None:
    assert treated(hospital(name, holding(names(ROLE_OF_APPLY)))) == []


@pytest.mark.once
@pytest.mark.parametrize("write", WRITES)
def test_no_write_of_the_role_is_too_much(hospital: Callable[..., Any], write: str) -> None:
    """Without it, one of the steps is refused: when it is done, or when it is taken back."""
    actions = [one for one in names(ROLE_OF_APPLY) if one != write]
    for name in SCENARIOS:
        patient = hospital(name, holding(actions))
        patient.simulator.requests.clear()
        plan = patient.plan(patient.expected["first"])
        if patient.apply(plan).failure is not None or patient.undo().left:
            assert [one for one in patient.simulator.requests if one.status == 403]
            return
    raise AssertionError(f"nothing needs {write}")


def test_fetching_the_keys_again_takes_its_own_right(hospital: Callable[..., Any]) -> None:
    resync = "Microsoft.MachineLearningServices/workspaces/resynckeys/action"
    assert resync not in WRITES
    patient = hospital("latency-near-timeout", holding([*names(ROLE_OF_APPLY), resync]))
    plan = patient.plan("latency-near-timeout")
    workspace = plan.steps[0].edit.target.partition("/onlineEndpoints/")[0]
    plan = plan._replace(steps=(plan.steps[0]._replace(edit=SyncKeys(workspace)),))
    patient.apply(plan)
    asked = [one for one in patient.simulator.requests if "resynckeys" in one.path]
    assert [one.status for one in asked] == [200]
