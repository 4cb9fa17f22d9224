"""The workflows of docs/scheduled-audit.md: their own steps are run against the simulator, others' are stubs."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pfdoctor.simulator import Scenario, Simulator

pytestmark = pytest.mark.once

EXPRESSION = re.compile(r"\$\{\{.*?\}\}|\$\(\w+(?:\.\w+)*\)")


@pytest.fixture(scope="module")
def workflows(root: Path) -> dict[str, Any]:
    """The YAML blocks of the document by the file name in their first line."""
    text = (root / "docs/scheduled-audit.md").read_text("utf-8")
    blocks = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return {name: yaml.safe_load(block) for name, block in blocks}


@pytest.fixture(scope="module")
def github(workflows: dict[str, Any]) -> dict[str, Any]:
    return dict(workflows[".github/workflows/pfdoctor.yml"])


@pytest.fixture(scope="module")
def azure_devops(workflows: dict[str, Any]) -> dict[str, Any]:
    return dict(workflows["azure-pipelines-pfdoctor.yml"])


class Machine:
    """An agent's folder, with `pfdoctor` on its path and a pip that has nothing to do."""

    def __init__(self, folder: Path, source: Path) -> None:
        self.folder = folder
        tools = folder.parent / f"{folder.name}-tools"
        for one in (folder, tools):
            one.mkdir()
        python = shlex.quote(sys.executable)
        self._tool(tools / "pfdoctor", f'exec {python} -m pfdoctor "$@"')
        self._tool(tools / "python", f'[ "$1 $2" = "-m pip" ] || exec {python} "$@"')
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "PFDOCTOR_"))}
        self.environment = {
            **kept,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(source),
            "GITHUB_STEP_SUMMARY": str(folder / "step-summary.md"),
        }

    @staticmethod
    def _tool(path: Path, line: str) -> None:
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """One step, as both services run it."""
        assert not EXPRESSION.search(script), "a script takes values from its environment, or it could be injected into"
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path, root: Path) -> Machine:
    return Machine(tmp_path / "agent", root / "src")


@pytest.fixture
def nights(root: Path, machine: Machine) -> Iterator[Any]:
    """Makes the machine look at one scenario and then at another."""
    running: list[Simulator] = []

    def begin(name: str) -> Simulator:
        for one in running:
            one.__exit__(None, None, None)
        running[:] = [Simulator(Scenario.load(root / "examples/scenarios" / f"{name}.yaml")).__enter__()]
        # the login is a stub: the simulator's managed identity stands for az
        machine.environment |= {**running[0].environment, "PFDOCTOR_CREDENTIAL": "managed-identity"}
        return running[0]

    yield begin
    for one in running:
        one.__exit__(None, None, None)


def scripts_of(steps: list[dict[str, Any]]) -> dict[str, str]:
    """The steps that are scripts, by name, in either service's spelling."""
    found = {}
    for step in steps:
        inputs = step.get("inputs") or {}
        script = step.get("run") or step.get("script") or step.get("bash") or inputs.get("inlineScript")
        if script:
            found[str(step.get("name") or step.get("displayName") or "Install")] = str(script)
    return found


def test_jobs_may_do_what_they_need_and_no_more(github: dict[str, Any]) -> None:
    assert github["permissions"] == {}
    jobs = github["jobs"]
    assert jobs["audit"]["permissions"] == {"contents": "read", "id-token": "write"}
    assert jobs["files"]["permissions"] == {"contents": "read", "security-events": "write"}
    triggers: dict[Any, Any] = github
    # YAML 1.1 takes `on` for true
    assert re.fullmatch(r"(\S+ ){4}\S+", triggers[True]["schedule"][0]["cron"])


