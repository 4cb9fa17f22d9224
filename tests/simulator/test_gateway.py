"""The scoring gateway and the stand-in behind it, asked over HTTP, in front of a world of a few values."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from pfdoctor.simulator.container import StandIn
from pfdoctor.simulator.dataplane import (
    Answer,
    ContainerType,
    Deployment,
    Endpoint,
    Endpoints,
    Identity,
    Json,
    Request,
    deployment_from_arm,
    endpoint_from_arm,
)
from pfdoctor.simulator.gateway import GUIDE, Gateway
from pfdoctor.simulator.latency import latencies
from pfdoctor.simulator.promptflow_server import PromptflowServer, PromptflowServing, Surroundings

WORKSPACE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/chat"
GRANTED = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.timezone.utc)
CHAT: Mapping[str, Json] = {"connections": ["aoai"], "answer": {"answer": "hello"}}
DENIED = "Access denied to list workspace secret due to invalid authentication."


class World:
    """One endpoint, one principal whose role takes effect at `GRANTED`, one connection."""

    def __init__(self, *deployments: Deployment) -> None:
        self.traffic = {deployments[0].name: 100} if deployments else {}
        self.mirror: dict[str, int] = {}
        self.deployments = {deployment.name: deployment for deployment in deployments}
        self.identity = Identity(system="principal")
        self.auth_mode = "Key"
        self.public = True
        self.key = "current"
        self.time = GRANTED
        self.asked: list[tuple[str, str, str]] = []
        self.forced: int | None = None
        self.lines: list[str] = []

    def endpoint(self, name: str) -> Endpoint | None:
        if name != "chat":
            return None
        return Endpoint(
            name, ENDPOINT, self.auth_mode, self.traffic, self.mirror, self.public, self.identity, self.deployments
        )

    def accepts(self, endpoint: Endpoint, credential: str) -> bool:
        return endpoint.name == "chat" and credential == self.key

    def list_secrets(self, principal: str, workspace: str, connection: str) -> int:
        self.asked.append((principal, workspace, connection))
        if self.forced is not None:
            return self.forced
        if workspace != WORKSPACE or self.time < GRANTED:
            return 403
        return 200 if connection == "aoai" else 404

    def now(self) -> dt.datetime:
        return self.time

    def log(self, endpoint: str, deployment: str, container: ContainerType, line: str) -> None:
        assert (endpoint, container) == ("chat", "InferenceServer")
        self.lines.append(f"{deployment}: {line}")


def deployment(
    name: str = "blue", simulation: Mapping[str, Json] = CHAT, variables: Mapping[str, str] | None = None
) -> Deployment:
    own_id = f"{ENDPOINT}/deployments/{name}"
    return Deployment(name, own_id, "Succeeded", variables or {}, 5.0, 1, 1, simulation, Path(__file__).parent)


Reply = tuple[int, Mapping[str, str], str]


class Client:
    def __init__(self, base: str, session: aiohttp.ClientSession) -> None:
        self._base, self._session = base, session

    async def score(self, body: str = '{"question": "hi"}', **headers: str) -> Reply:
        return await self("POST", "score", body, **headers)

    async def __call__(self, method: str, path: str, body: str = "", **headers: str) -> Reply:
        named = {"Authorization": "Bearer current"} | {name.replace("_", "-"): text for name, text in headers.items()}
        address = f"{self._base}/online/chat/{path}"
        async with self._session.request(method, address, data=body.encode(), headers=named) as response:
            return response.status, response.headers, await response.text()


@asynccontextmanager
async def serving(gateway: Gateway) -> AsyncIterator[Client]:
    app = web.Application()
    app.add_routes(gateway.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        async with aiohttp.ClientSession() as session:
            yield Client(f"http://{host}:{port}", session)
    finally:
        await gateway.close()
        await runner.cleanup()


def talk(world: World, conversation: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with serving(Gateway(world)) as client:
            await conversation(client)

    asyncio.run(run())


def ask(
    world: World, method: str = "POST", path: str = "score", body: str = '{"question": "hi"}', **headers: str
) -> Reply:
    """One request to a gateway started for it."""
    replies: list[Reply] = []

    async def once(client: Client) -> None:
        replies.append(await client(method, path, body, **headers))

    talk(world, once)
    return replies[0]


def refused(reply: Reply) -> tuple[int, str | None, str | None, str]:
    """Status, the two headers about the model, and the body without the text that the gateway puts after it."""
    status, headers, text = reply
    assert text.endswith(GUIDE)
    model = headers.get("ms-azureml-model-error-statuscode"), headers.get("ms-azureml-model-error-reason")
    return status, *model, text[: -len(GUIDE)]


# ------------------------------------------------------------------------------------------------------ who may score


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [("Bearer old", "access_denied"), ("current", "bad_header_forbidden"), ("", "bad_header_forbidden")],
)
@pytest.mark.parametrize(("auth_mode", "kind"), [("Key", "key_auth"), ("AADToken", "token_auth")])
def test_a_credential_that_is_not_the_endpoints_own_is_401(
    authorization: str, reason: str, auth_mode: str, kind: str
) -> None:
    world = World(deployment())
    world.auth_mode = auth_mode
    assert refused(ask(world, Authorization=authorization)) == (401, None, None, f"{kind}_{reason}")


def test_public_access_switched_off_is_403() -> None:
    world = World(deployment())
    world.public = False
    assert ask(world)[0] == 403


# ------------------------------------------------------------------------------------------------------------ routing


def test_traffic_is_split_exactly_and_the_header_overrides_it() -> None:
    world = World(deployment("blue"), deployment("green"), deployment("idle"))
    world.traffic = {"blue": 90, "green": 10, "idle": 0, "deleted": 0}
    served: Counter[str] = Counter()

    async def conversation(client: Client) -> None:
        for _ in range(100):
            served[(await client("GET", "health"))[1]["azureml-model-deployment"]] += 1
        reply = await client("GET", "health", azureml_model_deployment="idle")
        assert (reply[0], reply[1]["azureml-model-deployment"]) == (200, "idle")
        assert (await client("GET", "health", azureml_model_deployment="deleted"))[0] == 404

    talk(world, conversation)
    assert served == {"blue": 90, "green": 10}


def test_without_traffic_there_is_404_and_the_header_still_works() -> None:
    world = World(deployment())
    world.traffic = {"blue": 0}
    status, _, _, text = refused(ask(world))
    assert (status, text.partition(".")[0]) == (404, "No valid deployments to route to")
    assert ask(world, azureml_model_deployment="blue")[0] == 200


def test_mirrored_requests_reach_the_other_deployment_and_nobody_sees_its_answer() -> None:
    world = World(deployment("blue"), deployment("green", {**CHAT, "exception": "chat: (ValueError) boom"}))
    world.mirror = {"green": 50}

    async def conversation(client: Client) -> None:
        for _ in range(100):
            assert (await client.score())[0] == 200

    talk(world, conversation)
    failed = [line for line in world.lines if line.startswith("green:") and "Flow run failed" in line]
    assert len(failed) == 50


def test_every_answer_names_its_request_and_its_deployment() -> None:
    status, headers, _ = ask(World(deployment()), x_ms_client_request_id="me and you!" * 9, x_request_id="mine")
    assert status == 200
    assert headers["azureml-model-deployment"] == headers["azureml-model-session"] == "blue"
    assert len(headers["x-request-id"]) == 36
    assert headers["x-ms-request-id"] == headers["x-request-id"]
    assert headers["x-ms-client-request-id"] == ("meandyou" * 9)[:40]
    assert headers["ms-azureml-model-time"] == "0"


# ---------------------------------------------------------------------------------------- what becomes of the answers


def test_without_the_role_all_is_well_but_scoring_until_the_role_takes_effect() -> None:
    world = World(deployment())
    world.time = GRANTED - dt.timedelta(minutes=5)

    async def conversation(client: Client) -> None:
        assert (await client("GET", "health"))[0] == 200
        document = json.loads((await client("GET", "swagger.json"))[2])
        assert (document["openapi"], document["info"]["x-flow-name"]) == ("3.0.0", "blue")
        status, model_status, reason, body = refused(await client.score())
        assert (status, model_status, reason) == (424, "400", "model_error")
        error = json.loads(body)["error"]
        assert error["code"] == "UserError"
        assert error["message"].startswith(DENIED)
        world.time = GRANTED
        assert (await client.score())[2] == '{"answer":"hello"}\n'
        asked = len(world.asked)
        assert (await client.score())[0] == 200
        assert len(world.asked) == asked  # what it got once it keeps

    talk(world, conversation)
    assert set(world.asked) == {("principal", WORKSPACE, "aoai")}
    log = "\n".join(world.lines)
    assert (
        "[2026-11-23 07:55:00 +0000][pfserving-app][ERROR] - Promptflow serving app error: {'message': \"Access" in log
    )
    assert "[2026-11-23 08:00:00 +0000][pfserving-app][INFO] - Promptflow executor initializing succeed!" in log


@pytest.mark.parametrize(
    ("forced", "last_words"),
    [
        (404, "OpenURLNotFoundError: Open url /subscriptions/s/resourcegroups/rg/"),
        (401, "OpenURLFailedUserError: Open url"),
        (409, "OpenURLFailedUserError: Open url"),
        (429, "OpenURLFailedUserError: Open url"),
        (500, "SystemErrorException: Open url"),
    ],
)
def test_any_other_answer_to_the_lookup_ends_the_container(forced: int, last_words: str) -> None:
    world = World(deployment())
    world.forced = forced

    async def conversation(client: Client) -> None:
        assert refused(await client("GET", "health"))[:3] == (424, "503", "model_not_ready")
        world.forced = None  # the platform starts it again and again
        assert (await client("GET", "health"))[0] == 200

    talk(world, conversation)
    log = "\n".join(world.lines)
    assert last_words in log
    assert "Reason: Worker failed to boot." in log
    assert log.count("Retryable error code") == (3 if forced in {429, 500} else 0)


@pytest.mark.parametrize(
    ("identity", "variables"),
    [
        (Identity(), {}),
        (Identity(user={"client": "principal"}), {}),
        (Identity(user={"client": "principal"}), {"AZURE_CLIENT_ID": "principal"}),
        (Identity(system="principal"), {"AZURE_CLIENT_ID": "client"}),
    ],
)
def test_without_a_token_the_container_ends(identity: Identity, variables: Mapping[str, str]) -> None:
    world = World(deployment(variables=variables))
    world.identity = identity
    assert ask(world)[0] == 424
    assert any("No User Assigned or Delegated Managed Identity found" in line for line in world.lines)


def test_a_user_assigned_identity_is_the_one_of_the_client_id() -> None:
    world = World(deployment(variables={"AZURE_CLIENT_ID": "client"}))
    world.identity = Identity(user={"client": "other principal"})
    assert ask(world)[0] == 200
    assert world.asked == [("other principal", WORKSPACE, "aoai")]


OVERRIDE = "deployment.subscription_id=s,deployment.resource_group=rg,deployment.workspace_name={}"


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({"PRT_CONFIG_OVERRIDE": OVERRIDE.format("hub")}, (WORKSPACE[:-2] + "hub", "aoai")),
        ({"PRT_CONFIG_OVERRIDE": OVERRIDE.format("hub").replace(",", ", ")}, None),
        ({"PF_CONNECTION_PROVIDER": f"azureml:/{WORKSPACE}", "PRT_CONFIG_OVERRIDE": "x=y"}, (WORKSPACE, "aoai")),
        ({"aoai": "another"}, (WORKSPACE, "another")),
        ({"aoai": '{"properties": {}}'}, ()),
        ({"PROMPTFLOW_ENCODED_CONNECTIONS": "e30="}, ()),
    ],
)
def test_the_deployment_says_which_workspace_is_asked_for_what(
    variables: Mapping[str, str], asked: tuple[str, str] | tuple[()] | None
) -> None:
    world = World(deployment(variables=variables))
    world.time = GRANTED - dt.timedelta(days=1)
    ask(world, "GET", "health")
    if asked is None:
        nowhere = "/subscriptions/s/resourceGroups/None/providers/Microsoft.MachineLearningServices/workspaces/None"
        asked = nowhere, "aoai"
    assert world.asked == ([("principal", *asked)] if asked else [])


@pytest.mark.parametrize(
    ("variables", "last_words"),
    [
        ({"PRT_CONFIG_OVERRIDE": "ws"}, "IndexError: list index out of range"),
        ({"PROMPTFLOW_CONNECTION_PROVIDER": "my-provider"}, "Unsupported connection provider config: my-provider"),
        ({"PROMPTFLOW_CONNECTION_PROVIDER": "azureml://ws"}, "Malformed connection provider config"),
        ({"aoai": "{}"}, "Invalid connection data detected while overriding connection aoai."),
        ({"PROMPTFLOW_RESPONSE_INCLUDED_FIELDS": "['answer']"}, "JSONDecodeError: Expecting value"),
    ],
)
def test_variables_that_the_app_dies_of(variables: Mapping[str, str], last_words: str) -> None:
    world = World(deployment(variables=variables))
    assert ask(world, "GET", "health")[0] == 424
    assert any(last_words in line for line in world.lines)


TWO_INPUTS = {"inputs": {"question": "string", "chat_history": "list"}, "outputs": {"answer": "string"}}


@pytest.mark.parametrize(
    ("simulation", "body", "message"),
    [
        (
            {},
            '{"input_data": "hi"}',
            "Required input fields ['question'] are missing in request data {'input_data': 'hi'}",
        ),
        ({}, "[]", "Required input fields ['question'] are missing in request data []"),
        (TWO_INPUTS, "hi", "Promptflow executor received non json data, but there's more than 1 input fields"),
        (TWO_INPUTS, '{"question": "a", "chat_history": {}}', "does not match the expected type 'list'"),
        (
            TWO_INPUTS,
            '{"question": "a", "chat_history": "b"}',
            "was interpreted as JSON string since its type is 'list'",
        ),
        ({"exception": "chat: (ValueError) boom"}, "hi", "Execution failure in 'chat': (ValueError) boom"),
    ],
)
def test_bad_requests_and_exceptions_of_user_code_are_400_inside_and_424_outside(
    simulation: Mapping[str, Json], body: str, message: str
) -> None:
    status, model_status, reason, text = refused(ask(World(deployment(simulation=simulation)), body=body))
    assert (status, model_status, reason) == (424, "400", "model_error")
    assert message in json.loads(text)["error"]["message"]


@pytest.mark.parametrize(
    ("accept", "streaming", "expected"),
    [
        ("application/json;q=0.5", False, '{"answer":"hello there"}\n'),
        ("text/event-stream", True, 'data: {"answer": "hello "}\n\ndata: {"answer": "there"}\n\n'),
        ("*/*", True, '{"answer":"hello there"}\n'),
        ("text/event-stream", False, None),
        ("application/json; charset=utf-8", False, None),
        ("text/plain", True, None),
    ],
)
def test_answers_are_negotiated_by_the_literal_accept_header(
    accept: str, streaming: bool, expected: str | None
) -> None:
    simulation = {"answer": {"answer": "hello there"}, "streaming": streaming}
    reply = ask(World(deployment(simulation=simulation)), Accept=accept)
    if expected is None:
        assert refused(reply)[:3] == (424, "406", "model_error")
    else:
        assert (reply[0], reply[2]) == (200, expected)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {"answer": "hi"}),
        ({"PROMPTFLOW_RESPONSE_INCLUDED_FIELDS": '["score"]'}, {"score": "hi"}),
        ({"PROMPTFLOW_RESPONSE_INCLUDED_FIELDS": '["renamed"]'}, {}),
    ],
)
def test_which_outputs_are_answered(variables: Mapping[str, str], expected: Mapping[str, str]) -> None:
    outputs = {"answer": "string", "score": {"type": "double", "evaluation_only": True}}
    assert json.loads(ask(World(deployment(simulation={"outputs": outputs}, variables=variables)))[2]) == expected


@pytest.mark.parametrize(
    ("behaviour", "status", "content_type"),
    [
        ("missing", 424, "text/html"),
        ("invalid", 200, "application/json"),
        ("html", 200, "text/html"),
        ("slow", 408, "text/plain"),
    ],
)
def test_schemas_that_nobody_can_read(behaviour: str, status: int, content_type: str) -> None:
    world = World(deployment(simulation={"swagger": behaviour, "latency_scale": 0}))
    reply = ask(world, "GET", "swagger.json")
    assert reply[0] == status
    assert reply[1]["Content-Type"].startswith(content_type)
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply[2])


def test_other_routes() -> None:
    async def conversation(client: Client) -> None:
        assert json.loads((await client("GET", "version"))[2]) == {
            "build_info": "",
            "status": "Healthy",
            "version": "1.18.5",
        }
        assert (await client("POST", "feedback", "{}"))[2] == '{"status":"Feedback received."}\n'
        assert "promptflow app" in (await client("GET", ""))[2]
        assert refused(await client("GET", "score"))[:2] == (424, "404")

    talk(World(deployment()), conversation)


# ------------------------------------------------------------------------------------------------------- time and load


def test_slower_than_the_timeout_is_408_though_the_flow_has_run() -> None:
    world = World(deployment(simulation={"latency_ms": [4000, 6000], "latency_scale": 0}))

    async def conversation(client: Client) -> None:
        status, headers, _ = await client.score()
        assert (status, headers["ms-azureml-model-time"]) == (200, "4000")
        assert refused(await client.score()) == (408, None, None, "upstream request timeout")

    talk(world, conversation)
    assert sum("Finish monitoring request" in line for line in world.lines) == 2


class Held:
    """A container that answers when it is told to."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.serving = 0

    async def ready(self) -> bool:
        return True

    async def answer(self, request: Request) -> Answer:
        assert request.path == "/score"
        self.serving += 1
        await self.release.wait()
        return Answer(200, b"{}")

    async def close(self) -> None:
        assert self.release.is_set()


