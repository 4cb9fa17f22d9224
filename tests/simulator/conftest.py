"""A simulator for every test that wants one, and a client that speaks to it without any SDK."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest

from pfdoctor.simulator import Scenario, Simulator

SCENARIOS = Path(__file__).parents[2] / "examples" / "scenarios"
SUBSCRIPTION = "/subscriptions/11111111-2222-3333-4444-555555555555"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-chat"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/ws-chat"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/chat"
BLUE = f"{ENDPOINT}/deployments/blue"
DEV = "60785ef2-0000-4000-8000-000000000001"
CHAT = "6287c88a-0000-4000-8000-000000000001"


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """Of an error body."""
        return str(self.json["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.json["error"]["message"])


class Client:
    """One principal at one simulator."""

    def __init__(self, simulator: Simulator, principal: str = DEV) -> None:
        self.simulator = simulator
        known = simulator.world.directory.get(principal)
        assert known is not None
        self.token = simulator.tokens.issue(known, simulator.arm, 3600)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: str | None = "2024-04-01",
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> Reply:
        """One request; `query` names may begin with `_` in place of `$`."""
        from ssl import create_default_context

        address = urlsplit(self.simulator.arm)
        connection = http.client.HTTPSConnection(
            str(address.hostname),
            address.port,
            timeout=10,
            context=create_default_context(cafile=self.simulator.ca_file),
        )
        pairs = {"api-version": version} if version else {}
        pairs |= {name.replace("_", "$", 1) if name.startswith("_") else name: value for name, value in query.items()}
        parameters = "&".join(f"{name}={quote(value)}" for name, value in pairs.items())
        url = f"{path}{'&' if '?' in path else '?'}{parameters}" if parameters else path
        content = body if isinstance(body, str) else None if body is None else json.dumps(body)
        try:
            connection.request(
                method,
                url,
                body=content,
                headers={
                    "Authorization": f"Bearer {self.token}",
                    "Content-Type": "application/json",
                    **(headers or {}),
                },
            )
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read().decode())
        finally:
            connection.close()

    def get(self, path: str, **details: Any) -> Reply:
        return self.call("GET", path, **details)

    def put(self, path: str, body: Any, **details: Any) -> Reply:
        return self.call("PUT", path, body, **details)

    def post(self, path: str, body: Any = None, **details: Any) -> Reply:
        return self.call("POST", path, body, **details)

    def delete(self, path: str, **details: Any) -> Reply:
        return self.call("DELETE", path, **details)


@pytest.fixture(scope="session")
def healthy() -> Scenario:
    """The healthy scenario; each simulator makes a world of its own of it."""
    return Scenario.load(SCENARIOS / "healthy.yaml")


@pytest.fixture
def simulator(healthy: Scenario) -> Iterator[Simulator]:
    """A simulator of the healthy scenario that the test may change as it likes."""
    with Simulator(healthy) as running:
        yield running


@pytest.fixture
def client(simulator: Simulator) -> Client:
    """The scenario's caller at that simulator."""
    return Client(simulator)


@pytest.fixture
def changed(tmp_path: Path) -> Iterator[Callable[[str], Simulator]]:
    """Starts a simulator of the healthy scenario with the given YAML laid over it."""
    running: list[Simulator] = []

    def start(text: str) -> Simulator:
        file = tmp_path / f"scenario-{len(running)}.yaml"
        file.write_text(f"extends: {SCENARIOS / 'healthy.yaml'}\n{text}", encoding="utf-8")
        simulator = Simulator(Scenario.load(file))
        simulator.start()
        running.append(simulator)
        return simulator

    yield start
    for simulator in running:
        simulator.stop()
