"""One refused read turns no verdict round: whatever it leaves is what stood before, or unknown."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pfdoctor import catalog
from pfdoctor.cloud.clouds import resolve_cloud
from pfdoctor.cloud.credentials import make_credential
from pfdoctor.collect.azure.collector import Collection, collect_now
from pfdoctor.collect.azure.target import Target
from pfdoctor.core.diagnose import diagnose
from pfdoctor.core.model import Status
from pfdoctor.core.rule import Catalogue
from pfdoctor.simulator import Scenario, Simulator

pytestmark = pytest.mark.once

SCENARIOS = Path(__file__).resolve().parents[2] / "examples" / "scenarios"
TARGET = Target("11111111-2222-3333-4444-555555555555", "rg-chat", "ws-chat", "chat")
REFUSED = {"kind": "status", "status": 403, "code": "AuthorizationFailed"}

OPEN = (Status.UNKNOWN, Status.SUSPECTED)
"""What is not proven: the error was seen and its cause was not, or neither was."""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return catalog.load()


def verdicts(simulator: Simulator, catalogue: Catalogue) -> dict[str, Status]:
    """What each rule says of the deployment."""
    cloud = resolve_cloud(None, os.environ)
    how = Collection(deployment="blue", symptoms=catalogue.symptoms)
    (facts,) = collect_now(TARGET, cloud, lambda: make_credential("default", cloud, os.environ, simulator.ca_file), how)
    result = diagnose(facts, catalogue)
    return {rule: status for status, rules in result.outcomes.items() for rule in rules}


@pytest.mark.parametrize(
    "name",
    [
        "secret-role-missing",
        "environment-without-inference-config",
        "secret-role-eligible-only",
    ],
)
def test_a_verdict_stands_or_is_unknown(name: str, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator(Scenario.load(SCENARIOS / f"{name}.yaml")) as simulator:
        for variable, value in simulator.environment.items():
            monkeypatch.setenv(variable, value)
        whole = verdicts(simulator, catalogue)
        asked = sorted({(one.method, one.path) for one in simulator.requests if one.path.startswith("/subscriptions/")})
        assert len(asked) > 15
        turned: list[tuple[str, str, str, str]] = []
        for method, path in asked:
            simulator.clear_faults()
            simulator.inject({"method": method, "path": f"^{re.escape(path)}(\\?|$)"}, REFUSED)
            left = verdicts(simulator, catalogue)
            turned += [
                (path.rpartition("/providers/")[2], rule, whole[rule].value, status.value)
                for rule, status in left.items()
                if status not in (whole[rule], *OPEN)
            ]
        assert turned == []
