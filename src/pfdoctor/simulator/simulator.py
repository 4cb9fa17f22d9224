"""The simulator: a world, and the servers that let the real SDKs at it."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from aiohttp import web

from pfdoctor.simulator.arm import Arm
from pfdoctor.simulator.certificates import Authority
from pfdoctor.simulator.faults import Fault, fault_of
from pfdoctor.simulator.identity import HEADER, Identity
from pfdoctor.simulator.log import Request
from pfdoctor.simulator.scenario import Scenario
from pfdoctor.simulator.server import Front
from pfdoctor.simulator.tokens import Tokens

_Result = TypeVar("_Result")
_HOST = "127.0.0.1"


class Simulator:
    """An Azure on loopback, from `__enter__` to `__exit__`, in a thread of its own.

    `latency` is in seconds, for every answer. `port` is that of the TLS server; 0 takes a free one.
    """

    def __init__(self, scenario: Scenario, *, latency: float = 0.0, port: int = 0) -> None:
        self.scenario = scenario
        self.world = scenario.world()
        self.tokens = Tokens(self.world.tenant, self.world.clock)
        self._front = Front(self.world.clock.now, latency)
        self._front.faults = [fault_of(rule.get("match") or {}, rule["fault"]) for rule in self.world.faults]
        self._port = port
        self._folder = tempfile.TemporaryDirectory(prefix="pfdoctor-simulator-")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulator", daemon=True)
        self._runners: list[web.AppRunner] = []
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
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Close both ports and forget the certificates."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()
        self._folder.cleanup()

    async def _open(self) -> None:
        authority = Authority(Path(self._folder.name))
        self.ca_file = str(authority.ca_file)
        identity = Identity(self.world, self.tokens)
        plain = self._front.application(
            "identity",
            [
                web.get("/msi/token", identity.managed_identity),
                web.get("/msi/{principal}/token", identity.managed_identity),
            ],
        )
        port = await self._listen(plain)
        self.identity = f"http://{_HOST}:{port}/msi/token"
        arm = Arm(self.world, self.tokens, "PfdoctorSimulator")
        secure = self._front.application(
            "arm",
            [
                web.get("/{tenant}/v2.0/.well-known/openid-configuration", identity.configuration),
                web.get("/{tenant}/.well-known/openid-configuration", identity.configuration),
                web.post("/{tenant}/oauth2/v2.0/token", identity.token),
                web.route("*", "/{path:.*}", arm.handle),
            ],
        )
        port = await self._listen(secure, authority)
        self.arm = arm.base = f"https://{_HOST}:{port}"
        arm.name = f"PfdoctorSimulator{port}"

    async def _listen(self, application: web.Application, authority: Authority | None = None) -> int:
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.2)
        self._runners.append(runner)
        await runner.setup()
        port = self._port if authority else 0
        context = authority.server_context() if authority else None
        await web.TCPSite(runner, _HOST, port, ssl_context=context, backlog=1024).start()
        return int(runner.addresses[0][1])

    async def _close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        await self._front.close()

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
        self._front.faults.clear()

    def advance(self, seconds: float) -> None:
        """Put the simulated clock forward."""
        self.world.clock.advance(seconds)

    def dump(self) -> dict[str, Any]:
        """The state of the world as a scenario that loads again."""
        return self.run(self.world.dump)

    def run(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the simulator's thread, where nothing else touches the world meanwhile."""

        async def called() -> _Result:
            return function()

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result()