def test_more_than_twice_the_concurrency_is_429_and_the_others_wait() -> None:
    world = World(deployment()._replace(max_concurrent_requests=2, instances=2, request_timeout=60))

    async def run() -> None:
        held = Held()

        def make(endpoint: Endpoint, deployment: Deployment, endpoints: Endpoints) -> Held:
            assert (endpoint.name, deployment.name, endpoints) == ("chat", "blue", world)
            return held

        async with serving(Gateway(world, make)) as client:
            requests = [asyncio.create_task(client.score()) for _ in range(9)]
            done, waiting = await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
            assert [refused(task.result())[::2] for task in done] == [(429, "too_many_pending_request")]
            assert held.serving <= 4
            held.release.set()
            assert {reply[0] for reply in await asyncio.gather(*waiting)} == {200}

    asyncio.run(run())


def test_what_the_flow_prints_is_logged_at_each_run() -> None:
    world = World(deployment(simulation={"prints": ["RateLimitError #1, Retry-After=3"]}))

    async def conversation(client: Client) -> None:
        await client.score()
        await client.score()

    talk(world, conversation)
    assert world.lines.count("blue: RateLimitError #1, Retry-After=3") == 2


def test_the_real_app_stands_only_where_the_scenario_names_a_flow(tmp_path: Path) -> None:
    (tmp_path / "chat").mkdir()
    world = World(deployment("blue"), deployment("green", {"flow": "chat"})._replace(folder=tmp_path))
    nobody = str(tmp_path / "no-interpreter")
    serve = PromptflowServing(Surroundings(nobody, "http://127.0.0.1:1", tmp_path / "ca.pem", lambda _: {}))
    chat = world.endpoint("chat")
    assert chat is not None
    assert isinstance(serve(chat, chat.deployments["blue"], world), StandIn)
    real = serve(chat, chat.deployments["green"], world)
    assert isinstance(real, PromptflowServer)

    async def start() -> bool:
        try:
            return await real.ready() or await real.ready()
        finally:
            await real.close()

    assert not asyncio.run(start())
    assert world.lines == [f"green: FileNotFoundError: [Errno 2] No such file or directory: {nobody!r}"] * 2


