"""Answers of Azure in the words of the facts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pfdoctor.cloud.reading import Reading
from pfdoctor.collect.azure.arm_id import parse, same
from pfdoctor.collect.azure.assets import read_environment, read_model
from pfdoctor.collect.azure.body import Body
from pfdoctor.collect.azure.connections import read_connections
from pfdoctor.collect.azure.datastores import read_datastores
from pfdoctor.collect.azure.deployment import AssetId, asset_of, read_deployment
from pfdoctor.collect.azure.endpoint import identity_type, read_endpoint
from pfdoctor.collect.azure.metrics import read_metrics
from pfdoctor.collect.azure.quota import read_quota
from pfdoctor.collect.azure.stores import read_store
from pfdoctor.collect.azure.workspace import connection_workspace_of, read_workspace
from pfdoctor.collect.settle import settle
from pfdoctor.core.model import Source, Unknown

SOURCE = Source("/id", "2024-10-01", 200, "r", "2026-11-23T08:00:00Z", "GET")
SUBSCRIPTION = "/subscriptions/11111111-2222-3333-4444-555555555555"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/ws"
MISSING = Unknown("not-found", "is not there")


class Answers:
    """Answers every request by the first of the given parts that stands in its path and query."""

    def __init__(self, **parts: Any) -> None:
        self._parts = parts

    async def get(self, path: str, _version: str, _permission: str | None = None, query: Any = None) -> Reading:
        text = f"{path}?{query}"
        value = next((value for part, value in self._parts.items() if part in text), MISSING)
        return Reading(value, SOURCE)

    async def list(self, path: str, version: str, permission: str | None = None, query: Any = None) -> Reading:
        reading = await self.get(path, version, permission, query)
        return reading if reading.unknown is not None else Reading(reading.value, SOURCE)


def answering(**parts: Any) -> Any:
    return Answers(**parts)


def read(coroutine: Any) -> Any:
    return settle({"facts": asyncio.run(coroutine)})[0]["facts"]


def deployment(**properties: Any) -> Any:
    raw = {"name": "chat/blue", "kind": "Managed", "sku": {"capacity": 3}, "properties": properties}
    return settle({"facts": read_deployment(raw, SOURCE, "chat", {"Blue": 40})})[0]["facts"]


def test_durations_are_milliseconds_and_seconds() -> None:
    facts = deployment(
        requestSettings={"requestTimeout": "PT1M30S", "maxQueueWait": "PT0.5S"},
        livenessProbe={"initialDelay": "PT10S", "period": "PT0.5S", "timeout": "P1DT1S", "failureThreshold": 3},
    )
    assert facts["request_settings"] == {
        "request_timeout_ms": 90_000,
        "max_concurrent_requests_per_instance": None,
        "max_queue_wait_ms": 500,
    }
    probe = facts["liveness_probe"]
    assert (probe["initial_delay"], probe["period"], probe["timeout"]) == (10.0, 0.5, 86_401.0)
    assert facts["probe_budgets"] == [
        {
            "probe": "liveness_probe",
            "initial_delay": 10.0,
            "period": 0.5,
            "failure_threshold": 3,
            "gives_up_after": 11.5,
        }
    ]
    assert (facts["readiness_probe"], facts["startup_probe"]) == (None, None)


def test_a_duration_that_is_none_is_unknown() -> None:
    settings = deployment(requestSettings={"requestTimeout": "90s", "maxQueueWait": 5})["request_settings"]
    assert settings["request_timeout_ms"]["$unknown"]["code"] == "malformed"
    assert settings["max_queue_wait_ms"]["$unknown"]["code"] == "wrong-type"


def test_names_counts_and_shares() -> None:
    facts = deployment(egressPublicNetworkAccess="Disabled", scaleSettings={"scaleType": "TargetUtilization"})
    assert (facts["name"], facts["endpoint_name"], facts["instance_count"]) == ("blue", "chat", 3)
    assert (facts["traffic"], facts["egress_public_network_access"]) == (40, "disabled")
    assert facts["scale_type"] == "target_utilization"


def test_variables_that_are_no_texts_are_told() -> None:
    facts = deployment(environmentVariables={"A": "x", "B": None, "C": 3, "$unknown": "y"})
    assert set(facts["environment_variables"]) == {"A", "B", "C"}
    assert [(one["name"], one["problem"]) for one in facts["malformed_environment_variables"]] == [
        ("B", "null"),
        ("C", "not-a-text"),
    ]


def test_the_data_collector() -> None:
    collections = {"model_inputs": {"dataCollectionMode": "Enabled", "dataId": "/x", "samplingRate": 0.5}}
    facts = deployment(dataCollector={"rollingRate": "Hour", "collections": collections})["data_collector"]
    assert facts == {
        "sampling_rate": 0.5,
        "rolling_rate": "Hour",
        "collections": [{"name": "model_inputs", "enabled": "Enabled", "has_data": True}],
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{WORKSPACE}/environments/e/versions/7", ("e", "7", None, None)),
        (f"azureml:{WORKSPACE}/environments/e/labels/latest", ("e", None, "latest", None)),
        ("azureml://registries/azureml/environments/AzureML-x/versions/12", ("AzureML-x", "12", None, "azureml")),
        ("azureml:e:3", ("e", "3", None, None)),
        ("https://example/x", None),
        (None, None),
        (3, None),
    ],
)
def test_how_an_asset_is_named(text: Any, expected: Any) -> None:
    asset = asset_of(text)
    assert (asset and (asset.name, asset.version, asset.label, asset.registry)) == expected


def test_an_environment_of_a_registry_is_not_looked_at() -> None:
    facts = deployment(environmentId="azureml://registries/azureml/environments/curated/versions/1")
    assert facts["environment"]["kind"] == "curated"
    asset = AssetId(None, "azureml", "curated", "1", None)
    assert (
        read(read_environment(answering(), WORKSPACE, {"kind": "curated"}, asset))["$unknown"]["code"] == "in-registry"
    )


def test_an_environment_with_a_conda_file_and_a_port_in_quotes() -> None:
    properties = {
        "image": "mcr.microsoft.com/azureml/promptflow/promptflow-runtime:latest",
        "condaFile": "dependencies:\n- python=3.10.4\n- pip=22\n- pip:\n  - x\n",
        "inferenceConfig": {"livenessRoute": {"path": "/health", "port": 8080}, "scoringRoute": {"path": "/s"}},
    }
    answers = answering(**{"versions/7": {"properties": properties}, "environments/e": {"properties": {}}})
    facts = read(read_environment(answers, WORKSPACE, {}, AssetId(None, None, "e", "7", None)))
    assert facts["conda_file"] == {"path": None, "exists": True, "python": "3.10", "has_pip": True}
    assert facts["built_on_promptflow"] is True
    assert facts["inference_config"]["readiness_route"] is None
    assert len(facts["inference_config"]["deviations"]) == 2


def test_an_environment_that_is_built_tells_no_base() -> None:
    body = {"properties": {"build": {"contextUri": "https://x", "dockerfilePath": "Dockerfile"}, "image": None}}
    facts = read(read_environment(answering(versions=body), WORKSPACE, {}, AssetId(None, None, "e", "7", None)))
    assert facts["base_image"]["$unknown"]["code"] == "remote"
    assert facts["built_on_promptflow"]["$unknown"]["code"] == "remote"
    assert facts["build"]["dockerfile_path"] == "Dockerfile"


@pytest.mark.parametrize(
    ("uri", "datastore", "account", "container"),
    [
        ("azureml://subscriptions/s/workspaces/w/datastores/blob/paths/x", "blob", None, None),
        ("https://acct.blob.core.windows.net/models/x", None, "acct", "models"),
        (None, None, None, None),
    ],
)
def test_where_a_model_lies(uri: str | None, datastore: str | None, account: str | None, container: str | None) -> None:
    body = {"properties": {"modelUri": uri, "modelType": "CUSTOM_MODEL"}}
    facts = read(read_model(answering(versions=body), WORKSPACE, {}, AssetId(None, None, "m", "1", None)))
    assert (facts["datastore"], facts["storage_account"], facts["container"]) == (datastore, account, container)
    assert facts["type"] == "custom_model"


def test_an_endpoint_in_words() -> None:
    body = {
        "name": "chat",
        "kind": "Managed",
        "identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {"/x": {}}},
        "properties": {
            "authMode": "AADToken",
            "publicNetworkAccess": "Disabled",
            "traffic": {"blue": 90, "green": 10},
            "properties": {"enforce_access_to_default_secret_stores": "enabled"},
        },
    }
    facts = settle({"facts": read_endpoint(Reading(body, SOURCE), Reading([], SOURCE))})[0]["facts"]
    assert facts["auth_mode"] == "aad_token"
    assert facts["identity_type"] == "system_assigned,user_assigned"
    assert (facts["traffic_total"], facts["public_network_access"]) == (100, "disabled")
    assert facts["enforce_access_to_default_secret_stores"] == "enabled"
    assert facts["user_assigned_identities"] == ["/x"]
    assert identity_type(Body(None)) == "none"


def test_metrics_of_the_last_hour() -> None:
    def metric(name: str, *series: tuple[str | None, list[float | None]]) -> dict[str, Any]:
        return {
            "name": {"value": name},
            "timeseries": [
                {
                    "metadatavalues": [{"name": {"value": "d"}, "value": value}] if value else [],
                    "data": [{"average": one} if one is not None else {} for one in points],
                }
                for value, points in series
            ],
        }

    latencies = [metric(f"RequestLatency_P{one}", (None, [one, None, one + 10])) for one in (50, 95)]
    load = [metric("CpuUtilizationPercentage", ("a", [10, 20]), ("b", [80, 60]))]
    requests = [metric("RequestsPerMinute", ("200", [60, 40]), ("429", [3]), ("500", [2]), ("424", [5]))]
    answers = answering(P95=latencies, Cpu=load, PerMinute=requests)
    facts = read(read_metrics(answers, "/d", "2026-11-23T08:00:00Z"))
    assert facts == {
        "window_minutes": 60,
        "latency_p50_ms": 55.0,
        "latency_p95_ms": 100.0,
        "latency_p99_ms": None,
        "cpu_percent": 70.0,
        "memory_percent": None,
        "requests": 110.0,
        "errors_4xx": 8.0,
        "errors_5xx": 2.0,
        "throttled": 3.0,
    }


def test_the_quota_of_a_family_is_that_of_its_dedicated_cores() -> None:
    ml = "Microsoft.MachineLearningServices"
    name = {"value": "standardDSv2Family", "localizedValue": "Standard DSv2 Family Cluster Dedicated vCPUs"}
    usages = [
        {"type": f"{ml}/vmFamily/lowPriorityCores/usages", "name": name, "limit": 1, "currentValue": 1},
        {"type": f"{ml}/workspaces/dedicatedCores/usages", "name": name, "limit": 2, "currentValue": 2},
        {"type": f"{ml}/vmFamily/dedicatedCores/usages", "name": name, "limit": 24, "currentValue": 8},
    ]
    sizes = [{"name": "Standard_DS3_v2", "family": "standardDSv2Family", "vCPUs": 4, "memoryGB": 14}]
    answers = answering(usages=usages, vmSizes=sizes)
    facts = read(read_quota(answers, "s", "eastus2", "standard_ds3_v2", 2))
    assert (facts["limit"], facts["used"], facts["cores_per_instance"], facts["reserved"]) == (24, 8, 4, True)
    unlimited = answering(usages=[{**usages[2], "limit": -1}], vmSizes=sizes)
    assert read(read_quota(unlimited, "s", "eastus2", "Standard_DS3_v2", 2))["limit"] is None
    none = read(read_quota(answers, "s", "eastus2", "Standard_X", 1))
    assert (none["known_size"], none["limit"]["$unknown"]["code"]) == (False, "not-told")
    assert read(read_quota(answers, "s", "eastus2", "Standard_NC24ads_A100_v4", 1))["reserved"] is False
    assert read(read_quota(answers, "s", "eastus2", None, 1)) is None


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (
            "Microsoft.Storage/storageAccounts/s",
            {"properties": {"publicNetworkAccess": "Disabled", "networkAcls": {"defaultAction": "Deny"}}},
            {"public_network_access": "disabled", "default_action": "deny", "allow_shared_key_access": True},
        ),
        ("Microsoft.KeyVault/vaults/v", {"properties": {"sku": {"name": "premium"}}}, {"rbac_authorization": False}),
        (
            "Microsoft.ContainerRegistry/registries/r",
            {"properties": {"policies": {"azureADAuthenticationAsArmPolicy": {"status": "disabled"}}}},
            {"arm_audience_tokens": False, "sku": None},
        ),
        (
            "Microsoft.Search/searchServices/s",
            {"properties": {"authOptions": {"apiKeyOnly": {}}, "disableLocalAuth": False}},
            {"rbac_authorization": False},
        ),
        (
            "Microsoft.Insights/components/c",
            {"properties": {"RetentionInDays": 90, "DisableLocalAuth": True}},
            {"retention_days": 90, "disable_local_auth": True},
        ),
        (
            "Microsoft.Storage/storageAccounts/s",
            {
                "properties": {
                    "privateEndpointConnections": [
                        {"properties": {"privateLinkServiceConnectionState": {"status": "Approved"}}},
                        {"properties": {"privateLinkServiceConnectionState": {"status": "Pending"}}},
                    ]
                }
            },
            {"private_endpoints": 1},
        ),
    ],
)
def test_the_resources_behind_a_workspace(kind: str, body: Any, expected: dict[str, Any]) -> None:
    answers = answering(providers=body)
    facts = read(read_store(answers, f"{GROUP}/providers/{kind}", "it"))
    assert {key: facts[key] for key in expected} == expected
    assert facts["exists"] is True


def test_a_resource_of_no_known_kind_is_unknown() -> None:
    answers = answering()
    assert read(read_store(answers, "/subscriptions/s", "it"))["$unknown"]["code"] == "malformed"
    assert read(read_store(answers, None, "it")) is None


def test_a_project_and_its_private_endpoints() -> None:
    body = {
        "name": "ws",
        "kind": "Project",
        "properties": {
            "hubResourceId": "/hub",
            "managedNetwork": {"isolationMode": "AllowOnlyApprovedOutbound", "status": {"status": "Active"}},
            "privateEndpointConnections": [
                {"systemData": {"createdAt": "2026-02-01"}, "properties": {}},
                {"systemData": {"createdAt": "2026-01-01"}, "properties": {}},
            ],
        },
    }
    answers = answering(locks=[], workspaces=body)
    facts = read(read_workspace(answers, WORKSPACE))
    assert (facts["kind"], facts["hub_id"], facts["managed_network_status"]) == ("project", "/hub", "active")
    assert facts["isolation_mode"] == "allowonlyapprovedoutbound"
    assert (facts["private_endpoints"], facts["oldest_private_endpoint_at"]) == (0, "2026-01-01")
    assert (facts["storage"], facts["locks"]) == (None, [])


def test_datastores_of_every_kind() -> None:
    told = {"accountName": "a", "subscriptionId": "s", "resourceGroup": "g"}
    stores = [
        {"name": "f", "properties": {**told, "fileShareName": "share", "credentials": {"credentialsType": "Sas"}}},
        {"name": "l", "properties": {"accountName": "a", "filesystem": "lake"}},
    ]
    answers = answering(datastores=stores)
    facts = read(read_datastores(answers, WORKSPACE))
    assert [(one["container"], one["credentials"]) for one in facts] == [("share", "sas"), ("lake", None)]
    assert facts[0]["account_id"].endswith("/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a")
    assert facts[1]["account_id"] is None


def test_connections_keep_no_secret_of_theirs() -> None:
    secret = "canary0a1b2c3d4e5f60718293a4b5c6d7e8f9"
    connection = {
        "name": "c",
        "properties": {
            "category": "CustomKeys",
            "authType": "CustomKeys",
            "credentials": {"keys": {"k": secret}},
            "metadata": {"api_key": secret, "ApiVersion": "1"},
        },
    }
    answers = answering(connections=[connection])
    (facts,) = read(read_connections(answers, WORKSPACE))
    assert secret not in str(facts)
    assert (facts["connection_class"], facts["api_version"]) == ("CustomConnection", "1")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (WORKSPACE, "endpoint")),
        (None, (WORKSPACE, "endpoint")),
        (
            {
                "PRT_CONFIG_OVERRIDE": "deployment.subscription_id=s,deployment.resource_group=rg,"
                "deployment.workspace_name=ws,deployment.endpoint_name=e"
            },
            (WORKSPACE.replace(SUBSCRIPTION, "/subscriptions/s"), "config-override"),
        ),
        ({"PROMPTFLOW_CONNECTION_PROVIDER": f"azureml:/{WORKSPACE}"}, (WORKSPACE, "connection-provider")),
        ({"PF_CONNECTION_PROVIDER": f"azureml:/{WORKSPACE}"}, (WORKSPACE, "connection-provider")),
    ],
)
def test_which_workspace_the_connections_are_read_from(variables: Any, expected: tuple[str, str]) -> None:
    assert connection_workspace_of(variables, WORKSPACE) == expected


@pytest.mark.parametrize(
    "variables",
    [{"PROMPTFLOW_CONNECTION_PROVIDER": "local"}, {"PRT_CONFIG_OVERRIDE": "deployment.subscription_id=s"}],
)
def test_a_setting_that_names_no_workspace_is_unknown(variables: Any) -> None:
    assert connection_workspace_of(variables, WORKSPACE)[0]["$unknown"]["code"] == "malformed"


@pytest.mark.parametrize("text", [None, 3, "", "/", "/subscriptions", "/subscriptions/s", "azureml://x", "/a/b/c/d"])
def test_what_is_no_resource_id(text: Any) -> None:
    assert parse(text) is None


def test_resource_ids() -> None:
    target = parse(f"{GROUP}/providers/Microsoft.Storage/storageAccounts/acct/blobServices/default")
    assert target is not None
    assert (target.name, target.type) == ("default", "Microsoft.Storage/storageAccounts/blobServices")
    assert (target.group_id, target.read) == (GROUP, "Microsoft.Storage/storageAccounts/blobServices/read")
    assert same("/A/b/", "/a/B")
    assert not same(None, None)
