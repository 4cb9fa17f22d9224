"""The real prompt flow serving app behind a deployment, in a process and a virtual environment of its own.

It is started as the image starts it (gunicorn, `create_app(extension_type="azureml")`), with the environment that the
platform gives a container: the deployment's variables, its resource id, the model folder, the identity endpoint. Three
things differ: it listens on a free port of loopback, its way to Azure is a proxy that knows only this simulator, and
when it ends it stays down until the deployment is updated (the platform would start it again and again).
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import aiohttp

from pfdoctor.simulator.container import StandIn
from pfdoctor.simulator.dataplane import Answer, Container, Deployment, Endpoint, Endpoints, Request

PYTHON_VARIABLE = "PFDOCTOR_PROMPTFLOW_PYTHON"
"""Names the interpreter of a virtual environment with promptflow-core[azureml-serving] and gunicorn."""

_LISTENING = re.compile(r"Listening at: (http://127\.0\.0\.1:\d+)")
_STOPPING = 5.0  # seconds that gunicorn gets to end its workers


class Surroundings(NamedTuple):
    """What the process needs of the simulator it runs in."""

    python: str
    proxy: str
    """The URL of the `ConnectProxy`."""
    ca_file: Path
    identity: Callable[[Endpoint], Mapping[str, str]]
    """The variables IDENTITY_ENDPOINT and IDENTITY_HEADER for an endpoint: the header says whose tokens it may get."""


class PromptflowServing:
    """Puts the real app behind each deployment whose `simulation` names a flow's folder, and a stand-in elsewhere."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def __call__(self, endpoint: Endpoint, deployment: Deployment, endpoints: Endpoints) -> Container:
        """A container for the deployment, not yet started."""
        if "flow" not in deployment.simulation:
            return StandIn(endpoint, deployment, endpoints)

        def log(line: str) -> None:
            endpoints.log(endpoint.name, deployment.name, "InferenceServer", line)

        return PromptflowServer(endpoint, deployment, self._surroundings, log)


class PromptflowServer:
    """One process of the real serving app; a `Container`."""

    def __init__(
        self, endpoint: Endpoint, deployment: Deployment, surroundings: Surroundings, log: Callable[[str], None]
    ) -> None:
        self._endpoint = endpoint
        self._deployment = deployment
        self._surroundings = surroundings
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._url: asyncio.Future[str] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._starting = asyncio.Lock()
        self._came_up = False

    async def ready(self) -> bool:
        """Start it at the first call, and wait until it answers; False once it has given up."""
        async with self._starting:
            if self._reading is None:
                try:
                    self._reading = await self._start()
                except OSError as error:  # no such flow, no such interpreter: said where one looks for it
                    self._log(f"{type(error).__name__}: {error}")
                    return False
                self._came_up = await self._answers(self._reading)
            return self._came_up and not self._reading.done()

    async def answer(self, request: Request) -> Answer:
        """Pass the request on, with the headers that the app looks at."""
        session, url = self._session, self._url
        if session is None or url is None:
            message = "the serving app has not been started"
            raise RuntimeError(message)
        address = f"{url.result()}{request.path}" + (f"?{request.query}" if request.query else "")
        headers = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP}
        try:
            async with session.request(request.method, address, data=request.body, headers=headers) as response:
                body = await response.read()
                return Answer(response.status, body, response.headers.get("Content-Type", "text/plain"))
        except aiohttp.ClientError:  # its worker died over the request; 502 is inferred
            return Answer(502, b"", "text/plain")

    async def close(self) -> None:
        """End gunicorn with its workers."""
        if self._session is not None:
            await self._session.close()
        process = self._process
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGQUIT)  # to gunicorn: at once, without waiting for requests
            try:
                await asyncio.wait_for(process.wait(), _STOPPING)
            except asyncio.TimeoutError:
                # It leads a session of its own, so this reaches its workers and nothing else.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if self._reading is not None:
            await self._reading
        if self._folder is not None:
            self._folder.cleanup()

    async def _start(self) -> asyncio.Task[None]:
        """Start gunicorn, and give the task that reads what it prints and lasts as long as it does."""
        if self._folder is not None:
            self._folder.cleanup()  # of a start that failed
        self._folder = tempfile.TemporaryDirectory(prefix="pfdoctor-container-")
        home = Path(self._folder.name)
        model = self._put_model(home / "model")
        variables = self._deployment.environment_variables
        command = (
            *(self._surroundings.python, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--no-control-socket"),
            *("--workers", variables.get("PROMPTFLOW_WORKER_NUM", "1"), "--timeout", "300"),
            *("--threads", variables.get("PROMPTFLOW_WORKER_THREADS", "1")),
            'promptflow.core._serving.app:create_app(extension_type="azureml")',
        )
        self._process = await asyncio.create_subprocess_exec(
            *command,
            cwd=model,
            env=self._environment(home, model),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._url = asyncio.get_running_loop().create_future()
        self._session = aiohttp.ClientSession()
        return asyncio.create_task(self._read_log(self._process, self._url))

    def _put_model(self, model: Path) -> Path:
        """A copy of the flow where the platform mounts a model, since the app and its tools may write beside it."""
        flow = self._deployment.folder / str(self._deployment.simulation["flow"])
        shutil.copytree(flow, model / flow.resolve().name)
        return model

    def _environment(self, home: Path, model: Path) -> dict[str, str]:
        proxy = self._surroundings.proxy
        return {
            # Nothing of the environment the simulator runs in: neither its credentials nor its Python path.
            "PATH": os.defpath,
            "HOME": str(home),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "AZUREML_MODEL_DIR": str(model),
            "AML_DEPLOYMENT_RESOURCE_ID": self._deployment.resource_id,
            "PROMPTFLOW_RUN_MODE": "serving",
            **self._surroundings.identity(self._endpoint),
            **self._deployment.environment_variables,
            # After the deployment's own, which must not open another way out.
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), proxy),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
            "REQUESTS_CA_BUNDLE": str(self._surroundings.ca_file),
        }

    async def _read_log(self, process: asyncio.subprocess.Process, url: asyncio.Future[str]) -> None:
        """Pass on what it prints; gunicorn's own line tells the address, and the end of the output that it gave up."""
        if process.stdout is None:
            return
        async for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self._log(line)
            listening = _LISTENING.search(line)
            if listening is not None and not url.done():
                url.set_result(listening[1])
        await process.wait()
        if not url.done():
            url.set_exception(ChildProcessError(f"the serving app ended with {process.returncode} before it listened"))

    async def _answers(self, reading: asyncio.Task[None]) -> bool:
        """Whether /health does: gunicorn listens long before its worker has loaded the flow, and keeps us waiting."""
        session, url = self._session, self._url
        if session is None or url is None:
            return False
        try:
            asking = asyncio.create_task(_health(session, await url))
        except ChildProcessError:
            return False
        done, _ = await asyncio.wait({asking, reading}, return_when=asyncio.FIRST_COMPLETED)
        if asking in done:
            return asking.result()
        asking.cancel()
        return False


async def _health(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/health") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


_HOP_BY_HOP = frozenset(
    "host connection keep-alive proxy-connection te trailer transfer-encoding upgrade content-length".split()
)
