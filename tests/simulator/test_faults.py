"""Faults that are put between the simulator and its clients."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.simulator.conftest import ENDPOINT, WORKSPACE, Client

from pfdoctor.simulator import Simulator
from pfdoctor.simulator.faults import KINDS


def test_answers_that_are_wrong(simulator: Simulator, client: Client) -> None:
    wrong: dict[str, tuple[Any, int, Callable[[str], bool]]] = {
        "status": ({"kind": "status", "status": 503, "code": "ServerBusy"}, 503, lambda text: "ServerBusy" in text),
        "throttled": ("throttled", 429, lambda text: "SubscriptionRequestsThrottled" in text),
        "malformed": ("malformed", 200, lambda text: not _is_json(text)),
        "html": ({"kind": "html", "status": 502}, 502, lambda text: text.startswith("<!DOCTYPE html>")),
        "empty": ("empty", 200, lambda text: not text),
        "wrong-type": ("wrong-type", 200, lambda text: json.loads(text) == []),
    }
    for fault, status, seems in wrong.values():
        rule = simulator.inject({"path": "onlineEndpoints/chat"}, fault)
        reply = client.get(ENDPOINT)
        assert (reply.status, seems(reply.text), rule.hits) == (status, True, 1)
        assert client.get(WORKSPACE).status == 200
        simulator.clear_faults()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_a_body_that_breaks_off(simulator: Simulator, client: Client) -> None:
    simulator.inject({}, "truncated")
    with pytest.raises(http.client.IncompleteRead):
        client.get(ENDPOINT)


@pytest.mark.parametrize("kind", ["reset", "close", "lost"])
def test_no_answer_at_all(simulator: Simulator, client: Client, kind: str) -> None:
    simulator.inject({"method": "PUT"}, kind)
    path = f"{WORKSPACE}/environments/promptflow-chat/versions/9"
    with pytest.raises((ConnectionError, http.client.BadStatusLine, OSError)):
        client.put(path, {"properties": {"image": "a:1"}})
    assert client.get(path).status == (200 if kind == "lost" else 404)
    assert [request.status for request in simulator.requests if request.fault] == [0]


@pytest.mark.parametrize("kind", ["hang", "hang-after"])
def test_an_answer_that_never_comes(simulator: Simulator, client: Client, kind: str) -> None:
    rule = simulator.inject({"method": "PUT"}, {"kind": kind, "seconds": 0.02})
    path = f"{WORKSPACE}/environments/promptflow-chat/versions/9"
    with pytest.raises((ConnectionError, http.client.BadStatusLine, OSError)):
        client.put(path, {"properties": {"image": "a:1"}})
    assert rule.held == 1
    assert client.get(path).status == (200 if kind == "hang-after" else 404)
    (struck,) = [request for request in simulator.requests if request.fault]
    assert (struck.status, struck.done) == (0, 201 if kind == "hang-after" else 0)


def test_pages_in_a_circle(simulator: Simulator, client: Client) -> None:
    simulator.inject({"path": "/connections"}, "page-loop")
    first = client.get(f"{WORKSPACE}/connections").json
    again = client.get(first["nextLink"].removeprefix(simulator.arm), version=None).json
    assert again["nextLink"] == first["nextLink"]


def test_a_slow_answer_is_the_true_one(simulator: Simulator, client: Client) -> None:
    simulator.inject({}, {"kind": "slow", "seconds": 0.05})
    assert client.get(ENDPOINT).json["name"] == "chat"


def test_which_calls_are_struck(simulator: Simulator, client: Client) -> None:
    simulator.inject({"nth": 2}, "throttled")
    assert [client.get(ENDPOINT).status for _ in range(3)] == [200, 429, 200]
    simulator.clear_faults()
    simulator.inject({"first": 2, "method": "get"}, "throttled")
    assert [client.get(ENDPOINT).status for _ in range(3)] == [429, 429, 200]
    simulator.clear_faults()
    chosen = []
    for _ in range(2):
        rule = simulator.inject({"probability": 0.5, "seed": 7}, "throttled")
        chosen.append([client.get(ENDPOINT).status for _ in range(12)])
        assert 0 < rule.hits < 12
        simulator.clear_faults()
    assert chosen[0] == chosen[1]


def test_faults_of_a_scenario(changed: Callable[[str], Simulator]) -> None:
    simulator = changed("faults:\n  - {match: {path: roleAssignments}, fault: {kind: status, status: 500}}\n")
    client = Client(simulator)
    assert client.get(f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments").status == 500
    assert simulator.requests[-1].fault == "status"


def test_unknown_faults_are_refused(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="there are: status, throttled"):
        simulator.inject({}, "explosion")
    with pytest.raises(ValueError, match="a match has no verb"):
        simulator.inject({"verb": "GET"}, next(iter(KINDS)))
