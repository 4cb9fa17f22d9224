"""How old a grant is, is told by Azure's clock: that of its answers, whatever the machine's says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.audits import Fleet, rules, running

from pfdoctor.cloud.clouds import resolve_cloud
from pfdoctor.cloud.credentials import make_credential
from pfdoctor.collect.azure.collector import Collection, collect_now
from pfdoctor.collect.azure.target import Target
from pfdoctor.core.diagnose import diagnose
from pfdoctor.simulator import Scenario
from pfdoctor.simulator.clock import instant

SCENARIO = Path(__file__).parents[2] / "examples/scenarios/secret-role-pending.yaml"
TARGET = Target("11111111-2222-3333-4444-555555555555", "rg-chat", "ws-chat", "chat")


def diagnosed(fleet: Fleet) -> set[str]:
    """What is proven by a diagnosis of the endpoint."""
    cloud = resolve_cloud(None, fleet.environment)
    how = Collection(deployment="blue", symptoms=rules().symptoms, environment=fleet.environment)
    login = partial(make_credential, "managed-identity", cloud, fleet.environment, None)
    (facts,) = collect_now(TARGET, cloud, login, how)
    return {one.rule for one in diagnose(facts, rules()).findings if one.status.counts}


def audited(fleet: Fleet) -> set[str]:
    """The same of an audit."""
    return _rules(fleet.audit())


def _rules(report: dict[str, Any]) -> set[str]:
    (entry,) = report["endpoints"]
    return {one["rule"] for one in entry["findings"] if one["status"] in ("confirmed", "latent")}


@pytest.fixture(params=[0, -1800, 600_000_000], ids=["the machine's", "half an hour behind", "years ahead"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fleet]:
    """An endpoint whose identity was granted its role three minutes ago, in an Azure with that clock."""
    file = tmp_path / "scenario.yaml"
    file.write_text(f"extends: {SCENARIO}\nclock: {instant(time.time() + request.param)}\n")
    with running(Scenario.load(file), tmp_path) as fleet:
        yield fleet


@pytest.mark.parametrize("looked", [diagnosed, audited])
def test_a_fresh_grant_is_pending_until_azures_clock_says_that_it_is_not(
    endpoint: Fleet, looked: Callable[[Fleet], set[str]]
) -> None:
    assert "secrets-role-pending" in looked(endpoint)
    endpoint.simulator.advance(600)
    found = looked(endpoint)
    assert "secrets-role-pending" not in found
    assert "connection-secrets-denied" not in found


def test_an_audit_that_goes_on_tells_the_time_anew(tmp_path: Path) -> None:
    """What was read before is kept, but not the time at which it was."""
    with running(Scenario.load(SCENARIO), tmp_path) as fleet:
        state = tmp_path / "state.jsonl"
        assert "secrets-role-pending" in _rules(fleet.audit(state=state))
        lines = [
            one for one in state.read_text().splitlines(keepends=True) if not one.startswith('{"kind": "endpoint"')
        ]
        state.write_text("".join(lines))
        fleet.simulator.advance(600)
        fleet.simulator.requests.clear()
        assert "secrets-role-pending" not in _rules(fleet.audit(state=state))
        assert not [one for one in fleet.simulator.requests if "roleAssignments" in one.path], "kept from before"
