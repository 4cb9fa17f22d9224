"""An audit of a fleet beside a threaded loop of MLClient: `python benchmarks/audit.py [latency|bucket|size]…`.

All are whole processes, imports included, in turn against one simulated Azure, which has a process of its own on the
same machine. The loop is MLClient and AuthorizationManagementClient used as their documentation shows, one client for
each workspace and as many threads as made it fastest; it only reads, where the audit also runs every rule. Each line
that begins with `ok` or `FAIL` is an assertion.

`--pfdoctor COMMAND` is the command of an installed wheel, as users run it; without it, this checkout is run, which
reads its rules from YAML and so takes some tenths of a second more.

What requests must take is told in two ways: requests × latency / concurrency, as if nothing cost any CPU; and a bare
loop of aiohttp that repeats the very requests of the audit, knowing all of them beforehand.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent

CONCURRENCY = 64
LATENCY = 0.08
THREADS = (16, 32, 64)

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


BARE = """\
import asyncio, json, os, ssl, sys
import aiohttp

requests, at_once, arm = json.load(open(sys.argv[1])), int(sys.argv[2]), sys.argv[3]

async def main():
    context = ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])
    connector = aiohttp.TCPConnector(ssl=context, limit=at_once)
    async with aiohttp.ClientSession(connector=connector) as session:
        asked = session.get(
            os.environ["IDENTITY_ENDPOINT"],
            params={"resource": arm, "api-version": "2019-08-01"},
            headers={"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]},
        )
        async with asked as answer:
            headers = {"Authorization": "Bearer " + (await answer.json())["access_token"]}
        coming = iter(requests)

        async def work():
            for method, path in coming:
                body = {"containerType": "InferenceServer", "tail": 1000} if method == "POST" else None
                async with session.request(method, arm + path, json=body, headers=headers) as answer:
                    json.loads(await answer.read())

        await asyncio.gather(*(work() for _ in range(at_once)))

asyncio.run(main())
"""


class Served(NamedTuple):
    """What the simulator did since it was asked before: its CPU seconds, the requests and the 429s among them."""

    cpu: float
    asked: list[list[str]]
    """Method and path with query of each request to Azure Resource Manager."""
    of_subscriptions: int
    refused: int


class Azure:
    """A simulated Azure in a process of its own. `fleet` are the arguments of tests.fleet.fleet."""

    def __init__(self, fleet: dict[str, Any], latency: float = 0.0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", json.dumps({"fleet": fleet, "latency": latency})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        told = self._answer()
        self.environment: dict[str, str] = {**os.environ, **told["environment"]}
        self.arm: str = told["arm"]
        self.endpoints: list[list[str]] = told["endpoints"]
        """Subscription, group, workspace and name of each."""

    def _answer(self, command: str | None = None) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the simulator has no pipes")
        if command is not None:
            stdin.write(command + "\n")
            stdin.flush()
        return json.loads(stdout.readline())

    def served(self) -> Served:
        return Served(**self._answer("served"))

    def advance(self, seconds: float) -> None:
        """Puts its clock forward."""
        self._answer(f"advance {seconds}")

    def __enter__(self) -> Azure:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def serve(options: dict[str, Any]) -> None:
    """The simulator's own process: answers commands of its standard input."""
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    from tests.fleet import fleet

    from pfdoctor.simulator import Simulator

    with Simulator(fleet(**options["fleet"]), latency=options["latency"]) as simulator:
        kind = "microsoft.machinelearningservices/workspaces/onlineendpoints"
        ids = [one.id.split("/") for one in simulator.world.store.of_type(kind)]
        endpoints = [[one[2], one[4], one[8], one[10]] for one in ids]
        print(
            json.dumps({"environment": simulator.environment, "arm": simulator.arm, "endpoints": endpoints}), flush=True
        )
        cpu, count = time.process_time(), 0
        for line in sys.stdin:
            command, _, argument = line.strip().partition(" ")
            if command == "advance":
                simulator.advance(float(argument))
                print("null", flush=True)
                continue
            requests = [one for one in simulator.requests[count:] if one.server == "arm"]
            count, before, cpu = len(simulator.requests), cpu, time.process_time()
            told = Served(
                cpu - before,
                [[one.method, f"{one.path}?{one.query}"] for one in requests if "ResourceGraph" not in one.path],
                sum(one.path.startswith("/subscriptions/") for one in requests),
                sum(one.status == 429 for one in requests),
            )
            print(json.dumps(told._asdict()), flush=True)


class Ran(NamedTuple):
    """What one process came to: seconds, CPU seconds and MB, those with its children; exit code, what it printed."""

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


class Measured(NamedTuple):
    """An audit: its process, its report without the endpoints, and the simulator's part in it."""

    ran: Ran
    head: dict[str, Any]
    served: Served

    @property
    def floor(self) -> float:
        """Seconds that the requests take where nothing else does."""
        return float(self.head["run"]["requests"]) * LATENCY / CONCURRENCY


def audit(azure: Azure, command: Sequence[str]) -> Measured:
    """An audit of everything."""
    azure.served()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        arguments = [*command, "audit", "--format", "json", "--output", str(report)]
        arguments += ["--max-concurrency", str(CONCURRENCY), "--exit-zero", "--timeout", "600"]
        ran = run(arguments, {**azure.environment, "XDG_STATE_HOME": folder})
        if ran.code:
            sys.exit(f"the audit ended with {ran.code}")
        head: dict[str, Any] = {}
        with report.open() as lines:
            # the endpoints, of which there may be many, come last
            for line in lines:
                key, _, rest = line.partition(": ")
                if key in ('"run"', '"summary"'):
                    head[key.strip('"')] = json.loads(rest.rstrip().rstrip(","))
    return Measured(ran, head, azure.served())


def loop(azure: Azure, threads: int, facts: str) -> Ran:
    return run([sys.executable, "-c", THEIRS, json.dumps(azure.endpoints), str(threads), facts], azure.environment)


def bare(azure: Azure, requests: list[list[str]]) -> Ran:
    """The same requests and nothing else."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(requests, file)
        file.flush()
        ran = run([sys.executable, "-c", BARE, file.name, str(CONCURRENCY), azure.arm], azure.environment)
    if ran.code:
        sys.exit(f"the bare loop ended with {ran.code}")
    return ran


def holds(what: str, value: float, bound: float, detail: str, *, at_least: bool = False) -> bool:
    fine = value >= bound if at_least else value <= bound
    words = "at least" if at_least else "at most"
    print(f"{'ok  ' if fine else 'FAIL'} {what}: {value:.2f} ({words} {bound:g}) {detail}", flush=True)
    return fine


def say(text: str) -> None:
    print(f"     {text}", flush=True)


def median(values: Sequence[Ran]) -> tuple[float, float]:
    """Of the walls and of the CPU seconds."""
    return statistics.median(one.wall for one in values), statistics.median(one.cpu for one in values)


def latency(count: int, runs: int, command: Sequence[str]) -> bool:
    """No throttle: beside the loop, and beside what the requests alone must take."""
    with Azure({"endpoints": count, "ill_every": 20}, LATENCY) as azure:
        tried = {threads: loop(azure, threads, "some").wall for threads in THREADS}
        threads = min(tried, key=tried.__getitem__)
        ours: list[Measured] = []
        same, all_facts, repeated = [], [], []
        for _ in range(runs):
            ours.append(audit(azure, command))
            same.append(loop(azure, threads, "some"))
            all_facts.append(loop(azure, threads, "all"))
            repeated.append(bare(azure, ours[-1].served.asked))
    wall, cpu = median([one.ran for one in ours])
    floor = statistics.median(one.floor for one in ours)
    simulator = statistics.median(one.served.cpu for one in ours)
    say(f"MLClient with {', '.join(f'{one} threads {took:.1f} s' for one, took in tried.items())}")
    say(f"audit, all rules: {wall:.2f} s, {cpu:.1f} s CPU, and {simulator:.1f} s of the simulator")
    for name, side in (("MLClient", same), ("MLClient, the same facts", all_facts)):
        say(f"{name}: {median(side)[0]:.2f} s, {median(side)[1]:.1f} s CPU")
    alone, of_cpu = median(repeated)
    requests = ours[-1].head["run"]["requests"]
    say(f"{requests} requests alone: floor {floor:.2f} s; by a bare loop {alone:.2f} s, {of_cpu:.1f} s CPU")
    say(f"audit / the bare loop of its requests: {wall / alone:.2f}")
    detail = f"{wall:.2f} s, {count} endpoints, {threads} threads"
    some, whole = (median(side)[0] / wall for side in (same, all_facts))
    results = [
        holds("MLClient, endpoint, deployments, roles at one scope / audit", some, 2.5, detail, at_least=True),
        holds("MLClient, the same facts / audit", whole, 4, detail, at_least=True),
        holds("audit / floor of its requests", wall / floor, 1.25, f"floor {floor:.2f} s"),
    ]
    return all(results)


def bucket(count: int, command: Sequence[str]) -> bool:
    """The limits that Azure has: 250 reads at once, 25 a second."""
    with Azure({"endpoints": count, "ill_every": 20, "settings": {"throttle": True}}) as azure:
        measured = audit(azure, command)
        azure.advance(60)
        lost = loop(azure, 32, "some").told.strip()
    # a POST has a bucket of its own, of 200 and 10 a second, and there are fewer than reads
    posts = sum(method == "POST" for method, _ in measured.served.asked)
    reads = measured.served.of_subscriptions - posts
    floor = max((reads - 250) / 25, (posts - 200) / 10)
    summary = measured.head["summary"]
    missing = count - summary["endpoints"] + summary["states"]["unknown"]
    wall = measured.ran.wall
    say(f"{reads} reads and {posts} POSTs, {measured.ran.cpu:.1f} s CPU, the simulator {measured.served.cpu:.1f} s")
    results = [
        holds("endpoints lost or unknown", missing, 0, f"of {count}; the MLClient loop loses {lost}"),
        holds("answers with 429", measured.served.refused, 10, f"of {reads + posts} requests"),
        holds("audit / floor of the bucket", wall / floor, 1.2, f"{wall:.1f} s, floor {floor:.1f} s"),
    ]
    return all(results)


def size(count: int, command: Sequence[str]) -> bool:
    """Many endpoints in 100 subscriptions, beside a tenth of them."""
    costs, memory = [], 0.0
    for number in (count // 10, count):
        with Azure({"endpoints": number, "subscriptions": 100, "ill_every": 200}) as azure:
            measured = audit(azure, command)
        ran = measured.ran
        if measured.head["summary"]["endpoints"] != number:
            sys.exit(f"{number} endpoints went in, {measured.head['summary']} came out")
        costs.append(ran.cpu / number)
        memory = ran.memory
        say(
            f"{number:,} endpoints: {ran.wall:.0f} s, {1000 * costs[-1]:.1f} ms CPU each, {memory:.0f} MB, "
            f"{measured.head['run']['requests']:,} requests, the simulator {measured.served.cpu:.0f} s CPU"
        )
    results = [
        holds("memory in MB", memory, 400, f"{count:,} endpoints in 100 subscriptions"),
        holds("cost of one of many / one of a tenth", costs[1] / costs[0], 1.2, "CPU"),
    ]
    return all(results)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["latency", "bucket", "size"])
    parser.add_argument("--pfdoctor", help="the command of an installed wheel; without it, this checkout")
    parser.add_argument("--endpoints", type=int, default=500)
    parser.add_argument("--many", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--serve", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        serve(options.serve)
        return 0
    command = shlex.split(options.pfdoctor) if options.pfdoctor else [sys.executable, "-m", "pfdoctor"]
    fine = True
    if "latency" in options.what:
        fine &= latency(options.endpoints, options.runs, command)
    if "bucket" in options.what:
        fine &= bucket(options.endpoints, command)
    if "size" in options.what:
        fine &= size(options.many, command)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
