"""An audit of a fleet beside a threaded loop of MLClient: `python benchmarks/audit.py [latency|bucket|size]…`.

All are whole processes, imports included, against one simulated Azure on loopback, in turn. The loop is MLClient and
AuthorizationManagementClient used as their documentation shows, one client for each workspace and as many threads as
made it fastest; it only reads, where the audit also runs every rule. Each line is an assertion.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.fleet import fleet  # noqa: E402

from pfdoctor.simulator import Simulator  # noqa: E402

CONCURRENCY = 64
LATENCY = 0.08

THEIRS = """\
import json, os, ssl, sys, urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from azure.ai.ml import MLClient
from azure.identity import DefaultAzureCredential
from azure.mgmt.authorization import AuthorizationManagementClient

endpoints, threads, all_facts = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "all"
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
ml = {(s, g, w): MLClient(login, s, g, w, cloud=cloud["name"], cloud_metadata=metadata, show_progress=False,
                          enable_telemetry=False) for s, g, w, _ in endpoints}
roles = {s: AuthorizationManagementClient(login, s, base_url=arm, credential_scopes=[arm + "/.default"])
         for s, *_ in endpoints}

@cache
def asset(kind, place, identifier):
    name, _, version = identifier.rpartition(f"/{kind}/")[2].partition("/versions/")
    return getattr(ml[place], kind).get(name, version=version)

@cache
def shared(place):
    client = ml[place]
    workspace = client.workspaces.get(place[2])
    return workspace, list(client.connections.list()), list(client.datastores.list())

def look(one):
    *place, name = one
    place = tuple(place)
    client, of_roles = ml[place], roles[place[0]]
    endpoint = client.online_endpoints.get(name)
    (deployment,) = client.online_deployments.list(name)
    scopes = [f"subscriptions/{place[0]}/resourceGroups/{place[1]}"]
    if all_facts:
        workspace = shared(place)[0]
        asset("environments", place, deployment.environment)
        asset("models", place, deployment.model)
        scopes = [one.lstrip("/") for one in (workspace.id, workspace.storage_account, workspace.container_registry,
                                              workspace.key_vault)]
    for scope in scopes:
        list(of_roles.role_assignments.list_for_scope(scope, filter=f"assignedTo('{endpoint.identity.principal_id}')"))
    return deployment.name

def tried(one):
    try:
        return look(one) == "blue"
    except Exception as error:
        print(type(error).__name__, file=sys.stderr)
        return False

with ThreadPoolExecutor(threads) as pool:
    done = sum(pool.map(tried, endpoints))
print(len(endpoints) - done)
"""


class Ran(NamedTuple):
    """What one process came to: seconds, its CPU seconds, MB at most, its exit code and what it printed."""

    wall: float
    cpu: float
    memory: float
    code: int
    told: str


def run(arguments: Sequence[str], environment: dict[str, str]) -> Ran:
    with tempfile.TemporaryFile("w+") as told:
        begun = time.perf_counter()
        process = subprocess.Popen(arguments, env=environment, stdout=told, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begun
        told.seek(0)
        return Ran(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, process.returncode, told.read())


def audit(environment: dict[str, str]) -> tuple[Ran, dict[str, object]]:
    """An audit of everything; its report."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pfdoctor", "audit", "--format", "json", "--output", str(report)]
        command += ["--max-concurrency", str(CONCURRENCY), "--exit-zero", "--timeout", "600"]
        ran = run(command, {**environment, "XDG_STATE_HOME": folder})
        if ran.code:
            sys.exit(f"the audit ended with {ran.code}")
        head: dict[str, object] = {}
        with report.open() as lines:
            # the endpoints, of which there may be many, come last
            for line in lines:
                key, _, rest = line.partition(": ")
                if key in ('"run"', '"summary"'):
                    head[key.strip('"')] = json.loads(rest.rstrip().rstrip(","))
        return ran, head


def loop(environment: dict[str, str], endpoints: list[list[str]], threads: int, facts: str) -> Ran:
    return run([sys.executable, "-c", THEIRS, json.dumps(endpoints), str(threads), facts], environment)


def listed(simulator: Simulator) -> list[list[str]]:
    """Subscription, group, workspace and name of every endpoint."""
    kind = "microsoft.machinelearningservices/workspaces/onlineendpoints"
    ids = [one.id.split("/") for one in simulator.world.store.of_type(kind)]
    return [[one[2], one[4], one[8], one[10]] for one in ids]


