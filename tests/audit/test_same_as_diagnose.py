"""An audit finds what `diagnose` finds, though it reads a tenth of it where nothing is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.audits import rules, running

from pfdoctor.cloud.clouds import resolve_cloud
from pfdoctor.cloud.credentials import make_credential
from pfdoctor.cloud.pipeline import Limits
from pfdoctor.collect.azure.collector import Collection, collect_now
from pfdoctor.collect.azure.target import Target
from pfdoctor.core.diagnose import diagnose
from pfdoctor.simulator import Scenario

SCENARIOS = Path(__file__).parents[2] / "examples/scenarios"
# those in which the cause only shows where a brief reading does not look, or shows it in another place
WHICH = (
    "datastore-action-misprinted",
    "latency-slow-node",
    "openai-role-missing",
    "schema-compute-mode",
    "search-role-missing",
    "secret-denied-by-deny-assignment",
    "secret-role-conditional",
    "secret-role-pending",
)


def test_rights_through_a_group_are_no_missing_rights(tmp_path: Path) -> None:
    with running(Scenario.load(SCENARIOS / "healthy-through-group.yaml"), tmp_path) as fleet:
        (entry,) = fleet.audit()["endpoints"]
    assert entry["state"] == "healthy"


@pytest.mark.parametrize("name", WHICH)
def test_the_same_findings(name: str, tmp_path: Path) -> None:
    catalogue = rules()
    with running(Scenario.load(SCENARIOS / f"{name}.yaml"), tmp_path) as fleet:
        (entry,) = fleet.audit()["endpoints"]
        cloud = resolve_cloud(None, fleet.environment)
        target = Target(entry["subscription"], entry["resource_group"], entry["workspace"], entry["name"])
        how = Collection(symptoms=catalogue.symptoms, environment=fleet.environment, limits=Limits(backoff=0.0))

        def login() -> Any:
            return make_credential("managed-identity", cloud, fleet.environment, None)

        results = [diagnose(one, catalogue) for one in collect_now(target, cloud, login, how)]
    expected = {(one.rule, one.fingerprint) for result in results for one in result.findings}
    assert expected
    assert {(one["rule"], one["fingerprint"]) for one in entry["findings"]} == expected
