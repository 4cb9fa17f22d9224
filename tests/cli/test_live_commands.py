"""The commands that look at Azure, against the simulator: what a person types, and what comes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pfdoctor.cli.main import main
from pfdoctor.core.model import Json
from pfdoctor.simulator import Scenario, Simulator

WORKSPACE = ("-s", "11111111-2222-3333-4444-555555555555", "-g", "rg-chat", "-w", "ws-chat")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def scenarios(root: Path) -> Path:
    return root / "examples" / "scenarios"


@pytest.fixture
def start(scenarios: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Simulator]]:
    started: list[Simulator] = []

    def begin(name: str) -> Simulator:
        simulator = Simulator(Scenario.load(scenarios / f"{name}.yaml"))
        simulator.start()
        started.append(simulator)
        for variable, value in simulator.environment.items():
            monkeypatch.setenv(variable, value)
        return simulator

    yield begin
    for simulator in started:
        simulator.stop()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def invoke(*arguments: str | Path) -> tuple[int, str, str]:
        code = main([str(one) for one in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return invoke


def first(text: str) -> Json:
    report = json.loads(text)
    (case,) = report["cases"]
    found = {one["fingerprint"]: one for one in report["findings"]}
    return found[case["ranking"][0]] if case["ranking"] else (report["findings"] or [None])[0]


def test_a_healthy_endpoint_has_nothing_wrong(start: Callable[[str], Simulator], run: Run) -> None:
    simulator = start("healthy")
    code, out, _ = run("diagnose", "-e", "chat", *WORKSPACE, "--format", "json")
    report = json.loads(out)
    assert (code, report["findings"]) == (0, [])
    assert {request.method for request in simulator.requests if "getlogs" not in request.path.lower()} == {"GET"}


def test_a_snapshot_replays_the_same_report(start: Callable[[str], Simulator], run: Run, tmp_path: Path) -> None:
    start("secret-role-at-wrong-scope")
    snapshot = tmp_path / "facts.json"
    assert run("facts", "-e", "chat", *WORKSPACE, "-o", snapshot)[0] == 0
    _, replayed, _ = run("diagnose", "--facts", snapshot, "--format", "json")
    _, again, _ = run("diagnose", "--facts", snapshot, "--format", "json")
    assert replayed == again
    _, access, _ = run("access", "--facts", snapshot, "--operation", "connection-secrets")
    assert "ASSIGNED_BELOW_TARGET" in access


def test_what_there_is_not_is_said_with_what_there_is(start: Callable[[str], Simulator], run: Run) -> None:
    start("healthy")
    code, _, err = run("diagnose", "-e", "chatt", *WORKSPACE)
    assert (code, "did you mean chat?" in err) == (5, True)
    code, _, err = run("diagnose", "-e", "chat", "-d", "blu", *WORKSPACE)
    assert (code, "did you mean blue?" in err) == (5, True)


def test_a_wrong_resource_group_is_no_clean_bill(start: Callable[[str], Simulator], run: Run) -> None:
    start("healthy")
    for command in ("diagnose", "access", "facts"):
        code, _, err = run(command, "-e", "chat", *WORKSPACE[:3], "rg-nope", *WORKSPACE[4:])
        assert (code, "no resource group 'rg-nope'" in err) == (5, True), command
    code, _, err = run("diagnose", "-e", "", *WORKSPACE)
    assert (code, "--endpoint is empty" in err) == (2, True)


def test_an_endpoint_that_cannot_be_read_is_no_clean_bill(start: Callable[[str], Simulator], run: Run) -> None:
    simulator = start("healthy")
    simulator.inject({"path": "/onlineEndpoints"}, {"kind": "status", "status": 403})
    code, out, _ = run("diagnose", "-e", "chat", *WORKSPACE)
    assert (code, "the login may not read the endpoint" in out) == (4, True)
    assert run("access", "-e", "chat", *WORKSPACE)[0] == 4


def test_the_flags_that_are_missing_are_named(run: Run) -> None:
    code, _, err = run("diagnose", "-e", "chat", "-w", "ws-chat")
    assert (code, "--subscription (-s) and --resource-group (-g)" in err) == (2, True)
    code, _, err = run("diagnose")
    assert (code, "give --log FILE" in err) == (2, True)
    code, _, err = run("check", "-e", "chat")
    assert (code, "goes with --live" in err) == (2, True)


def test_files_beside_a_workspace_in_which_nothing_is_deployed_yet(
    start: Callable[[str], Simulator], run: Run, root: Path
) -> None:
    start("healthy")
    code, out, _ = run("check", root / "examples" / "healthy", "--live", *WORKSPACE, "--format", "json")
    report = json.loads(out)
    assert code == 1
    assert "connection-not-in-workspace" in {one["rule"] for one in report["findings"]}
    assert report["summary"]["left_out"] > 0  # nothing was said of logs


def test_a_log_with_the_endpoint_is_one_case(start: Callable[[str], Simulator], run: Run, tmp_path: Path) -> None:
    start("healthy")
    log = tmp_path / "app.log"
    log.write_text(
        "Traceback (most recent call last):\n  File \"a.py\", line 1\nModuleNotFoundError: No module named 'x_y'\n"
    )
    code, out, _ = run("diagnose", "-e", "chat", *WORKSPACE, "--log", log, "--format", "json")
    assert (code, first(out)["rule"]) == (1, "module-missing")


def test_demo(run: Run) -> None:
    code, out, _ = run("demo", "--no-progress")
    assert code == 0
    assert "error[secrets-flag-without-grant]" in out
    code, out, _ = run("demo", "--list")
    assert "healthy" in out
    code, _, err = run("demo", "secret-role-mising")
    assert (code, "did you mean 'secret-role-missing'?" in err) == (2, True)


def test_demo_leaves_the_environment_as_it_was(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_ID", "mine")
    import os

    before = dict(os.environ)
    run("demo", "healthy", "--no-progress")
    assert dict(os.environ) == before
