"""A simulated endpoint with a fault in it, planned for, applied and undone in this process, on the simulated clock."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from pfdoctor import catalog
from pfdoctor.apply.azure import AzureHand, Login
from pfdoctor.apply.effective import Waiting
from pfdoctor.apply.run import Applied, Runner
from pfdoctor.apply.undo import Undone, undo
from pfdoctor.apply.verify import Observation
from pfdoctor.cli.gather import combine
from pfdoctor.cloud.clouds import resolve_cloud
from pfdoctor.cloud.credentials import make_credential
from pfdoctor.cloud.pipeline import Limits
from pfdoctor.collect.azure.collector import Collection, collect_now
from pfdoctor.collect.azure.raw import read_now
from pfdoctor.collect.azure.target import Target
from pfdoctor.collect.folder import collect as collect_folder
from pfdoctor.core.diagnose import diagnose
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import CaseResult, Finding, Level
from pfdoctor.core.plan import Plan, Planner
from pfdoctor.core.plan import Target as Named
from pfdoctor.core.rule import Catalogue
from pfdoctor.edit.sources import FileSources
from pfdoctor.simulator import Scenario, Simulator

SCENARIOS = Path(__file__).resolve().parents[2] / "examples" / "scenarios"
TARGET = Target("11111111-2222-3333-4444-555555555555", "rg-chat", "ws-chat", "chat")
REQUEST = b'{"question": "What does it cost?"}'
CATALOGUE = catalog.load_full()


def quick(data: dict[str, Any]) -> None:
    """Nobody waits: roll-outs end at once, and roles are in force at once."""
    data.setdefault("settings", {}).update(deployment_seconds=0, endpoint_seconds=0, propagation=0)


def as_known(state: dict[str, Any]) -> dict[str, Any]:
    """The state but for environment versions, which cannot be unmade: that they stay, archived, is declared."""
    resources = {name: body for name, body in state["resources"].items() if "/environments/" not in name}
    return {**state, "resources": resources}


class Patient:
    """An endpoint in a simulator, and what pfdoctor does to it."""

    def __init__(self, simulator: Simulator, expected: dict[str, Any], folder: Path) -> None:
        self.simulator = simulator
        self.journal = folder / "plan.json.journal"
        self.root = folder / "repository"
        self.root.mkdir(exist_ok=True)
        if "files" in expected:
            shutil.copytree(SCENARIOS / expected["files"], self.root, dirs_exist_ok=True)
            (self.root / ".git").mkdir(exist_ok=True)
        self.catalogue: Catalogue = CATALOGUE
        self.cloud = resolve_cloud(None, os.environ)
        self.limits = Limits(sleep=self.sleep, backoff=0.0)
        self.expected = expected
        self.longest_wait = 1200.0

    async def sleep(self, seconds: float) -> None:
        """Nobody waits: the simulated clock does, and what is under way on it ends."""
        self.simulator.advance(seconds)

    def credential(self) -> Any:
        return make_credential("default", self.cloud, os.environ, self.simulator.ca_file)

    def facts(self) -> tuple[Facts, ...]:
        expected = self.expected
        declared = collect_folder([self.root]).cases if "files" in expected else []
        how = Collection(
            deployment=expected["deployment"],
            declared=declared[0].document["declared"] if declared else None,
            planned=bool(expected.get("planned")),
            probe=bool(expected.get("probe") or expected.get("score")),
            score=REQUEST if expected.get("score") else None,
            symptoms=CATALOGUE.symptoms,
            limits=self.limits,
        )
        return tuple(combine(declared, collect_now(TARGET, self.cloud, self.credential, how), []))

    def judge(self, facts: Facts) -> CaseResult:
        return diagnose(facts, CATALOGUE)

    def observe(self) -> Observation:
        return Observation(tuple((facts, self.judge(facts)) for facts in self.facts()))

    def plan(self, *rules: str, wanted: Callable[[Finding], bool] | None = None) -> Plan:
        cases = self.facts()
        resources = read_now(cases, self.cloud, self.credential, os.environ, self.limits)
        planner = Planner(CATALOGUE, FileSources(self.root), self.judge, Level.REVIEW, resources)
        chosen = wanted or (lambda finding: not rules or finding.rule in rules)
        paths = (str(self.root),) if "files" in self.expected else ()
        return planner.plan(cases, paths, chosen, live=Named(TARGET.id, self.expected["deployment"]))

    def hand(self) -> AzureHand:
        login = Login(self.cloud, self.credential, os.environ, self.limits)
        return AzureHand(login, "plan test", Waiting(self.longest_wait, self.pause))

    def pause(self, seconds: float) -> None:
        """A long one, so that few of them are enough for a role to be in force."""
        self.simulator.advance(max(seconds, 240))

    def runner(self, plan: Plan) -> Runner:
        return Runner(plan, self.root, CATALOGUE, self.observe, lambda _: None, self.hand())

    def apply(self, plan: Plan) -> Applied:
        return self.runner(plan).run(self.journal)

    def undo(self) -> Undone:
        return undo(self.journal, None, self.hand())

    def files(self) -> dict[str, bytes]:
        """Every file of the repository, byte for byte."""
        found = (path for path in self.root.rglob("*") if path.is_file())
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in found}

    def state(self) -> dict[str, Any]:
        """The world, but for the times and counters that every write moves, and the logs that a roll-out begins."""
        state = copy.deepcopy(self.simulator.dump())
        state.pop("clock", None)
        state.pop("logs", None)
        for assignment in state["roleAssignments"].values():
            for name in ("createdOn", "updatedOn"):
                assignment.pop(name, None)
        for body in state["resources"].values():
            body.pop("systemData", None)
            properties = body.get("properties") or {}
            properties.pop("provisioningState", None)
            (properties.get("properties") or {}).pop("AzureAsyncOperationUri", None)
        return state


class Canned:
    """What was observed in a run without faults, so that the only calls are those of the steps."""

    def __init__(self, patient: Patient) -> None:
        self.patient = patient
        self.sick = self.well = patient.observe()
        self.healed: dict[str, Any] = {}

    def of(self, patient: Patient) -> Canned:
        """The same observations for another patient with the same illness."""
        other = copy.copy(self)
        other.patient = patient
        return other

    def recover(self, plan: Plan) -> None:
        assert self.patient.apply(plan).failure is None
        self.well = self.patient.observe()
        self.healed = self.patient.state()

    def apply(self, plan: Plan) -> Applied:
        runner = self.patient.runner(plan)
        observed = iter([self.sick])
        runner._observe = lambda: next(observed, self.well)
        return runner.run(self.patient.journal)


@pytest.fixture
def hospital(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Patient]]:
    """Takes in a scenario; `change` alters its data before the world is made."""
    running: list[Simulator] = []

    def admit(name: str, change: Callable[[dict[str, Any]], object] | None = None) -> Patient:
        scenario = Scenario.load(SCENARIOS / f"{name}.yaml")
        if change is not None:
            change(cast("dict[str, Any]", scenario.data))
        simulator = Simulator(scenario)
        simulator.start()
        running.append(simulator)
        for variable in [one for one in os.environ if one.startswith(("AZURE_", "ARM_", "IDENTITY_", "MSI_"))]:
            monkeypatch.delenv(variable)
        for variable, value in simulator.environment.items():
            monkeypatch.setenv(variable, value)
        return Patient(simulator, scenario.data["expect"], tmp_path)

    yield admit
    for simulator in running:
        simulator.stop()
