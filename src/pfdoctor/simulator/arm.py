"""The management API: from an HTTP request to a handler and back."""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any

from aiohttp import web

from pfdoctor.simulator import (
    denies_and_locks,
    generic,
    graph,
    machine_learning,
    role_assignments,
    role_definitions,
    tenant,
)
from pfdoctor.simulator.call import Answer, Call
from pfdoctor.simulator.errors import ArmError
from pfdoctor.simulator.gateway import Gateway
from pfdoctor.simulator.ids import parse
from pfdoctor.simulator.lifecycle import Lifecycle
from pfdoctor.simulator.log import ONGOING
from pfdoctor.simulator.online import Online
from pfdoctor.simulator.operations import Operations
from pfdoctor.simulator.routing import Routes
from pfdoctor.simulator.throttle import Throttle
from pfdoctor.simulator.tokens import ARM_AUDIENCES, Tokens
from pfdoctor.simulator.world import World

_KINDS = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}
_GRAPH = "microsoft.resourcegraph"
_LOG = logging.getLogger(__name__)


class Arm:
    """Answers the calls of the management API for one world."""

    def __init__(self, world: World, tokens: Tokens, online: Online, gateway: Gateway) -> None:
        self.world = world
        self.tokens = tokens
        self.operations = Operations(world)
        self.base = online.base
        self._throttle = Throttle(world)
        self._routes = Routes()
        for module in (generic, role_definitions, role_assignments, denies_and_locks, machine_learning, tenant, graph):
            self._routes.include(module.routes)
        self._routes.include(Lifecycle(self.operations, online, gateway).routes)

    @property
    def audiences(self) -> frozenset[str]:
        return frozenset({self.base, *ARM_AUDIENCES})

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request; every error becomes an answer in ARM's form."""
        headers = {"x-ms-request-id": ONGOING.get().id, "x-ms-correlation-request-id": _correlation(request)}
        try:
            answer = await self._answer(request, headers)
        except ArmError as error:
            answer = Answer(error.status, error.body(), error.headers)
        except ConnectionError:
            # whoever asked went away in the middle of it, and reads no answer
            answer = Answer(499, None)
        except Exception:  # noqa: BLE001 - a fault of the simulator's own: logged, and answered as ARM would
            _LOG.exception("%s %s", request.method, request.path_qs)
            failure = ArmError(500, "InternalServerError", "The simulator failed at this request; its log says why.")
            answer = Answer(failure.status, failure.body())
        text = None if answer.body is None else json.dumps(answer.body)
        return web.Response(
            status=answer.status,
            text=text,
            headers={**headers, **answer.headers},
            content_type="application/json" if text is not None else None,
        )

    async def _answer(self, request: web.Request, headers: dict[str, str]) -> Answer:
        path = "/" + "/".join(segment for segment in request.path.split("/") if segment)
        query = {name.lower(): value for name, value in request.query.items()}
        if path.lower() == "/metadata/endpoints":
            return Answer(200, tenant.cloud_metadata(self.base, query.get("api-version", "")))
        claims = self.tokens.check(request.headers.get("Authorization"), self.audiences)
        principal = self.world.directory.get(claims["oid"])
        ONGOING.get().principal = claims["oid"]
        if principal is None:
            raise ArmError(
                401, "InvalidAuthenticationToken", "The access token is of a principal that no longer exists."
            )
        target = parse(path)
        kind = "graph" if target.type.lower() == _GRAPH else _KINDS.get(request.method, "writes")
        headers.update(self._throttle.take(target.subscription, principal.id, kind))
        await self.operations.settle()
        call = Call(
            world=self.world,
            method="GET" if request.method == "HEAD" else request.method,
            target=target,
            query=query,
            headers=request.headers,
            principal=principal,
            base=self.base,
            path=path,
            body=await _body(request),
            known={"tokens": self.tokens, "operations": self.operations},
        )
        return self._routes.answer(call)


def _correlation(request: web.Request) -> str:
    return request.headers.get("x-ms-correlation-request-id") or str(uuid.uuid4())


async def _body(request: web.Request) -> Any:
    if not request.can_read_body:
        return None
    data = await request.read()
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError:
        raise ArmError(
            400, "InvalidRequestContent", "The request content was invalid and could not be deserialized."
        ) from None
