"""The unmodified Azure SDKs against the simulator, signed in by its environment variables alone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from tests.simulator.conftest import BLUE, CHAT, DEV, GROUP, SUBSCRIPTION, WORKSPACE

from pfdoctor.simulator import Scenario, Simulator

# azure-ai-ml and what it is built on warn about themselves; our own warnings stay errors in the other modules.
pytestmark = pytest.mark.filterwarnings("ignore")

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
ROUTES = {
    f"{name}_route": {"path": path, "port": 8080}
    for name, path in (("liveness", "/health"), ("readiness", "/health"), ("scoring", "/score"))
}


class Sdk(NamedTuple):
    """The clients, and the simulator that they talk to."""

    ml: Any
    authorization: Any
    simulator: Simulator


@pytest.fixture(scope="module")
def sdk(healthy: Scenario) -> Iterator[Sdk]:
    """One simulator for all tests here: importing azure.ai.ml and making its clients takes two seconds."""
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.authorization import AuthorizationManagementClient

    subscription = SUBSCRIPTION.rpartition("/")[2]
    with Simulator(healthy) as simulator, pytest.MonkeyPatch.context() as patch:
        for name, value in simulator.environment.items():
            patch.setenv(name, value)
        patch.setenv("AZUREML_CURRENT_CLOUD", "")  # azure-ai-ml writes it for the whole process
        arm = simulator.arm
        places = {
            "azure_portal": arm,
            "resource_manager": f"{arm}/",
            "active_directory": arm,
            "aml_resource_id": arm,
            "storage_endpoint": "core.windows.net",
            "registry_discovery_endpoint": arm,
        }
        quiet: dict[str, Any] = {"show_progress": False, "enable_telemetry": False}
        with DefaultAzureCredential() as credential:
            cloud = f"Simulator{arm.rpartition(':')[2]}"
            ml = MLClient(credential, subscription, "rg-chat", "ws-chat", cloud=cloud, cloud_metadata=places, **quiet)
            scopes = [f"{arm}/.default"]
            with AuthorizationManagementClient(
                credential, subscription, base_url=arm, credential_scopes=scopes
            ) as authorization:
                yield Sdk(ml, authorization, simulator)


def test_reads_the_workspace_and_what_is_in_it(sdk: Sdk) -> None:
    ml = sdk.ml
    assert ml.workspaces.get("ws-chat").container_registry.endswith("/registries/crchat")
    assert [workspace.name for workspace in ml.workspaces.list()] == ["ws-chat"]
    environment = ml.environments.get("promptflow-chat", "7")
    assert environment.inference_config["scoringRoute"]["path"] == "/score"
    assert ml.environments.get("promptflow-chat", label="latest").image == environment.image
    assert ml.models.get("chat-flow", "3").properties["azureml.promptflow.mode"] == "chat"
    assert [connection.name for connection in ml.connections.list()] == ["aoai", "aoai-entra", "search"]
    assert ml.connections.get("aoai", populate_secrets=True).credentials.key.startswith("simulated-")
    assert [store.name for store in ml.datastores.list()] == ["workspaceblobstore", "workspaceworkingdirectory"]
    assert ml.datastores.get_default().account_name == "stchat"


def test_reads_the_endpoint_and_its_deployment(sdk: Sdk) -> None:
    endpoint = sdk.ml.online_endpoints.get("chat")
    assert (endpoint.provisioning_state, endpoint.traffic["blue"]) == ("Succeeded", 100)
    assert endpoint.scoring_uri == f"{sdk.simulator.arm}/online/chat/score"
    assert "chat" in [found.name for found in sdk.ml.online_endpoints.list()]
    assert sdk.ml.online_endpoints.get_keys("chat").primary_key.startswith("simulated-primary-")
    blue = sdk.ml.online_deployments.get("blue", "chat")
    assert (blue.instance_type, blue.request_settings.request_timeout_ms) == ("Standard_DS3_v2", 90_000)
    logs = sdk.ml.online_deployments.get_logs("blue", "chat", lines=2)
    assert logs.count("\n") == 2
    fetched = sdk.ml.online_deployments.get_logs("blue", "chat", lines=9, container_type="storage-initializer")
    assert "Downloading model" in fetched


def test_environment_versions_are_immutable(sdk: Sdk) -> None:
    from azure.ai.ml.entities import Environment
    from azure.core.exceptions import ResourceExistsError

    made = Environment(name="promptflow-chat", version="21", image="crchat.azurecr.io/a:1", inference_config=ROUTES)
    sdk.ml.environments.create_or_update(made)
    sdk.ml.environments.create_or_update(made)  # the same again is no change
    with pytest.raises(ResourceExistsError, match="'image' differs"):
        sdk.ml.environments.create_or_update(Environment(name="promptflow-chat", version="21", image="other:2"))


def test_creates_a_deployment_in_a_long_running_operation(sdk: Sdk) -> None:
    from azure.ai.ml.entities import ManagedOnlineDeployment

    deployment = ManagedOnlineDeployment(
        name="green",
        endpoint_name="chat",
        environment=f"{WORKSPACE}/environments/promptflow-chat/versions/7",
        model=f"{WORKSPACE}/models/chat-flow/versions/3",
        instance_type="Standard_DS3_v2",
        instance_count=1,
    )
    assert sdk.ml.online_deployments.begin_create_or_update(deployment).result().provisioning_state == "Succeeded"
    assert {found.name for found in sdk.ml.online_deployments.list("chat")} >= {"blue", "green"}
    sdk.ml.online_deployments.begin_delete("green", "chat").result()
    assert "green" not in {found.name for found in sdk.ml.online_deployments.list("chat")}


def test_a_new_endpoint_is_given_the_roles_of_its_identity(sdk: Sdk) -> None:
    from azure.ai.ml.entities import ManagedOnlineEndpoint

    flag = {"enforce_access_to_default_secret_stores": "enabled"}
    made = ManagedOnlineEndpoint(name="fresh", auth_mode="key", properties=flag)
    sdk.ml.online_endpoints.begin_create_or_update(made).result()
    endpoint = sdk.simulator.world.store.get(f"{WORKSPACE}/onlineEndpoints/fresh")
    assert endpoint is not None
    identity = endpoint.body["identity"]["principalId"]
    found = sdk.authorization.role_assignments.list_for_subscription(filter=f"principalId eq '{identity}'")
    roles = {sdk.authorization.role_definitions.get_by_id(row.role_definition_id).role_name for row in found}
    assert roles == {
        "AcrPull",
        "Storage Blob Data Reader",
        "AzureML Metrics Writer (preview)",
        "Azure Machine Learning Workspace Connection Secrets Reader",
    }
    sdk.ml.online_endpoints.begin_delete("fresh").result()
    left = sdk.authorization.role_assignments.list_for_subscription(filter=f"principalId eq '{identity}'")
    assert len(list(left)) == 4  # orphans, as in Azure


def test_lists_role_assignments_as_arm_does(sdk: Sdk) -> None:
    listed = sdk.authorization.role_assignments.list_for_scope
    here = list(listed(WORKSPACE, filter=f"atScope() and assignedTo('{CHAT}')"))
    assert {row.scope for row in here} == {WORKSPACE}
    everywhere = list(listed(GROUP, filter=f"principalId eq '{CHAT}'"))
    assert len(everywhere) == 5
    through_the_group = {row.principal_type for row in listed(WORKSPACE, filter=f"assignedTo('{DEV}')")}
    assert through_the_group == {"User", "Group"}
    assert not list(sdk.authorization.deny_assignments.list_for_scope(WORKSPACE))
    assert len(list(sdk.authorization.role_definitions.list(WORKSPACE))) == 53


def test_creates_and_deletes_a_role_assignment(sdk: Sdk) -> None:
    from azure.core.exceptions import HttpResponseError, ResourceExistsError
    from azure.mgmt.authorization.models import RoleAssignmentCreateParameters

    assignments = sdk.authorization.role_assignments
    wanted = RoleAssignmentCreateParameters(
        role_definition_id=f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{READER}",
        principal_id=CHAT,
        principal_type="ServicePrincipal",
    )
    name = str(uuid.uuid4())
    made = assignments.create(WORKSPACE, name, wanted)
    assert (made.principal_id, made.scope) == (CHAT, WORKSPACE)
    with pytest.raises(ResourceExistsError) as raised:
        assignments.create(WORKSPACE, str(uuid.uuid4()), wanted)
    assert raised.value.error is not None
    assert raised.value.error.code == "RoleAssignmentExists"
    assert assignments.delete(WORKSPACE, name).name == name
    wanted.principal_id = str(uuid.uuid4())
    with pytest.raises(HttpResponseError, match="PrincipalNotFound"):
        assignments.create(WORKSPACE, name, wanted)


def test_client_secrets_work_with_the_token_endpoint(sdk: Sdk) -> None:
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import ClientSecretCredential

    robot = sdk.simulator.world.directory.get(CHAT)
    assert robot is not None
    robot.secret = "not-a-secret"
    for secret in ("not-a-secret", "another"):
        with ClientSecretCredential(
            sdk.simulator.world.tenant,
            str(robot.application),
            secret,
            authority=sdk.simulator.arm,
            disable_instance_discovery=True,
        ) as credential:
            if secret == robot.secret:
                token = credential.get_token(f"{sdk.simulator.arm}/.default").token
                assert sdk.simulator.tokens.check(f"Bearer {token}", {sdk.simulator.arm})["oid"] == CHAT
            else:
                with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
                    credential.get_token(f"{sdk.simulator.arm}/.default")


def test_every_request_is_logged(sdk: Sdk) -> None:
    sdk.ml.online_deployments.get("blue", "chat")
    last = sdk.simulator.requests[-1]
    assert (last.server, last.method, last.path, last.status, last.principal) == ("arm", "GET", BLUE, 200, DEV)
    assert last.api_version == "2023-04-01-preview"
