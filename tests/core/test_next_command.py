"""Commands that a report proposes, made complete."""

from __future__ import annotations

import pytest

from pfdoctor.core.next_command import Typed, complete

ENDPOINT = (
    "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws/onlineEndpoints/chat"
)
WHOLE = "-e chat -w ws -g rg -s s1"


@pytest.mark.parametrize(
    ("command", "resource", "typed", "expected"),
    [
        ("az account show", ENDPOINT, Typed(), "az account show"),
        ("pfdoctor check A B", None, Typed(), "pfdoctor check A B"),
        ("pfdoctor diagnose --endpoint chat --probe", ENDPOINT, Typed(), f"pfdoctor diagnose {WHOLE} --probe"),
        (
            "pfdoctor diagnose --probe-score REQUEST.json",
            f"{ENDPOINT}/deployments/blue",
            Typed(flags=("--credential", "cli")),
            f"pfdoctor diagnose {WHOLE} --probe-score REQUEST.json --credential cli",
        ),
        (
            "pfdoctor diagnose FOLDER_OF_THE_FLOW --log LOG",
            None,
            Typed(logs=("my log.txt",)),
            "pfdoctor diagnose FOLDER_OF_THE_FLOW --log 'my log.txt'",
        ),
        (
            "pfdoctor diagnose --endpoint ENDPOINT",
            None,
            Typed(("flow",), ("a.log",)),
            "pfdoctor diagnose flow -e ENDPOINT -w WORKSPACE -g GROUP -s SUBSCRIPTION --log a.log",
        ),
        (
            "pfdoctor check PATH --live",
            ENDPOINT,
            Typed(probe=("--probe",)),
            f"pfdoctor check FOLDER_OF_THE_FLOW --live {WHOLE} --probe",
        ),
        (
            "pfdoctor check PATH --live",
            ENDPOINT,
            Typed(logs=("-",)),
            f"pfdoctor diagnose FOLDER_OF_THE_FLOW {WHOLE} --log -",
        ),
    ],
)
def test_complete(command: str, resource: str | None, typed: Typed, expected: str) -> None:
    assert complete(command, resource, typed) == expected
