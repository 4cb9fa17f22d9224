"""A stand-in for the prompt flow serving app: its routes, its answers, its log, without promptflow.

Each answer and log line was seen from promptflow-core 1.18.5 behind gunicorn (flask engine, AzureML extension). Like
the app it resolves the flow's connections when it starts. Refused (403) it starts nonetheless, serves /health and
/swagger.json, answers /score with 400 and asks again at every request, so it heals when the role takes effect; any
other failure to get a connection ends it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from pfdoctor.simulator.connection_lookup import AccessDeniedError, Lookups, ServingError, lookups, resolve
from pfdoctor.simulator.dataplane import Answer, Deployment, Endpoint, Endpoints, Json, Request
from pfdoctor.simulator.flow_interface import FlowInterface, flow_interface, openapi, request_data
from pfdoctor.simulator.latency import latencies

_PROCESS = 1  # gunicorn's, as in a container
_ACCEPTS_JSON = frozenset({"application/json", "application/*", "*/*"})
_HTML = "text/html; charset=utf-8"


class StandIn:
    """The container of one roll-out of a deployment; a `Container`."""

    def __init__(self, endpoint: Endpoint, deployment: Deployment, endpoints: Endpoints) -> None:
        self._endpoint = endpoint
        self._deployment = deployment
        self._endpoints = endpoints
        self._simulation = deployment.simulation
        self._started = False
        self._connected = False
        self._flow: FlowInterface | None = None
        self._latencies = latencies(self._simulation.get("latency_ms"))
        self._version = str(self._simulation.get("version", "1.18.5"))
        self._routes: Mapping[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", "/health"): self._health,
            ("GET", "/version"): self._tell_version,
            ("GET", "/swagger.json"): self._swagger,
            ("GET", "/"): self._home,
            ("POST", "/"): self._home,
            ("POST", "/score"): self._score,
            ("POST", "/feedback"): lambda _: _json({"status": "Feedback received."}),
        }

    async def ready(self) -> bool:
        """Start it where it does not run; one that crashed is started again, as the platform does."""
        if not self._started:
            self._started = self._start()
        return self._started

    async def answer(self, request: Request) -> Answer:
        """Serve one request, as the app behind gunicorn would."""
        route = self._routes.get((request.method, request.path))
        if route is None:
            return _not_found(request)
        return route(request)

    async def close(self) -> None:
        """Nothing to end: it is no process."""

    # ------------------------------------------------------------------------------------------------------- starting

    def _start(self) -> bool:
        self._gunicorn("INFO", "Starting gunicorn")
        self._gunicorn("INFO", f"Listening at: http://0.0.0.0:8080 ({_PROCESS})")
        self._gunicorn("INFO", f"Booting worker with pid: {_PROCESS + 1}")
        self._app("INFO", "Create extension with type: azureml")
        self._app("INFO", "Enable AzureML extension.")
        try:
            self._flow = self._load()
            self._app("INFO", f"Project path: /var/azureml-app/azureml-models/{self._flow.name}")
            self._flow.answered(self._included)  # reads the variable, and dies of it where it is no JSON
            self._connect(self._flow)
        except AccessDeniedError:
            pass  # the app leaves this one to the first request, and logs nothing
        except ServingError as error:
            self._crash(error)
            return False
        return True

    def _load(self) -> FlowInterface:
        crash = self._simulation.get("crash")
        if crash is not None:
            kind, _, message = str(crash).partition(": ")
            raise ServingError(kind, message)
        return flow_interface(self._deployment)

    def _connect(self, flow: FlowInterface) -> None:
        """Resolve the connections, unless that was done; raises the app's own error."""
        if self._connected:
            return
        self._app("INFO", "Promptflow executor starts initializing...")
        wanted: Lookups = lookups(self._deployment, flow.connections)
        provider = wanted.workspace.provider if wanted.workspace is not None else None
        self._app("INFO", f"Getting connections from pf client with provider from args: {provider}...")
        for line in resolve(self._endpoint, self._deployment, wanted, self._endpoints):
            self._log(f"{self._stamp}]{line}")
        self._app("INFO", f"Promptflow get connections successfully. keys: dict_keys({list(flow.connections)})")
        self._app("INFO", "Promptflow executor starts initializing...")  # it says so twice
        self._app("INFO", "Promptflow executor initiated successfully.")
        self._app("INFO", "Promptflow executor initializing succeed!")
        self._connected = True

    def _crash(self, error: ServingError) -> None:
        worker = _PROCESS + 1
        self._gunicorn("ERROR", "Exception in worker process", process=worker)
        self._log("Traceback (most recent call last):")
        self._log(f"{error.kind}: {error.message}")
        self._gunicorn("INFO", f"Worker exiting (pid: {worker})", process=worker)
        self._gunicorn("ERROR", f"Worker (pid:{worker}) exited with code 3.")
        self._gunicorn("ERROR", "Shutting down: Master")
        self._gunicorn("ERROR", "Reason: Worker failed to boot.")

    # --------------------------------------------------------------------------------------------------------- routes

    def _health(self, request: Request) -> Answer:
        behaviour = self._simulation.get("health", "ok")
        if behaviour == "missing":
            return _not_found(request)
        return self._slowly(_json({"status": "Healthy", "version": self._version}), behaviour == "slow")

    def _tell_version(self, _: Request) -> Answer:
        return _json({"status": "Healthy", "build_info": "", "version": self._version})

    def _home(self, _: Request) -> Answer:
        return Answer(200, b"<h1>Welcome to promptflow app.</h1>", _HTML)

    def _swagger(self, request: Request) -> Answer:
        flow = self._running()
        document = _json(openapi(flow, flow.answered(self._included)))
        match self._simulation.get("swagger", "ok"):
            case "missing":
                return _not_found(request)
            case "invalid":
                return document._replace(body=document.body[: len(document.body) // 2])
            case "html":
                return Answer(200, b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>", _HTML)
            case behaviour:
                return self._slowly(document, behaviour == "slow")

    def _score(self, request: Request) -> Answer:
        identifier, client = request.headers.get("x-request-id"), request.headers.get("x-ms-client-request-id")
        ids = f"request_id: {identifier}, client_request_id: {client or identifier}"
        self._app("INFO", f"Start monitoring new request, {ids}")
        try:
            answer = self._run(request)
        except ServingError as error:
            self._app("ERROR", f"Promptflow serving app error: {_presented(error)}")
            self._app("ERROR", "Promptflow serving error traceback: Traceback (most recent call last):")
            self._log(f"{error.kind}: {error.message}")
            answer = _json({"error": {"code": error.code, "message": error.message}}, error.status)
        self._app("INFO", f"Finish monitoring request, {ids}.")
        return answer._replace(latency_ms=next(self._latencies) if answer.status == 200 else 0.0)

    def _run(self, request: Request) -> Answer:
        flow = self._running()
        self._connect(flow)
        self._app("INFO", "Start loading request data...")
        self._app("INFO", "Validating flow input with data '<REDACTED>'")
        data = request_data(flow, request.body)
        self._app("INFO", "Execute flow with data '<REDACTED>'")
        printed = self._simulation.get("prints")
        for line in printed if isinstance(printed, list) else ():
            self._log(str(line))
        exception = self._simulation.get("exception")
        if exception is not None:
            return self._fail(str(exception))
        self._app("INFO", "Flow run result: <REDACTED>")
        first = next(iter(data.values()), "")
        values = self._simulation.get("answer")
        given = values if isinstance(values, Mapping) else {}
        outputs = {name: given.get(name, first) for name in flow.answered(self._included)}
        return self._negotiate(outputs, request)

    def _fail(self, exception: str) -> Answer:
        """User code raised: no exception of the app, but a flow run that failed. "node: (Type) message"."""
        node, _, rest = exception.partition(": ")
        message = f"Execution failure in '{node}': {rest}"
        error = ServingError("promptflow._core._errors.ToolExecutionError", message)
        self._app("ERROR", f"Flow run failed with error: {_presented(error)}")
        return _json({"error": {"code": error.code, "message": message}}, error.status)

    def _negotiate(self, outputs: Mapping[str, Json], request: Request) -> Answer:
        """JSON or server-sent events, by the Accept header compared as text, parameters and all, as the app does."""
        accepted = frozenset(_media_types(request.headers.get("accept", ""))) or frozenset({"*/*"})
        streamed = list(outputs)[-1] if outputs and self._simulation.get("streaming") else None
        if streamed is not None and "text/event-stream" in accepted:
            rest = {name: value for name, value in outputs.items() if name != streamed}
            events = [rest] if rest else []
            events += [{streamed: word} for word in _pieces(str(outputs[streamed]))]
            body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
            return Answer(200, body.encode(), "text/event-stream; charset=utf-8")
        if accepted & _ACCEPTS_JSON:
            return _json(outputs)
        supported = "application/json" if streamed is None else "text/event-stream, application/json"
        raise ServingError(
            "promptflow.core._serving._errors.NotAcceptable",
            f"Media type {','.join(sorted(accepted))} in Accept header is not acceptable. "
            f"Supported media type(s) - {supported}",
        )

    # -------------------------------------------------------------------------------------------------------- helpers

    @property
    def _included(self) -> str | None:
        return self._deployment.environment_variables.get("PROMPTFLOW_RESPONSE_INCLUDED_FIELDS") or None

    def _running(self) -> FlowInterface:
        if self._flow is None:
            message = "the container has not started"
            raise RuntimeError(message)
        return self._flow

    def _slowly(self, answer: Answer, slow: bool) -> Answer:
        """Slow is: longer than the deployment's own timeout."""
        return answer._replace(latency_ms=2000 * self._deployment.request_timeout if slow else 0.0)

    @property
    def _stamp(self) -> str:
        return f"[{self._endpoints.now():%Y-%m-%d %H:%M:%S} +0000"

    def _app(self, level: str, message: str) -> None:
        self._log(f"{self._stamp}][pfserving-app][{level}] - {message}")

    def _gunicorn(self, level: str, message: str, process: int = _PROCESS) -> None:
        self._log(f"{self._stamp}] [{process}] [{level}] {message}")

    def _log(self, line: str) -> None:
        self._endpoints.log(self._endpoint.name, self._deployment.name, "InferenceServer", line)


def _json(value: Json, status: int = 200) -> Answer:
    """As flask writes it: keys sorted, no blanks, a line end."""
    return Answer(status, (json.dumps(value, separators=(",", ":"), sort_keys=True) + "\n").encode())


def _not_found(request: Request) -> Answer:
    message = (
        f"The requested api {request.path.lstrip('/')!r} with {request.method} is not supported by current app, "
        "if you entered the URL manually please check your spelling and try again."
    )
    return Answer(404, message.encode(), _HTML)


def _presented(error: ServingError) -> dict[str, Json]:
    """The dict that the app logs of an exception."""
    inner: dict[str, Json] | None = None
    for code in (error.kind.rpartition(".")[2], *reversed(error.bases)):
        inner = {"code": code, "innerError": inner}
    return {
        "message": error.message,
        "messageFormat": "",
        "messageParameters": {},
        "referenceCode": "ServingApp" if "._serving." in error.kind else "Core",
        "code": error.code,
        "innerError": inner,
    }


def _media_types(accept: str) -> Iterator[str]:
    """The media types of an Accept header with their parameters, weights left out, as werkzeug reads them."""
    for item in accept.split(","):
        parts = [part.strip() for part in item.split(";")]
        if parts[0]:
            yield "; ".join([parts[0], *(part for part in parts[1:] if not part.startswith("q="))])


def _pieces(text: str) -> Iterator[str]:
    """A text as a language model streams it: word by word, blanks kept."""
    words = text.split(" ")
    for number, word in enumerate(words):
        yield word if number == len(words) - 1 else f"{word} "
