"""What CI services read of an audit: SARIF, by the same parts of the standard as that of `check`, and JUnit XML."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from tests.report.audits import audit, endpoint, finding, unknown, unread
from tests.report.test_ci import NASTY
from tests.report.test_sarif import LOG

from pfdoctor import catalog
from pfdoctor.core.rule import Rule
from pfdoctor.report import fleet_junit, fleet_sarif
from pfdoctor.report.sarif import MOST_RESULTS
from pfdoctor.report.summary import Gate

pytestmark = pytest.mark.once

SUSPECTED = finding("image-pull-denied", status="suspected", severity="error")
WARNING = finding("quota-too-small", severity="warning", source={"id": "/subscriptions/s/vault", "api_version": None})
WHY = "may not read role assignments (takes Microsoft.Authorization/roleAssignments/read)"
MIXED = audit(
    endpoint("a", finding(), WARNING),
    endpoint("b", finding(), SUSPECTED, unknown=[unknown("node-cycle")]),
    endpoint("c"),
    unread("d"),
    endpoint("e", state="gone", reason={"code": "gone", "detail": "it is no more", "permission": None}),
)


@pytest.fixture(scope="module")
def rules() -> tuple[Rule, ...]:
    return tuple(catalog.load().rules.values())


def run_of(report: dict[str, Any], rules: tuple[Rule, ...]) -> dict[str, Any]:
    log = json.loads(fleet_sarif.render(report, rules))
    jsonschema.Draft202012Validator(LOG).validate(log)
    (run,) = log["runs"]
    return dict(run)


def test_each_finding_of_each_endpoint_is_a_result_at_its_resource(rules: tuple[Rule, ...]) -> None:
    run = run_of(MIXED, rules)
    told = run["tool"]["driver"]["rules"]
    results = run["results"]
    assert [(one["ruleId"], one["kind"], one["level"]) for one in results] == [
        ("connection-secrets-denied", "fail", "error"),
        ("connection-secrets-denied", "fail", "error"),
        ("image-pull-denied", "review", "none"),
        ("quota-too-small", "fail", "warning"),
    ]
    assert all(told[one["ruleIndex"]]["id"] == one["ruleId"] for one in results)
    first, second = results[:2]
    assert first["partialFingerprints"]["pfdoctor/v1"] == second["partialFingerprints"]["pfdoctor/v1"]
    assert first["partialFingerprints"] != second["partialFingerprints"], "at two endpoints it is two alerts"
    logical = [one["locations"][0]["logicalLocations"] for one in results]
    identifier = MIXED["endpoints"][0]["id"]
    assert logical[0] == [{"fullyQualifiedName": identifier, "kind": "resource"}]
    assert [one["fullyQualifiedName"] for one in logical[3]] == [identifier, "/subscriptions/s/vault"]
    assert run["automationDetails"] == {"id": "pfdoctor-audit/"}, "not that of check, whose alerts it would close"


def test_what_was_not_seen_is_a_notification(rules: tuple[Rule, ...]) -> None:
    report = {**MIXED, "problems": [{"path": "the subscriptions s", "problem": "forbidden", "detail": "403"}]}
    (invocation,) = run_of(report, rules)["invocations"]
    told = [(one["level"], one["message"]["text"]) for one in invocation["toolExecutionNotifications"]]
    assert told == [
        ("warning", "the subscriptions s: 403; endpoints there may be missing"),
        ("warning", "ws/d is unknown: may not read the endpoint (takes Microsoft.X/read)"),
        ("note", "ws/e is gone: it is no more"),
        ("note", f"node-cycle could not be decided for ws/chat/blue: {WHY}"),
    ]


@pytest.mark.parametrize(
    ("code", "successful"), [(0, True), (1, True), (6, True), (130, False), (4, False), (3, False)]
)
def test_an_audit_that_was_cut_was_no_success(code: int, successful: bool, rules: tuple[Rule, ...]) -> None:
    report = audit(endpoint("a"))
    report["summary"]["exit_code"] = code
    (invocation,) = run_of(report, rules)["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (successful, code)


def test_a_rule_that_is_not_known_here_is_described_by_its_finding() -> None:
    (rule,) = run_of(audit(endpoint("a", finding("our-own-rule"))), ())["tool"]["driver"]["rules"]
    assert (rule["id"], rule["shortDescription"]["text"]) == ("our-own-rule", "Endpoint identity cannot read secrets")


def test_the_worst_are_kept_of_too_many() -> None:
    many = (finding("quota-too-small", f"chat/{number}", severity="warning") for number in range(MOST_RESULTS))
    run = run_of(audit(endpoint("a", *many, finding())), ())
    assert len(run["results"]) == MOST_RESULTS
    assert run["results"][0]["level"] == "error"
    (left,) = run["invocations"][0]["toolExecutionNotifications"]
    assert left["message"]["text"].startswith("some of 25,001 findings are left out")


def suites(report: dict[str, Any], gate: Gate = Gate()) -> dict[str, ET.Element]:  # noqa: B008 - immutable
    root = ET.fromstring(fleet_junit.render(report, gate))
    return {one.attrib["name"]: one for one in root}


def outcomes_of(suite: ET.Element) -> dict[str, str]:
    kinds = {"failure", "error", "skipped"}
    return {
        one.attrib["name"]: next((child.tag for child in one if child.tag in kinds), "passed")
        for one in suite.iter("testcase")
    }


def test_a_suite_an_endpoint() -> None:
    found = suites(MIXED)
    assert list(found) == [f"rg/ws/{name}" for name in "abcde"]
    others = {"all other rules": "passed"}
    secrets = "Endpoint identity cannot read secrets (connection-secrets-denied)"
    pull, quota = (
        secrets.replace("connection-secrets", "image-pull"),
        secrets.replace("connection-secrets-denied", "quota-too-small"),
    )
    assert outcomes_of(found["rg/ws/a"]) == {secrets: "failure", quota: "failure", **others}
    assert not re.search(r"seen: .* is ('|None|True|False)", "".join(found["rg/ws/a"].itertext())), "no JSON"
    assert outcomes_of(found["rg/ws/b"]) == {secrets: "failure", pull: "skipped", "node-cycle": "skipped", **others}
    assert outcomes_of(found["rg/ws/c"]) == others
    assert outcomes_of(found["rg/ws/d"])["the endpoint is read"] == "error", "what was not seen is not green"
    assert outcomes_of(found["rg/ws/e"])["the endpoint is read"] == "skipped"
    for suite in found.values():
        told = list(outcomes_of(suite).values())
        assert int(suite.attrib["tests"]) == len(told)
        numbers = [int(suite.attrib[key]) for key in ("failures", "errors", "skipped")]
        assert numbers == [told.count(kind) for kind in ("failure", "error", "skipped")]
    properties = {one.attrib["name"]: one.attrib["value"] for one in found["rg/ws/a"].findall("properties/property")}
    assert properties == {"id": MIXED["endpoints"][0]["id"], "state": "findings"}


def test_with_fail_on_unknown_what_is_undecided_is_an_error() -> None:
    assert outcomes_of(suites(MIXED, Gate(fail_on_unknown=True))["rg/ws/b"])["node-cycle"] == "error"


def test_a_scope_that_was_not_listed_is_an_error() -> None:
    report = {**MIXED, "problems": [{"path": "the subscriptions s", "problem": "forbidden", "detail": "403"}]}
    assert outcomes_of(suites(report)["not listed"]) == {"the subscriptions s": "error"}


def test_xml_and_sarif_hold_whatever_is_said(rules: tuple[Rule, ...]) -> None:
    one = endpoint(
        NASTY, finding(message=NASTY, deployment=NASTY), workspace=NASTY, unknown=[unknown(deployment=NASTY)]
    )
    report = {**audit(one), "problems": [{"path": NASTY, "problem": "x", "detail": NASTY}]}
    assert len(suites(report)) == 2
    assert len(run_of(report, rules)["results"]) == 1