def holds(what: str, value: float, bound: float, detail: str, *, at_least: bool = False) -> bool:
    fine = value >= bound if at_least else value <= bound
    words = "at least" if at_least else "at most"
    print(f"{'ok  ' if fine else 'FAIL'} {what}: {value:.2f} ({words} {bound:g}) {detail}", flush=True)
    return fine


def latency(count: int, runs: int) -> bool:
    """No throttle: beside the loop, and beside what the requests alone must take."""
    with Simulator(fleet(count, ill_every=20), latency=LATENCY) as simulator:
        environment, endpoints = {**os.environ, **simulator.environment}, listed(simulator)
        threads = min((8, 16, 32), key=lambda one: loop(environment, endpoints, one, "some").wall)
        ours, same, all_facts, floors = [], [], [], []
        for _ in range(runs):
            ran, head = audit(environment)
            ours.append(ran)
            floors.append(head["run"]["requests"] * LATENCY / CONCURRENCY)  # type: ignore[index]
            same.append(loop(environment, endpoints, threads, "some"))
            all_facts.append(loop(environment, endpoints, threads, "all"))
    wall = statistics.median(one.wall for one in ours)
    for name, side in (("audit, all rules", ours), ("MLClient", same), ("MLClient, the same facts", all_facts)):
        print(f"     {name}: {statistics.median(one.cpu for one in side):.1f} s CPU", flush=True)
    detail = f"{wall:.1f} s, {count} endpoints, {threads} threads"
    some, whole = (statistics.median(one.wall for one in side) / wall for side in (same, all_facts))
    floor = wall / statistics.median(floors)
    results = [
        holds("MLClient, endpoint, deployments, roles at one scope / audit", some, 2.5, detail, at_least=True),
        holds("MLClient, the same facts / audit", whole, 4, detail, at_least=True),
        holds("audit / floor of its requests", floor, 1.25, f"floor {floors[0]:.1f} s"),
    ]
    return all(results)


def bucket(count: int) -> bool:
    """The limits that Azure has: 250 reads at once, 25 a second."""
    with Simulator(fleet(count, ill_every=20, settings={"throttle": True})) as simulator:
        environment, endpoints = {**os.environ, **simulator.environment}, listed(simulator)
        ran, head = audit(environment)
        used = [one for one in simulator.requests if one.path.startswith("/subscriptions/")]
        floor = (len(used) - 250) / 25
        refused = sum(one.status == 429 for one in simulator.requests)
        simulator.advance(60)
        lost = loop(environment, endpoints, 16, "some").told.strip()
    seen = head["summary"]["endpoints"], head["summary"]["states"]["unknown"]  # type: ignore[index]
    results = [
        holds("endpoints lost or unknown", count - seen[0] + seen[1], 0, f"of {count}; the MLClient loop loses {lost}"),
        holds("answers with 429", refused, 10, f"of {len(used)} requests"),
        holds("audit / floor of the bucket", ran.wall / floor, 1.2, f"{ran.wall:.1f} s, floor {floor:.1f} s"),
    ]
    return all(results)


def size(count: int) -> bool:
    """Many endpoints in 100 subscriptions, beside a tenth of them."""
    costs, memory = [], 0.0
    for number in (count // 10, count):
        with Simulator(fleet(number, subscriptions=100, ill_every=200)) as simulator:
            ran, head = audit({**os.environ, **simulator.environment})
        if head["summary"]["endpoints"] != number:  # type: ignore[index]
            sys.exit(f"{number} endpoints went in, {head['summary']} came out")
        costs.append(ran.cpu / number)
        memory = ran.memory
        print(
            f"     {number:,} endpoints: {ran.wall:.0f} s, {1000 * costs[-1]:.1f} ms CPU each, {memory:.0f} MB",
            flush=True,
        )
    results = [
        holds("memory in MB", memory, 400, f"{count:,} endpoints in 100 subscriptions"),
        holds("cost of one of many / one of a tenth", costs[1] / costs[0], 1.2, "CPU"),
    ]
    return all(results)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["latency", "bucket", "size"])
    parser.add_argument("--endpoints", type=int, default=500)
    parser.add_argument("--many", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    fine = True
    if "latency" in options.what:
        fine &= latency(options.endpoints, options.runs)
    if "bucket" in options.what:
        fine &= bucket(options.endpoints)
    if "size" in options.what:
        fine &= size(options.many)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
