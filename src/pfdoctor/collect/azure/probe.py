"""What the endpoint answers, asked only with `--probe`: a few GETs, and one POST to score only with `--probe-score`.

The gateway's headers are those of Microsoft Learn, "HTTP status codes for online endpoints": it answers 424 when the
container did not answer well, and says in ms-azureml-model-error-statuscode what the container said.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from azure.core.exceptions import AzureError
from azure.core.pipeline import AsyncPipeline
from azure.core.rest import HttpRequest

from pfdoctor.cloud import faults
from pfdoctor.cloud.address import https_parts
from pfdoctor.cloud.errors import AuthenticationError
from pfdoctor.cloud.reader import Reader
from pfdoctor.collect.azure import versions
from pfdoctor.collect.azure.arm_id import ML
from pfdoctor.core.model import Json, Source, Unknown
from pfdoctor.core.pattern import Pattern
from pfdoctor.core.redact import redact_text

_HEALTH_REQUESTS = 5
_HEADER = "azureml-model-deployment"
_MESSAGE = 500
_MOST_FIELDS = 200
_GUIDE = Pattern(r"\s*Please check this guide to understand why this error code might have been returned.*", re.DOTALL)
"""What the gateway appends to the body of every error: a sentence and an address that belong to no message."""


def not_asked(endpoint: str) -> Unknown:
    """Why nothing is known of what the endpoint answers: nobody allowed to call it."""
    command = f"pfdoctor diagnose --endpoint {endpoint} --probe"
    return Unknown("not-asked", "the endpoint was not called: that takes --probe", collect_command=command)


def not_scored(endpoint: str) -> Unknown:
    """Why nothing is known of how the endpoint scores: nobody gave a request."""
    command = f"pfdoctor diagnose --endpoint {endpoint} --probe-score FILE"
    return Unknown("not-asked", "the endpoint was not scored: that takes --probe-score FILE", collect_command=command)


class Address(NamedTuple):
    """Where an endpoint answers: host and port, and the path that stands before its routes."""

    host: str
    path: str

    @property
    def base(self) -> str:
        return f"https://{self.host}{self.path}"

    @staticmethod
    def of(scoring_uri: Json) -> Address | None:
        """The address of a scoring URI; None where it is no https address that ends in /score."""
        parts = https_parts(scoring_uri)
        if parts is None:
            return None
        return Address(parts.netloc.lower(), parts.path.rstrip("/").removesuffix("/score"))


class Answer(NamedTuple):
    """One answer of the endpoint, or why there is none."""

    facts: Json
    status: int
    milliseconds: float


class Prober:
    """Calls one deployment. `key` authorises the calls; without it only the one without a key is made."""

    def __init__(
        self, pipeline: AsyncPipeline[Any, Any], address: Address, now: Callable[[], str], key: str | Unknown
    ) -> None:
        self._pipeline = pipeline
        self._address = address
        self._now = now
        self._key = key

    async def probe(self, endpoint: str, deployment: str, score: bytes | None) -> dict[str, Json]:
        """The facts `data_plane`. `score` is the body of the one POST to /score; without it none is made."""
        key, unscored = self._key, not_scored(endpoint).to_json()
        unauthenticated = await self._ask("/swagger.json", {})
        facts: dict[str, Json] = {"unauthenticated": unauthenticated.facts}
        if isinstance(key, Unknown):
            names = ("swagger", "swagger_with_header", "health", "version", "score", "score_latency", "health_latency")
            return facts | dict.fromkeys(names, key.to_json())
        own = {"Authorization": f"Bearer {key}"}
        to_deployment = {**own, _HEADER: deployment}
        swagger, with_header, version = await asyncio.gather(
            self._ask("/swagger.json", own),
            self._ask("/swagger.json", to_deployment),
            self._ask("/version", to_deployment),
        )
        # one after the other: what is measured is an endpoint that has nothing else of ours to do
        healths = [await self._ask("/health", to_deployment)]
        while healths[-1].status and len(healths) < _HEALTH_REQUESTS:
            healths.append(await self._ask("/health", to_deployment))
        facts |= {
            "swagger": swagger.facts,
            "swagger_with_header": with_header.facts,
            "version": version.facts,
            "health": healths[-1].facts,
            "health_latency": latency_of(healths),
            "score": unscored,
            "score_latency": unscored,
        }
        if score is not None:
            scored = await self._ask("/score", to_deployment, score)
            facts |= {"score": scored.facts, "score_latency": latency_of([scored])}
        return facts

    async def _ask(self, route: str, headers: Mapping[str, str], content: bytes | None = None) -> Answer:
        url = self._address.base + route
        request = HttpRequest("GET", url, headers=dict(headers))
        if content is not None:
            own = {**headers, "Content-Type": "application/json"}
            request = HttpRequest("POST", url, headers=own, content=content)
        begun = time.perf_counter()
        source = Source(url, None, 0, None, self._now(), request.method)
        try:
            response = (await self._pipeline.run(request)).http_response
        except (AzureError, asyncio.TimeoutError, zlib.error) as error:
            why = faults.of_error(error)
            return Answer({**why._replace(detail=f"{url}: {why.detail}").to_json(), "$source": source}, 0, 0.0)
        took = (time.perf_counter() - begun) * 1000
        told = response.headers
        source = source._replace(status=response.status_code, request_id=told.get("x-ms-request-id"))
        status = told.get("ms-azureml-model-error-statuscode")
        facts: dict[str, Json] = {
            "url": url,
            "deployment_header": headers.get(_HEADER),
            "status": response.status_code,
            "model_status": int(status) if status is not None and status.isdecimal() else None,
            "model_reason": told.get("ms-azureml-model-error-reason"),
            "deployment": told.get(_HEADER),
            "content_type": told.get("Content-Type"),
            "latency_ms": round(took, 1),
            "$source": source,
        }
        text = response.content.decode("utf-8-sig", "replace")
        if isinstance(self._key, str):
            text = text.replace(self._key, "[redacted: endpoint key]")  # an app may repeat what it was sent
        return Answer({**facts, **_body(text, facts["content_type"] or "")}, response.status_code, took)


def latency_of(answers: list[Answer]) -> Json:
    """n, p50, p95 and max of the answers that were successful, by the nearest rank; null when none was."""
    times = sorted(one.milliseconds for one in answers if 200 <= one.status < 300)
    if not times:
        return None

    def rank(share: float) -> float:
        return round(times[max(0, math.ceil(share * len(times)) - 1)], 1)

    return {"n": len(times), "p50": rank(0.5), "p95": rank(0.95), "max": round(times[-1], 1)}


def _body(text: str, content_type: str) -> dict[str, Json]:
    names = "error_code error_message flow_name version request_fields required_fields response_fields".split()
    facts: dict[str, Json] = dict.fromkeys(names)
    text = _GUIDE.sub("", text)
    try:
        body, _ = json.JSONDecoder().raw_decode(text.lstrip())
        # the gateway may add more behind the body of an error; behind anything else it makes the whole a text
        body = body if isinstance(body, dict) else json.loads(text)
    except (ValueError, RecursionError):
        kind = "html" if "html" in content_type.lower() or text.lstrip()[:1] == "<" else "text"
        shown = None if kind == "html" else redact_text(text[:_MESSAGE]) or None
        return {**facts, "body_kind": kind if text.strip() else "empty", "error_message": shown}
    code, message = faults.error_of(body)
    facts |= {"error_code": code, "error_message": redact_text(message[:_MESSAGE]) if message else None}
    if not isinstance(body, dict) or "paths" not in body or not ("openapi" in body or "swagger" in body):
        version = body.get("version") if isinstance(body, dict) else None
        return {**facts, "body_kind": "json", "version": version if isinstance(version, str) else None}
    info = body.get("info")
    flow = info.get("x-flow-name") if isinstance(info, dict) else None
    request, required = _fields(body, "requestBody")
    return {
        **facts,
        "body_kind": "openapi",
        "flow_name": flow if isinstance(flow, str) else None,
        "request_fields": request,
        "required_fields": required,
        "response_fields": _fields(body, "responses", "200")[0],
    }


def _fields(body: dict[str, Json], *path: str) -> tuple[Json, Json]:
    """The fields of what /score takes or gives, and those that are required; null where the schema does not say."""
    node: Json = body
    for key in ("paths", "/score", "post", *path, "content", "application/json", "schema"):
        node = node.get(key) if isinstance(node, dict) else None
    properties = node.get("properties") if isinstance(node, dict) else None
    if not isinstance(properties, dict):
        return None, None
    required = node.get("required")
    wanted = [one for one in required if isinstance(one, str)] if isinstance(required, list) else []
    return [str(one) for one in properties][:_MOST_FIELDS], wanted[:_MOST_FIELDS]


def key_action(auth_mode: Json) -> str | None:
    """The one POST that obtains what authorises calls of the endpoint; None where the login itself does."""
    return {"key": "listKeys", "aml_token": "token"}.get(auth_mode) if isinstance(auth_mode, str) else None


async def endpoint_key(reader: Reader, endpoint: str, auth_mode: Json, login: Callable[[], Any]) -> str | Unknown:
    """What authorises calls of the endpoint, kept in memory alone. `login` gives a token of our own."""
    if auth_mode == "aad_token":
        try:
            token: str = (await login()).token
        except AuthenticationError as error:  # the login reads Azure, and may still not be meant for endpoints
            return Unknown("unauthenticated", f"no token for the endpoint: {error}")
        return token
    action = key_action(auth_mode)
    if action is None:
        return Unknown("unknown-auth-mode", f"the endpoint's authentication {auth_mode!r} is not known")
    needed = f"{ML}/workspaces/onlineEndpoints/{action}/action"
    reading = await reader.post(f"{endpoint}/{action}", versions.ENDPOINT, None, needed)
    if reading.body is None:
        why = reading.unknown or Unknown("not-collected", "not collected")
        # no command to make the same request by hand: it would print the key
        return why._replace(detail=f"the key that calls the endpoint: {why.detail}", collect_command=None)
    key = reading.body.get("primaryKey" if action == "listKeys" else "accessToken")
    return key if isinstance(key, str) else Unknown("wrong-type", f"{action} gave no key")
