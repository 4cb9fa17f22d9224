"""The real serving app of promptflow behind the simulator's gateway, and a simulator with a stand-in beside it.

Two things are shown at once: what the real app does in each state of the simulated Azure, and that the stand-in does
the same, to the byte of its answers and to the lines of its log.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from pfdoctor.simulator.gateway import GUIDE
from pfdoctor.simulator.machine_learning import keys_of
from pfdoctor.simulator.promptflow_server import PYTHON_VARIABLE
from pfdoctor.simulator.scenario import Scenario
from pfdoctor.simulator.simulator import Simulator

pytestmark = pytest.mark.promptflow

GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-chat"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/ws-chat"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/chat"
IDENTITY = "6287c88a-0000-4000-8000-000000000001"
LOOKUP = f"{WORKSPACE.replace('resourceGroups', 'resourcegroups')}/connections/aoai/listsecrets"
SECRETS_READER = "Azure Machine Learning Workspace Connection Secrets Reader"
SCENARIO = """\
extends: {examples}/healthy.yaml
settings: {{propagation: 300}}
simulation:
  ${{deployment}}:
    flow: {examples}/flows/describe
    answer: {{answer: "hi, at aoai-chat.openai.azure.com"}}
"""
NO_ROLE = "roleAssignments:\n  chat-secrets: !remove\n"
NO_CONNECTION = "resources:\n  ${workspace}/connections/aoai: !remove\n"
QUESTION = '{"question": "hi"}'


@pytest.fixture(autouse=True)
def interpreter(promptflow_python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, promptflow_python)


class Answer(NamedTuple):
    status: int
    model_status: str
    content_type: str
    body: str
    """Without the gateway's addition."""


class Endpoint(NamedTuple):
    """The endpoint of one simulator, asked as its clients ask it."""

    simulator: Simulator
    session: aiohttp.ClientSession
    key: str

    async def __call__(self, method: str, path: str, body: str = "", accept: str = "*/*") -> Answer:
        address = f"{self.simulator.arm}/online/chat/{path}"
        headers = {"Authorization": f"Bearer {self.key}", "Accept": accept}
        async with self.session.request(method, address, data=body, headers=headers) as response:
            model_status = response.headers.get("ms-azureml-model-error-statuscode", "")
            text = (await response.text()).removesuffix(GUIDE)
            return Answer(response.status, model_status, response.headers["Content-Type"], text)

    async def logs(self) -> list[str]:
        """What the person who runs pfdoctor is shown by getLogs."""
        environment = self.simulator.environment
        query = {"resource": "https://management.azure.com"}
        secret = {"X-IDENTITY-HEADER": environment["IDENTITY_HEADER"]}
        async with self.session.get(environment["IDENTITY_ENDPOINT"], params=query, headers=secret) as response:
            token = (await response.json())["access_token"]
        address = f"{self.simulator.arm}{ENDPOINT}/deployments/blue/getLogs?api-version=2023-04-01-preview"
        bearer = {"Authorization": f"Bearer {token}"}
        async with self.session.post(address, json={}, headers=bearer) as response:
            content: str = (await response.json())["content"]
        return content.splitlines()


@asynccontextmanager
async def endpoint(simulator: Simulator) -> AsyncIterator[Endpoint]:
    """A client of the endpoint that has its key, and trusts the simulator's authority."""
    context = ssl.create_default_context(cafile=simulator.ca_file)
    resource = simulator.world.store.get(ENDPOINT)
    assert resource is not None
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield Endpoint(simulator, session, keys_of(simulator.world.secrets, resource)["primaryKey"])


@contextmanager
def both(folder: Path, root: Path, more: str) -> Iterator[tuple[Simulator, Simulator]]:
    """The same world twice: with the real app, and with a stand-in."""
    file = folder / "scenario.yaml"
    file.write_text(SCENARIO.format(examples=root / "examples" / "scenarios") + more)
    scenario = Scenario.load(file)
    with Simulator(scenario, serving="promptflow") as real, Simulator(scenario) as beside:
        yield real, beside


ASKED = [
    ("GET", "health", "", "*/*"),
    ("GET", "version", "", "*/*"),
    ("GET", "swagger.json", "", "*/*"),
    ("GET", "", "", "*/*"),
    ("GET", "score", "", "*/*"),
    ("GET", "nope/nor/this", "", "*/*"),
    ("POST", "health", "", "*/*"),
    ("POST", "feedback", "{}", "*/*"),
    ("POST", "score", QUESTION, "*/*"),
    ("POST", "score", QUESTION, "application/json;q=0.5"),
    ("POST", "score", QUESTION, "application/json; charset=utf-8"),
    ("POST", "score", QUESTION, "text/event-stream"),
    ("POST", "score", '{"input_data": {"question": "hi"}}', "*/*"),
    ("POST", "score", '["hi"]', "*/*"),
]


