"""The management API's own behaviour: tokens, headers, errors, etags, operations, throttling, queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.simulator.conftest import BLUE, CHAT, DEV, ENDPOINT, GROUP, SCENARIOS, SUBSCRIPTION, WORKSPACE, Client

from pfdoctor.simulator import Scenario, Simulator

GRAPH = "/providers/Microsoft.ResourceGraph/resources"


def test_tokens_are_checked_on_every_call(simulator: Simulator) -> None:
    client = Client(simulator)
    dev = simulator.world.directory.get(DEV)
    assert dev is not None
    refused = {
        "InvalidAuthenticationTokenAudience": simulator.tokens.issue(dev, "https://vault.azure.net", 60),
        "ExpiredAuthenticationToken": simulator.tokens.issue(dev, simulator.arm, -1),
        "InvalidAuthenticationTokenTenant": simulator.tokens.issue(dev, simulator.arm, 60, tenant=CHAT),
        "InvalidAuthenticationToken": client.token[:-4] + "AAAA",
    }
    for code, token in refused.items():
        client.token = token
        reply = client.get(ENDPOINT)
        assert (reply.status, reply.code) == (401, code)
        assert reply.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_a_token_expires_with_the_simulated_clock(simulator: Simulator, client: Client) -> None:
    assert client.get(ENDPOINT).status == 200
    simulator.advance(3601)
    assert client.get(ENDPOINT).code == "ExpiredAuthenticationToken"


def test_headers_and_case(client: Client) -> None:
    reply = client.get(ENDPOINT.upper().replace("/PROVIDERS/", "//providers//"))
    assert reply.json["id"] == ENDPOINT
    for name in (
        "x-ms-request-id",
        "x-ms-correlation-request-id",
        "x-ms-ratelimit-remaining-subscription-reads",
        "ETag",
    ):
        assert reply.headers[name]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{WORKSPACE}/onlineEndpoints/none", 404, "ResourceNotFound"),
        (f"{WORKSPACE}/onlineEndpoints/none/deployments", 404, "ResourceNotFound"),
        (f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/none", 404, "ResourceNotFound"),
        (
            f"{SUBSCRIPTION}/resourceGroups/none/providers/Microsoft.Storage/storageAccounts/a",
            404,
            "ResourceGroupNotFound",
        ),
        ("/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups", 404, "SubscriptionNotFound"),
        (f"{GROUP}/providers/Microsoft.Nothing/things/a", 404, "InvalidResourceType"),
    ],
)
def test_what_is_not_there(client: Client, path: str, status: int, code: str) -> None:
    reply = client.get(path)
    assert (reply.status, reply.code) == (status, code)


def test_the_api_version_is_required(client: Client) -> None:
    assert client.get(ENDPOINT, version=None).code == "MissingApiVersionParameter"


@pytest.mark.parametrize(
    "path",
    [
        "/subscriptions",
        SUBSCRIPTION,
        f"{SUBSCRIPTION}/resourceGroups",
        GROUP,
        f"{GROUP}/resources",
        f"{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices",
        f"{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/workspaces",
        f"{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/locations/eastus2/usages",
        f"{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/locations/eastus2/quotas",
        f"{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/locations/eastus2/vmSizes",
        f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/crchat",
        f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stchat/blobServices/default/containers/azureml-blobstore-1",
        f"{GROUP}/providers/Microsoft.KeyVault/vaults/kvchat",
        f"{GROUP}/providers/Microsoft.Insights/components/aichat",
        f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/aoai-chat/deployments",
        f"{GROUP}/providers/Microsoft.Search/searchServices/srch-chat",
        f"{WORKSPACE}/providers/Microsoft.Authorization/locks",
        f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignmentScheduleInstances",
        f"{ENDPOINT}/providers/Microsoft.Insights/metrics?metricnames=RequestLatency",
    ],
)
def test_the_caller_reads_everything_around_the_endpoint(client: Client, path: str) -> None:
    assert client.get(path).status == 200


def test_lists_come_in_pages(changed: Callable[[str], Simulator]) -> None:
    client = Client(changed("settings: {page_size: 2}\n"))
    first = client.get(f"{WORKSPACE}/connections").json
    assert [row["name"] for row in first["value"]] == ["aoai", "aoai-entra"]
    path = first["nextLink"].removeprefix(client.simulator.arm)
    last = client.get(path, version=None).json
    assert ([row["name"] for row in last["value"]], "nextLink" in last) == (["search"], False)


def test_etags(client: Client) -> None:
    etag = client.get(ENDPOINT).headers["ETag"]
    body = {"tags": {"a": "b"}}
    assert client.call("PATCH", ENDPOINT, body, headers={"If-Match": '"0"'}).code == "PreconditionFailed"
    assert client.put(ENDPOINT, body, headers={"If-None-Match": "*"}).status == 412
    assert client.call("PATCH", ENDPOINT, body, headers={"If-Match": etag}).status == 202


def test_a_deployment_is_created_step_by_step(changed: Callable[[str], Simulator]) -> None:
    simulator = changed("settings: {deployment_seconds: 480}\n")
    client = Client(simulator)
    body = client.get(BLUE).json
    green = BLUE.replace("blue", "green")
    made = client.put(green, body)
    assert (made.status, made.json["properties"]["provisioningState"]) == (201, "Creating")
    status = made.headers["Azure-AsyncOperation"].removeprefix(simulator.arm)
    result = made.headers["Location"].removeprefix(simulator.arm)
    assert made.headers["Retry-After"] == "30"
    assert client.get(status, version=None).json["status"] == "InProgress"
    assert client.get(result, version=None).status == 202
    assert client.put(green, body).code == "Conflict"
    simulator.advance(481)
    client = Client(simulator)
    assert client.get(status, version=None).json["status"] == "Succeeded"
    assert client.get(result, version=None).json["properties"]["provisioningState"] == "Succeeded"
    assert client.delete(green).status == 202
    assert client.get(green).json["properties"]["provisioningState"] == "Deleting"
    simulator.advance(481)
    assert client.get(green).status == 404
    assert client.delete(green).status == 204


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("roleAssignments: {chat-image: !remove }\n", "Unable to download user container image"),
        ("roleAssignments: {chat-model: !remove }\n", "Unable to download user model"),
        ("locations: {eastus2: {usages: [{currentValue: 8, limit: 12, name: {value: standardDSv2Family}}]}}\n", "8/12"),
        ("simulation: {'${deployment}': {crash: 'ModuleNotFoundError: no module'}}\n", "User container has crashed"),
        ("simulation: {'${deployment}': {connections: [gone]}}\n", "User container has crashed"),
    ],
)
def test_a_deployment_fails_for_its_reason(changed: Callable[[str], Simulator], change: str, error: str) -> None:
    simulator = changed(change)
    client = Client(simulator)
    body = client.get(BLUE).json
    operation = client.put(BLUE, body).headers["Azure-AsyncOperation"].removeprefix(simulator.arm)
    simulator.advance(1)
    ended = client.get(operation, version=None).json
    assert ended["status"] == "Failed"
    log = client.post(f"{BLUE}/getLogs", {"containerType": "InferenceServer", "tail": 100}).json["content"]
    assert log.startswith("Instance status:\nSystemSetup: ")
    assert "Failed\n\nContainer logs:" in log
    assert error in ended["error"]["message"]
    assert client.get(BLUE).json["properties"]["provisioningState"] == "Failed"


def test_writing_back_what_was_read_changes_nothing_but_the_time(simulator: Simulator, client: Client) -> None:
    before = simulator.dump()["resources"]
    for path in (ENDPOINT, BLUE):
        client.put(path, client.get(path).json)
        simulator.advance(1)
    after = simulator.dump()["resources"]
    for path in (ENDPOINT, BLUE):
        for body in (before[path], after[path]):
            del body["systemData"]
    assert after == before
    log = client.post(f"{BLUE}/getLogs", {}).json["content"]
    assert "UserContainerStart: Succeeded\n\nContainer logs:\n" in log


def test_without_a_word_on_how_to_serve_a_deployment_is_refused(client: Client) -> None:
    bare = f"{WORKSPACE}/environments/promptflow-chat/versions/8"
    assert client.put(bare, {"properties": {"image": "crchat.azurecr.io/bare:1"}}).status == 201
    body: dict[str, Any] = client.get(BLUE).json
    body["properties"]["environmentId"] = bare
    reply = client.put(BLUE, body)
    assert (reply.status, reply.code) == (400, "BadRequest")
    assert reply.json["error"]["details"][0]["code"] == "MissingDriverProgram"


def test_an_enforced_endpoint_takes_a_creator_who_may_list_secrets(changed: Callable[[str], Simulator]) -> None:
    simulator = changed(
        "roles: {author: {actions: ['*/read', 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/*'], "
        "assignableScopes: ['${group}']}}\n"
        "roleAssignments: {team-works: {role: author}}\n"
    )
    flag = {"enforce_access_to_default_secret_stores": "enabled"}
    path = f"{WORKSPACE}/onlineEndpoints/second"
    reply = Client(simulator).put(path, {"properties": {"properties": flag}})
    assert reply.status == 403
    assert "connections/listsecrets/action" in reply.message
    assert Client(simulator).put(path, {"properties": {}}).status == 201


def test_the_token_bucket(changed: Callable[[str], Simulator]) -> None:
    simulator = changed("settings: {throttle: true, read_burst: 3, read_rate: 0.5}\n")
    client = Client(simulator)
    left = [client.get(ENDPOINT).headers["x-ms-ratelimit-remaining-subscription-reads"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    reply = client.get(ENDPOINT)
    assert (reply.status, reply.code) == (429, "SubscriptionRequestsThrottled")
    assert int(reply.headers["Retry-After"]) >= 1
    simulator.advance(3)
    assert client.get(ENDPOINT).status == 200


def test_a_provider_is_registered(changed: Callable[[str], Simulator]) -> None:
    simulator = changed(
        "providers: {'${subscription}': {Microsoft.Search: NotRegistered}}\n"
        "roleAssignments: {owner: {principal: dev, role: Owner, scope: '/subscriptions/${subscription}'}}\n"
    )
    client = Client(simulator)
    path = f"{SUBSCRIPTION}/providers/Microsoft.Search"
    assert client.get(path).json["registrationState"] == "NotRegistered"
    search = f"{GROUP}/providers/Microsoft.Search/searchServices/second"
    assert client.put(search, {"location": "eastus2"}).code == "MissingSubscriptionRegistration"
    assert client.post(f"{path}/register").json["registrationState"] == "Registered"
    assert client.put(search, {"location": "eastus2"}).status == 201


def test_the_gateway_stands_behind_the_scoring_uri(simulator: Simulator, client: Client) -> None:
    key = client.post(f"{ENDPOINT}/listKeys").json["primaryKey"]
    uri = client.get(ENDPOINT).json["properties"]["scoringUri"].removeprefix(simulator.arm)
    client.token = key
    reply = client.post(uri, {"question": "who?"}, version=None)
    assert (reply.status, reply.headers["azureml-model-deployment"]) == (200, "blue")
    assert simulator.requests[-1].server == "online"
    client.token = "wrong"
    assert client.post(uri, {}, version=None).status == 401


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (
            "resources | where type =~ 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints' | project name",
            ["chat"],
        ),
        (
            "Resources | where type == 'microsoft.storage/storageaccounts' and location in~ ('EastUS2') | project name",
            ["stchat"],
        ),
        (
            "resources | where type in~ ('microsoft.search/searchservices','microsoft.keyvault/vaults')|sort by id asc",
            ["kvchat", "srch-chat"],
        ),
        (
            "resources | where name startswith 'ai' or tostring(kind) contains 'opena' | order by name",
            ["aoai-chat", "aichat"],
        ),
        (
            "resourcecontainers | where type =~ 'microsoft.resources/subscriptions/resourcegroups' | limit 5",
            ["rg-chat"],
        ),
        (
            "authorizationresources | where type endswith 'roledefinitions' and properties.roleName == 'AcrPull'",
            ["7f951dda-4ed3-4680-a7ca-43fe172d538d"],
        ),
    ],
)
def test_resource_graph(client: Client, query: str, names: list[str]) -> None:
    reply = client.post(GRAPH, {"subscriptions": [SUBSCRIPTION.rpartition("/")[2]], "query": query})
    assert [row["name"] for row in reply.json["data"]] == names
    assert reply.headers["x-ms-user-quota-remaining"]


def test_resource_graph_shows_only_what_one_may_read_and_pages(simulator: Simulator) -> None:
    assert Client(simulator, CHAT).post(GRAPH, {"query": "resources"}).json["data"][0]["name"] == "aoai-chat"
    client = Client(simulator)
    whole = client.post(GRAPH, {"query": "resources | project id"}).json
    page = client.post(GRAPH, {"query": "resources | project id", "options": {"$top": 4}}).json
    assert page["data"] == whole["data"][:4]
    rest = {"$top": 100, "$skipToken": page["$skipToken"]}
    assert client.post(GRAPH, {"query": "resources | project id", "options": rest}).json["data"] == whole["data"][4:]
    assert client.post(GRAPH, {"query": "resources | summarize count()"}).status == 400


def test_a_project_uses_the_stores_of_its_hub() -> None:
    with Simulator(Scenario.load(SCENARIOS / "hub.yaml")) as simulator:
        client = Client(simulator)
        project = client.get(WORKSPACE).json
        assert (project["kind"], project["properties"]["containerRegistry"]) == ("Project", None)
        assert client.get(project["properties"]["hubResourceId"]).json["kind"] == "Hub"
        assert client.put(f"{WORKSPACE}/onlineEndpoints/second", {"properties": {}}).status == 201
        simulator.advance(1)
        made = simulator.world.store.get(f"{WORKSPACE}/onlineEndpoints/second")
        assert made is not None
        granted = {row.scope for row in simulator.world.access.of([made.body["identity"]["principalId"]])}
        assert f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/crchat" in granted
