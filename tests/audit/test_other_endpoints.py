"""Endpoints that serve something else than a prompt flow: held to what holds for any managed online endpoint, alone."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from tests.audits import running

from pfdoctor.simulator import Scenario

HEALTHY = Path(__file__).parents[2] / "examples/scenarios/healthy.yaml"
CODE = "/codes/score/versions/1"


def _with_scoring_script(*missing: str) -> Scenario:
    """The healthy endpoint with a scoring script instead of a flow; `missing` are role assignments that it lacks."""
    data: Any = copy.deepcopy(dict(Scenario.load(HEALTHY).data))
    resources = data["resources"]
    for name, body in resources.items():
        properties = (body or {}).get("properties", {})
        if "/environments/" in name:
            body["properties"] = {"image": "mcr.microsoft.com/azureml/minimal-py311-inference:latest"}
        elif "/models/" in name or name.endswith("/onlineEndpoints/chat"):
            del properties["properties"]
        elif name.endswith("/deployments/blue"):
            del properties["environmentVariables"]
            workspace = name.partition("/onlineEndpoints/")[0]
            properties["codeConfiguration"] = {"codeId": workspace + CODE, "scoringScript": "score.py"}
    for one in ("logs", "simulation"):
        data.pop(one, None)
    for one in ("chat-secrets", "chat-openai", *missing):
        del data["roleAssignments"][one]
    return Scenario.from_mapping(data)


@pytest.mark.parametrize(
    ("missing", "state", "rules"), [((), "healthy", []), (("chat-model",), "findings", ["model-download-denied"])]
)
def test_what_holds_for_any_endpoint_holds_for_it_and_nothing_else(
    missing: tuple[str, ...], state: str, rules: list[str], tmp_path: Path
) -> None:
    """It needs no secrets of connections, though nobody granted them; a model it cannot download it does."""
    with running(_with_scoring_script(*missing), tmp_path) as fleet:
        (entry,) = fleet.audit()["endpoints"]
    assert entry["state"] == state, entry["unknown"]
    assert [one["rule"] for one in entry["findings"]] == rules
