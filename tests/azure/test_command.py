"""The same as a person does it: plan, apply and undo on the command line, in a process of its own, killed anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pfdoctor.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
ENDPOINT = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-chat"
    "/providers/Microsoft.MachineLearningServices/workspaces/ws-chat/onlineEndpoints/chat"
)
REQUEST = str(ROOT / "examples" / "scenarios" / "request.json")
YES = ("--yes", "--fix-level", "review")

# Dies before the n-th flush of its journal.
SCRIPT = """
import os, signal, sys
from pfdoctor.cli.main import main
calls, last, real = [0], int(sys.argv[1]), os.fsync

def counted(descriptor):
    calls[0] += 1
    if calls[0] == last:
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)

os.fsync = counted
code = main(sys.argv[2:])
print(calls[0])
sys.exit(code)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_role_from_plan_to_undo(hospital: Callable[..., Any], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patient = hospital("secret-role-missing-scored")
    untouched = patient.state()
    assert main(["plan", "-e", ENDPOINT, "--probe-score", REQUEST, "-o", "plan.json", "--hand-off", "sheet.md"]) == 0
    shown = capsys.readouterr()
    assert "secret of every connection of the workspace" in " ".join(shown.out.split())
    assert "pfdoctor apply plan.json" in shown.err
    assert "# What is asked for" in (here / "sheet.md").read_text()
    schema = json.loads((ROOT / "docs" / "schema" / "plan.schema.json").read_text())
    jsonschema.validate(json.loads((here / "plan.json").read_text()), schema)
    # it is not safe, so it is left out where nobody can be asked
    assert main(["apply", "plan.json"]) == 0
    assert patient.state() == untouched
    assert "left out" in capsys.readouterr().err
    assert main(["apply", "plan.json", *YES]) == 0
    assert "fixed: secrets-flag-without-grant" in capsys.readouterr().err
    assert patient.state() != untouched
    assert main(["apply", "plan.json", *YES]) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert main(["undo", "plan.json.journal"]) == 0
    assert patient.state() == untouched


def test_the_short_way(hospital: Callable[..., Any], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patient = hospital("schema-no-traffic")
    assert main(["diagnose", "-e", ENDPOINT, "--fix", *YES]) == 0
    assert "fixed: no-traffic" in capsys.readouterr().err
    assert not patient.plan("no-traffic").fixes
    assert here.exists()


def run(here: Path, last: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT, str(last), *arguments]
    return subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=120, check=False, env=os.environ)


@pytest.mark.parametrize("name", ["environment-route-wrong", "secret-role-missing-scored"])
def test_killed_between_any_two_writes(hospital: Callable[..., Any], here: Path, name: str) -> None:
    def quick(data: dict[str, Any]) -> None:
        data.setdefault("settings", {}).update(deployment_seconds=0, endpoint_seconds=0)

    patient = hospital(name, quick)
    assert main(["plan", "-e", ENDPOINT, "--probe-score", REQUEST, "-o", "plan.json", "--no-what-if"]) == 0
    untouched = patient.simulator.dump()["roleAssignments"], deployment(patient)
    for last in range(1, 40, 2):
        (here / "plan.json.journal").unlink(missing_ok=True)
        killed = run(here, last, "apply", "plan.json", *YES)
        if killed.returncode != -9:
            assert killed.returncode == 0, killed.stderr
            break
        if last % 4 == 1:
            again = run(here, 0, "apply", "plan.json", *YES)
            assert again.returncode == 0, (last, again.stderr)
        assert main(["undo", "plan.json.journal"]) == 0
        assert (patient.simulator.dump()["roleAssignments"], deployment(patient)) == untouched, last
        if name == "environment-route-wrong":
            # a version that was registered stays, so the next plan is another one
            assert main(["plan", "-e", ENDPOINT, "-o", "plan.json", "--no-what-if"]) == 0
    else:
        raise AssertionError("it never ended")
    assert last > 4


def deployment(patient: Any) -> Any:
    (body,) = (body for name, body in patient.state()["resources"].items() if name.endswith("/deployments/blue"))
    return body
