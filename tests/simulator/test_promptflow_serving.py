"""The real serving app of promptflow behind the gateway, its Azure calls answered on loopback; the stand-in beside it.

Needs an interpreter with promptflow, named by PFDOCTOR_PROMPTFLOW_PYTHON; tests/run.py makes one where there is none.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from aiohttp import web

from pfdoctor.simulator.certificates import Authority
from pfdoctor.simulator.dataplane import ContainerType, Deployment, Endpoint, Identity
from pfdoctor.simulator.gateway import GUIDE, Gateway
from pfdoctor.simulator.promptflow_server import PromptflowServing, Surroundings
from pfdoctor.simulator.proxy import ConnectProxy

pytestmark = pytest.mark.promptflow

SCENARIOS = Path(__file__).parents[2] / "examples" / "scenarios"
WORKSPACE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"


class Azure:
    """The identity endpoint and the one resource manager call that the app makes, and a world around them."""

    def __init__(self, listed: int) -> None:
        self.listed = listed
        """The status of listsecrets."""
        self.calls: list[str] = []
        self.lines: list[str] = []
        own_id = f"{WORKSPACE}/onlineEndpoints/chat"
        simulation = {"flow": "flows/describe", "answer": {"answer": "hi, at aoai.invalid"}}
        blue = Deployment("blue", f"{own_id}/deployments/blue", "Succeeded", {}, 60, 1, 1, simulation, SCENARIOS)
        identity = Identity(system="principal")
        self.chat = Endpoint("chat", own_id, "Key", {"blue": 100}, {}, True, identity, {"blue": blue})

    async def token(self, request: web.Request) -> web.Response:
        assert request.headers["X-IDENTITY-HEADER"] == "of chat"
        now, resource = int(time.time()), request.query["resource"]
        claims = {"aud": resource, "exp": now + 3600, "oid": "principal"}
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in ({"alg": "none"}, claims)]
        token = ".".join(part.rstrip("=") for part in [*parts, ""])
        return web.json_response({"access_token": token, "expires_on": now + 3600, "resource": resource})

    async def manage(self, request: web.Request) -> web.Response:
        self.calls.append(f"{request.method} https://{request.host}{request.path_qs}")
        properties = {
            "authType": "ApiKey",
            "category": "AzureOpenAI",
            "target": "https://aoai.invalid/",
            "credentials": {"key": "of nothing"},
            "metadata": {"ApiType": "Azure", "ApiVersion": "2024-02-01"},
        }
        body = {"name": "aoai", "properties": properties} if self.listed == 200 else {"error": {}}
        return web.json_response(body, status=self.listed)

    def endpoint(self, name: str) -> Endpoint | None:
        return self.chat if name == "chat" else None

    def accepts(self, endpoint: Endpoint, credential: str) -> bool:
        return endpoint is self.chat and credential == "key"

    def list_secrets(self, principal: str, workspace: str, connection: str) -> int:
        assert (principal, workspace, connection) == ("principal", WORKSPACE, "aoai")
        return self.listed

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.timezone.utc)

    def log(self, endpoint: str, deployment: str, container: ContainerType, line: str) -> None:
        assert (endpoint, deployment, container) == ("chat", "blue", "InferenceServer")
        self.lines.append(line)


class Answer(NamedTuple):
    status: int
    model_status: str
    content_type: str
    body: str
    """Without the gateway's addition."""


class Site(NamedTuple):
    url: str
    session: aiohttp.ClientSession
    proxy: ConnectProxy

    async def __call__(self, method: str, path: str, body: str = "", accept: str = "*/*", app: str = "real") -> Answer:
        address = f"{self.url}/{app}/online/chat/{path}"
        headers = {"Authorization": "Bearer key", "Accept": accept}
        async with self.session.request(method, address, data=body, headers=headers) as response:
            model_status = response.headers.get("ms-azureml-model-error-statuscode", "")
            text = (await response.text()).removesuffix(GUIDE)
            return Answer(response.status, model_status, response.headers["Content-Type"], text)