def test_a_flow_that_is_not_there_ends_the_container() -> None:
    world = World(deployment(simulation={"flow": "nowhere"}))
    assert ask(world, "GET", "health")[0] == 424
    assert any("FileNotFoundError" in line for line in world.lines)


def test_injected_faults_of_the_gateway_do_not_reach_the_container() -> None:
    fault = {"status": 503, "reason": "rate_limited", "body": "no healthy upstream"}
    world = World(deployment(simulation={"gateway": fault}))
    assert refused(ask(world)) == (503, None, "rate_limited", "no healthy upstream")
    assert world.lines == []


@pytest.mark.parametrize("state", ["Creating", "Failed", "Deleting"])
def test_a_deployment_that_is_not_up_is_not_ready(state: str) -> None:
    world = World(deployment()._replace(provisioning_state=state))
    assert refused(ask(world))[:3] == (424, "503", "model_not_ready")


def test_an_update_starts_another_container() -> None:
    world = World(deployment())

    async def conversation(client: Client) -> None:
        await client("GET", "health")
        await client("GET", "health")
        assert sum("Starting gunicorn" in line for line in world.lines) == 1
        world.deployments["blue"] = deployment()._replace(revision="2")
        await client("GET", "health")

    talk(world, conversation)
    assert sum("Starting gunicorn" in line for line in world.lines) == 2