def test_without_the_role_scoring_fails_and_once_it_is_in_effect_the_same_process_answers(
    root: Path, tmp_path: Path
) -> None:
    async def conversation(real: Simulator, beside: Simulator) -> tuple[list[str], list[str]]:
        async with endpoint(real) as ask, endpoint(beside) as ask_beside:
            health = await ask("GET", "health")
            assert (health.status, json.loads(health.body)["status"]) == (200, "Healthy")
            assert json.loads((await ask("GET", "swagger.json")).body)["info"]["x-flow-name"] == "describe"
            refused = await ask("POST", "score", QUESTION)
            assert (refused.status, refused.model_status) == (424, "400")
            message = json.loads(refused.body)["error"]["message"]
            assert message.startswith("Access denied to list workspace secret due to invalid authentication.")
            assert await ask_beside("POST", "score", QUESTION) == refused
            for simulator in (real, beside):
                grant = partial(simulator.world.grant, IDENTITY, SECRETS_READER, WORKSPACE)
                simulator.run(grant)
            assert await ask("POST", "score", QUESTION) == refused  # granted, and not in effect yet
            assert await ask_beside("POST", "score", QUESTION) == refused
            for simulator in (real, beside):
                simulator.advance(301)
            for request in ASKED:
                assert await ask(*request) == await ask_beside(*request)
            answer = await ask("POST", "score", QUESTION)
            assert (answer.status, answer.body) == (200, '{"answer":"hi, at aoai-chat.openai.azure.com"}\n')
            failed = await ask("POST", "score", '{"question": "boom"}')
            assert (failed.status, failed.model_status) == (424, "400")
            assert json.loads(failed.body)["error"]["message"] == "Execution failure in 'describe': (ValueError) boom"
            return await ask.logs(), await ask_beside.logs()

    with both(tmp_path, root, NO_ROLE) as (real, beside):
        logs, logs_beside = asyncio.run(conversation(real, beside))
        lookups = [request for request in real.requests if request.path == LOOKUP]
        # At start, without the role, granted too recently, and at the request that got it.
        assert [(request.principal, request.status) for request in lookups] == [(IDENTITY, 403)] * 3 + [(IDENTITY, 200)]
        assert real._proxy is not None
        assert [host for host in real._proxy.refused if not host.endswith(".monitor.azure.com:443")] == []
    assert any("[ERROR] - Promptflow serving app error: {'message': \"Access denied" in line for line in logs)
    assert sum("Booting worker" in line for line in logs) == 2  # of the scenario, and of the process
    assert _of_the_app(logs_beside) - _of_the_app(logs) == set()


async def _end_of(ask: Endpoint) -> list[str]:
    """The log, once its last line has come: gunicorn writes it after the gateway has noticed."""
    lines: list[str] = []
    for _ in range(50):
        lines = await ask.logs()
        if any(line.endswith("Worker failed to boot.") for line in lines):
            break
        await asyncio.sleep(0.2)
    return lines


def test_a_connection_that_is_not_there_ends_it(root: Path, tmp_path: Path) -> None:
    async def conversation(real: Simulator, beside: Simulator) -> tuple[list[str], list[str]]:
        async with endpoint(real) as ask, endpoint(beside) as ask_beside:
            first, second = await ask("GET", "health"), await ask("GET", "health")
            assert (first.status, first.model_status) == (424, "503")
            assert first == second == await ask_beside("GET", "health")
            return await _end_of(ask), await _end_of(ask_beside)

    with both(tmp_path, root, NO_CONNECTION) as (real, beside):
        for lines in asyncio.run(conversation(real, beside)):
            assert any("OpenURLNotFoundError: Open url /subscriptions/11111111" in line for line in lines)
            assert any(line.endswith("Reason: Worker failed to boot.") for line in lines)
        assert [request.status for request in real.requests if request.path == LOOKUP] == [404]


def _of_the_app(lines: list[str]) -> set[str]:
    """The log lines of the app itself, without what differs from run to run."""
    told = (re.sub(r"^.*(?=\[pfserving-app\])|'messageFormat'.*(?='referenceCode')", "", line) for line in lines)
    same = (re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=Project path: ).*", "…", line) for line in told)
    return {line for line in same if line.startswith("[pfserving-app]")}