@asynccontextmanager
async def serving(azure: Azure, python: str, folder: Path, beside: Azure | None = None) -> AsyncIterator[Site]:
    """The real app under /real and, for the world `beside`, a stand-in under /stand-in."""
    authority = Authority(folder)
    app = web.Application()
    app.router.add_get("/identity", azure.token)
    app.router.add_post("/subscriptions/{rest:.*}", azure.manage)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server_context("management.azure.com")).start()
    (plain, tls) = (address[1] for address in runner.addresses)
    proxy = ConnectProxy({"management.azure.com:443": ("127.0.0.1", tls)})
    await proxy.start()
    variables = {"IDENTITY_ENDPOINT": f"http://127.0.0.1:{plain}/identity", "IDENTITY_HEADER": "of chat"}
    surroundings = Surroundings(python, proxy.url, authority.ca_file, lambda _: variables)
    gateway = Gateway(azure, PromptflowServing(surroundings))
    front = web.Application()
    for prefix, routes in (("/real", gateway.routes()), ("/stand-in", Gateway(beside or azure).routes())):
        part = web.Application()
        part.add_routes(routes)
        front.add_subapp(prefix, part)
    front_runner = web.AppRunner(front)
    await front_runner.setup()
    await web.TCPSite(front_runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Site(f"http://127.0.0.1:{front_runner.addresses[0][1]}", session, proxy)
    finally:
        await gateway.close()
        await proxy.close()
        await front_runner.cleanup()
        await runner.cleanup()


QUESTION = '{"question": "hi"}'
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


def test_without_the_role_scoring_fails_and_with_it_the_same_process_answers(
    promptflow_python: str, tmp_path: Path
) -> None:
    azure, beside = Azure(listed=403), Azure(listed=403)

    async def conversation() -> None:
        async with serving(azure, promptflow_python, tmp_path, beside) as ask:
            health = await ask("GET", "health")
            assert (health.status, json.loads(health.body)["status"]) == (200, "Healthy")
            assert json.loads((await ask("GET", "swagger.json")).body)["info"]["x-flow-name"] == "describe"
            refused = await ask("POST", "score", QUESTION)
            assert (refused.status, refused.model_status) == (424, "400")
            message = json.loads(refused.body)["error"]["message"]
            assert message.startswith("Access denied to list workspace secret due to invalid authentication.")
            assert await ask("POST", "score", QUESTION, app="stand-in") == refused
            azure.listed = beside.listed = 200
            for request in ASKED:  # and the stand-in says the same
                assert await ask(*request) == await ask(*request, app="stand-in")
            answer = await ask("POST", "score", QUESTION)
            assert (answer.status, answer.body) == (200, '{"answer":"hi, at aoai.invalid"}\n')
            failed = await ask("POST", "score", '{"question": "boom"}')
            assert (failed.status, failed.model_status) == (424, "400")
            assert json.loads(failed.body)["error"]["message"] == "Execution failure in 'describe': (ValueError) boom"
            assert [host for host in ask.proxy.refused if not host.endswith(".monitor.azure.com:443")] == []

    asyncio.run(conversation())
    path = WORKSPACE.replace("resourceGroups", "resourcegroups") + "/connections/aoai/listsecrets"
    # At start, at the first request, and at the one that got it.
    assert azure.calls == [f"POST https://management.azure.com{path}?api-version=2023-04-01-preview"] * 3
    assert any("[ERROR] - Promptflow serving app error: {'message': \"Access denied" in line for line in azure.lines)
    assert _of_the_app(beside.lines) - _of_the_app(azure.lines) == set()


def test_a_connection_that_is_not_there_ends_it(promptflow_python: str, tmp_path: Path) -> None:
    azure = Azure(listed=404)

    async def conversation() -> None:
        async with serving(azure, promptflow_python, tmp_path) as ask:
            first, second = await ask("GET", "health"), await ask("GET", "health")
            assert (first.status, first.model_status) == (424, "503")
            assert first == second == await ask("GET", "health", app="stand-in")

    asyncio.run(conversation())
    assert len(azure.calls) == 1
    assert any("OpenURLNotFoundError: Open url /subscriptions/s/resourcegroups/rg/" in line for line in azure.lines)
    assert any(line.endswith("Reason: Worker failed to boot.") for line in azure.lines)


def _of_the_app(lines: list[str]) -> set[str]:
    """The log lines of the app itself, without what differs from run to run."""
    told = (re.sub(r"^.*(?=\[pfserving-app\])|'messageFormat'.*(?='referenceCode')", "", line) for line in lines)
    same = (re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=Project path: ).*", "…", line) for line in told)
    return {line for line in same if line.startswith("[pfserving-app]")}