@pytest.mark.parametrize("start", [0, 1, 7, 19])
def test_latencies_have_the_percentiles_that_were_asked_for(start: int) -> None:
    values = latencies({"p50": 900, "p95": 2400, "max": 9000})
    sample = sorted([next(values) for _ in range(start + 20)][start:])
    assert sample[9] <= sample[10] == pytest.approx(900)
    assert (sample[18], sample[19]) == (2400, 9000)


# ------------------------------------------------------------------------------------------------ values of the world


def test_a_flow_folder_gives_its_face(tmp_path: Path) -> None:
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / "flow.dag.yaml").write_text(
        "inputs:\n  chat_history: {type: list, is_chat_history: true, default: []}\n"
        "  question: {type: string, is_chat_input: true}\n"
        "outputs:\n  answer: {type: string, reference: '${say.output}', is_chat_output: true}\n"
        "nodes:\n- {name: say, type: llm, connection: aoai, inputs: {}}\n"
        "- {name: look, type: python, inputs: {connection: search}}\n"
    )
    world = World(deployment(simulation={"flow": "chat"})._replace(folder=tmp_path))
    world.forced = 200
    document = json.loads(ask(world, "GET", "swagger.json")[2])
    assert document["info"] == {
        "title": "Promptflow[chat] API",
        "version": "1.0.0",
        "x-chat-history": "chat_history",
        "x-chat-input": "question",
        "x-chat-output": "answer",
        "x-flow-name": "chat",
        "x-flow-type": "chat",
    }
    assert [connection for _, _, connection in world.asked] == ["aoai", "search"]


