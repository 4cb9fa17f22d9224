"""The simulator: a world, and the servers that let the real SDKs at it."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

from aiohttp import web

from pfdoctor.simulator.arm import Arm
from pfdoctor.simulator.certificates import Authority
from pfdoctor.simulator.container import StandIn
from pfdoctor.simulator.dataplane import Endpoint
from pfdoctor.simulator.faults import Fault, fault_of
from pfdoctor.simulator.front import Front
from pfdoctor.simulator.gateway import Gateway, Serving
from pfdoctor.simulator.identity import HEADER, Identity
from pfdoctor.simulator.log import Request
from pfdoctor.simulator.online import Online
from pfdoctor.simulator.promptflow_server import PYTHON_VARIABLE, PromptflowServing, Surroundings
from pfdoctor.simulator.proxy import ConnectProxy
from pfdoctor.simulator.scenario import Scenario, ScenarioError
from pfdoctor.simulator.tokens import Tokens

_Result = TypeVar("_Result")
_HOST = "127.0.0.1"
_MANAGEMENT = "management.azure.com"


class Simulator:
    """An Azure on loopback, from `__enter__` to `__exit__`, in a thread of its own.

    `latency` is in seconds, for every answer. `port` is that of the TLS server; 0 takes a free one. With `serving`
    "promptflow", the deployments whose `simulation` names a flow are served by the real app, run by the interpreter
    that PFDOCTOR_PROMPTFLOW_PYTHON names.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        latency: float = 0.0,
        port: int = 0,
        serving: Literal["standin", "promptflow"] = "standin",
    ) -> None:
        self.scenario = scenario
        self.world = scenario.world()
        self.tokens = Tokens(self.world.tenant, self.world.clock)
        self._front = Front(self.world.clock.now, latency)
        self._front.faults = [fault_of(rule.get("match") or {}, rule["fault"]) for rule in self.world.faults]
        self._port = port
        self._serving = serving
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._runners: list[web.AppRunner] = []
        self._sockets: list[socket.socket] = []
        self._gateway: Gateway | None = None
        self._proxy: ConnectProxy | None = None
        self._arm: Arm | None = None
        self.arm = ""
        self.identity = ""
        self.ca_file = ""

    # ------------------------------------------------------------------------------------------------------- serving

    def __enter__(self) -> Simulator:  # noqa: PYI034 - typing.Self came with Python 3.11
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Make the certificates and open both ports."""
        self._folder = tempfile.TemporaryDirectory(prefix="pfdoctor-simulator-")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulator", daemon=True)
        self._thread.start()
        try:
            self._await(self._open(Path(self._folder.name)))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Close both ports and forget the certificates."""
        if self._loop is None or self._thread is None or self._folder is None:
            return
        self._await(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = None
        self._folder.cleanup()

    def _await(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Have the simulator's thread do something, and wait for it."""
        if self._loop is None:
            work.close()
            raise RuntimeError("the simulator is not running")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self, folder: Path) -> None:
        authority = Authority(folder)
        self.ca_file = str(authority.ca_file)
        identity = Identity(self.world, self.tokens)
        plain = self._bind(0)
        self.identity = f"http://{_HOST}:{plain.getsockname()[1]}/msi/token"
        secure = self._bind(self._port)
        port = secure.getsockname()[1]
        self.arm = f"https://{_HOST}:{port}"
        online = Online(self.world, self.tokens, self.scenario.folder, self.arm)
        self._gateway = Gateway(online, await self._behind(authority, identity, port))
        self._arm = Arm(self.world, self.tokens, online, self._gateway)
        await self._serve(
            plain,
            self._front.application(
                "identity",
                [
                    web.get("/msi/token", identity.managed_identity),
                    web.get("/msi/{principal}/token", identity.managed_identity),
                ],
            ),
        )
        await self._serve(
            secure,
            self._front.application(
                "arm",
                [
                    web.get("/{tenant}/v2.0/.well-known/openid-configuration", identity.configuration),
                    web.get("/{tenant}/.well-known/openid-configuration", identity.configuration),
                    web.post("/{tenant}/oauth2/v2.0/token", identity.token),
                    *self._gateway.routes(),
                    web.route("*", "/{path:.*}", self._arm.handle),
                ],
            ),
            authority,
        )

    async def _behind(self, authority: Authority, identity: Identity, port: int) -> Serving:
        """What stands behind the endpoints: stand-ins, or the real serving app with a proxy as its only way out."""
        if self._serving == "standin":
            return StandIn
        python = os.environ.get(PYTHON_VARIABLE)
        if not python:
            raise ScenarioError(f"{PYTHON_VARIABLE} has to name the interpreter of an environment with promptflow")
        self._proxy = ConnectProxy({f"{_MANAGEMENT}:443": (_HOST, port)})
        await self._proxy.start()

        def variables(endpoint: Endpoint) -> Mapping[str, str]:
            return {"IDENTITY_ENDPOINT": self.identity, "IDENTITY_HEADER": identity.header_of(endpoint)}

        return PromptflowServing(Surroundings(python, self._proxy.url, authority.ca_file, variables))

    async def _serve(
        self, listening: socket.socket, application: web.Application, authority: Authority | None = None
    ) -> None:
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.2)
        self._runners.append(runner)
        await runner.setup()
        context = authority.server_context(_MANAGEMENT) if authority else None
        await web.SockSite(runner, listening, ssl_context=context, backlog=1024).start()

    def _bind(self, port: int) -> socket.socket:
        listening = socket.create_server((_HOST, port), backlog=1024)
        self._sockets.append(listening)
        return listening

    async def _close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        for listening in self._sockets:  # those that no server has taken over, where the start failed half way
            listening.close()
        if self._gateway is not None:
            await self._gateway.close()
        if self._proxy is not None:
            await self._proxy.close()
        await self._front.close()
        # an answer that was to come late, or never, still waits
        late = asyncio.all_tasks() - {asyncio.current_task()}
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    # --------------------------------------------------------------------------------------------- what others rely on

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make any Azure SDK program talk to this simulator, signed in as the scenario's caller."""
        return {
            "IDENTITY_ENDPOINT": self.identity,
            "IDENTITY_HEADER": HEADER,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "REQUESTS_CA_BUNDLE": self.ca_file,
            "SSL_CERT_FILE": self.ca_file,
            "ARM_CLOUD_METADATA_URL": f"{self.arm}/metadata/endpoints?api-version=2019-05-01",
            "AZURE_AUTHORITY_HOST": self.arm,
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def environment_of(self, principal: str) -> dict[str, str]:
        """The same for another principal (object id), such as an endpoint's identity."""
        return {**self.environment, "IDENTITY_ENDPOINT": self.identity.replace("/token", f"/{principal}/token")}

    @property
    def requests(self) -> list[Request]:
        """Everything that was asked so far, in the order in which it was answered."""
        return self._front.requests

    def inject(self, match: Mapping[str, Any], fault: str | Mapping[str, Any]) -> Fault:
        """Have a fault strike the calls that match; see `faults`. The rule returned counts its `hits`."""
        rule = fault_of(match, fault)
        self._front.faults.append(rule)
        return rule

    def clear_faults(self) -> None:
        """Let everything through again."""
        self._front.faults.clear()

    def advance(self, seconds: float) -> None:
        """Put the simulated clock forward, and finish the operations that are due by then."""
        self.world.clock.advance(seconds)
        if self._arm is not None:
            self._await(self._arm.operations.settle())

    def dump(self) -> dict[str, Any]:
        """The state of the world as a scenario that loads again; also before it runs and afterwards."""
        return self.world.dump() if self._loop is None else self.run(self.world.dump)

    def run(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the simulator's thread, where nothing else touches the world meanwhile."""

        async def called() -> _Result:
            return function()

        return self._await(called())
