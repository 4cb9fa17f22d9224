"""SARIF: the parts of the 2.1.0 standard that are used, as its text states them, and what GitHub asks besides."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from pfdoctor import catalog
from pfdoctor.core.model import CaseResult, Evidence, Finding, Origin, Report, Source, Status
from pfdoctor.core.rule import Rule
from pfdoctor.report.sarif import MOST_RESULTS, document, render
from pfdoctor.report.summary import Gate

GATE = Gate()


def closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """An object with these properties and no others."""
    properties = {**required, **optional}
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}
PLACE = {"type": "integer", "minimum": 1}
MESSAGE = closed({"text": TEXT}, markdown=TEXT)
BAG = {"type": "object"}
DIGEST = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
PHYSICAL = closed(
    # a URI reference of RFC 3986 that is relative to its base: no blank, no backslash, no slash in front
    {
        "artifactLocation": closed(
            {"uri": {"type": "string", "pattern": r"^(?!/)[\w\-.~%/!$&'()*+,;=:@]+$"}, "uriBaseId": TEXT}
        )
    },
    region=closed({"startLine": PLACE}, startColumn=PLACE, endColumn=PLACE),
)
LOGICAL = {"type": "array", "items": closed({"fullyQualifiedName": TEXT, "kind": TEXT})}
LOCATION = closed({"physicalLocation": PHYSICAL}, logicalLocations=LOGICAL, id=COUNT)
RULE = closed(
    {
        "id": TEXT,
        "shortDescription": MESSAGE,
        "help": MESSAGE,
        "defaultConfiguration": closed({"level": {"enum": ["note", "warning", "error"]}}),
        "properties": closed(
            {
                "tags": {"type": "array", "items": TEXT, "maxItems": 10, "uniqueItems": True},
                "precision": {"enum": ["very-high", "high", "medium", "low"]},
            }
        ),
    },
    helpUri={"type": "string", "pattern": "^https://"},
)
RESULT = {
    **closed(
        {
            "ruleId": TEXT,
            "kind": {"enum": ["fail", "review"]},
            "level": {"enum": ["none", "note", "warning", "error"]},
            "message": MESSAGE,
            "locations": {"type": "array", "items": LOCATION, "minItems": 1, "maxItems": 1},
            "partialFingerprints": closed({"pfdoctor/v1": DIGEST}, **{"pfdoctor/endpoint/v1": DIGEST}),
            "properties": BAG,
        },
        ruleIndex=COUNT,
        relatedLocations={"type": "array", "items": LOCATION},
    ),
    # 3.27.9 of the standard: only a failure has a level
    "if": {"properties": {"kind": {"const": "review"}}},
    "then": {"properties": {"level": {"const": "none"}}},
}
NOTIFICATION = closed(
    {"level": {"enum": ["note", "warning", "error"]}, "message": MESSAGE},
    descriptor=closed({"id": TEXT}),
    associatedRule=closed({"id": TEXT}, index=COUNT),
    locations={"type": "array", "items": closed({"logicalLocations": LOGICAL})},
)
INVOCATION = closed(
    {"executionSuccessful": {"type": "boolean"}},
    exitCode={"type": "integer"},
    exitCodeDescription=TEXT,
    toolExecutionNotifications={"type": "array", "items": NOTIFICATION},
    startTimeUtc=TIME,
    endTimeUtc=TIME,
)
DRIVER = closed(
    {"name": TEXT},
    semanticVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+"},
    informationUri=TEXT,
    rules={"type": "array", "items": RULE, "uniqueItems": True},
)
RUN = closed(
    {"tool": closed({"driver": DRIVER}), "results": {"type": "array", "items": RESULT}},
    automationDetails=closed({"id": TEXT}),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    originalUriBaseIds={"type": "object", "additionalProperties": closed({"description": MESSAGE})},
    invocations={"type": "array", "items": INVOCATION},
    properties=BAG,
)
LOG = closed({"$schema": TEXT, "version": {"const": "2.1.0"}, "runs": {"type": "array", "items": RUN, "maxItems": 20}})


@pytest.fixture(scope="module")
def rules() -> tuple[Rule, ...]:
    return tuple(catalog.load().rules.values())


def run_of(report: Report, rules: tuple[Rule, ...], gate: Gate = GATE) -> dict[str, Any]:
    log = json.loads(render(report, gate, rules))
    jsonschema.Draft202012Validator(LOG).validate(log)
    (run,) = log["runs"]
    return dict(run)


def test_each_finding_is_a_result_with_its_rule(report: Report, rules: tuple[Rule, ...]) -> None:
    run = run_of(report, rules)
    told = run["tool"]["driver"]["rules"]
    assert [(one["ruleId"], one["kind"], one["level"]) for one in run["results"]] == [
        ("inference-config-missing", "fail", "error"),
        ("timeout-default", "fail", "warning"),
        ("port-mismatch", "review", "none"),
    ]
    first = run["results"][0]
    assert told[first["ruleIndex"]]["id"] == first["ruleId"]
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "deploy/deployment.yml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 6, "startColumn": 3, "endColumn": 14},
    }
    assert first["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "deploy/environment.yml"
    assert first["properties"]["cases"] == ["deploy/deployment.yml", "flows/chat"]


def test_rules_that_ran_are_listed_once_and_in_order(report: Report, rules: tuple[Rule, ...]) -> None:
    names = [one["id"] for one in run_of(report, rules)["tool"]["driver"]["rules"]]
    assert names == sorted(set(names))
    assert "inference-config-missing" in names
    assert "node-cycle" in names, "a rule that passed ran, too"
    assert "endpoint-busy" not in names, "a rule that did not run did not"


def test_what_could_not_be_decided_is_told_and_no_result(report: Report, rules: tuple[Rule, ...]) -> None:
    (invocation,) = run_of(report, rules)["invocations"]
    texts = [one["message"]["text"] for one in invocation["toolExecutionNotifications"]]
    assert "model-missing could not be decided for 2 cases: no deployment definition among the files" in texts
    assert "flows/old: cannot be listed: Permission denied" in texts
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (True, 1)


def _report(*findings: Finding) -> Report:
    case = CaseResult("chat/blue", "deployment", findings, (), {Status.CONFIRMED: tuple(one.rule for one in findings)})
    return Report((case,), len(findings))


ID = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.X/workspaces/ws"


def test_what_was_found_in_azure_has_a_place_all_the_same(
    make_finding: Callable[..., Finding], rules: tuple[Rule, ...]
) -> None:
    lone = make_finding(origin=Source(ID), evidence=(), related=())
    declared = Evidence("declared.endpoint.name", "chat", Origin("deploy/endpoint.yml", 3, 1))
    both = make_finding(origin=Source(ID), evidence=(declared,), related=(), fingerprint="3" * 32)
    nowhere = make_finding(origin=None, case="chat/blue", evidence=(), related=(), fingerprint="4" * 32)
    locations = [one["locations"][0] for one in run_of(_report(lone, both, nowhere), rules)["results"]]
    uris = [one["physicalLocation"]["artifactLocation"]["uri"] for one in locations]
    assert uris == [f"azure{ID}", "deploy/endpoint.yml", "azure/chat/blue"]
    assert locations[0]["logicalLocations"] == [{"fullyQualifiedName": ID, "kind": "resource"}]


@pytest.mark.parametrize(
    ("file", "uri"), [("a b/#c?.yml", "a%20b/%23c%3F.yml"), ("a\\b.yml", "a/b.yml"), ("ü\udcff.yml", "%C3%BC%FF.yml")]
)
def test_paths_are_uris(file: str, uri: str, make_finding: Callable[..., Finding], rules: tuple[Rule, ...]) -> None:
    run = run_of(_report(make_finding(origin=Origin(file, 1), related=())), rules)
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_no_more_results_than_github_takes(make_finding: Callable[..., Finding], rules: tuple[Rule, ...]) -> None:
    many = [make_finding(fingerprint=f"{number:032x}") for number in range(MOST_RESULTS + 2)]
    (run,) = document(_report(*many), GATE, rules)["runs"]
    assert len(run["results"]) == MOST_RESULTS
    told = run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    assert told.startswith("2 findings left out")


def test_a_fault_of_ours_is_no_success(report: Report, rules: tuple[Rule, ...]) -> None:
    broken = report._replace(problems=({"path": "x", "problem": "internal-error", "detail": "a bug"},))
    assert run_of(broken, rules)["invocations"][0]["executionSuccessful"] is False
