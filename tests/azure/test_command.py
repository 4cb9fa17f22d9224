"""The same as a person does it: plan, apply and undo on the command line."""

from __future__ import annotations

import json
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
