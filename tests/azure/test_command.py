"""The same as a person does it: plan, apply and undo on the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pfdoctor.cli.main import main

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
ENDPOINT = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-chat"
    "/providers/Microsoft.MachineLearningServices/workspaces/ws-chat/onlineEndpoints/chat"
)
REQUEST = str(ROOT / "examples" / "scenarios" / "request.json")
WRONG = "00000000-0000-4000-8000-00000000dead"
YES = ("--yes", "--fix-level", "review")


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
    sheet = (here / "sheet.md").read_text()
    assert "# What is asked for" in sheet
    assert "if pfdoctor created it" not in sheet, "whoever reads it runs az"
    schema = json.loads((ROOT / "docs" / "schema" / "plan.schema.json").read_text())
    jsonschema.validate(json.loads((here / "plan.json").read_text()), schema)
    assert main(["apply", "plan.json", "--dry-run"]) == 0
    assert ": assign Azure Machine Learning Workspace Connection Secrets Reader to " in capsys.readouterr().out
    assert patient.state() == untouched
    # it is not safe, so it is left out where nobody can be asked
    assert main(["apply", "plan.json"]) == 8
    assert patient.state() == untouched
    assert "left out" in capsys.readouterr().err
    assert main(["apply", "plan.json", *YES]) == 0
    assert "fixed: secrets-flag-without-grant" in capsys.readouterr().err
    assert patient.state() != untouched
    assert main(["apply", "plan.json"]) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert main(["apply", "plan.json", *YES]) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert main(["undo", "plan.json.journal"]) == 0
    assert patient.state() == untouched


FLOW = ROOT / "examples" / "scenarios" / "flows" / "planned"
WORKSPACE = ("-s", "11111111-2222-3333-4444-555555555555", "-g", "rg-chat", "-w", "ws-chat")


def repository(here: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (here / "repo").rglob("*") if path.is_file()}


def test_files_and_azure_in_one_plan(
    hospital: Callable[..., Any], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The routes are missing in Azure, a timeout is too short in both: files first, then one roll-out."""

    def worsen(data: dict[str, Any]) -> None:
        (blue,) = (body for name, body in data["resources"].items() if name.endswith("/deployments/blue"))
        blue["properties"]["environmentVariables"]["AZURE_CLIENT_ID"] = WRONG

    patient = hospital("drift-environment-fix-not-deployed", worsen)
    shutil.copytree(FLOW, here / "repo")
    (here / "repo" / ".git").mkdir()
    file = here / "repo" / "deployment.yml"
    client = "6287c88a-0000-4000-8000-0000000000c1"
    file.write_text(file.read_text().replace(client, f"{WRONG}  # of the test workspace"))
    untouched, files = patient.state(), repository(here)
    # the files name the endpoint
    assert main(["plan", "repo", *WORKSPACE, "-o", "plan.json"]) == 0
    plan = json.loads((here / "plan.json").read_text())
    kinds = [step["edit"]["kind"] for step in plan["steps"]]
    assert kinds == ["set", "set", "set", "environment-version", "update-deployment"]
    assert {fix["rule"] for fix in plan["fixes"]} >= {"environment-fix-not-deployed", "client-id-wrong"}
    # the same facts, the same bytes, whatever the order of sets
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "pfdoctor", "plan", "repo", *WORKSPACE, "-o", f"plan{seed}.json"]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(command, cwd=here, capture_output=True, timeout=60, check=True, env=environment)
        assert (here / f"plan{seed}.json").read_bytes() == (here / "plan.json").read_bytes()
    assert main(["apply", "plan.json", *YES]) == 0
    assert f'AZURE_CLIENT_ID: "{client}"  # of the test workspace' in file.read_text()
    assert "environment: azureml:promptflow-chat:8" in file.read_text()
    assert 'version: "8"' in (here / "repo" / "environment.yml").read_text()
    properties = deployment(patient)["properties"]
    assert properties["environmentVariables"]["AZURE_CLIENT_ID"] == client
    assert properties["environmentId"].endswith("/versions/8")
    healed = (patient.state(), repository(here))
    capsys.readouterr()
    assert main(["apply", "plan.json", *YES]) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert (patient.state(), repository(here)) == healed
    assert main(["plan", "repo", *WORKSPACE, "-o", "again.json"]) == 0
    assert json.loads((here / "again.json").read_text())["steps"] == []
    assert main(["undo", "plan.json.journal"]) == 0
    assert repository(here) == files
    assert patient.state()["roleAssignments"] == untouched["roleAssignments"]


