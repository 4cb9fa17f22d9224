"""With the real serving app: a request fails for want of a role, the plan grants it, and the same process answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pfdoctor.cli.main import main
from pfdoctor.simulator import Scenario, Simulator
from pfdoctor.simulator.promptflow_server import PYTHON_VARIABLE

pytestmark = pytest.mark.promptflow

SCENARIOS = Path(__file__).resolve().parents[2] / "examples" / "scenarios"
ENDPOINT = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-chat"
    "/providers/Microsoft.MachineLearningServices/workspaces/ws-chat/onlineEndpoints/chat"
)
SCENARIO = """\
extends: {scenarios}/secret-role-missing.yaml
simulation:
  ${{deployment}}: !replace
    flow: {scenarios}/flows/describe
"""


def test_the_same_process_answers_once_the_role_is_there(
    promptflow_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("scenario.yaml").write_text(SCENARIO.format(scenarios=SCENARIOS))
    Path("request.json").write_text('{"question": "hi"}')
    monkeypatch.setenv(PYTHON_VARIABLE, promptflow_python)
    asked = ["-e", ENDPOINT, "--probe-score", "request.json"]
    with Simulator(Scenario.load(Path("scenario.yaml")), serving="promptflow") as simulator:
        for name, value in simulator.environment.items():
            monkeypatch.setenv(name, value)
        assert main(["diagnose", *asked, "--format", "json", "--output", "before.json"]) == 1
        assert main(["plan", *asked, "--rule", "secrets-flag-without-grant", "-o", "plan.json"]) == 0
        assert main(["apply", "plan.json", "--yes", "--fix-level", "review", "--wait", "120"]) == 0
        told = capsys.readouterr().err
        main(["diagnose", *asked, "--format", "json", "--output", "after.json"])
        writes = [one for one in simulator.requests if one.method in ("PUT", "PATCH", "DELETE")]
        assert main(["undo", "plan.json.journal"]) == 0
    assert "fixed: secrets-flag-without-grant" in told
    assert "unverified" not in told
    # nothing but the one assignment was written: the deployment was not touched, so no instance was started anew
    assert len(writes) == 1
    assert "/roleAssignments/" in writes[0].path
    after = {one["rule"] for one in json.loads(Path("after.json").read_text())["findings"]}
    assert "secrets-flag-without-grant" not in after
