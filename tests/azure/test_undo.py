"""Taking back in Azure: step by step, what Azure does not accept again, and what is not where it was applied."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.azure.conftest import Patient, as_known, quick

from pfdoctor.cli.applied import report, to_json
from pfdoctor.cli.fixing import Doing
from pfdoctor.cli.main import main
from pfdoctor.core.plan import to_json as plan_to_json
from pfdoctor.report.handoff import sheet

pytestmark = pytest.mark.once

ENDPOINT = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-chat"
    "/providers/Microsoft.MachineLearningServices/workspaces/ws-chat/onlineEndpoints/chat"
)
YES = ("--yes", "--fix-level", "review")
ROUTES, TRAFFIC = "a deployment without scoring routes a second time", "traffic to green, which is not there"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("environment-without-inference-config", ROUTES),
        ("environment-fixed-in-newer-version", ROUTES),
        ("traffic-to-missing-deployment", TRAFFIC),
    ],
)
def test_what_azure_will_not_take_back_is_said_before_and_after(
    hospital: Callable[..., Patient], here: Path, capsys: pytest.CaptureFixture[str], name: str, reason: str
) -> None:
    patient = hospital(name, quick)
    rule = patient.expected["first"]
    assert main(["plan", "-e", ENDPOINT, "--rule", rule, "-o", "plan.json", "--no-what-if"]) == 0
    assert f"Undo: irreversible: Azure does not accept {reason}" in " ".join(capsys.readouterr().out.split())
    assert main(["apply", "plan.json", *YES]) == 0
    healed = patient.state()
    capsys.readouterr()
    # declared, so that is no failure; and it is not passed over in silence
    assert main(["undo", "plan.json.journal"]) == 0
    said = capsys.readouterr().err
    assert "it stays as it is now, for Azure does not accept what was there before" in said
    assert "not so what the plan called irreversible" in said
    assert as_known(patient.state()) == as_known(healed)
    assert not (here / "plan.json.journal.undo").exists()


def test_a_former_state_that_azure_refuses_unforeseen_is_left(
    hospital: Callable[..., Patient], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patient = hospital("latency-near-timeout", quick)
    assert not patient.apply(patient.plan("latency-near-timeout")).failure
    patient.simulator.inject({"method": "PUT"}, {"kind": "status", "status": 400, "code": "UserError"})
    assert main(["undo", "plan.json.journal"]) == 7
    assert "step 1 was left: it stays as it is now, for Azure does not accept" in capsys.readouterr().err
    # what is needed for another time is kept
    patient.simulator.clear_faults()
    assert (here / "plan.json.journal.undo").exists()
    assert main(["undo", "plan.json.journal"]) == 0


def test_steps_one_by_one(hospital: Callable[..., Patient], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patient = hospital("environment-route-wrong", quick)
    untouched = as_known(patient.state())
    assert not patient.apply(patient.plan("deployed-route-wrong")).failure
    assert main(["undo", "plan.json.journal", "--step", "1"]) == 7
    assert "deployments/blue: undo step 2 first" in capsys.readouterr().err
    assert main(["undo", "plan.json.journal", "--step", "3"]) == 7
    assert "has no step 3 that could be undone: there are 1, 2" in capsys.readouterr().err
    assert main(["undo", "plan.json.journal", "--step", "2"]) == 0
    assert as_known(patient.state()) == untouched
    assert (here / "plan.json.journal.undo").exists()
    assert main(["undo", "plan.json.journal", "--step", "1"]) == 0
    assert "stays, archived" in capsys.readouterr().err
    assert not (here / "plan.json.journal.undo").exists()


def test_without_a_login(hospital: Callable[..., Patient], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patient = hospital("latency-near-timeout", quick)
    assert main(["plan", "-e", ENDPOINT, "-o", "plan.json", "--no-what-if"]) == 0
    patient.simulator.inject({"path": "/msi/"}, {"kind": "status", "status": 400, "code": "invalid_request"})
    assert main(["apply", "plan.json", *YES]) == 4
    assert not (here / "plan.json.journal").exists()
    patient.simulator.clear_faults()
    assert main(["apply", "plan.json", *YES]) == 0
    patient.simulator.inject({"path": "/msi/"}, {"kind": "status", "status": 400, "code": "invalid_request"})
    assert main(["undo", "plan.json.journal"]) == 4
    patient.simulator.clear_faults()
    assert "Traceback" not in capsys.readouterr().err
    assert main(["undo", "plan.json.journal"]) == 0


def test_the_states_of_a_grant(hospital: Callable[..., Patient], capsys: pytest.CaptureFixture[str]) -> None:
    patient = hospital("secret-role-missing", lambda data: data.setdefault("settings", {}).update(propagation=3000))
    plan = patient.plan("secrets-flag-without-grant")
    doing = Doing(patient.root, patient.journal, "name", "pfdoctor apply plan.json")
    patient.longest_wait = 0
    applied = patient.apply(plan)
    assert report(applied, plan, doing) == 7
    said = capsys.readouterr().err
    assert "applied, not yet effective: secrets-flag-without-grant" in said
    assert "next: pfdoctor apply plan.json" in said
    assert to_json(applied, plan, doing)["fixes"][0]["state"] == "not-yet-effective"
    patient.longest_wait = 6000
    applied = patient.apply(plan)
    assert report(applied, plan, doing) == 0
    assert "unverified: secrets-flag-without-grant" in capsys.readouterr().err
    assert to_json(applied, plan, doing)["fixes"][0]["state"] == "unverified"


def test_a_journal_without_what_lay_beside_it(
    hospital: Callable[..., Patient], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patient = hospital("latency-near-timeout", quick)
    patient.apply(patient.plan("latency-near-timeout"))
    kept, elsewhere = here / "plan.json.journal.undo", here / "elsewhere"
    shutil.move(kept, elsewhere)
    assert main(["undo", "plan.json.journal"]) == 7
    assert "plan.json.journal.undo is missing, which holds what is to be written back" in capsys.readouterr().err
    kept.write_bytes(b"[1, 2]\n{}\n")
    assert main(["undo", "plan.json.journal"]) == 7
    assert "is damaged" in capsys.readouterr().err
    shutil.move(elsewhere, kept)
    assert main(["undo", "plan.json.journal"]) == 0


def test_no_secret_anywhere(hospital: Callable[..., Patient], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Values of variables, of connections and of keys: in no document, and on no console."""
    canary = "canary" + "0123456789abcdef" * 2

    def leak(data: dict[str, Any]) -> None:
        quick(data)
        for name, body in data["resources"].items():
            if name.endswith("/deployments/blue"):
                body["properties"]["environmentVariables"] |= {"OPENAI_API_KEY": canary, "DB": f"a;Password={canary}"}
            if "/connections/" in name:
                body["properties"]["credentials"] = {"key": canary}

    patient = hospital("latency-near-timeout", leak)
    plan = patient.plan()
    assert canary not in json.dumps(plan_to_json(plan)) + sheet(plan)
    assert main(["plan", "-e", ENDPOINT, "-v", "-o", "plan.json", "--hand-off", "sheet.md"]) == 0
    assert main(["apply", "plan.json", *YES, "-o", "came.json"]) == 0
    kept = here / "plan.json.journal.undo"
    assert stat.S_IMODE(kept.stat().st_mode) == stat.S_IMODE((here / "plan.json.journal").stat().st_mode) == 0o600
    for name in ("plan.json", "plan.json.journal", "sheet.md", "came.json"):
        assert canary not in (here / name).read_text("utf-8"), name
    # somebody changed the secret and more meanwhile: what is said of it holds neither
    world = patient.simulator.world

    def change() -> None:
        (deployment,) = (one for one in world.store.all() if one.id.endswith("/deployments/blue"))
        deployment.body["properties"]["environmentVariables"]["OPENAI_API_KEY"] = canary + "2"

    patient.simulator.run(change)
    assert main(["undo", "plan.json.journal"]) == 7
    out = capsys.readouterr()
    assert canary not in out.out + out.err
    assert "changed since" in out.err
