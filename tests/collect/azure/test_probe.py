"""The data plane: asked only when it was asked for, with one key that stays in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pfdoctor.collect.azure.probe import Address, Answer, latency_of

ENDPOINT = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-chat/providers"
    "/Microsoft.MachineLearningServices/workspaces/ws-chat/onlineEndpoints/chat"
)


def test_what_the_endpoint_answers(azure: Any, collected: Any, faults: Any) -> None:
    (document,) = collected(probe=True)
    assert faults(document) == []
    plane = document["live"]["data_plane"]
    assert plane["unauthenticated"]["status"] == 401
    for name in ("swagger", "swagger_with_header", "version", "health"):
        assert plane[name]["status"] == 200, name
        assert plane[name]["deployment"] == "blue", name
    assert (plane["swagger"]["deployment_header"], plane["swagger_with_header"]["deployment_header"]) == (None, "blue")
    assert plane["swagger"]["body_kind"] == "openapi"
    assert plane["swagger"]["required_fields"] == ["question"]
    assert plane["health_latency"]["n"] == 5
    assert plane["health_latency"]["p50"] <= plane["health_latency"]["p95"] <= plane["health_latency"]["max"]
    assert plane["score"]["$unknown"]["collect_command"] == ("pfdoctor diagnose --endpoint chat --probe-score FILE")
    posts = [one.path.rpartition("/")[2] for one in azure.simulator.requests if one.method == "POST"]
    assert sorted(posts) == ["getLogs", "getLogs", "listKeys"]


def test_the_one_post_to_score(azure: Any, collected: Any) -> None:
    plane = collected(probe=True, score=b'{"question": "hi"}')[0]["live"]["data_plane"]
    assert (plane["score"]["status"], plane["score_latency"]["n"]) == (200, 1)
    asked = [(one.method, one.path) for one in azure.simulator.requests if one.server == "online"]
    assert asked.count(("POST", "/online/chat/score")) == 1
    assert {method for method, path in asked if path != "/online/chat/score"} == {"GET"}


@pytest.mark.parametrize(("mode", "posts"), [("AMLToken", ["token"]), ("AADToken", []), ("Key", ["listKeys"])])
def test_what_authorises_the_calls(azure: Any, collected: Any, change: Any, mode: str, posts: list[str]) -> None:
    change(ENDPOINT, {"properties": {"authMode": mode}})
    plane = collected(probe=True)[0]["live"]["data_plane"]
    assert plane["swagger"]["status"] == 200
    asked = [one.path.rpartition("/")[2] for one in azure.simulator.requests if one.method == "POST"]
    assert sorted(asked) == sorted(["getLogs", "getLogs", *posts])


def test_a_login_that_gets_no_token_for_endpoints_leaves_the_rest(
    azure: Any, collected: Any, change: Any, unknowns: Any
) -> None:
    change(ENDPOINT, {"properties": {"authMode": "AADToken"}})
    azure.simulator.inject(
        {"path": "/msi/.*ml.azure"}, {"kind": "status", "status": 400, "message": "no such resource"}
    )
    (document,) = collected(probe=True)
    assert unknowns(document["live"])["data_plane.swagger"]["code"] == "unauthenticated"
    assert document["live"]["deployment"]["name"] == "blue"


def test_the_key_is_in_no_fact(azure: Any, collected: Any) -> None:
    key = "canary0a1b2c3d4e5f60718293a4b5c6d7e8"
    azure.simulator.inject({"path": "listKeys"}, {"kind": "wrong-type", "body": {"primaryKey": key}})
    fault = {"kind": "status", "status": 400, "message": f"I was sent {key}, and {key}."}
    azure.simulator.inject({"path": "/online/"}, fault)
    (document,) = collected(probe=True)
    assert key not in json.dumps(document)
    assert "[redacted: endpoint key]" in document["live"]["data_plane"]["health"]["error_message"]


def test_without_the_right_to_the_key_only_the_call_without_one_is_made(
    azure: Any, collected: Any, unknowns: Any
) -> None:
    azure.simulator.inject({"path": "listKeys"}, {"kind": "status", "status": 403, "code": "AuthorizationFailed"})
    plane = collected(probe=True)[0]["live"]["data_plane"]
    assert plane["unauthenticated"]["status"] == 401
    found = unknowns(plane)
    for name in ("swagger", "health", "version", "health_latency"):
        assert found[name]["permission"].endswith("/onlineEndpoints/listKeys/action"), name
    assert len([one for one in azure.simulator.requests if one.server == "online"]) == 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [({"kind": "slow", "seconds": 0.6}, "timeout"), ("reset", "connection-reset"), ("truncated", "truncated")],
)
def test_an_endpoint_that_does_not_answer(azure: Any, collected: Any, unknowns: Any, fault: Any, code: str) -> None:
    rule = azure.simulator.inject({"path": "/online/"}, fault)
    limits = azure.limits._replace(read=0.2) if code == "timeout" else azure.limits
    plane = collected(probe=True, limits=limits)[0]["live"]["data_plane"]
    found = unknowns(plane)
    for name in ("unauthenticated", "swagger", "health", "version"):
        assert found[name]["code"] == code, name
    assert plane["health_latency"] is None
    assert rule.hits in (5, 10)  # aiohttp itself repeats a GET whose connection was reset


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("empty", "empty"),
        ("malformed", "text"),
        ("wrong-type", "json"),
        ({"kind": "wrong-type", "body": {"openapi": "3.0.0", "paths": 3, "info": 4}}, "openapi"),
        ({"kind": "wrong-type", "body": "text"}, "json"),
    ],
)
def test_whatever_the_body_is(azure: Any, collected: Any, faults: Any, fault: Any, kind: str) -> None:
    azure.simulator.inject({"path": "/online/"}, fault)
    (document,) = collected(probe=True)
    assert faults(document) == []
    assert document["live"]["data_plane"]["swagger"]["body_kind"] == kind


def test_a_page_of_a_proxy_is_no_answer_of_the_endpoint(azure: Any, collected: Any, unknowns: Any) -> None:
    azure.simulator.inject({"path": "/online/"}, "html")
    found = unknowns(collected(probe=True)[0]["live"]["data_plane"])
    assert {found[name]["code"] for name in ("unauthenticated", "swagger", "health", "version")} == {"html"}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://E.example/score", Address("e.example", "")),
        ("https://e.example:8443/online/chat/score/", Address("e.example:8443", "/online/chat")),
        ("http://e.example/score", None),
        ("https://user@e.example/score", None),
        ("", None),
        (None, None),
    ],
)
def test_where_an_endpoint_is(uri: Any, expected: Address | None) -> None:
    assert Address.of(uri) == expected


def test_latencies_by_the_nearest_rank() -> None:
    answers = [Answer(None, 200, float(one)) for one in range(1, 101)]
    assert latency_of(answers) == {"n": 100, "p50": 50.0, "p95": 95.0, "max": 100.0}
    assert latency_of([Answer(None, 500, 1.0)]) is None
    assert latency_of(answers[:3]) == {"n": 3, "p50": 2.0, "p95": 3.0, "max": 3.0}
