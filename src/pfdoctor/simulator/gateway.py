"""The scoring gateway: what answers under an endpoint's scoring URI, in front of the containers.

What is imitated, and where it was seen (nothing here was measured against Azure):

- 401, 404, 408, 424, 429 and their causes: "Troubleshoot online endpoints deployment and scoring", table "Common error
  codes for managed online endpoints" (learn.microsoft.com, how-to-troubleshoot-online-endpoints).
- A status other than 200 of the container becomes 424 with `ms-azureml-model-error-reason: model_error` and
  `ms-azureml-model-error-statuscode`; too many pending requests lose their body and get the reason
  `too_many_pending_request`; a container that is not up has `model_not_ready`; `ms-azureml-model-time` is Envoy's
  upstream time in ms: the Lua filter of the service's own Envoy, in a public repository (found by its function names,
  `rewriteUpstreamOverflowResponse`, `rewriteStatusNon200`).
- The text after every error body, which leaves a JSON body no JSON: bodies captured live from Azure endpoints, by
  several public projects; so for the 404 (microsoft/semantic-kernel#9085) and for "upstream request timeout".
- `key_auth_access_denied`: MicrosoftDocs/azure-docs#98265; `key_auth_bad_header_forbidden` (no or another scheme than
  Bearer): a public project's notes on its own endpoint. `x-request-id` is always the service's own GUID, and
  `x-ms-client-request-id` takes 40 letters, digits, hyphens, underscores: the first page again, "Request tracing".
- `azureml-model-deployment`, `azureml-model-session` and two equal request ids on answers: a response of a managed
  endpoint that a public course shows. (It lacks `ms-azureml-model-time`, which that filter and Azure OpenAI send.)

Inferred, since no source says it: what a 401 says of a token (its words for keys, with another first one), the status
that goes with `model_not_ready` (424, as that page has it for failing probes), the reason of a 408 (none is sent), the
answer to a deployment that does not exist (the 404 of one that cannot be routed to), the 403 without public access.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from aiohttp import web

from pfdoctor.simulator.container import StandIn
from pfdoctor.simulator.dataplane import Answer, Container, Deployment, Endpoint, Endpoints, Identity, Json, Request
from pfdoctor.simulator.log import ONGOING

DEPLOYMENT_HEADER = "azureml-model-deployment"
SESSION_HEADER = "azureml-model-session"
REASON_HEADER = "ms-azureml-model-error-reason"
STATUS_HEADER = "ms-azureml-model-error-statuscode"
TIME_HEADER = "ms-azureml-model-time"

GUIDE = (
    "\nPlease check this guide to understand why this error code might have been returned \n"
    "https://docs.microsoft.com/en-us/azure/machine-learning/how-to-troubleshoot-online-endpoints#http-status-codes\n"
)
NO_DEPLOYMENT = (
    "No valid deployments to route to. Please check that the endpoint has at least one deployment with positive "
    "weight values or use a deployment specific header to route. "
    "[https://docs.microsoft.com/en-us/azure/machine-learning/how-to-safely-rollout-managed-endpoints"
    "#deploy-a-new-model-but-send-it-no-traffic-yet]"
)

_SERVING_STATES = frozenset({"succeeded", "updating", "scaling"})
_STRIDE = 61  # shares no factor with 100: any 100 requests in a row are split exactly as the percentages say


class Serving(Protocol):
    """Makes the container of a deployment: the stand-in, or the real serving app."""

    def __call__(self, endpoint: Endpoint, deployment: Deployment, endpoints: Endpoints) -> Container: ...


class _Running(NamedTuple):
    """A container, and the values it was made for: it is replaced when they change."""

    rollout: Deployment
    identity: Identity
    container: Container


class _Load:
    """The requests at a deployment: those being served take a slot, the others wait."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.pending = 0
        self.serving = asyncio.Semaphore(slots)