def test_values_from_arm_bodies() -> None:
    body: Mapping[str, Json] = {
        "id": f"{ENDPOINT}/deployments/blue",
        "name": "blue",
        "sku": {"name": "Default", "capacity": 3},
        "systemData": {"lastModifiedAt": "2026-10-11T08:01:02Z"},
        "properties": {
            "provisioningState": "Succeeded",
            "environmentVariables": {"WORKERS": 2},
            "requestSettings": {"maxConcurrentRequestsPerInstance": 10, "requestTimeout": "PT1M30.5S"},
        },
    }
    blue = deployment_from_arm(body, {}, Path())
    assert (blue.instances, blue.max_concurrent_requests, blue.request_timeout) == (3, 10, 90.5)
    assert (blue.environment_variables, blue.revision) == ({"WORKERS": "2"}, "2026-10-11T08:01:02Z")
    assert deployment_from_arm({"id": "i", "name": "n"}, {}, Path())[4:7] == (5.0, 1, 1)
    properties = {"authMode": "AMLToken", "traffic": {"blue": 100}, "publicNetworkAccess": "Disabled"}
    chat = endpoint_from_arm({"id": ENDPOINT, "name": "chat", "properties": properties}, {"blue": blue}, Identity())
    assert (chat.auth_mode, chat.traffic, chat.public_network_access) == ("AMLToken", {"blue": 100}, False)
    with pytest.raises(ValueError, match="5 s"):
        deployment_from_arm(
            {"id": "i", "name": "n", "properties": {"requestSettings": {"requestTimeout": "5 s"}}}, {}, Path()
        )
