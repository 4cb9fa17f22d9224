"""Collecting a live endpoint beside the same facts through Microsoft's own clients: `python benchmarks/collect.py`.

Both are whole processes, imports included, against one simulated Azure on loopback that answers after `--latency`
milliseconds. Wall time, the median of several runs taken in turn. The other side is MLClient and
AuthorizationManagementClient used as their documentation shows, and asks for less: those two have no storage accounts,
key vaults, registries, locks, quotas, metrics or eligible assignments.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from pfdoctor.simulator import Scenario, Simulator

ROOT = Path(__file__).parent.parent
BOUND = 0.5

OURS = """\
import os
from pfdoctor.cloud.clouds import resolve_cloud
from pfdoctor.cloud.credentials import make_credential
from pfdoctor.collect.azure.collector import Collection, collect_now
from pfdoctor.collect.azure.target import Target

cloud = resolve_cloud(None, os.environ)
target = Target("11111111-2222-3333-4444-555555555555", "rg-chat", "ws-chat", "chat")
facts = collect_now(target, cloud, lambda: make_credential(None, cloud, os.environ, None), Collection())
live = facts[0].document["live"]
assert live["deployment"]["name"] == "blue" and live["environment"]["name"] and live["authorization"]["definitions"]
"""

THEIRS = """\
import json, os, urllib.request, ssl
from azure.ai.ml import MLClient
from azure.identity import DefaultAzureCredential
from azure.mgmt.authorization import AuthorizationManagementClient

subscription = "11111111-2222-3333-4444-555555555555"
context = ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])
with urllib.request.urlopen(os.environ["ARM_CLOUD_METADATA_URL"], context=context) as answer:
    (cloud,) = json.load(answer)
arm = cloud["resourceManager"].rstrip("/")
login = DefaultAzureCredential()
metadata = {
    "azure_portal": cloud["portal"], "resource_manager": arm + "/", "active_directory": arm,
    "aml_resource_id": "https://ml.azure.com", "storage_endpoint": "core.windows.net",
    "registry_discovery_endpoint": arm,
}
ml = MLClient(login, subscription, "rg-chat", "ws-chat", cloud=cloud["name"], cloud_metadata=metadata,
              show_progress=False, enable_telemetry=False)
roles = AuthorizationManagementClient(login, subscription, base_url=arm, credential_scopes=[arm + "/.default"])
workspace = ml.workspaces.get("ws-chat")
endpoint = ml.online_endpoints.get("chat")
(deployment,) = ml.online_deployments.list("chat")
name, _, version = deployment.environment.rpartition("/environments/")[2].partition("/versions/")
environment = ml.environments.get(name, version=version)
name, _, version = deployment.model.rpartition("/models/")[2].partition("/versions/")
model = ml.models.get(name, version=version)
connections = list(ml.connections.list())
datastores = list(ml.datastores.list())
for container in ("inference-server", "storage-initializer"):
    ml.online_deployments.get_logs("blue", "chat", 5000, container_type=container)
principals = (endpoint.identity.principal_id, "60785ef2-0000-4000-8000-000000000001")
definitions = set()
scopes = [workspace.id, workspace.storage_account, workspace.key_vault, workspace.container_registry]
for scope in scopes:
    scope = scope.lstrip("/")
    for filtered in ("atScope()", *(f"atScope() and assignedTo('{one}')" for one in principals)):
        for one in roles.role_assignments.list_for_scope(scope, filter=filtered):
            definitions.add(one.role_definition_id)
    list(roles.deny_assignments.list_for_scope(scope, filter="atScope()"))
for one in definitions:
    roles.role_definitions.get_by_id(one.lstrip("/"))
assert deployment.name == "blue" and environment.name and model.name and connections and datastores and definitions
"""


def seconds(code: str, environment: dict[str, str]) -> float:
    """The wall time of one whole run."""
    begun = time.perf_counter()
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"a run failed: {ran.stderr[-2000:]}")
    return time.perf_counter() - begun


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latency", type=float, default=50, help="milliseconds before each answer")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    scenario = Scenario.load(ROOT / "examples/scenarios/healthy.yaml")
    with Simulator(scenario, latency=options.latency / 1000) as simulator:
        environment = {**os.environ, **simulator.environment}
        seconds(OURS, environment), seconds(THEIRS, environment)
        pairs = [(seconds(OURS, environment), seconds(THEIRS, environment)) for _ in range(options.runs)]
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    holds = ratio <= BOUND
    detail = f"{ours:.2f} s beside {theirs:.2f} s, {options.latency:g} ms an answer"
    print(f"{'ok  ' if holds else 'FAIL'} collect / MLClient: {ratio:.2f} (at most {BOUND:g}) {detail}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
