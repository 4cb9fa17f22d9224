"""The way to Azure that may write. Only what applies and undoes plans imports it.

What may leave beside reads is a short list of requests, one for each kind of step. Nothing is tried twice here: whether
a request whose answer was lost took effect is decided by who reads the resource again (apply/azure.py).
"""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from azure.core.exceptions import AzureError
from azure.core.pipeline import AsyncPipeline
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy
from azure.core.rest import HttpRequest

from pfdoctor.cloud import faults
from pfdoctor.cloud.address import https_parts
from pfdoctor.cloud.clouds import Cloud
from pfdoctor.cloud.credentials import Credential
from pfdoctor.cloud.guard import Guard
from pfdoctor.cloud.pacing import PacingPolicy
from pfdoctor.cloud.pipeline import GuardedTransport, Limits, headers
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern
from pfdoctor.core.redact import redact_text

_SAFE = "/()$',:@"
_SEGMENT = r"[^/?#\\]+"
_WORKSPACE = (
    rf"/subscriptions/{_SEGMENT}/resourceGroups/{_SEGMENT}/providers/Microsoft\.MachineLearningServices"
    rf"/workspaces/{_SEGMENT}"
)
_ASSIGNMENT = rf"/subscriptions/.+/providers/Microsoft\.Authorization/roleAssignments/{_SEGMENT}"
_WRITES = tuple(
    (method, Pattern(rf"{path}\Z", re.IGNORECASE))
    for method, path in (
        ("PUT", _ASSIGNMENT),
        ("DELETE", _ASSIGNMENT),
        ("PUT", rf"{_WORKSPACE}/environments/{_SEGMENT}/versions/{_SEGMENT}"),
        ("PUT", rf"{_WORKSPACE}/onlineEndpoints/{_SEGMENT}"),
        ("PUT", rf"{_WORKSPACE}/onlineEndpoints/{_SEGMENT}/deployments/{_SEGMENT}"),
        ("POST", rf"/subscriptions/{_SEGMENT}/providers/{_SEGMENT}/register"),
        ("POST", rf"{_WORKSPACE}/resynckeys"),
    )
)


class WriteGuard(Guard):
    """Of Azure Resource Manager: reads, and the few writes that the steps of a plan are made of."""

    def _allows(self, method: str, path: str) -> bool:
        return any(method == one and pattern.match(path) for one, pattern in _WRITES)


class Answer(NamedTuple):
    """What a request came to. `status` is None where no answer came; `why` says what is wrong with it.

    `code` is the error code of Azure; `wait` the seconds that the service asks to wait; `operation` the address that
    tells how a long-running operation goes on.
    """

    status: int | None
    body: dict[str, Json] | None = None
    etag: str | None = None
    code: str | None = None
    why: Unknown | None = None
    wait: float | None = None
    operation: str | None = None

    @property
    def good(self) -> bool:
        return self.status is not None and self.status < 300

    @property
    def missing(self) -> bool:
        return self.status == 404

    @property
    def open(self) -> bool:
        """Whether nobody can tell if the request took effect."""
        return self.status is None or self.status >= 500 or self.status == 408


class Wire:
    """Sends single requests to one Azure Resource Manager, and tells what came of each."""

    def __init__(self, pipeline: AsyncPipeline[Any, Any], cloud: Cloud, limits: Limits) -> None:
        self._pipeline = pipeline
        self._cloud = cloud
        self._limits = limits

    async def sleep(self, seconds: float) -> None:
        await self._limits.sleep(seconds)

    async def send(
        self,
        method: str,
        path: str,
        api_version: str,
        body: Json = None,
        etag: str | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request to a path below Azure Resource Manager. `etag` goes with If-Match."""
        encoded = urlencode({**(query or {}), "api-version": api_version}, quote_via=quote, safe=_SAFE)
        url = f"{self._cloud.resource_manager}{quote(path, safe=_SAFE)}?{encoded}"
        return await self._send(method, url, body, {"If-Match": etag} if etag else {})

    async def follow(self, url: str) -> Answer:
        """A read of an address that the service named; only one of its own is asked."""
        parts = https_parts(url)
        if parts is None or parts.netloc.lower() != self._cloud.host:
            return Answer(None, why=Unknown("foreign-page", f"{url} is not at {self._cloud.host}"))
        return await self._send("GET", url, None, {})

    async def _send(self, method: str, url: str, body: Json, more: dict[str, str]) -> Answer:
        request = HttpRequest(method, url, json=body, headers=more) if body is not None else HttpRequest(method, url)
        for name, value in more.items():
            request.headers[name] = value
        try:
            ran = await asyncio.wait_for(self._pipeline.run(request), self._limits.request)
        except (AzureError, asyncio.TimeoutError, zlib.error) as error:
            return Answer(None, why=faults.of_error(error))
        response = ran.http_response
        try:
            text = response.content.decode("utf-8-sig", "replace")
        except (AzureError, zlib.error) as error:
            return Answer(None, why=faults.of_error(error))
        return _answer(response, text)


def _answer(response: Any, text: str) -> Answer:
    try:
        value = json.loads(text) if text.strip() else None
    except (ValueError, RecursionError):
        value = None
    said = value if isinstance(value, dict) else None
    names = response.headers
    etag = names.get("ETag") or (said.get("etag") if said is not None else None)
    answer = Answer(
        response.status_code,
        said,
        etag if isinstance(etag, str) else None,
        wait=_wait(names),
        operation=names.get("Azure-AsyncOperation"),
    )
    if response.status_code < 300:
        return answer
    why = faults.of_answer(response.status_code, names.get("Content-Type", ""), text, None)
    return answer._replace(code=faults.error_of(value)[0], why=why._replace(detail=redact_text(why.detail)))


def _wait(names: Any) -> float | None:
    for name, unit in (("x-ms-retry-after-ms", 1000.0), ("Retry-After", 1.0)):
        text = names.get(name)
        if text is not None and text.isdecimal() and len(text) < 10:
            return int(text) / unit
    return None


def writing_pipeline(
    cloud: Cloud, credential: Credential, environment: Mapping[str, str], limits: Limits
) -> AsyncPipeline[Any, Any]:
    """The pipeline to Azure Resource Manager through which the writes of a plan may leave."""
    policies = [
        *headers(),
        AsyncBearerTokenCredentialPolicy(credential, cloud.arm_scope, enable_cae=True),
        PacingPolicy(limits.sleep, limits.clock),
    ]
    return AsyncPipeline(GuardedTransport(WriteGuard(cloud.host), limits, environment), policies)
