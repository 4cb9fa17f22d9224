"""What may leave: reads, to one host."""

from __future__ import annotations

import pytest

from pfdoctor.cloud.errors import RefusedRequestError
from pfdoctor.cloud.guard import ArmGuard, Guard

HOST = "management.azure.com"
ARM = f"https://{HOST}"
ENDPOINT = (
    "/subscriptions/s/resourceGroups/rg (1)/providers/Microsoft.MachineLearningServices/workspaces/ws/onlineEndpoints/e"
)


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", f"{ARM}{ENDPOINT}?api-version=1"),
        ("POST", f"{ARM}{ENDPOINT}/deployments/blue/getLogs?api-version=1"),
        ("POST", f"{ARM}{ENDPOINT.lower()}/deployments/blue/getlogs"),
        ("POST", f"{ARM}{ENDPOINT.replace(' ', '%20')}/deployments/blue/getLogs"),
        ("POST", f"{ARM}/providers/Microsoft.ResourceGraph/resources?api-version=1"),
        ("POST", f"{ARM}{ENDPOINT}/listKeys?api-version=1"),
    ],
)
def test_reads_leave(method: str, url: str) -> None:
    ArmGuard(HOST, (f"{ENDPOINT}/listKeys",)).check(method, url, ())


@pytest.mark.parametrize(
    ("method", "url"),
    [
        *((method, f"{ARM}{ENDPOINT}") for method in ("PUT", "PATCH", "DELETE", "POST", "HEAD", "OPTIONS", "get", "")),
        ("POST", f"{ARM}{ENDPOINT}/token"),
        ("POST", f"{ARM}{ENDPOINT}2/listKeys"),
        ("POST", f"{ARM}/subscriptions/s/providers/Microsoft.MachineLearningServices/register"),
        ("POST", f"{ARM}{ENDPOINT}/deployments/blue/getLogs/regenerateKeys"),
        ("POST", f"{ARM}{ENDPOINT}/deployments/blue%2Fx/getLogs"),
        ("POST", f"{ARM}{ENDPOINT}/deployments/../listKeys/getLogs"),
        ("POST", f"{ARM}/ws/connections/c/listsecrets?api-version=1"),
        ("GET", f"{ARM}{ENDPOINT}/."),
        ("POST", f"{ARM}/ws/connections/c/list%73ecrets"),
        ("GET", f"http://{HOST}{ENDPOINT}"),
        ("GET", f"https://{HOST}.evil.example{ENDPOINT}"),
        ("GET", f"https://{HOST}:444{ENDPOINT}"),
        ("GET", f"https://{HOST}@evil.example{ENDPOINT}"),
        ("GET", f"https://evil.example/{HOST}"),
        ("GET", ENDPOINT),
    ],
)
def test_nothing_else_leaves(method: str, url: str) -> None:
    with pytest.raises(RefusedRequestError, match="refused"):
        ArmGuard(HOST, (f"{ENDPOINT}/listKeys", "/ws/connections/c/listsecrets")).check(method, url, ())


def test_a_resource_may_be_called_as_an_action_is() -> None:
    ArmGuard(HOST).check("GET", f"{ARM}/ws/models/listsecrets/versions/1", ())
    ArmGuard(HOST).check("GET", f"{ARM}/ws/connections/listsecrets", ())


def test_no_header_turns_a_get_into_something_else() -> None:
    with pytest.raises(RefusedRequestError, match="another method"):
        Guard(HOST).check("GET", f"{ARM}/x", ["X-HTTP-Method-Override"])


def test_an_endpoint_takes_no_post_but_the_one_that_was_asked_for() -> None:
    guard = Guard("e.example", ("/score",))
    guard.check("POST", "https://e.example/score", ())
    guard.check("GET", "https://e.example/health", ())
    for url in ("https://e.example/feedback", "https://e.example/providers/Microsoft.ResourceGraph/resources"):
        with pytest.raises(RefusedRequestError):
            guard.check("POST", url, ())
