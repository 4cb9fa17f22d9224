"""A whole collection of the healthy scenario: what is in the facts, what was asked for it, and what never is."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from pfdoctor.cloud.errors import AuthenticationError
from pfdoctor.core.model import NoInputError

GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-chat"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/ws-chat"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/chat"


def test_the_view_has_the_shape_of_the_schema(collected: Any, faults: Any, unknowns: Any) -> None:
    (document,) = collected()
    assert faults(document) == []
    assert document["case"] == {
        "name": "chat/blue",
        "kind": "deployment",
        "file": None,
        "id": f"{ENDPOINT}/deployments/blue",
    }
    # of a healthy endpoint with all rights only what Azure does not show is unknown
    codes = {one["code"] for one in unknowns(document["live"]).values()}
    assert codes <= {"remote", "image-unknown", "not-told", "not-in-azure", "not-shown", "not-looked", "not-asked"}


def test_the_facts_of_the_healthy_endpoint(collected: Any) -> None:
    live = collected()[0]["live"]
    deployment, endpoint = live["deployment"], live["endpoint"]
    assert deployment["request_settings"] == {
        "request_timeout_ms": 90_000,
        "max_concurrent_requests_per_instance": 10,
        "max_queue_wait_ms": 500,
    }
    assert (deployment["liveness_probe"]["initial_delay"], deployment["liveness_probe"]["timeout"]) == (10.0, 2.0)
    assert deployment["probe_budgets"][0]["gives_up_after"] == 310
    assert deployment["environment"] == {
        "kind": "registered",
        "name": "promptflow-chat",
        "version": "7",
        "label": None,
    }
    assert (deployment["traffic"], endpoint["traffic"], endpoint["traffic_total"]) == (100, {"blue": 100}, 100)
    assert (endpoint["auth_mode"], endpoint["identity_type"]) == ("key", "system_assigned")
    assert endpoint["deployments"][0]["name"] == "blue"
    assert live["environment"]["inference_config"]["scoring_route"] == {"port": 8080, "path": "/score"}
    assert live["environment"]["inference_config"]["deviations"] == []
    assert live["model"]["properties"]["azureml.promptflow.mode"] == "chat"
    assert live["model"]["datastore"] == "workspaceblobstore"
    assert [one["connection_class"] for one in live["connections"]] == [
        "AzureOpenAIConnection",
        "AzureOpenAIConnection",
        "CognitiveSearchConnection",
    ]
    assert live["connection_workspace"]["source"] == "config-override"
    assert live["connection_workspace"]["same_as_endpoint"] is True
    assert live["identity"]["principal_id"] == "6287c88a-0000-4000-8000-000000000001"
    assert live["caller"]["principal_id"] == "60785ef2-0000-4000-8000-000000000001"
    assert live["workspace"]["storage"]["allow_shared_key_access"] is True
    assert live["workspace"]["container_registry"]["arm_audience_tokens"] is True
    assert live["datastores"][0]["account_id"].endswith("/storageAccounts/stchat")
    assert live["datastores"][0]["credentials"] == "none"
    assert live["quota"]["cores_per_instance"] == 4
    assert {one["kind"] for one in live["authorization"]["scopes"]} >= {
        "workspace",
        "container",
        "registry",
        "openai-account",
    }
    (own,) = [
        one
        for one in live["authorization"]["scopes"][0]["assigned"]
        if one["principal_id"] == live["identity"]["principal_id"]
    ]
    roles = {live["authorization"]["definitions"][one["role_id"]]["name"] for one in own["assignments"]}
    assert "Azure Machine Learning Workspace Connection Secrets Reader" in roles


def test_each_fact_tells_where_it_was_read(collected: Any) -> None:
    (document,) = collected()
    origins = document["origins"]["live"]
    assert set(origins["deployment"]) == {"id", "api_version", "status", "request_id", "time", "method"}
    for path in ("workspace", "workspace.storage", "endpoint", "environment", "model", "connections", "identity"):
        assert origins[path]["status"] == 200, path


def test_only_reads_leave_and_nothing_is_read_twice(azure: Any, collected: Any) -> None:
    collected()
    asked = [one for one in azure.simulator.requests if one.server == "arm"]
    assert {one.method for one in asked} == {"GET", "POST"}
    assert {one.path.rpartition("/")[2] for one in asked if one.method == "POST"} == {"getLogs"}
    times = Counter((one.method, one.path.lower(), one.query) for one in asked if one.method == "GET")
    assert [key for key, count in times.items() if count > 1] == []
    assert len([one for one in asked if one.method == "POST"]) == 2
    assert len([one for one in azure.simulator.requests if one.server == "identity"]) == 1


def test_without_the_probe_the_endpoint_is_not_called(azure: Any, collected: Any) -> None:
    (document,) = collected()
    unknown = document["live"]["data_plane"]["$unknown"]
    assert unknown["code"] == "not-asked"
    assert unknown["collect_command"] == "pfdoctor diagnose --endpoint chat --probe"
    assert not [one for one in azure.simulator.requests if one.server == "online" or "listkeys" in one.path.lower()]


SECRETS = {
    "OPENAI_API_KEY": "sk-" + "canary4Q9xZ7Lk2Vb8Nf3Rt6Yh1Wd5Ms0Pc",
    "SEARCH_ADMIN_KEY": "canaryQ9xZ7Lk2Vb8Nf3Rt6Yh1Wd5Ms0PcT4uJ6eGiA1sDf2Gh",
    "DB_PASSWORD": "canaryHunter2!x9",
    "aoai": json.dumps(
        {"type": "AzureOpenAIConnection", "value": {"api_key": "canary0a1b2c3d4e5f60718293a4b5c6d7e8f9"}}
    ),
}


def test_no_secret_reaches_the_facts(collected: Any, change: Any, azure: Any) -> None:
    change(f"{ENDPOINT}/deployments/blue", {"properties": {"environmentVariables": SECRETS}})
    key = "canary1f2e3d4c5b6a79880a1b2c3d4e5f6071"
    change(
        f"{WORKSPACE}/connections/search",
        {"properties": {"metadata": {"api_key": key}, "error": f"api_key={key}", "credentials": {"key": key}}},
    )
    text = f"starting with api_key={key}\nAuthorization: Bearer {key}\n"
    azure.simulator.inject({"path": "getLogs"}, {"kind": "wrong-type", "body": {"content": text}})
    azure.simulator.inject({"path": "vmSizes"}, {"kind": "status", "status": 400, "message": f"api_key={key}"})
    assert "canary" not in json.dumps(collected())


def test_of_several_deployments_each_is_a_case(azure: Any, collected: Any) -> None:
    body = azure.simulator.run(
        lambda: json.loads(json.dumps(azure.simulator.world.store.get(f"{ENDPOINT}/deployments/blue").body))
    )
    identifier = f"{ENDPOINT}/deployments/green"
    azure.simulator.run(lambda: azure.simulator.world.add(identifier, body, when="2026-11-01T00:00:00Z"))
    try:
        documents = collected()
        assert [one["case"]["name"] for one in documents] == ["chat/blue", "chat/green"]
        assert documents[1]["live"]["deployment"]["traffic"] == 0
        asked = Counter((one.method, one.path.lower(), one.query) for one in azure.simulator.requests)
        assert max(count for (method, _, _), count in asked.items() if method == "GET") == 1
        (only,) = collected(deployment="GREEN")
        assert only["case"]["name"] == "chat/green"
    finally:
        store = azure.simulator.world.store
        azure.simulator.run(lambda: store.delete(store.get(identifier)))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"endpoint": "chatt"}, "no online endpoint 'chatt' in the workspace ws-chat: did you mean chat?"),
        ({"workspace": "ws-chta"}, "no workspace 'ws-chta' in the resource group rg-chat: did you mean ws-chat?"),
        ({"deployment": "bleu"}, "no deployment 'bleu' at the endpoint chat: did you mean blue?"),
    ],
)
def test_a_name_that_is_none_ends_with_the_nearest(collected: Any, names: dict[str, str], said: str) -> None:
    with pytest.raises(NoInputError) as error:
        collected(**names)
    assert str(error.value).startswith(said)
    assert error.value.exit_code == 5


def test_a_login_of_another_tenant_ends_the_run(azure: Any, collected: Any) -> None:
    fault = {"kind": "status", "status": 401, "code": "InvalidAuthenticationTokenTenant", "message": "wrong issuer"}
    azure.simulator.inject({"path": "/subscriptions/"}, fault)
    with pytest.raises(AuthenticationError, match="az login --tenant"):
        collected()


def test_a_subscription_that_the_login_does_not_see(azure: Any, collected: Any) -> None:
    fault = {"kind": "status", "status": 404, "code": "SubscriptionNotFound", "message": "could not be found"}
    azure.simulator.inject({"path": "/subscriptions/"}, fault)
    with pytest.raises(AuthenticationError, match="sees no subscription 11111111"):
        collected()


def test_with_no_right_at_all_everything_is_unknown_and_nothing_ends(
    azure: Any, collected: Any, faults: Any, unknowns: Any
) -> None:
    azure.simulator.inject(
        {"path": "/subscriptions/"}, {"kind": "status", "status": 403, "code": "AuthorizationFailed"}
    )
    (document,) = collected()
    assert faults(document) == []
    assert document["case"]["kind"] == "endpoint"
    found = unknowns(document["live"])
    for section in ("workspace", "endpoint", "deployment", "environment", "model", "identity", "datastores"):
        assert found[section]["code"] == "forbidden", section
        assert found[section]["permission"].endswith("/read"), section


def test_an_endpoint_without_a_deployment_is_a_case_of_its_own(collected: Any, azure: Any) -> None:
    azure.simulator.inject({"path": r"/deployments\?"}, {"kind": "wrong-type", "body": {"value": []}})
    (document,) = collected()
    assert (document["case"]["kind"], document["case"]["name"]) == ("endpoint", "chat")
    assert document["live"]["deployment"] is None
    assert document["live"]["endpoint"]["deployments"] == []


USER_ASSIGNED = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"


@pytest.fixture
def identities(azure: Any, change: Any) -> Any:
    """Gives the endpoint user-assigned identities, and the deployment an AZURE_CLIENT_ID."""
    ids = [f"{USER_ASSIGNED}/{name}" for name in ("one", "two")]
    world = azure.simulator.world

    def set_up(count: int, client: str | None) -> None:
        values = {}
        for number, identifier in enumerate(ids[:count]):
            told = {"principalId": f"{number}" * 8, "clientId": f"c{number}"}
            azure.simulator.run(
                lambda i=identifier, t=told: world.add(i, {"properties": t}, when="2026-11-01T00:00:00Z")
            )
            values[identifier] = told
        change(ENDPOINT, {"identity": {"type": "UserAssigned", "principalId": None, "userAssignedIdentities": values}})
        if client is not None:
            change(
                f"{ENDPOINT}/deployments/blue", {"properties": {"environmentVariables": {"AZURE_CLIENT_ID": client}}}
            )

    yield set_up

    def remove() -> None:
        for identifier in ids:
            resource = world.store.get(identifier)
            if resource is not None:
                world.store.delete(resource)

    azure.simulator.run(remove)


@pytest.mark.parametrize(
    ("count", "client", "principal", "matches"),
    [
        (1, None, "00000000", None),
        (2, "C1", "11111111", True),
        (1, "other", "no-such-identity", False),
        (2, None, "ambiguous", None),
    ],
)
def test_which_user_assigned_identity_the_container_uses(
    collected: Any, identities: Any, count: int, client: str | None, principal: str, matches: bool | None
) -> None:
    identities(count, client)
    facts = collected()[0]["live"]["identity"]
    told = facts["principal_id"]
    assert (told["$unknown"]["code"] if isinstance(told, dict) else told) == principal
    assert facts["matches_named"] is matches
    assert [one["exists"] for one in facts["identities"]] == [True] * count


def test_an_identity_that_was_deleted(collected: Any, change: Any) -> None:
    gone = {f"{USER_ASSIGNED}/gone": {"principalId": "p", "clientId": "c"}}
    change(ENDPOINT, {"identity": {"type": "UserAssigned", "userAssignedIdentities": gone}})
    facts = collected()[0]["live"]["identity"]
    assert (facts["identities"][0]["exists"], facts["principal_id"]) == (False, "p")


def test_connections_are_read_where_the_deployment_says(collected: Any, change: Any) -> None:
    other = f"azureml:/{WORKSPACE.replace('ws-chat', 'ws-other')}"
    variables = {"PROMPTFLOW_CONNECTION_PROVIDER": other}
    change(f"{ENDPOINT}/deployments/blue", {"properties": {"environmentVariables": variables}})
    live = collected()[0]["live"]
    facts = live["connection_workspace"]
    assert (facts["source"], facts["exists"], facts["same_as_endpoint"]) == ("connection-provider", False, False)
    assert live["connections"]["$unknown"]["code"] == "not-found"


def test_a_subscription_that_answers_little_is_waited_for(azure: Any, collected: Any, unknowns: Any) -> None:
    """The bucket holds fewer requests than a collection has; waiting turns the clocks of both sides."""
    settings = azure.simulator.world.settings
    time = [0.0]

    async def sleep(seconds: float) -> None:
        time[0] += seconds
        azure.simulator.advance(seconds)

    limits = azure.limits._replace(sleep=sleep, clock=lambda: time[0])
    before = (settings.throttle, settings.read_burst, settings.read_rate)
    settings.throttle, settings.read_burst, settings.read_rate = True, 30, 25
    try:
        (document,) = collected(limits=limits)
    finally:
        settings.throttle, settings.read_burst, settings.read_rate = before
    assert time[0] > 0
    assert "throttled" not in {one["code"] for one in unknowns(document["live"]).values()}


FAILED = {"status": "Failed", "error": {"code": "OutOfQuota", "message": "Not enough quota"}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (FAILED, {"code": "OutOfQuota", "message": "Not enough quota"}),
        ({"status": "Succeeded"}, None),
        ({"status": "Failed"}, None),
        ([], "wrong-type"),
    ],
)
def test_why_a_deployment_failed_is_told_by_its_last_operation(
    azure: Any, collected: Any, change: Any, answer: Any, expected: Any
) -> None:
    path = "/subscriptions/11111111-2222-3333-4444-555555555555/providers/Microsoft.MachineLearningServices/locations"
    uri = f"{azure.cloud.resource_manager}{path}/eastus2/mfeOperationsStatus/odidp:x:y?api-version=2023-04-01-preview"
    azure.simulator.inject({"path": "mfeOperationsStatus"}, {"kind": "wrong-type", "body": answer})
    properties = {"provisioningState": "Failed", "properties": {"AzureAsyncOperationUri": uri}}
    change(f"{ENDPOINT}/deployments/blue", {"properties": properties})
    (document,) = collected()
    error = document["live"]["deployment"]["provisioning_error"]
    if isinstance(expected, str):
        assert error["$unknown"]["code"] == expected
    else:
        assert error == expected
    assert "deployment.provisioning_error" in document["origins"]["live"] or expected is None


def test_an_operation_elsewhere_is_not_asked_for(azure: Any, collected: Any, change: Any) -> None:
    uri = "https://evil.example/subscriptions/s/mfeOperationsStatus/x?api-version=1"
    properties = {"provisioningState": "Failed", "properties": {"AzureAsyncOperationUri": uri}}
    change(f"{ENDPOINT}/deployments/blue", {"properties": properties})
    assert collected()[0]["live"]["deployment"]["provisioning_error"] is None
    assert not [one for one in azure.simulator.requests if "mfeOperationsStatus" in one.path]
