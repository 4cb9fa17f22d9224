"""The whole way with the real serving app: a request fails for want of a role, and `diagnose` says which and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pfdoctor.cli.main import main
from pfdoctor.simulator import Scenario, Simulator
from pfdoctor.simulator.promptflow_server import PYTHON_VARIABLE

pytestmark = pytest.mark.promptflow

SCENARIOS = Path(__file__).resolve().parents[2] / "examples" / "scenarios"
WORKSPACE = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-chat"
    "/providers/Microsoft.MachineLearningServices/workspaces/ws-chat"
)
SCENARIO = """\
extends: {scenarios}/secret-role-missing.yaml
simulation:
  ${{deployment}}: !replace
    flow: {scenarios}/flows/describe
"""


def test_a_request_that_fails_is_explained_by_the_role_that_is_missing(
    promptflow_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(SCENARIO.format(scenarios=SCENARIOS))
    request = tmp_path / "request.json"
    request.write_text('{"question": "hi"}')
    monkeypatch.setenv(PYTHON_VARIABLE, promptflow_python)
    with Simulator(Scenario.load(scenario), serving="promptflow") as simulator:
        for name, value in simulator.environment.items():
            monkeypatch.setenv(name, value)
        code = main(
            ["diagnose", "-e", f"{WORKSPACE}/onlineEndpoints/chat", "--probe-score", str(request), "--format", "json"]
        )
    report = json.loads(capsys.readouterr().out)
    (case,) = report["cases"]
    by_fingerprint = {one["fingerprint"]: one for one in report["findings"]}
    first = by_fingerprint[case["ranking"][0]]
    assert code == 1
    assert (first["rule"], first["status"]) == ("secrets-flag-without-grant", "confirmed")
    # what the real app wrote into its log is what was seen, and the remedy names the role at the right scope
    (seen,) = (one for one in case["differentials"] if one["symptom"] == "connection-secrets-denied")
    assert "Access denied to list workspace secret" in seen["traces"][0]["text"]
    assert any(WORKSPACE in edit and "Workspace Connection Secrets Reader" in edit for edit in _edits(first))
    answers = [one for one in first["evidence"] if one["path"].endswith(".verdict")]
    assert [one["value"] for one in answers] == ["NOT_ALLOWED"]


def _edits(finding: dict[str, list[dict[str, list[str]]]]) -> list[str]:
    return [edit for remedy in finding["remedies"] for edit in remedy["edits"]]
