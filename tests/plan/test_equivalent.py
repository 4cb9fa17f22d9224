"""What a hand-off sheet tells an administrator to run has to be what the tools read."""

from __future__ import annotations

from pfdoctor.core.plan.equivalent import equivalent
from pfdoctor.core.plan.resource import BodyChange, NewVersion, RegisterProvider, UpdateDeployment
from pfdoctor.core.plan.step import place_of

WORKSPACE = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg"
    "/providers/Microsoft.MachineLearningServices/workspaces/ws"
)
ROUTES = BodyChange("set", ("properties", "inferenceConfig"), {"livenessRoute": {"port": 8080, "path": "/health"}})


def test_a_new_version_is_made_of_the_body_that_azure_has() -> None:
    container = f"{WORKSPACE}/environments/env"
    said = equivalent(NewVersion(container, f"{container}/versions/7", "8", (ROUTES,)))
    # `az ml environment create` knows no properties.inferenceConfig
    assert f'az rest --method get --url "{container}/versions/7?' in said.az
    assert f'az rest --method put --url "{container}/versions/8?' in said.az
    assert '--query "{properties: properties}"' in said.az
    assert "      livenessRoute: {\n        port: 8080\n        path: '/health'\n      }\n" in said.bicep
    assert '"livenessRoute": {"port": 8080, "path": "/health"}' in said.terraform


def test_an_update_is_bicep_in_bicep_and_an_object_in_terraform() -> None:
    value = "it's ${HOME}"
    change = BodyChange("set", ("properties", "environmentVariables", "A-B"), value)
    said = equivalent(UpdateDeployment(f"{WORKSPACE}/onlineEndpoints/chat/deployments/blue", (change,)))
    assert "properties: {\n  environmentVariables: {\n    'A-B': 'it\\'s \\${HOME}'\n  }\n}" in said.bicep
    assert 'body        = {"properties": {"environmentVariables": {"A-B": "it\'s $${HOME}"}}}' in said.terraform
    assert "jsonencode" not in said.terraform
    # what was there before is kept for the undo
    assert "> before.json" in said.az
    assert said.undo.endswith("--body @before.json")


def test_a_resource_provider_has_a_name() -> None:
    edit = RegisterProvider("11111111-2222-3333-4444-555555555555", "Microsoft.PolicyInsights")
    assert "Microsoft.PolicyInsights" in place_of(edit)
