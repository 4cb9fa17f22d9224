"""`pfdoctor selfcheck`, against the simulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pfdoctor.cli.main import main
from pfdoctor.core.model import Json
from pfdoctor.simulator import Scenario, Simulator

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def sim(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with Simulator(Scenario.load(root / "examples" / "scenarios" / "healthy.yaml")) as simulator:
        for name, value in simulator.environment.items():
            monkeypatch.setenv(name, value)
        yield simulator


def checks(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Json]]:
    code = main(["selfcheck", "--format", "json", *arguments])
    found = json.loads(capsys.readouterr().out)["checks"]
    return code, {one["name"]: (one["good"], one["detail"]) for one in found}


def test_all_is_well(sim: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = checks(capsys, "-s", SUBSCRIPTION, "-g", "rg-chat", "-w", "ws-chat")
    assert code == 0
    assert {name: good for name, (good, _) in found.items()} == dict.fromkeys(
        ("software", "cloud", "proxy", "TLS", "clock", "login", "tenant", "subscriptions", "workspace"), True
    )
    assert found["tenant"][1] == "99999999-8888-7777-6666-555555555555"
    assert {request.method for request in sim.requests} == {"GET"}


@pytest.mark.usefixtures("sim")
def test_a_subscription_that_is_not_seen(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = checks(capsys, "-s", "00000000-0000-0000-0000-000000000000")
    assert (code, found["subscriptions"][0]) == (4, False)


@pytest.mark.usefixtures("sim")
def test_a_workspace_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = checks(capsys, "-s", SUBSCRIPTION, "-g", "rg-chat", "-w", "other")
    assert (code, found["workspace"][0]) == (5, False)


@pytest.mark.usefixtures("sim")
def test_nobody_is_logged_in(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = checks(capsys, "--credential", "environment")
    assert (code, found["login"][0]) == (4, False)
    assert "AZURE_CLIENT_SECRET" in found["login"][1]


@pytest.mark.usefixtures("sim")
def test_a_certificate_that_is_not_trusted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name)
    code, found = checks(capsys)
    assert code == 2
    assert "CERTIFICATE_VERIFY_FAILED" in found["cloud"][1]


def test_nothing_answers_and_nothing_else_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", "https://127.0.0.1:1/metadata/endpoints")
    code, found = checks(capsys)
    assert (code, list(found)) == (2, ["software", "cloud"])


@pytest.mark.usefixtures("sim")
def test_a_clock_that_is_wrong(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from pfdoctor.cloud import reach

    monkeypatch.setattr(reach, "_skew", lambda *_: -700.0)
    code, found = checks(capsys)
    assert (code, found["clock"]) == (1, (False, "700 s behind Azure's"))


@pytest.mark.usefixtures("sim")
def test_the_text_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selfcheck"]) == 0
    out = capsys.readouterr().out
    assert "ok      login         user dev@contoso.example" in out
    assert "good    pfdoctor can look at Azure from here" in out
    assert "next    pfdoctor diagnose -e ENDPOINT -w WORKSPACE -g GROUP -s SUBSCRIPTION" in out


def test_what_cannot_be_reached_is_no_fault_of_tls(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pfdoctor.cloud import clouds

    nowhere = clouds.PUBLIC._replace(resource_manager="https://127.0.0.1:1")
    monkeypatch.setattr(clouds, "resolve_cloud", lambda *_: nowhere)
    assert main(["selfcheck"]) == 1
    out = capsys.readouterr().out
    assert "wrong   network       127.0.0.1:1 cannot be reached" in out
    assert "wrong   network: pfdoctor cannot look at Azure" in out
    assert "TLS" not in out
    main(["selfcheck", "--format", "json"])
    codes = {one["name"]: one.get("exit_code") for one in json.loads(capsys.readouterr().out)["checks"]}
    assert {name for name, code in codes.items() if code is not None} == {"network"}
