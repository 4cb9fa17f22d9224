"""What the data plane needs to know of the world: endpoints, their deployments, and who may do what.

The world keeps ARM bodies; `deployment_from_arm` and `endpoint_from_arm` read them. A deployment is a value: another
value behind the same name is another roll-out, and starts another container.

Beside its ARM body a deployment has the free mapping `simulation`, which says how the container behind it behaves:

    flow: ../flows/chat           folder with flow.dag.yaml: what the real app serves, and the stand-in reads
    inputs: {question: string}    where there is no folder: name to type, or to {type, default, is_chat_input, …}
    outputs: {answer: string}     the same, or to {type, evaluation_only, …}
    connections: [aoai]           connections that the flow names
    answer: {answer: hello}       what the stand-in answers; an output without value echoes the first input
    version: 1.18.5               the version that /health and /version tell
    latency_ms: [900, 1200]       of /score, in turn; or {p50, p95, max}
    latency_scale: 0.01           how much of a latency and of the request timeout is really waited (1: all)
    streaming: true               the last output is a generator
    prints: ["Node chat completes."]       log lines of each run of the flow, such as a tool's complaints
    exception: "chat: (ValueError) boom"   what user code raises on each request, as promptflow prints it
    swagger: ok | missing | invalid | html | slow
    health: ok | missing | slow
    crash: "ModuleNotFoundError: …"   the container raises this at start
    gateway: {status: 503, reason: …, body: …}   the gateway answers this without asking the container
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

Json = object
"""Anything that JSON can say."""

ContainerType = Literal["InferenceServer", "StorageInitializer"]
"""The containers that have a log, as `getLogs` spells them."""


class Identity(NamedTuple):
    """The managed identities behind an endpoint."""

    system: str | None = None
    """Principal (object) id of the system-assigned one."""
    user: Mapping[str, str] = {}
    """Client id to principal id of the user-assigned ones."""

    def principal(self, client_id: str | None) -> str | None:
        """Whose token the container gets when it asks for `client_id`, or names none; None where it gets none."""
        return self.system if client_id is None else self.user.get(client_id)


class Deployment(NamedTuple):
    """One online deployment, as its container and the gateway see it."""

    name: str
    resource_id: str
    provisioning_state: str
    environment_variables: Mapping[str, str]
    request_timeout: float
    """Seconds."""
    max_concurrent_requests: int
    """Of each instance."""
    instances: int
    simulation: Mapping[str, Json]
    folder: Path
    """What a relative `flow` in `simulation` is relative to."""
    revision: str = ""
    """Changes whenever the deployment is updated, even to the same values: that restarts the container too."""


class Endpoint(NamedTuple):
    """One online endpoint with its deployments."""

    name: str
    resource_id: str
    auth_mode: str
    """Key, AMLToken or AADToken."""
    traffic: Mapping[str, int]
    """Deployment to percent."""
    mirror_traffic: Mapping[str, int]
    public_network_access: bool
    identity: Identity
    deployments: Mapping[str, Deployment]


class Endpoints(Protocol):
    """The world, as the data plane asks it."""

    def endpoint(self, name: str) -> Endpoint | None:
        """The endpoint of that name, as it is now."""

    def accepts(self, endpoint: Endpoint, credential: str) -> bool:
        """Whether the bearer credential is a current key or token of the endpoint, or of someone who may score."""

    def list_secrets(self, principal: str, workspace: str, connection: str) -> int:
        """The status of `POST {workspace}/connections/{connection}/listsecrets` by that principal, now.

        200, 403 (no permission in effect yet, or no such scope that it may see), 404, 409 (a lock), 429, …
        """

    def now(self) -> dt.datetime:
        """The simulated time."""

    def log(self, endpoint: str, deployment: str, container: ContainerType, line: str) -> None:
        """Keep a line for `getLogs`."""


class Request(NamedTuple):
    """A request as the container gets it."""

    method: str
    path: str
    """With its leading slash."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Answer(NamedTuple):
    """What a container answers."""

    status: int
    body: bytes
    content_type: str = "application/json"
    latency_ms: float | None = None
    """How long it has to seem to take; None where it took its real time."""


class Container(Protocol):
    """What stands behind a deployment."""

    async def ready(self) -> bool:
        """Whether it listens: it has started, and not crashed since."""

    async def answer(self, request: Request) -> Answer:
        """Serve one request; only of a container that is ready."""

    async def close(self) -> None:
        """Stop it."""


# ------------------------------------------------------------------------------------------------- from ARM's bodies


def endpoint_from_arm(body: Mapping[str, Json], deployments: Mapping[str, Deployment], identity: Identity) -> Endpoint:
    """An endpoint from its ARM body; who its identities are is the directory's to say, not the body's."""
    properties = _mapping(body.get("properties"))
    return Endpoint(
        name=str(body["name"]),
        resource_id=str(body["id"]),
        auth_mode=str(properties.get("authMode", "Key")),
        traffic=_percentages(properties.get("traffic")),
        mirror_traffic=_percentages(properties.get("mirrorTraffic")),
        public_network_access=str(properties.get("publicNetworkAccess", "Enabled")).lower() != "disabled",
        identity=identity,
        deployments=deployments,
    )


def deployment_from_arm(body: Mapping[str, Json], simulation: Mapping[str, Json], folder: Path) -> Deployment:
    """A deployment from its ARM body. What the body leaves out has the service's defaults.

    The defaults (5 s, 1 request, 1 instance) are those of the managed online deployment's YAML reference.
    """
    properties, sku = _mapping(body.get("properties")), _mapping(body.get("sku"))
    settings = _mapping(properties.get("requestSettings"))
    variables = _mapping(properties.get("environmentVariables"))
    return Deployment(
        name=str(body["name"]),
        resource_id=str(body["id"]),
        provisioning_state=str(properties.get("provisioningState", "Succeeded")),
        environment_variables={name: str(value) for name, value in variables.items()},
        request_timeout=seconds(str(settings.get("requestTimeout") or "PT5S")),
        max_concurrent_requests=_positive(settings.get("maxConcurrentRequestsPerInstance")),
        instances=_positive(sku.get("capacity")),
        simulation=simulation,
        folder=folder,
        revision=str(_mapping(body.get("systemData")).get("lastModifiedAt", "")),
    )


_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


def seconds(duration: str) -> float:
    """An ISO 8601 duration as ARM writes it: "PT1M30S" is 90."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        message = f"{duration!r} is no duration such as PT1M30S"
        raise ValueError(message)
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def _percentages(value: Json) -> Mapping[str, int]:
    return {name: int(str(percent)) for name, percent in _mapping(value).items()}


def _positive(value: Json) -> int:
    return value if isinstance(value, int) and value > 0 else 1


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
