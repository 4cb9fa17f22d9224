"""Every collector against everything that can go wrong: unknown and named, no crash, no hang, and never a pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from pfdoctor.collect.azure.assets import read_environment, read_model
from pfdoctor.collect.azure.authorization import Principals, Scope, read_authorization
from pfdoctor.collect.azure.connections import read_connections
from pfdoctor.collect.azure.datastores import read_datastores
from pfdoctor.collect.azure.deployment import AssetId
from pfdoctor.collect.azure.endpoint import read_endpoint
from pfdoctor.collect.azure.found import find
from pfdoctor.collect.azure.logs import read_logs
from pfdoctor.collect.azure.metrics import read_metrics
from pfdoctor.collect.azure.quota import read_providers, read_quota
from pfdoctor.collect.azure.stores import read_store
from pfdoctor.collect.azure.target import Target
from pfdoctor.collect.azure.workspace import read_connection_workspace, read_locks, read_workspace
from pfdoctor.collect.settle import settle

pytestmark = pytest.mark.once

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TARGET = Target(SUBSCRIPTION, "rg-chat", "ws-chat", "chat")
WORKSPACE = TARGET.workspace_id
STORAGE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-chat/providers/Microsoft.Storage/storageAccounts/stchat"
IDENTITY = "6287c88a-0000-4000-8000-000000000001"
NOW = "2026-11-23T08:00:00Z"
NAMED = {"kind": "registered"}

FAULTS: dict[str, tuple[Any, set[str]]] = {
    "401": ({"kind": "status", "status": 401, "code": "ExpiredAuthenticationToken"}, {"unauthenticated"}),
    "403": ({"kind": "status", "status": 403, "code": "AuthorizationFailed"}, {"forbidden"}),
    "404": ({"kind": "status", "status": 404, "code": "ResourceNotFound"}, {"not-found"}),
    "409": ({"kind": "status", "status": 409, "code": "Conflict"}, {"conflict"}),
    "429": ("throttled", {"throttled"}),
    "500": ({"kind": "status", "status": 500}, {"server-error"}),
    "html": ("html", {"html"}),
    "malformed": ("malformed", {"malformed"}),
    "truncated": ("truncated", {"truncated", "connection-reset"}),
    "empty": ("empty", {"empty"}),
    "wrong type": ("wrong-type", {"wrong-type"}),
    "slow": ({"kind": "slow", "seconds": 1.5}, {"timeout"}),
    "reset": ("reset", {"connection-reset"}),
}


class Collector(NamedTuple):
    """What is asked, which of its requests is struck, and the fact that must then be unknown."""

    ask: Callable[[Any], Any]
    struck: str
    fact: str


async def endpoint(reader: Any) -> Any:
    found = await find(reader, TARGET, None, planned=False)
    return read_endpoint(found.endpoint, found.deployments)


async def authorization(reader: Any) -> Any:
    scope = Scope(WORKSPACE, "workspace")
    return await read_authorization(reader, [scope], Principals(IDENTITY, None, frozenset()), SUBSCRIPTION)


def environment(reader: Any) -> Any:
    return read_environment(reader, WORKSPACE, NAMED, AssetId(None, None, "promptflow-chat", "7", None))


def model(reader: Any) -> Any:
    return read_model(reader, WORKSPACE, NAMED, AssetId(None, None, "chat-flow", "3", None))


def quota(reader: Any) -> Any:
    return read_quota(reader, SUBSCRIPTION, "eastus2", "Standard_DS3_v2", 1)


COLLECTORS = {
    "workspace": Collector(lambda it: read_workspace(it, WORKSPACE), r"ws-chat\?", ""),
    "locks of the workspace": Collector(lambda it: read_workspace(it, WORKSPACE), r"locks\?", "locks"),
    "storage of the workspace": Collector(lambda it: read_workspace(it, WORKSPACE), r"stchat\?", "storage"),
    "store": Collector(lambda it: read_store(it, STORAGE, "the store"), r"stchat\?", ""),
    "locks": Collector(lambda it: read_locks(it, WORKSPACE), r"locks\?", ""),
    "connection workspace": Collector(lambda it: read_connection_workspace(it, {}, WORKSPACE), r"ws-chat\?", "exists"),
    "endpoint": Collector(endpoint, r"onlineEndpoints/chat\?", ""),
    "deployments": Collector(endpoint, r"deployments\?", "deployments"),
    "environment": Collector(environment, r"versions/7\?", ""),
    "latest version": Collector(environment, r"promptflow-chat\?", "latest_version"),
    "model": Collector(model, r"versions/3\?", ""),
    "connections": Collector(lambda it: read_connections(it, WORKSPACE), r"connections\?", ""),
    "datastores": Collector(lambda it: read_datastores(it, WORKSPACE), r"datastores\?", ""),
    "assigned": Collector(authorization, "assignedTo.*6287c88a", "scopes[0].assigned[0].assignments"),
    "everyone": Collector(authorization, r"roleAssignments\?.*atScope\(\)&", "scopes[0].everyone"),
    "elsewhere": Collector(authorization, "principalId", "elsewhere"),
    "denies": Collector(authorization, r"denyAssignments\?", "scopes[0].denies"),
    "eligible": Collector(authorization, r"EligibilityScheduleInstances\?", "scopes[0].eligible"),
    "locks of the scope": Collector(authorization, r"locks\?", "scopes[0].locks"),
    "definitions": Collector(
        authorization, "roleDefinitions/ea01e6af", "definitions.ea01e6af-a1c1-4350-9563-ad00f8c72ec5"
    ),
    "VM sizes": Collector(quota, r"vmSizes\?", "known_size"),
    "usages": Collector(quota, r"usages\?", "limit"),
    "quota": Collector(quota, "locations", ""),
    "providers": Collector(lambda it: read_providers(it, SUBSCRIPTION), r"LearningServices\?", "[0].state"),
    "latencies": Collector(lambda it: read_metrics(it, f"{TARGET.id}/deployments/blue", NOW), "P95", "latency_p95_ms"),
    "load": Collector(lambda it: read_metrics(it, f"{TARGET.id}/deployments/blue", NOW), "Cpu", "cpu_percent"),
    "requests": Collector(lambda it: read_metrics(it, f"{TARGET.id}/deployments/blue", NOW), "Minute", "requests"),
    "metrics": Collector(lambda it: read_metrics(it, f"{TARGET.id}/deployments/blue", NOW), "Insights", ""),
}
# these lie in a resource group or workspace that was read, so a 404 proves that they are not there
ABSENT = {
    "store": lambda facts: facts["exists"] is False,
    "storage of the workspace": lambda facts: facts["storage"]["exists"] is False,
    "connection workspace": lambda facts: facts["exists"] is False,
    "environment": lambda facts: facts is None,
    "model": lambda facts: facts is None,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", COLLECTORS)
def test_whatever_goes_wrong_is_unknown(azure: Any, unknowns: Any, name: str, fault: str) -> None:
    collector, (kind, codes) = COLLECTORS[name], FAULTS[fault]
    rule = azure.simulator.inject({"path": collector.struck}, kind)
    # a query is written with %20 and %27, a match is made on what was sent
    facts = azure.read(collector.ask, longest=0.5 if fault == "slow" else 5.0)
    assert rule.hits
    settled = settle({"facts": facts})[0]["facts"]
    found = unknowns(settled)
    if fault == "404" and name in ("environment", "model"):
        # the workspace was read, so its asset is gone
        assert settled is None
        return
    if fault == "404" and name in ABSENT:
        assert ABSENT[name](settled)
        return
    assert collector.fact in found, sorted(found)
    reason = found[collector.fact]
    assert reason["code"] in codes
    assert reason["detail"]
    if reason["code"] == "forbidden":
        assert reason["permission"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_log_that_cannot_be_read_holds_nothing_and_says_why(azure: Any, fault: str) -> None:
    kind, codes = FAULTS[fault]
    azure.simulator.inject({"path": "getLogs"}, kind)
    longest = 0.1 if codes == {"timeout"} else 5.0
    texts = azure.read(lambda it: read_logs(it, f"{TARGET.id}/deployments/blue", NOW), longest=longest)
    logs = [one.read({}) for one in texts]
    assert [one["container"] for one in logs] == ["inference-server", "storage-initializer"]
    for log in logs:
        assert (log["complete"], log["looked_for"], log["hits"]) == (False, [], [])
        assert log["cut"].startswith("the log of ")


@pytest.mark.parametrize("name", ["store", "connection workspace", "environment", "model"])
def test_a_404_below_what_was_not_read_proves_nothing(azure: Any, unknowns: Any, name: str) -> None:
    collector = COLLECTORS[name]
    azure.simulator.inject({"path": collector.struck}, FAULTS["404"][0])
    azure.simulator.inject({"path": r"(resourceGroups/rg-chat|workspaces/ws-chat)\?"}, FAULTS["403"][0])
    settled = settle({"facts": azure.read(collector.ask)})[0]["facts"]
    found = unknowns(settled)
    assert found[collector.fact]["code"] in ("not-found", "parent-unread")


def test_a_deployment_that_is_not_all_objects_is_unknown_in_parts(azure: Any, collected: Any, unknowns: Any) -> None:
    body = {"name": "blue", "sku": 3, "properties": [], "systemData": "x", "kind": 4}
    azure.simulator.inject({"path": r"deployments\?"}, {"kind": "wrong-type", "body": {"value": [body]}})
    found = unknowns(collected()[0]["live"]["deployment"])
    for fact in ("instance_type", "environment.kind", "environment_variables", "instance_count", "created_at", "kind"):
        assert fact in found, fact
        assert found[fact]["code"] in ("wrong-type", "unknown-kind")


@pytest.mark.parametrize("value", [None, 3, "x", [], [1], {}, {"properties": None}, {"properties": {"x": 1}}])
def test_no_shape_of_any_answer_ends_the_run(azure: Any, collected: Any, faults: Any, value: Any) -> None:
    azure.simulator.inject(
        {"path": r"^(?!.*(/msi/|ws-chat\?|chat/deployments\?|onlineEndpoints/chat\?))"},
        {"kind": "wrong-type", "body": {"value": [value], "content": value, "properties": value}},
    )
    (document,) = collected()
    assert faults(document) == []


def test_a_tenant_without_eligible_assignments_has_none(azure: Any) -> None:
    fault = {"kind": "status", "status": 400, "code": "AadPremiumLicenseRequired", "message": "needs Entra ID P2"}
    azure.simulator.inject({"path": "EligibilityScheduleInstances"}, fault)
    assert settle(azure.read(authorization))[0]["scopes"][0]["eligible"] == []


CONTAINER = f"{STORAGE}/blobServices/default/containers/azureml-blobstore-1"


@pytest.mark.parametrize(
    ("struck", "expected"),
    [
        (None, True),
        (r"azureml-blobstore-1\?", False),
        (r"(azureml-blobstore-1|stchat)\?", "parent-unread"),
    ],
)
def test_a_container_is_absent_only_in_an_account_that_was_read(azure: Any, struck: str | None, expected: Any) -> None:
    if struck is not None:
        azure.simulator.inject({"path": struck}, FAULTS["404"][0])

    async def ask(reader: Any) -> Any:
        principals = Principals(IDENTITY, None, frozenset())
        return await read_authorization(reader, [Scope(CONTAINER, "container")], principals, SUBSCRIPTION)

    there = settle(azure.read(ask))[0]["scopes"][0]["exists"]
    assert (there["$unknown"]["code"] if isinstance(there, dict) else there) == expected
