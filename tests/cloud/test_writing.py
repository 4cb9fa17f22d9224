"""What may leave through the pipeline that writes: the requests that steps are made of, and nothing else."""

from __future__ import annotations

import pytest

from pfdoctor.cloud.errors import RefusedRequestError
from pfdoctor.cloud.writing import WriteGuard

HOST = "management.azure.com"
WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
GUARD = WriteGuard(HOST)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", WORKSPACE),
        ("PUT", f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments/a"),
        ("DELETE", f"{WORKSPACE}/providers/microsoft.authorization/roleassignments/a"),
        ("PUT", f"{WORKSPACE}/environments/e/versions/8"),
        ("PUT", f"{WORKSPACE}/onlineEndpoints/e"),
        ("PUT", f"{WORKSPACE}/onlineEndpoints/e/deployments/d"),
        ("POST", "/subscriptions/s/providers/Microsoft.PolicyInsights/register"),
        ("POST", f"{WORKSPACE}/resynckeys"),
    ],
)
def test_steps_may_leave(method: str, path: str) -> None:
    GUARD.check(method, f"https://{HOST}{path}?api-version=1", ())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", f"{WORKSPACE}/onlineEndpoints/e"),
        ("DELETE", f"{WORKSPACE}/onlineEndpoints/e/deployments/d"),
        ("PUT", WORKSPACE),
        ("PUT", f"{WORKSPACE}/connections/c"),
        ("POST", f"{WORKSPACE}/connections/c/listsecrets"),
        ("POST", f"{WORKSPACE}/onlineEndpoints/e/listKeys"),
        ("DELETE", "/subscriptions/s/resourceGroups/g"),
        ("PUT", f"{WORKSPACE}/onlineEndpoints/e/../../connections/c"),
    ],
)
def test_everything_else_stays(method: str, path: str) -> None:
    with pytest.raises(RefusedRequestError):
        GUARD.check(method, f"https://{HOST}{path}?api-version=1", ())


def test_another_host_gets_nothing() -> None:
    with pytest.raises(RefusedRequestError):
        GUARD.check("PUT", f"https://elsewhere.example{WORKSPACE}/onlineEndpoints/e", ())
