"""With the real serving app: what fails before the plan answers after it, in the same process or in a new one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

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
extends: {scenarios}/{name}.yaml
simulation:
  ${{deployment}}: !replace
    flow: {scenarios}/flows/describe
"""
YES = ("--yes", "--fix-level", "review")
_STARTED = re.compile(r"Booting worker with pid: (\d+)")


class Served:
    """A scenario behind which the real app stands, and what pfdoctor sees of it on the command line."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.asked = ("-e", ENDPOINT, "--deployment", "blue", "--probe-score", "request.json")

    def answer(self) -> dict[str, Any]:
        """What /score answers now."""
        assert main(["facts", *self.asked, "-o", "facts.json"]) == 0
        (case,) = json.loads(Path("facts.json").read_text())["cases"]
        answer: dict[str, Any] = case["live"]["data_plane"]["score"]
        return answer

    def log(self) -> str:
        return "\n".join(str(one) for one in self.simulator.dump()["logs"].values())

    def processes(self) -> list[str]:
        """The ids of all workers that were ever started."""
        return _STARTED.findall(self.log())

    def deployment(self) -> dict[str, Any]:
        (body,) = (body for name, body in self.simulator.dump()["resources"].items() if name.endswith("/blue"))
        return dict(body)


@pytest.fixture
def serve(promptflow_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Served]]:
    """Starts a scenario with the real app behind its deployment."""
    monkeypatch.chdir(tmp_path)
    Path("request.json").write_text('{"question": "hi"}')
    monkeypatch.setenv(PYTHON_VARIABLE, promptflow_python)
    with ExitStack() as stack:

        def start(name: str) -> Served:
            Path("scenario.yaml").write_text(SCENARIO.format(scenarios=SCENARIOS, name=name))
            simulator = stack.enter_context(Simulator(Scenario.load(Path("scenario.yaml")), serving="promptflow"))
            for variable, value in simulator.environment.items():
                monkeypatch.setenv(variable, value)
            return Served(simulator)

        yield start


def rules(file: str) -> set[str]:
    return {one["rule"] for one in json.loads(Path(file).read_text())["findings"]}


def test_the_same_process_answers_once_the_role_is_there(
    serve: Callable[[str], Served], capsys: pytest.CaptureFixture[str]
) -> None:
    served = serve("secret-role-missing")
    refused = served.answer()
    assert (refused["status"], refused["model_status"]) == (424, 400)
    assert "Access denied to list workspace secret" in refused["error_message"]
    processes = served.processes()
    assert main(["plan", *served.asked, "--rule", "secrets-flag-without-grant", "-o", "plan.json"]) == 0
    assert main(["apply", "plan.json", *YES, "--wait", "120"]) == 0
    told = capsys.readouterr().err
    answered = served.answer()
    assert (answered["status"], answered["body_kind"]) == (200, "json")
    # the one assignment was written, no deployment: the process that refused is the one that answers
    (write,) = (one for one in served.simulator.requests if one.method in ("PUT", "PATCH", "DELETE"))
    assert "/roleAssignments/" in write.path
    assert served.processes() == processes
    main(["diagnose", *served.asked, "--format", "json", "--output", "after.json"])
    assert "secrets-flag-without-grant" not in rules("after.json")
    assert "fixed: secrets-flag-without-grant" in told
    assert "unverified" not in told
    assert main(["undo", "plan.json.journal"]) == 0


def test_a_deployment_without_driver_program_gets_routes_and_answers(
    serve: Callable[[str], Served], capsys: pytest.CaptureFixture[str]
) -> None:
    served = serve("environment-without-inference-config")
    broken = served.answer()
    assert (broken["status"], broken["model_status"]) == (424, 503)
    assert served.deployment()["properties"]["provisioningState"] == "Failed"
    assert main(["plan", *served.asked, "-o", "plan.json"]) == 0
    assert main(["apply", "plan.json", *YES]) == 0
    answered = served.answer()
    assert (answered["status"], answered["body_kind"]) == (200, "json")
    properties = served.deployment()["properties"]
    assert properties["environmentId"].endswith("/environments/promptflow-chat/versions/8")
    assert properties["provisioningState"] == "Succeeded"
    assert "Booting worker with pid" in served.log()
    main(["diagnose", *served.asked, "--format", "json", "--output", "after.json"])
    assert rules("after.json") == set()
    # what was there before is what Azure refuses with MissingDriverProgram: it stays healed, and the undo says so
    assert main(["undo", "plan.json.journal"]) == 0
    assert "Azure does not accept what was there before" in capsys.readouterr().err
    assert served.answer()["status"] == 200
