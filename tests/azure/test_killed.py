"""Killed with SIGKILL at every call that reaches the disk, and while Azure acts: undo, or the same again, is clean."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.azure.conftest import SCENARIOS, Patient, as_known, quick
from tests.forks import Ended, Forks, forks
from tests.plan.conftest import Repository

pytestmark = pytest.mark.once

ENDPOINT = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-chat"
    "/providers/Microsoft.MachineLearningServices/workspaces/ws-chat/onlineEndpoints/chat"
)
YES = ("--yes", "--fix-level", "review")
VERSION, MIXED = "version", "files and a role"
SCENARIO = {
    VERSION: "environment-route-wrong",
    MIXED: "secret-role-missing-scored",
}
IN_FILES = {"deploy/deployment.yml": ["request_timeout_ms: 90000, ", ""]}


class State(NamedTuple):
    """What there is: in Azure, and byte for byte in the files."""

    azure: dict[str, Any]
    files: dict[str, Any]


class Bed:
    """A new simulator and new files for every kill, under one plan."""

    def __init__(self, name: str, admit: Callable[..., Patient], process: Forks, folder: Path) -> None:
        self.name, self._admit, self._process = name, admit, process
        self.folder = folder
        self.repository = Repository(folder / "work", folder / "plan.json.journal")
        self.repository.root.mkdir()
        self.renew()
        paths = ["work"] if name == MIXED else []
        score = ["--probe-score", str(SCENARIOS / "request.json")] if name == MIXED else []
        rules = [word for rule in RULES[name] for word in ("--rule", rule)]
        made = self.run("plan", *paths, "-e", ENDPOINT, *score, *rules, "-o", "plan.json", "--no-what-if")
        assert made.code == 0, made.err
        self.untouched = self.state()

    def renew(self) -> None:
        """As it was when the plan was made."""
        self.patient = self._admit(SCENARIO[self.name], quick)
        for file in self.folder.glob("plan.json.*"):
            file.unlink()
        if self.name == MIXED:
            self.repository.write(IN_FILES)

    def run(self, *arguments: str, last: int = 0, half: bool = False) -> Ended:
        return self._process.run(
            self.folder, *arguments, last=last, half=half, environment=self.patient.simulator.environment
        )

    def apply(self, last: int = 0, *, half: bool = False) -> Ended:
        return self.run("apply", "plan.json", *YES, last=last, half=half)

    def killed_while(self, nth: int, kind: str) -> None:
        """Kill an apply at its n-th write: "hang" before Azure acts, "hang-after" once it did and before it answers."""
        rule = self.patient.simulator.inject({"method": "PUT", "nth": nth}, kind)
        environment = self.patient.simulator.environment
        running = self._process.start(self.folder, "apply", "plan.json", *YES, environment=environment)
        until = time.monotonic() + 60
        while not rule.held:
            assert time.monotonic() < until, "the write never came"
            time.sleep(0.002)
        running.kill()
        assert running.end().code == -9
        self.patient.simulator.clear_faults()

    def state(self) -> State:
        return State(as_known(self.patient.state()), self.repository.bytes())

    def writes(self) -> Counter[tuple[str, str]]:
        """What took effect, and how often. (A role under a name that is taken changes nothing: 200, not 201.)"""
        return Counter(
            (one.method, one.path)
            for one in self.patient.simulator.requests
            if one.method in {"PUT", "PATCH", "DELETE"}
            and one.done in {200, 201, 202, 204}
            and ("roleAssignments" not in one.path or one.done != 200)
        )

    def is_taken_back(self, what: object) -> None:
        undone = self.run("undo", "plan.json.journal") if (self.folder / "plan.json.journal").exists() else None
        assert undone is None or undone.code == 0, (what, undone)
        assert self.state() == self.untouched, what
        assert not (self.folder / "plan.json.journal.undo").exists(), what
        assert not list(self.repository.root.rglob(".*.pfdoctor")), what


RULES = {
    VERSION: ["deployed-route-wrong"],
    MIXED: ["secrets-flag-without-grant", "request-timeout-default"],
}


@pytest.fixture(scope="module")
def process() -> Iterator[Forks]:
    with forks() as made:
        yield made


@pytest.fixture(params=[VERSION, MIXED])
def bed(hospital: Callable[..., Patient], process: Forks, tmp_path: Path, request: pytest.FixtureRequest) -> Bed:
    return Bed(request.param, hospital, process, tmp_path)


def test_killed_anywhere(bed: Bed) -> None:
    whole = bed.apply()
    assert whole.code == 0, whole.err
    applied, once = bed.state(), bed.writes()
    steps = json.loads((bed.folder / "plan.json").read_text())["steps"]
    assert sum(once.values()) == sum("file" not in step["edit"] for step in steps)
    assert applied != bed.untouched
    calls = range(1, len(whole.calls) + 1)
    assert len(calls) > 6
    # the calls of the run that nobody disturbed, each of them: taken back after one, finished after the next
    for last in calls:
        if last % 2:
            bed.renew()
            assert bed.apply(last, half=last % 4 > 1).code == -9
            bed.is_taken_back(last)
        else:
            bed.renew()
            assert bed.apply(last, half=last % 4 > 1).code == -9
            again = bed.apply()
            assert again.code == 0, (last, again)
            assert (bed.state(), bed.writes()) == (applied, once), (last, again)


@pytest.mark.parametrize("kind", ["hang", "hang-after"])
def test_killed_while_azure_acts(bed: Bed, kind: str) -> None:
    assert bed.apply().code == 0
    applied, once = bed.state(), bed.writes()
    for nth in range(1, sum(once.values()) + 1):
        bed.renew()
        bed.killed_while(nth, kind)
        bed.is_taken_back(nth)
        bed.renew()
        bed.killed_while(nth, kind)
        again = bed.apply()
        assert again.code == 0, (nth, again)
        assert (bed.state(), bed.writes()) == (applied, once), (nth, again)