class Gateway:
    """The handlers of the scoring URIs of all endpoints of a world."""

    def __init__(self, endpoints: Endpoints, serving: Serving = StandIn) -> None:
        self._endpoints = endpoints
        self._serving = serving
        self._running: dict[tuple[str, str], _Running] = {}
        self._replacing = asyncio.Lock()
        self._load: dict[tuple[str, str], _Load] = {}
        self._routed: Counter[str] = Counter()
        self._mirroring: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        """What to mount: the scoring URI of endpoint `chat` is `/online/chat/score`."""
        return [web.route("*", "/online/{endpoint}/{tail:.*}", self._handle)]

    async def starts(self, endpoint: Endpoint, deployment: Deployment) -> bool:
        """Roll the deployment out: whether its container comes up."""
        return await self._container(endpoint, deployment) is not None

    async def close(self) -> None:
        """Stop every container."""
        for task in self._mirroring:
            task.cancel()
        await asyncio.gather(*self._mirroring, return_exceptions=True)
        for running in self._running.values():
            await running.container.close()
        self._running.clear()

    # --------------------------------------------------------------------------------------------------------- routing

    async def _handle(self, received: web.Request) -> web.Response:
        ongoing = ONGOING.get(None)
        identifier = ongoing.id if ongoing is not None else str(uuid.uuid4())  # the one that the request log has
        tracing = {"x-request-id": identifier, "x-ms-request-id": identifier}
        client_id = re.sub(r"[^A-Za-z0-9_-]", "", received.headers.get("x-ms-client-request-id", ""))[:40]
        if client_id:
            tracing["x-ms-client-request-id"] = client_id
        endpoint = self._endpoints.endpoint(received.match_info["endpoint"])
        if endpoint is None:  # in Azure its host name would not resolve
            return _refusal(404, "no such endpoint in this simulator", tracing)
        if not endpoint.public_network_access:
            return _refusal(403, "public network access is disabled", tracing)
        denied = self._denied(endpoint, received.headers.get("Authorization"))
        if denied is not None:
            return _refusal(401, denied, tracing)
        deployment = self._route(endpoint, received.headers.get(DEPLOYMENT_HEADER))
        if deployment is None:
            return _refusal(404, NO_DEPLOYMENT, tracing)
        headers = {name.lower(): value for name, value in received.headers.items()}
        headers.pop("authorization", None)
        request = Request(
            method=received.method,
            path="/" + received.match_info["tail"],
            query=received.query_string,
            headers={**headers, **tracing},
            body=await received.read(),
        )
        if DEPLOYMENT_HEADER not in received.headers:
            self._mirror(endpoint, request)
        tracing[DEPLOYMENT_HEADER] = tracing[SESSION_HEADER] = deployment.name
        return await self._ask(endpoint, deployment, request, tracing)

    def _denied(self, endpoint: Endpoint, authorization: str | None) -> str | None:
        scheme, _, credential = (authorization or "").partition(" ")
        kind = "key_auth" if endpoint.auth_mode.lower() == "key" else "token_auth"
        if scheme.lower() != "bearer" or not credential.strip():
            return f"{kind}_bad_header_forbidden"
        return None if self._endpoints.accepts(endpoint, credential.strip()) else f"{kind}_access_denied"

    def _route(self, endpoint: Endpoint, named: str | None) -> Deployment | None:
        """The deployment of the header, whatever its traffic; else the one whose turn it is."""
        if named is not None:
            return endpoint.deployments.get(named)
        weights = [
            (endpoint.deployments[name], percent)
            for name, percent in endpoint.traffic.items()
            if percent > 0 and name in endpoint.deployments
        ]
        total = sum(percent for _, percent in weights)
        if not total:
            return None
        point = self._routed[endpoint.name] * _STRIDE % 100 % total
        self._routed[endpoint.name] += 1
        for deployment, percent in weights:
            if point < percent:
                return deployment
            point -= percent
        return None

    def _mirror(self, endpoint: Endpoint, request: Request) -> None:
        """Send the share of the requests that mirroring asks for to a second deployment, and drop its answers."""
        turn = self._routed[f"{endpoint.name} mirrored"]
        self._routed[f"{endpoint.name} mirrored"] += 1
        for name, percent in endpoint.mirror_traffic.items():
            deployment = endpoint.deployments.get(name)
            if deployment is not None and turn * _STRIDE % 100 < percent:
                task = asyncio.create_task(self._send_copy(endpoint, deployment, request))
                self._mirroring.add(task)
                task.add_done_callback(self._mirroring.discard)

    async def _send_copy(self, endpoint: Endpoint, deployment: Deployment, request: Request) -> None:
        await self._ask(endpoint, deployment, request, {})

    # ------------------------------------------------------------------------------------------------------ the answer

    async def _ask(
        self, endpoint: Endpoint, deployment: Deployment, request: Request, tracing: Mapping[str, str]
    ) -> web.Response:
        injected = deployment.simulation.get("gateway")
        if isinstance(injected, Mapping):
            return _injected(injected, tracing)
        load = self._load_of(endpoint, deployment)
        if load.pending >= 2 * load.slots:
            return _refusal(429, "", {**tracing, REASON_HEADER: "too_many_pending_request"})
        load.pending += 1
        try:
            container = await self._container(endpoint, deployment)
            if container is None:
                return _refusal(424, "", {**tracing, REASON_HEADER: "model_not_ready", STATUS_HEADER: "503"})
            return await self._serve(container, deployment, request, tracing, load)
        finally:
            load.pending -= 1

    async def _serve(
        self,
        container: Container,
        deployment: Deployment,
        request: Request,
        tracing: Mapping[str, str],
        load: _Load,
    ) -> web.Response:
        scale = float(str(deployment.simulation.get("latency_scale", 1)))
        timeout = deployment.request_timeout
        try:
            if load.serving.locked():
                await asyncio.wait_for(load.serving.acquire(), timeout * scale)
            else:
                await load.serving.acquire()
        except asyncio.TimeoutError:
            return _refusal(408, "upstream request timeout", tracing)
        try:
            began = time.perf_counter()
            try:
                answer = await asyncio.wait_for(container.answer(request), timeout)
            except asyncio.TimeoutError:
                return _refusal(408, "upstream request timeout", tracing)
            if answer.latency_ms is None:
                took = 1000 * (time.perf_counter() - began)
            else:  # compared as said, not as waited: the outcome must not depend on how busy this machine is
                took = answer.latency_ms
                await asyncio.sleep(min(took / 1000, timeout) * scale)
                if took / 1000 > timeout:
                    return _refusal(408, "upstream request timeout", tracing)
        finally:
            load.serving.release()
        return _response(answer, {**tracing, TIME_HEADER: str(round(took))})

    async def _container(self, endpoint: Endpoint, deployment: Deployment) -> Container | None:
        """The container of this roll-out of the deployment if it can serve; what served an earlier one is stopped."""
        if deployment.provisioning_state.lower() not in _SERVING_STATES:
            return None
        key = endpoint.name, deployment.name
        async with self._replacing:
            running = self._running.get(key)
            rollout = deployment._replace(provisioning_state="")  # the end of an update is no other update
            if running is None or (running.rollout, running.identity) != (rollout, endpoint.identity):
                if running is not None:
                    await running.container.close()
                container = self._serving(endpoint, deployment, self._endpoints)
                running = self._running[key] = _Running(rollout, endpoint.identity, container)
        return running.container if await running.container.ready() else None

    def _load_of(self, endpoint: Endpoint, deployment: Deployment) -> _Load:
        slots = deployment.max_concurrent_requests * deployment.instances
        key = endpoint.name, deployment.name
        load = self._load.get(key)
        if load is None or load.slots != slots:
            load = self._load[key] = _Load(slots)
        return load


def _response(answer: Answer, headers: Mapping[str, str]) -> web.Response:
    if answer.status == 200:
        return web.Response(body=answer.body, headers={**headers, "Content-Type": answer.content_type})
    model = {REASON_HEADER: "model_error", STATUS_HEADER: str(answer.status)}
    body = answer.body.removesuffix(b"\n") + GUIDE.encode()
    return web.Response(status=424, body=body, headers={**headers, **model, "Content-Type": answer.content_type})


def _refusal(status: int, text: str, headers: Mapping[str, str]) -> web.Response:
    """An answer of the gateway's own."""
    return web.Response(
        status=status, body=f"{text}{GUIDE}".encode(), headers={**headers, "Content-Type": "text/plain"}
    )


def _injected(fault: Mapping[str, Json], headers: Mapping[str, str]) -> web.Response:
    reason = {REASON_HEADER: str(fault["reason"])} if "reason" in fault else {}
    return _refusal(int(str(fault.get("status", 503))), str(fault.get("body", "")), {**headers, **reason})
