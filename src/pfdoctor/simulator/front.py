"""What every request passes through first, whichever port it came to."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import uuid
import weakref
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from aiohttp import web

from pfdoctor.simulator.faults import Fault
from pfdoctor.simulator.log import ONGOING, Ongoing, Request

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PAGE = """<!DOCTYPE html><html><head><title>Access blocked</title></head><body>
<h1>Access blocked</h1><p>The proxy of your organisation has blocked this request.</p></body></html>"""


class Front:
    """What happens to every request: it is given an id, delayed, perhaps struck by a fault, answered and logged."""

    def __init__(self, now: Callable[[], float], latency: float) -> None:
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.latency = latency
        self._now = now
        self._connections: weakref.WeakSet[asyncio.BaseTransport] = weakref.WeakSet()

    def application(self, server: str, routes: list[web.RouteDef]) -> web.Application:
        """An aiohttp application with these routes behind the front."""

        @web.middleware
        async def front(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._serve(server, request, handler)

        application = web.Application(middlewares=[front], client_max_size=64 * 1024 * 1024)
        application.add_routes(routes)
        application.on_response_prepare.append(self._dated)
        return application

    async def _dated(self, _: web.Request, response: web.StreamResponse) -> None:
        """The answer's `Date` is the simulated time, for a client must not learn that there is another."""
        response.headers["Date"] = formatdate(self._now(), usegmt=True)

    async def _serve(self, server: str, request: web.Request, handler: Handler) -> web.StreamResponse:
        ongoing = Ongoing(str(uuid.uuid4()))
        ONGOING.set(ongoing)
        if request.transport is not None:
            self._connections.add(request.transport)
        fault = next((rule for rule in self.faults if rule.strikes(request.method, request.path_qs)), None)
        status, done, started = 0, 0, self._now()

        async def carried_out(asked: web.Request) -> web.StreamResponse:
            nonlocal done
            answer = await handler(asked)
            done = answer.status
            return answer

        try:
            if self.latency:
                await asyncio.sleep(self.latency)
            response = await (self._struck(fault, request, carried_out) if fault else carried_out(request))
            status = response.status
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            self.requests.append(
                Request(
                    "online" if request.path.startswith("/online/") else server,
                    request.method,
                    request.path,
                    request.query_string,
                    request.query.get("api-version", ""),
                    ongoing.principal,
                    status,
                    ongoing.id,
                    started,
                    fault.kind if fault else "",
                    done,
                )
            )
        return response

    async def close(self) -> None:
        """Cut the connections that clients keep open. TLS would otherwise wait half a minute for their farewell."""
        for transport in list(self._connections):
            if isinstance(transport, asyncio.Transport):
                transport.abort()
        for _ in range(3):  # the loop needs a turn to close the socket below the TLS
            await asyncio.sleep(0)

    async def _struck(self, fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
        details, headers = fault.details, {"x-ms-request-id": ONGOING.get().id}
        if fault.kind in {"reset", "close", "lost"}:
            if fault.kind == "lost":
                await handler(request)
            _cut(request, reset=fault.kind == "reset")
            raise asyncio.CancelledError
        if fault.kind in {"hang", "hang-after"}:
            if fault.kind == "hang-after":
                await handler(request)
            await self._hang(fault, request)
            raise asyncio.CancelledError
        if fault.kind in {"status", "throttled"}:
            status = 429 if fault.kind == "throttled" else int(details.get("status", 500))
            wait = details.get("retry_after", 1 if fault.kind == "throttled" else None)
            code = details.get("code", "SubscriptionRequestsThrottled" if status == 429 else "InternalServerError")
            body = {"error": {"code": code, "message": details.get("message", "A fault that was put in on purpose.")}}
            extra = {} if wait is None else {"Retry-After": str(wait)}
            return web.json_response(body, status=status, headers={**headers, **extra})
        if fault.kind == "malformed":
            return web.Response(text='{"value": [{"id": ', content_type="application/json", headers=headers)
        if fault.kind == "html":
            return web.Response(text=_PAGE, status=int(details.get("status", 403)), content_type="text/html")
        if fault.kind == "empty":
            return web.Response(headers=headers, content_type="application/json")
        if fault.kind == "wrong-type":
            return web.json_response(details.get("body", []), headers=headers)
        if fault.kind == "slow":
            await asyncio.sleep(float(details.get("seconds", 5.0)))
            return await handler(request)
        return await self._bent(fault, request, await handler(request))

    async def _hang(self, fault: Fault, request: web.Request) -> None:
        """Until the client has gone, the fault has been cleared, or the seconds are over that it names."""
        fault.held += 1
        loop = asyncio.get_running_loop()
        end = loop.time() + float(fault.details.get("seconds", 3600.0))
        while request.transport is not None and not request.transport.is_closing() and fault in self.faults:
            if loop.time() > end:
                break
            await asyncio.sleep(0.005)
        _cut(request, reset=False)

    async def _bent(self, fault: Fault, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        """A true answer that breaks off, or whose next page is itself."""
        data: Any = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b"{}"
        if fault.kind == "page-loop":
            body = json.loads(data)
            body["nextLink"] = str(request.url)
            return web.json_response(body, status=response.status)
        broken = web.StreamResponse(status=response.status, headers={"Content-Type": "application/json"})
        broken.content_length = len(data) + 1000
        await broken.prepare(request)
        await broken.write(data[: max(1, len(data) // 2)])
        _cut(request, reset=False)
        raise asyncio.CancelledError


def _cut(request: web.Request, *, reset: bool) -> None:
    transport = request.transport
    if transport is None:
        return
    if reset:
        raw = transport.get_extra_info("socket")
        # No lingering: closing then sends a reset instead of an orderly end.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