def test_both_say_how_to_log_in_without_a_secret(github: dict[str, Any], azure_devops: dict[str, Any]) -> None:
    login = next(one for one in github["jobs"]["audit"]["steps"] if one.get("uses", "").startswith("azure/login@"))
    assert set(login["with"]) == {"client-id", "tenant-id", "subscription-id"}
    assert github["jobs"]["audit"]["env"] == {"PFDOCTOR_CREDENTIAL": "cli"}
    audit = next(one for one in azure_devops["steps"] if one.get("displayName") == "Audit")
    assert (audit["task"], audit["env"]) == ("AzureCLI@2", {"PFDOCTOR_CREDENTIAL": "cli"})


def test_two_nights_on_github(github: dict[str, Any], machine: Machine, nights: Any) -> None:
    steps = scripts_of(github["jobs"]["audit"]["steps"])
    assert list(steps) == ["Install", "Audit", "Fail for what is new", "Keep the report for the next night"]
    nights("healthy")
    for name, script in steps.items():
        done = machine.run(script)
        assert done.returncode == 0, f"{name}: {done.stderr}"
    assert "# pfdoctor audit: nothing found" in (machine.folder / "step-summary.md").read_text()
    nights("secret-role-missing")
    ends = {name: machine.run(script) for name, script in steps.items()}
    assert {name: one.returncode for name, one in ends.items() if one.returncode} == {"Fail for what is new": 1}
    assert "1 new, 0 persisting, 0 fixed" in ends["Fail for what is new"].stdout
    assert "**new** · error" in (machine.folder / "step-summary.md").read_text()
    assert (machine.folder / "pfdoctor.prom").read_text().endswith("# EOF\n")


def test_a_blind_night_is_no_green_one(github: dict[str, Any], machine: Machine, nights: Any) -> None:
    audit = next(one for one in github["jobs"]["audit"]["steps"] if one.get("name") == "Audit")
    simulator = nights("healthy")
    simulator.inject({"path": "/onlineEndpoints/chat[/?]"}, {"kind": "status", "status": 409})
    done = machine.run(audit["run"])
    assert done.returncode == 6, done.stderr
    assert "unknown: " in (machine.folder / "step-summary.md").read_text()
    report = json.loads((machine.folder / "audit.json").read_text())
    assert report["summary"]["exit_reason"] == "not seen: 1 endpoint"
    after = [one for one in github["jobs"]["audit"]["steps"] if one.get("if")]
    assert [one.get("name", one.get("uses", "")).split("@")[0] for one in after] == [
        "Fail for what is new",
        "Keep the report for the next night",
        "actions/cache/save",
        "actions/upload-artifact",
    ], "what comes after a failed audit"


def test_two_nights_on_azure_devops(azure_devops: dict[str, Any], machine: Machine, nights: Any) -> None:
    steps = scripts_of(azure_devops["steps"])
    assert list(steps) == ["Install", "Audit", "Fail for what is new"]
    nights("healthy")
    for name, script in steps.items():
        done = machine.run(script)
        assert done.returncode == 0, f"{name}: {done.stderr}"
    # publishing and downloading the artifact
    (machine.folder / "report").rename(machine.folder / "last")
    nights("secret-role-missing")
    audit = machine.run(steps["Audit"])
    assert audit.returncode == 0, audit.stderr
    assert f"##vso[task.uploadsummary]{machine.folder.resolve()}/report/audit.md" in audit.stdout
    assert machine.run(steps["Fail for what is new"]).returncode == 1


def test_the_files_job_writes_sarif(github: dict[str, Any], machine: Machine) -> None:
    steps = scripts_of(github["jobs"]["files"]["steps"])
    (machine.folder / "flow.dag.yaml").write_text(
        "inputs: {}\noutputs:\n  answer:\n    reference: ${gone.output}\nnodes: []\n"
    )
    done = machine.run(steps["Check the files"])
    assert done.returncode == 0, done.stderr
    log = json.loads((machine.folder / "pfdoctor.sarif").read_text("utf-8"))
    assert [one["ruleId"] for one in log["runs"][0]["results"] if one["level"] == "error"]
