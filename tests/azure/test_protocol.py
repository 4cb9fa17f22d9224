"""Applying in Azure: what survives, what was there before, what goes wrong at any call, what an undo leaves alone."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from typing import Any

import pytest
from tests.azure.conftest import Canned

from pfdoctor.apply.journal import read
from pfdoctor.apply.verify import Observation
from pfdoctor.core.plan import StaleError, from_json, to_json
from pfdoctor.core.plan.resource import SyncKeys
from pfdoctor.report.handoff import sheet
from pfdoctor.report.plan import render
from pfdoctor.report.style import plain

ROLE, VERSION = "secret-role-missing-scored", "environment-route-wrong"
RULES = {
    ROLE: "secrets-flag-without-grant",
    VERSION: "deployed-route-wrong",
    "latency-near-timeout": "latency-near-timeout",
}
SECRETS_READER = "ea01e6af-a1c1-4350-9563-ad00f8c72ec5"
DEPLOYMENT = "/deployments/blue"
ML = "Microsoft.MachineLearningServices/workspaces"


def resource(patient: Any, end: str) -> dict[str, Any]:
    (found,) = (body for name, body in patient.simulator.dump()["resources"].items() if name.lower().endswith(end))
    return dict(found)


def grants(patient: Any) -> list[Any]:
    assignments = patient.simulator.world.access.assignments.values()
    return [one for one in assignments if one.role == SECRETS_READER]


@pytest.fixture(params=[ROLE, VERSION])
def planned(hospital: Callable[..., Any], request: pytest.FixtureRequest) -> tuple[Any, Any]:
    patient = hospital(request.param)
    return patient, patient.plan(RULES[request.param])


# -------------------------------------------------------------------------------------------------------- the plan


def test_a_plan_is_the_same_after_it_was_saved(planned: tuple[Any, Any]) -> None:
    patient, plan = planned
    again = from_json(json.loads(json.dumps(to_json(plan))), "plan.json")
    assert again == plan
    assert patient.plan(plan.fixes[0].rule) == plan


def test_a_role_is_named_as_bicep_names_it(hospital: Callable[..., Any]) -> None:
    patient = hospital(ROLE)
    (step,) = patient.plan(RULES[ROLE]).steps
    patient.apply(patient.plan(RULES[ROLE]))
    (made,) = grants(patient)
    assert made.id.lower() == step.edit.target.lower()
    assert made.type == "ServicePrincipal"
    assert made.description.startswith("pfdoctor ")


# ------------------------------------------------------------------------------------------------ what survives


def test_what_nobody_here_knows_survives(hospital: Callable[..., Any]) -> None:
    def extend(data: dict[str, Any]) -> None:
        (body,) = (body for name, body in data["resources"].items() if name.endswith(DEPLOYMENT))
        body["properties"]["somethingNew"] = {"aList": [1, {"deep": "value"}]}
        body["properties"]["requestSettings"]["maxQueueWait"] = "PT0.5S"
        body["tags"] = {"owner": "chat"}

    patient = hospital("latency-near-timeout", extend)
    before = resource(patient, DEPLOYMENT)
    patient.apply(patient.plan("latency-near-timeout"))
    after = resource(patient, DEPLOYMENT)
    assert after["properties"]["requestSettings"]["requestTimeout"] == "PT1M30S"
    assert after["properties"]["requestSettings"]["maxQueueWait"] == "PT0.5S"
    for name in ("somethingNew", "model", "environmentVariables"):
        assert after["properties"][name] == before["properties"][name]
    assert (after["tags"], after["sku"]) == (before["tags"], before["sku"])


@pytest.mark.parametrize(
    ("name", "rule", "end"),
    [
        ("traffic-to-failed-deployment", "traffic-to-failed-deployment", "/onlineendpoints/chat"),
        (VERSION, "deployed-route-wrong", "/environments/promptflow-chat/versions/7"),
    ],
)
def test_so_it_does_in_an_endpoint_and_in_an_environment(
    hospital: Callable[..., Any], name: str, rule: str, end: str
) -> None:
    unknown = {"aList": [1, {"deep": "value"}], "on": False}

    def extend(data: dict[str, Any]) -> None:
        (body,) = (body for name, body in data["resources"].items() if name.lower().endswith(end))
        body["properties"]["somethingNew"] = unknown
        body["tags"] = body["properties"]["tags"] = {"owner": "chat"}

    patient = hospital(name, extend)
    untouched = patient.state()
    patient.apply(patient.plan(rule))
    assert patient.state() != untouched
    written = [one for one in patient.simulator.requests if one.method == "PUT"]
    assert written
    # the endpoint itself, or the version that was made as a copy
    after = resource(patient, end.replace("versions/7", "versions/8"))
    assert after["properties"]["somethingNew"] == unknown
    assert after["properties"]["tags"] == {"owner": "chat"}
    if "/onlineendpoints/" in end:
        assert after["tags"] == {"owner": "chat"}
        assert not patient.undo().left
        assert patient.state() == untouched


def test_no_secret_gets_into_plan_journal_or_sheet(hospital: Callable[..., Any]) -> None:
    canary = "canary" + "0123456789abcdef" * 2

    def leak(data: dict[str, Any]) -> None:
        (body,) = (body for name, body in data["resources"].items() if name.endswith(DEPLOYMENT))
        body["properties"]["environmentVariables"] |= {"OPENAI_API_KEY": canary}

    patient = hospital("latency-near-timeout", leak)
    plan = patient.plan("latency-near-timeout")
    patient.apply(plan)
    for text in (json.dumps(to_json(plan)), patient.journal.read_text(), sheet(plan)):
        assert canary not in text
    kept = patient.journal.with_name(patient.journal.name + ".undo")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert resource(patient, DEPLOYMENT)["properties"]["environmentVariables"]["OPENAI_API_KEY"] == canary
    patient.undo()
    assert not kept.exists()


# ------------------------------------------------------------------------------------------ what was there before


def test_a_role_that_somebody_else_assigned_is_left_by_the_undo(hospital: Callable[..., Any]) -> None:
    patient = hospital(ROLE)
    plan = patient.plan(RULES[ROLE])
    (step,) = plan.steps
    scope, principal = step.edit.scope, step.edit.principal_id
    patient.simulator.run(lambda: patient.simulator.world.grant(principal, SECRETS_READER, scope))
    applied = patient.apply(plan)
    assert (applied.fixed, [fix.rule for fix in applied.already]) == ((), [RULES[ROLE]])
    assert len(grants(patient)) == 1
    assert not patient.journal.exists()


def test_a_role_that_appears_at_the_last_moment_is_success(hospital: Callable[..., Any]) -> None:
    patient = hospital(ROLE)
    plan = patient.plan(RULES[ROLE])
    fault = {"kind": "status", "status": 409, "code": "RoleAssignmentExists", "message": "It already exists."}
    patient.simulator.inject({"method": "PUT", "path": "roleAssignments"}, fault)
    patient.longest_wait = 0
    applied = patient.apply(plan)
    assert applied.failure is None
    (entry,) = read(patient.journal).entries
    assert (entry.done, entry.created) == (True, False)


def test_a_new_principal_is_waited_for(hospital: Callable[..., Any]) -> None:
    patient = hospital(ROLE)
    plan = patient.plan(RULES[ROLE])
    fault = {"kind": "status", "status": 400, "code": "PrincipalNotFound", "message": "It does not exist."}
    rule = patient.simulator.inject({"method": "PUT", "path": "roleAssignments", "first": 3}, fault)
    assert patient.apply(plan).failure is None
    assert rule.hits == 3
    assert len(grants(patient)) == 1


def test_an_assignment_that_was_changed_since_is_left(hospital: Callable[..., Any]) -> None:
    patient = hospital(ROLE)
    patient.apply(patient.plan(RULES[ROLE]))
    (made,) = grants(patient)
    patient.simulator.run(lambda: setattr(made, "updated", "2030-01-01T00:00:00.000000Z"))
    undone = patient.undo()
    assert "changed since" in undone.left[0][1]
    assert len(grants(patient)) == 1


def test_a_deployment_that_was_changed_since_is_left(hospital: Callable[..., Any]) -> None:
    patient = hospital("latency-near-timeout")
    patient.apply(patient.plan("latency-near-timeout"))
    world = patient.simulator.world

    def scale() -> None:
        (deployment,) = (one for one in world.store.all() if one.id.endswith(DEPLOYMENT))
        deployment.body["sku"] = {**deployment.body["sku"], "capacity": 3}

    patient.simulator.run(scale)
    undone = patient.undo()
    assert "changed since" in undone.left[0][1]
    assert resource(patient, DEPLOYMENT)["sku"]["capacity"] == 3


@pytest.mark.parametrize("name", ["latency-near-timeout", VERSION])
def test_a_stale_plan_changes_nothing(hospital: Callable[..., Any], name: str) -> None:
    patient = hospital(name)
    plan = patient.plan(RULES[name])
    world = patient.simulator.world

    def scale() -> None:
        (deployment,) = (one for one in world.store.all() if one.id.endswith(DEPLOYMENT))
        deployment.body["sku"] = {**deployment.body["sku"], "capacity": 3}

    patient.simulator.run(scale)
    untouched = patient.state()
    with pytest.raises(
        StaleError,
        match=r"changed since the plan was made: .*content hash was .* and is .*; nothing was changed: plan again",
    ):
        patient.apply(plan)
    assert patient.state() == untouched
    assert not patient.journal.exists()


def test_keys_are_fetched_once(hospital: Callable[..., Any]) -> None:
    patient = hospital("latency-near-timeout", lambda data: data["roleAssignments"]["dev-grants"].update(role="Owner"))
    plan = patient.plan("latency-near-timeout")
    workspace = plan.steps[0].edit.target.partition("/onlineEndpoints/")[0]
    plan = plan._replace(steps=(plan.steps[0]._replace(edit=SyncKeys(workspace)),))
    first = Canned(patient)
    first.well = Observation(())
    assert first.apply(plan).failure is None
    assert first.apply(plan).failure is None
    assert sum("resynckeys" in one.path for one in patient.simulator.requests) == 1
    ((step, words),) = patient.undo().stays
    assert (step, words) == (1, "the keys that the workspace fetched are the ones in force")


# ------------------------------------------------------------------------------------------ not in force yet


def test_a_grant_that_is_not_in_force_is_neither_success_nor_undone(hospital: Callable[..., Any]) -> None:
    patient = hospital(ROLE, lambda data: data.setdefault("settings", {}).update(propagation=3000))
    patient.longest_wait = 40
    plan = patient.plan(RULES[ROLE])
    applied = patient.apply(plan)
    assert ([fix.rule for fix in applied.pending], applied.fixed, applied.undone) == ([RULES[ROLE]], (), ())
    assert len(grants(patient)) == 1
    assert not read(patient.journal).verified
    # the same again finds the role, waits for it, and sees the request answered
    patient.longest_wait = 6000
    again = patient.apply(plan)
    assert [fix.rule for fix in again.fixed] == [RULES[ROLE]]
    assert again.unverified == ()
    assert len(grants(patient)) == 1


def test_in_force_and_not_seen_to_work_is_unverified(hospital: Callable[..., Any]) -> None:
    patient = hospital("secret-role-missing")
    applied = patient.apply(patient.plan(RULES[ROLE]))
    assert [fix.rule for fix in applied.unverified] == [RULES[ROLE]]


# ------------------------------------------------------------------------------------------------ what stays broken


def test_azure_that_stays_broken_is_reported(planned: tuple[Any, Any]) -> None:
    patient, plan = planned
    untouched = patient.state()
    patient.simulator.inject({"method": "PUT"}, {"kind": "status", "status": 500})
    applied = patient.apply(plan)
    assert applied.failure is not None
    assert "the service failed (500" in applied.failure
    assert patient.state() == untouched


def test_who_may_not_is_told_what_to_ask_for(hospital: Callable[..., Any]) -> None:
    patient = hospital(ROLE, lambda data: data["roleAssignments"].pop("dev-grants"))
    untouched, plan = patient.state(), patient.plan(RULES[ROLE])
    (step,) = plan.steps
    assert step.permitted is False
    text = sheet(plan)
    for part in (
        "--role ea01e6af-a1c1-4350-9563-ad00f8c72ec5",
        f"--name {step.edit.target.rpartition('/')[2]}",
        "roleAssignments@2022-04-01",
        'resource "azurerm_role_assignment"',
        "az role assignment delete --ids",
        "User Access Administrator",
        "smallest",
    ):
        assert part in text
    applied = patient.apply(plan)
    assert "--hand-off FILE" in str(applied.failure)
    assert (applied.undone, applied.left) == ((), ())
    assert patient.state() == untouched


def test_of_several_permissions_the_one_that_is_lacking_is_named(hospital: Callable[..., Any]) -> None:
    """Whoever writes an endpoint that is given the workspace's secrets has to be allowed to read them, too."""
    write, secrets = "onlineEndpoints/write", "connections/listsecrets/action"

    def limit(data: dict[str, Any]) -> None:
        actions = ["*/read", f"{ML}/{write}", f"{ML}/onlineEndpoints/deployments/*/action"]
        data["roles"] = {"Endpoint writer": {"assignableScopes": ["${group}"], "actions": actions}}
        data["roleAssignments"]["team-works"]["role"] = "Endpoint writer"

    patient = hospital("traffic-to-failed-deployment", limit)
    untouched, plan = patient.state(), patient.plan("traffic-to-failed-deployment")
    (step,) = plan.steps
    assert [(one.action, one.held) for one in step.permissions] == [(f"{ML}/{write}", True), (f"{ML}/{secrets}", False)]
    assert step.permitted is False
    shown = plain(render(plan, (), 400))
    assert f"you may not do this: it needs {ML}/{secrets} at workspaces/ws-chat; --hand-off" in shown
    text = sheet(plan)
    assert f"whoever has `{ML}/{write}` at `" in text
    assert f"lacks**: `{ML}/{secrets}`" in text
    applied = patient.apply(plan)
    assert secrets in str(applied.failure)
    assert patient.state() == untouched
