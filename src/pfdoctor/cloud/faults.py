"""What went wrong with a request, as the reason why something is unknown: a stable code and a sentence."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import zlib
from collections.abc import Iterable
from typing import Any

import aiohttp
from azure.core.exceptions import (
    AzureError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseTimeoutError,
)

from pfdoctor.cloud.errors import ProxyError
from pfdoctor.cloud.pacing import ClosedError
from pfdoctor.cloud.proxy import EXPECTED, named_proxy
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

_ACTION = Pattern(r"perform action '([^'\s]{1,200})'")
_LONGEST = 400


def of_answer(status: int, content_type: str, text: str, permission: str | None) -> Unknown:
    """Why an answer with an error status tells nothing. `permission` is the operation that the request needs."""
    body = _json(text)
    if body is None and is_html(content_type, text):
        detail = f"{status} with an HTML page: a proxy or sign-in page answered, not Azure"
        return Unknown("html", detail)
    code, message = error_of(body)
    told = f"{code}: {message}" if code and message else code or message or "no reason was given"
    told = " ".join(told.split())[:_LONGEST]
    if status == 401:
        return Unknown("unauthenticated", f"the token was not accepted (401, {told})")
    if status == 403:
        named = _ACTION.search(message or "")
        return Unknown("forbidden", f"may not be read (403, {told})", named[1] if named is not None else permission)
    if status == 404:
        return Unknown("not-found", f"is not there (404, {told})")
    if status == 409:
        return Unknown("conflict", f"could not be read at this moment (409, {told})")
    if status == 429:
        return Unknown("throttled", f"Azure answered 429 again and again ({told})")
    if status >= 500:
        return Unknown("server-error", f"the service failed ({status}, {told})")
    if 300 <= status < 400:
        return Unknown("redirected", f"{status} to another address, which is not followed")
    return Unknown("refused", f"the request was refused ({status}, {told})")


def of_body(content_type: str, text: str) -> Unknown:
    """Why the body of a good answer is no JSON."""
    if not text.strip():
        return Unknown("empty", "the answer was empty")
    if is_html(content_type, text):
        return Unknown("html", "200 with an HTML page: a proxy or sign-in page answered, not Azure")
    return Unknown("malformed", "the answer was cut off or is no JSON")


def of_error(error: BaseException) -> Unknown:
    """Why no answer came."""
    if isinstance(error, ClosedError):
        return Unknown("throttled", str(error))
    if isinstance(error, asyncio.TimeoutError | ServiceResponseTimeoutError | ServiceRequestTimeoutError):
        return Unknown("timeout", "no answer in time")
    if isinstance(error, zlib.error):
        return Unknown("malformed", "the answer was compressed badly")
    if isinstance(error, IncompleteReadError):
        return Unknown("truncated", "the answer was cut off")
    chain = list(_chain(error))
    if any(isinstance(one, aiohttp.ClientConnectorCertificateError | ssl.SSLError) for one in chain):
        cause = next(one for one in chain if isinstance(one, aiohttp.ClientConnectorCertificateError | ssl.SSLError))
        what = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or "no trusted certificate"
        detail = f"the TLS connection failed ({what}): set REQUESTS_CA_BUNDLE to the authorities of your proxy"
        return Unknown("tls", detail)
    by_proxy = _of_proxy(chain)
    if by_proxy is not None:
        return by_proxy
    if any(isinstance(one, socket.gaierror | aiohttp.ClientConnectorDNSError) for one in chain):
        return Unknown("dns", "the name of the host is not known here (DNS)")
    if any(isinstance(one, aiohttp.ClientPayloadError) for one in chain):
        return Unknown("truncated", "the answer was cut off")
    if any(isinstance(one, aiohttp.ClientConnectorError | ConnectionRefusedError) for one in chain):
        return Unknown("unreachable", "no connection could be made")
    if any(isinstance(one, aiohttp.ServerDisconnectedError | ConnectionError | aiohttp.ClientOSError) for one in chain):
        return Unknown("connection-reset", "the connection was closed before the answer")
    if isinstance(error, ServiceRequestError):
        return Unknown("unreachable", "no connection could be made")
    return Unknown("transport", f"no usable answer ({type(error).__name__})")


def _of_proxy(chain: Iterable[BaseException]) -> Unknown | None:
    """Why the proxy let nothing through, where it was the proxy."""
    try:
        proxy = named_proxy()
    except ProxyError:
        # nothing was sent to it: NO_PROXY spared the host
        return None
    if proxy is None:
        return None
    for one in chain:
        if isinstance(one, aiohttp.ClientHttpProxyError):
            return Unknown("proxy", f"the proxy {proxy} answered {one.status} instead of connecting")
        if isinstance(one, aiohttp.ClientConnectorDNSError) and one.host == proxy.host:
            return Unknown("proxy", f"the name of the proxy {proxy} is not known here (DNS); {EXPECTED}")
        if isinstance(one, aiohttp.ClientProxyConnectionError):
            return Unknown("proxy", f"the proxy {proxy} could not be connected to")
    return None


def error_of(body: Json) -> tuple[str | None, str | None]:
    """The code and message of an error as Azure writes it: `{"error": {"code", "message"}}`, wrapped or not."""
    inner = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(inner, str):
        return None, inner
    if not isinstance(inner, dict):
        return None, None
    code, message = inner.get("code"), inner.get("message") or inner.get("Message")
    return code if isinstance(code, str) else None, message if isinstance(message, str) else None


def is_html(content_type: str, text: str) -> bool:
    """Whether an answer is a page for people."""
    return "html" in content_type.lower() or text.lstrip()[:1] == "<"


def _json(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _chain(error: BaseException | None) -> Any:
    """The error and all that it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, aiohttp.ClientConnectorError):
            yield error.os_error
        inner = getattr(error, "inner_exception", None) if isinstance(error, AzureError) else None
        error = inner or error.__cause__ or error.__context__