def test_what_is_not_there_yet_is_planned_for_and_fixed(
    hospital: Callable[..., Any], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patient = hospital("planned-roles-missing")
    shutil.copytree(FLOW, here / "repo")
    (here / "repo" / ".git").mkdir()
    file = here / "repo" / "deployment.yml"
    file.write_text(file.read_text().replace("90000", "400000"))
    untouched, files = patient.state(), repository(here)
    assert main(["plan", "repo", "-e", ENDPOINT, "-o", "plan.json"]) == 0
    plan = json.loads((here / "plan.json").read_text())
    assert [step["edit"]["kind"] for step in plan["steps"]] == ["set", "assign-role"]
    # the role was assigned just now, and nobody can ask what is not there yet whether it works
    assert main(["apply", "plan.json", *YES, "--wait", "0"]) == 7
    told = capsys.readouterr().err
    assert "fixed: request-timeout-too-long" in told
    assert "applied, not yet effective: roles-missing-before-creation" in told
    assert patient.state() != untouched
    assert main(["undo", "plan.json.journal"]) == 0
    assert (patient.state(), repository(here)) == (untouched, files)
    # the short way looks at the workspace, too
    capsys.readouterr()
    assert main(["check", "repo", "--live", *WORKSPACE, "--fix", *YES, "--select", "deployment/*"]) == 0
    told = capsys.readouterr().err
    assert "fixed: request-timeout-too-long" in told
    assert repository(here) != files
    assert main(["undo", told.rpartition("pfdoctor undo ")[2].strip()]) == 0
    assert (patient.state(), repository(here)) == (untouched, files)
    # what it would do in Azure is shown like what it would do to files
    role = ("--select", "roles-missing-before-creation")
    capsys.readouterr()
    assert main(["check", "repo", "--live", *WORKSPACE, "--diff", "--fix-level", "review", *role]) == 1
    assert ": assign " in capsys.readouterr().out
    assert patient.state() == untouched
    # and waits for a role no longer than it is told to
    assert main(["check", "repo", "--live", *WORKSPACE, "--fix", *YES, *role, "--wait", "0"]) == 7
    told = capsys.readouterr().err
    assert "applied, not yet effective: roles-missing-before-creation" in told
    assert "0 of at most" not in told


def test_the_short_way(hospital: Callable[..., Any], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patient = hospital("schema-no-traffic")
    assert main(["diagnose", "-e", ENDPOINT, "--fix", *YES]) == 0
    assert "fixed: no-traffic" in capsys.readouterr().err
    assert not patient.plan("no-traffic").fixes
    assert here.exists()


def test_the_short_way_waits_as_apply_does(
    hospital: Callable[..., Any], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hospital("secret-role-missing-scored", lambda data: data.setdefault("settings", {}).update(propagation=600))
    rule = ("--select", "secrets-flag-without-grant")
    assert main(["diagnose", "-e", ENDPOINT, "--probe-score", REQUEST, "--fix", *YES, *rule, "--wait", "0"]) == 7
    told = capsys.readouterr().err
    assert "applied, not yet effective: secrets-flag-without-grant" in told
    assert "0 of at most" not in told
    assert here.exists()


def deployment(patient: Any) -> Any:
    (body,) = (body for name, body in patient.state()["resources"].items() if name.endswith("/deployments/blue"))
    return body


@pytest.mark.usefixtures("here")
def test_traffic_goes_away_from_a_deployment_that_failed_and_stays_away(
    hospital: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """That the other then has none is worth knowing, and no reason to take it back."""
    patient = hospital("traffic-to-failed-deployment")
    untouched = patient.state()
    assert main(["diagnose", "-e", ENDPOINT]) == 1
    assert f"pfdoctor plan -e {ENDPOINT} -o plan.json" in capsys.readouterr().err
    assert main(["plan", "-e", ENDPOINT, "-o", "plan.json"]) == 0
    assert "new deployment-without-traffic" in capsys.readouterr().out
    assert main(["apply", "plan.json", *YES]) == 0
    assert "fixed: traffic-to-failed-deployment" in capsys.readouterr().err
    assert main(["undo", "plan.json.journal"]) == 0
    assert patient.state() == untouched


@pytest.mark.usefixtures("here")
def test_what_stays_was_not_undone(hospital: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    hospital("environment-without-inference-config")
    assert main(["plan", "-e", ENDPOINT, "-o", "plan.json"]) == 0
    assert main(["apply", "plan.json", *YES]) == 0
    capsys.readouterr()
    assert main(["undo", "plan.json.journal"]) == 0
    said = capsys.readouterr().err
    assert "was undone" not in said
    assert "step 2: it stays as it is now" in said
