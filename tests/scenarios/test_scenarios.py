"""Every scenario, end to end: simulated, collected as from Azure, diagnosed; what it expects comes first, alone.

What is expected stands in the scenario itself (`expect:`), which the simulator does not read:

    deployment: blue         which deployment is diagnosed (healthy.yaml's, where another file does not say)
    first: RULE              the first finding; instead `nothing: true` asks that there is none
    apart_from: SYMPTOM      no other cause of this symptom may be proven
    not_confirmed: [RULE]    look-alikes that may not be proven
    probe, score: true       ask the endpoint, too
    files: FOLDER            the flow's files beside the live endpoint, below the scenarios
    planned: true            what the files declare need not exist yet, as for `check --live`
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pfdoctor import catalog
from pfdoctor.cli.gather import combine
from pfdoctor.cloud.clouds import resolve_cloud
from pfdoctor.cloud.credentials import make_credential
from pfdoctor.collect.azure.collector import Collection, collect_now
from pfdoctor.collect.azure.target import Target
from pfdoctor.collect.folder import collect as collect_folder
from pfdoctor.core.diagnose import diagnose
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import CaseResult
from pfdoctor.core.rule import Catalogue
from pfdoctor.simulator import Scenario, Simulator

pytestmark = pytest.mark.once

SCENARIOS = Path(__file__).resolve().parents[2] / "examples" / "scenarios"
FILES = sorted(SCENARIOS.glob("*.yaml"))
UNSPEAKABLE = ("(none)", "(unknown)", "\n", "Please check this guide", "/subscriptions/")
"""What no message of a proven finding holds: gaps, text that the gateway adds, and whole resource ids."""
REQUEST = b'{"question": "What does it cost?"}'
TARGET = Target("11111111-2222-3333-4444-555555555555", "rg-chat", "ws-chat", "chat")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return catalog.load_full()


def facts_of(scenario: Scenario, expected: dict[str, Any], catalogue: Catalogue, patch: pytest.MonkeyPatch) -> Facts:
    """The facts of the scenario's deployment as a person who runs pfdoctor gets them."""
    with Simulator(scenario) as simulator:
        for name in [name for name in os.environ if name.startswith(("AZURE_", "ARM_", "IDENTITY_", "MSI_"))]:
            patch.delenv(name)
        for name, value in simulator.environment.items():
            patch.setenv(name, value)
        cloud = resolve_cloud(None, os.environ)
        declared = collect_folder([SCENARIOS / expected["files"]]).cases if "files" in expected else []
        how = Collection(
            deployment=expected["deployment"],
            declared=declared[0].document["declared"] if declared else None,
            planned=bool(expected.get("planned")),
            probe=bool(expected.get("probe") or expected.get("score")),
            score=REQUEST if expected.get("score") else None,
            symptoms=catalogue.symptoms,
        )
        live = collect_now(TARGET, cloud, lambda: make_credential("default", cloud, os.environ, simulator.ca_file), how)
    (facts,) = combine(declared, live, [])
    return facts


def proven(result: CaseResult) -> list[str]:
    return [finding.rule for finding in result.findings if finding.status.counts]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_expected_comes_first_and_alone(
    file: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = Scenario.load(file)
    expected: dict[str, Any] = scenario.data["expect"]
    result = diagnose(facts_of(scenario, expected, catalogue, monkeypatch), catalogue)
    found = [f"{finding.status} {finding.rule}: {finding.message}" for finding in result.findings]
    if expected.get("nothing"):
        assert found == []
        return
    assert result.findings, "nothing was found"
    assert (result.findings[0].rule, result.findings[0].status.counts) == (expected["first"], True), found
    assert set(proven(result)) & set(expected.get("not_confirmed", ())) == set()
    told = [finding.message for finding in result.findings if finding.status.counts]
    assert [text for text in told if any(part in text for part in UNSPEAKABLE)] == []
    for remedy in (one for finding in result.findings for one in finding.remedies):
        lines = [*remedy.edits, *(remedy.steps or "").splitlines()]
        commands = [set(line.split()) for line in lines if line.startswith("az ")]
        assert not any(one <= other for one in commands for other in commands if one is not other), lines
    look_alikes = {rule.id for rule in catalogue.rules.values() if expected.get("apart_from") in rule.symptoms}
    assert (set(proven(result)) & look_alikes) <= {expected["first"]}


def test_every_failure_of_the_article_has_a_scenario() -> None:
    """One for each heading of the article's troubleshooting part, for each look-alike and each cause of a symptom."""
    firsts = {Scenario.load(file).data["expect"].get("first") for file in FILES}
    assert {
        "datastore-read-denied",
        "inference-config-missing",
        "latency-near-timeout",
        "no-traffic",
        "secrets-flag-without-grant",
    } <= firsts
    assert len(FILES) >= 70
