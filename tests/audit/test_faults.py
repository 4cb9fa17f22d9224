"""Whatever goes wrong on the way: every endpoint is in the report, and none is better than it is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from tests.audits import rules

from pfdoctor.core.diagnose import diagnose
from pfdoctor.core.model import Status
from pfdoctor.simulator.faults import KINDS

pytestmark = pytest.mark.once

SEEDS = (1, 2)
SHARE = 0.05
STATUSES = (400, 401, 403, 404, 409, 410, 500, 502, 503)


@pytest.fixture(autouse=True)
def calm(small: Any) -> Iterator[None]:
    yield
    small.simulator.clear_faults()


Passed = dict[str, set[str]]
"""The rules that pass, by case."""


def _audited(small: Any) -> tuple[dict[str, Any], Passed]:
    passed: Passed = {}

    def examine(facts: Any) -> Any:
        result = diagnose(facts, rules())
        passed[facts.case["name"]] = set(result.outcomes.get(Status.PASS, ()))
        return result

    return small.audit(examine=examine), passed


@pytest.fixture(scope="module")
def sound(small: Any) -> tuple[dict[str, Any], Passed]:
    """The undisturbed report, of every endpoint read in full: a fault may bring about that an endpoint is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pfdoctor.audit.examined.wants_more", lambda _, __: True)
        return _audited(small)


def _is_no_better(audited: tuple[dict[str, Any], Passed], sound: tuple[dict[str, Any], Passed]) -> None:
    """Nothing passes that did not; what was found is found, or unknown."""
    report, passed = audited
    before = {one["id"]: one for one in sound[0]["endpoints"]}
    assert {one["id"] for one in report["endpoints"]} == set(before)
    for entry in report["endpoints"]:
        if entry["state"] == "healthy":
            assert before[entry["id"]]["state"] == "healthy"
        if entry["state"] == "unknown":
            assert entry["reason"] or entry["unknown"]
        found = {one["fingerprint"] for one in entry["findings"]}
        undecided = {one["rule"] for one in entry["unknown"]}
        for finding in before[entry["id"]]["findings"]:
            assert finding["fingerprint"] in found or finding["rule"] in undecided or entry["reason"] is not None
    for case, names in passed.items():
        # of an endpoint whose deployments could not be listed, the case has its name alone
        cases = [names for name, names in sound[1].items() if name.partition("/")[0] == case.partition("/")[0]]
        assert names <= set().union(*cases), case


def _has_no_other_findings(report: dict[str, Any], sound: tuple[dict[str, Any], Passed]) -> None:
    """What the network did is no finding about the endpoint."""
    before = {(one["id"], finding["rule"]) for one in sound[0]["endpoints"] for finding in one["findings"]}
    proven = [
        (entry["id"], one["rule"])
        for entry in report["endpoints"]
        for one in entry["findings"]
        if one["status"] in ("confirmed", "latent")
    ]
    assert not [one for one in proven if one not in before]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_fault_loses_an_endpoint_or_makes_one_healthy(
    kind: str, seed: int, small: Any, sound: tuple[dict[str, Any], Passed]
) -> None:
    fault = {"kind": kind, "seconds": 0.05} if kind in {"slow", "hang", "hang-after"} else {"kind": kind}
    small.simulator.inject({"path": "^/subscriptions/", "probability": SHARE, "seed": seed}, fault)
    audited = _audited(small)
    _is_no_better(audited, sound)
    _has_no_other_findings(audited[0], sound)


@pytest.mark.parametrize("status", STATUSES)
def test_no_status_loses_an_endpoint_or_makes_one_healthy(
    status: int, small: Any, sound: tuple[dict[str, Any], Passed]
) -> None:
    match = {"path": "^/subscriptions/", "probability": SHARE, "seed": status}
    small.simulator.inject(match, {"kind": "status", "status": status})
    audited = _audited(small)
    _is_no_better(audited, sound)
    if status != 404:  # whose parent was read is not there if the service says so
        _has_no_other_findings(audited[0], sound)


def test_all_faults_together_at_random(small: Any, sound: tuple[dict[str, Any], Passed]) -> None:
    seed = random.randrange(1_000_000)
    for number, kind in enumerate(KINDS):
        fault = {"kind": kind, "seconds": 0.05} if kind in {"slow", "hang", "hang-after"} else {"kind": kind}
        small.simulator.inject({"path": "^/subscriptions/", "probability": SHARE / 2, "seed": seed + number}, fault)
    try:
        _is_no_better(_audited(small), sound)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}") from error
