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
DEPLOYMENT = (
    "model: azureml:chat-flow:3\nenvironment: azureml:promptflow-chat:7\n"
    "instance_type: Standard_DS3_v2\ninstance_count: 1\n"
)
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


def test_what_is_proposed_works_as_it_stands(start: Callable[[str], Simulator], run: Run, scenarios: Path) -> None:
    start("connection-missing")
    request = scenarios / "request.json"
    code, out, _ = run("diagnose", "-e", "chat", *WORKSPACE, "--probe-score", request)
    whole = "-e chat -w ws-chat -g rg-chat -s 11111111-2222-3333-4444-555555555555"
    commands = [line.strip() for line in out.splitlines() if line.strip().startswith("pfdoctor ")]
    assert code == 1
    assert f"pfdoctor diagnose FOLDER_OF_THE_FLOW {whole} --probe-score {request}" in commands
    assert all(whole in command for command in commands)
    assert "the request of --probe-score failed (424)" in out
    assert "pfdoctor diagnose --probe-score" not in out
    assert "setting-differs" not in out


def test_what_was_seen_is_told_and_the_footer_adds_up(start: Callable[[str], Simulator], run: Run) -> None:
    start("connection-missing")
    _, out, _ = run("diagnose", "-e", "chat", *WORKSPACE)
    assert "  endpoint  Succeeded, authentication by key, traffic blue 100 %" in out
    assert "  identity  system-assigned" in out
    shown = sum(line.startswith(("error[", "warning[", "info[")) for line in out.splitlines())
    rest = next((int(line.split()[1]) for line in out.splitlines() if line.startswith("… ")), 0)
    assert f"{shown + rest} finding" in out
    _, quiet, _ = run("diagnose", "-e", "chat", *WORKSPACE, "-q")
    assert "seen in the logs" not in quiet
    assert "authentication by key" not in quiet
    assert quiet.startswith("chat/blue")


def test_the_endpoint_that_the_files_name(start: Callable[[str], Simulator], run: Run, tmp_path: Path) -> None:
    start("healthy")
    (tmp_path / "deployment.yml").write_text("name: blue\nendpoint_name: chat\n" + DEPLOYMENT)
    code, out, _ = run("diagnose", tmp_path, *WORKSPACE)
    assert (code, "traffic blue 100 %" in out) == (0, True), out
    code, out, _ = run("access", tmp_path, *WORKSPACE)
    assert (code, "operations of the endpoint" in out) == (0, True)


def test_facts_of_what_is_not_deployed_yet(
    start: Callable[[str], Simulator], run: Run, root: Path, tmp_path: Path
) -> None:
    start("healthy")
    healthy, snapshot = root / "examples" / "healthy", tmp_path / "facts.json"
    assert run("facts", healthy, "--live", *WORKSPACE, "-o", snapshot)[0] == 0
    _, replayed, _ = run("check", "--facts", snapshot, "--stat")
    _, direct, _ = run("check", healthy, "--live", *WORKSPACE, "--stat")
    # who replays it typed no path, and the commands that are proposed name none
    hints = [[line for line in text.splitlines() if "pfdoctor " not in line] for text in (replayed, direct)]
    assert hints[0] == hints[1]
    assert "connection-not-in-workspace" in replayed


def test_variables_of_live_flags_leave_what_is_offline_alone(
    run: Run, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PFDOCTOR_WORKSPACE", "ws-chat")
    monkeypatch.setenv("PFDOCTOR_PROBE", "1")
    assert run("check", root / "examples" / "healthy", "-q")[0] == 0
    log = tmp_path / "app.log"
    log.write_text("ModuleNotFoundError: No module named 'x_y'\n")
    assert run("diagnose", "--log", log)[0] in (0, 1)
    snapshot = tmp_path / "facts.json"
    assert run("facts", root / "examples" / "healthy", "-o", snapshot)[0] == 0
    assert run("diagnose", "--facts", snapshot)[0] == 0


def test_what_cannot_be_combined_is_refused(run: Run, tmp_path: Path) -> None:
    code, _, err = run("diagnose", "--facts", "f.json", "--probe")
    assert (code, "--probe: --facts replays" in err) == (2, True)
    code, _, err = run("diagnose", "--log", "a.log", "--probe")
    assert (code, "Name it by --endpoint" in err) == (2, True)
    request = tmp_path / "request.json"
    request.write_text('{"question": \n ?}')
    code, _, err = run("diagnose", "-e", "chat", *WORKSPACE, "--probe-score", request)
    assert (code, f"{request}:2:2 is no JSON" in err) == (2, True)


def test_commands_name_files_that_are_found_from_here(
    start: Callable[[str], Simulator], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start("healthy")
    repository, elsewhere = tmp_path / "repository", tmp_path / "elsewhere"
    (repository / ".git").mkdir(parents=True)
    (repository / "deploy").mkdir()
    elsewhere.mkdir()
    (repository / "deploy" / "blue.yml").write_text("name: blue\nendpoint_name: chat\n" + DEPLOYMENT)
    monkeypatch.chdir(elsewhere)
    _, out, _ = run("check", repository / "deploy", "--live", *WORKSPACE)
    assert "--file ../repository/deploy/blue.yml" in out


@pytest.mark.parametrize(("text", "told"), [("hello\n", "1 line was read"), ("hello\nworld\n", "2 lines were read")])
def test_a_log_that_leads_nowhere_tells_how_much_was_read(run: Run, tmp_path: Path, text: str, told: str) -> None:
    log = tmp_path / "a.log"
    log.write_text(text)
    code, out, _ = run("diagnose", "--log", str(log))
    assert (code, f"Inconclusive: {told}" in out) == (0, True)
