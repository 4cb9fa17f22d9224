"""The report as SARIF 2.1.0, for code scanning and whatever else shows alerts.

Results are what was found. What passed is no result, for GitHub would make an alert of it; what could not be decided
is a notification. A result always has a place in a file, or GitHub refuses the whole report: what was found in Azure
alone gets one that is made of its resource id. Limits: GitHub Docs, "SARIF results exceed one or more limits".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote

import pfdoctor
from pfdoctor.core.model import Confidence, Finding, Json, Origin, Place, Report, Severity, Source, Status
from pfdoctor.core.rule import Rule
from pfdoctor.report.style import count
from pfdoctor.report.summary import INTERNAL, Gate, Sighting, first_missing, summarise

MOST_RESULTS = 25_000
_HOME = "https://github.com/pfdoctor/pfdoctor"
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
PRECISION = {Confidence.CERTAIN: "very-high", Confidence.LIKELY: "high", Confidence.POSSIBLE: "medium"}
_ROOT = "%SRCROOT%"


def render(report: Report, gate: Gate, rules: Iterable[Rule]) -> str:
    """The report as JSON text that ends with a newline."""
    return dump(document(report, gate, rules))


def dump(value: dict[str, Json]) -> str:
    """A log as JSON text that ends with a newline."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    # lone surrogates of file names
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def document(report: Report, gate: Gate, rules: Iterable[Rule]) -> dict[str, Json]:
    """The report as plain JSON values. `rules` are those that ran."""
    summary = summarise(report, gate)
    ran = {rule for case in report.cases for ids in case.outcomes.values() for rule in ids}
    listed = sorted((rule for rule in rules if rule.id in ran), key=lambda rule: rule.id)
    index = {rule.id: number for number, rule in enumerate(listed)}
    sightings = sorted(summary.sightings, key=_worst_first)
    notifications = [*_notices(report, len(sightings)), *_problems(report), *_undecided(report, index)]
    invocation = {
        "executionSuccessful": not any(one["problem"] == INTERNAL for one in report.problems),
        "exitCode": summary.exit_code,
        "exitCodeDescription": summary.exit_reason,
        "toolExecutionNotifications": notifications,
    }
    counts = {
        "pass": summary.passed,
        "fail": summary.failed,
        "unknown": summary.unknown,
        "notApplicable": summary.not_applicable,
    }
    results = [_result(one, index) for one in sightings[:MOST_RESULTS]]
    return log("pfdoctor/", [descriptor(rule) for rule in listed], results, invocation, {"rules": counts})


def log(
    category: str,
    rules: list[dict[str, Json]],
    results: list[dict[str, Json]],
    invocation: dict[str, Json],
    properties: dict[str, Json],
) -> dict[str, Json]:
    """A SARIF log of one run. Where several are uploaded for one commit, those of one category replace each other."""
    driver = {
        "name": "pfdoctor",
        "semanticVersion": pfdoctor.__version__,
        "informationUri": _HOME,
        "rules": rules,
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": category},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the repository."}}},
        "invocations": [invocation],
        "results": results,
        "properties": properties,
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _worst_first(sighting: Sighting) -> tuple[int, int, str, str]:
    finding = sighting.finding
    return (-finding.severity.rank, list(Status).index(finding.status), finding.rule, finding.fingerprint)


def descriptor(rule: Rule) -> dict[str, Json]:
    """What a rule is, for whoever shows its results."""
    fixes = [remedy.title for remedy in rule.wording.remedies]
    help_text = "\n".join([rule.title, *(f"Fix: {title}" for title in fixes), rule.help_uri])
    markdown = "\n".join([f"**{rule.title}**\n", *(f"- Fix: {title}" for title in fixes), f"\n[More]({rule.help_uri})"])
    found: dict[str, Json] = {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "help": {"text": help_text, "markdown": markdown},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {"tags": ["prompt-flow", rule.category], "precision": PRECISION[rule.confidence]},
    }
    return {**found, "helpUri": rule.help_uri} if rule.help_uri else found


def _result(sighting: Sighting, index: dict[str, int]) -> dict[str, Json]:
    finding = sighting.finding
    proven = finding.status.counts
    result: dict[str, Json] = {
        "ruleId": finding.rule,
        # what is not proven is for a person to look at; SARIF allows it no level
        "kind": "fail" if proven else "review",
        "level": LEVELS[finding.severity] if proven else "none",
        "message": {"text": finding.message},
        "locations": [_location(finding)],
        "partialFingerprints": {"pfdoctor/v1": finding.fingerprint},
        "properties": {
            "status": str(finding.status),
            "severity": str(finding.severity),
            "confidence": str(finding.confidence),
            "cases": list(sighting.cases),
        },
    }
    if finding.rule in index:
        result["ruleIndex"] = index[finding.rule]
    related = [physical(one) for one in finding.related if isinstance(one, Origin)]
    if related:
        result["relatedLocations"] = [{"id": number, **one} for number, one in enumerate(related)]
    return result


def _location(finding: Finding) -> dict[str, Json]:
    """Where the finding is: in the file, or in Azure and, as far as is known, the file that declares it."""
    if isinstance(finding.origin, Origin):
        return physical(finding.origin)
    resource = finding.origin.id if isinstance(finding.origin, Source) else finding.case
    declared = next((place for place in _places(finding) if isinstance(place, Origin)), None)
    logical = [{"fullyQualifiedName": resource, "kind": "resource"}]
    place = declared if declared is not None else Origin("/".join(["azure", resource.strip("/")]), 1)
    return {**physical(place), "logicalLocations": logical}


def _places(finding: Finding) -> Iterator[Place | None]:
    yield from finding.related
    for one in finding.evidence:
        yield one.origin


def physical(origin: Origin) -> dict[str, Json]:
    """A place in a file, or in what stands for one: results without are refused."""
    file = origin.file.replace("\\", "/").encode("utf-8", "surrogateescape")
    physical: dict[str, Json] = {"artifactLocation": {"uri": quote(file, safe="/"), "uriBaseId": _ROOT}}
    region = {"startLine": origin.line, "startColumn": origin.column, "endColumn": origin.end_column}
    known = {key: value for key, value in region.items() if value is not None}
    if origin.line is not None:
        physical["region"] = known
    return {"physicalLocation": physical}


def _notices(report: Report, findings: int) -> Iterator[dict[str, Json]]:
    if findings > MOST_RESULTS:
        text = f"{count(findings - MOST_RESULTS, 'finding')} left out: a run holds at most {MOST_RESULTS:,}"
        yield {"level": "warning", "message": {"text": text}}
    for notice in report.notices:
        yield {"level": "note", "message": {"text": notice}}


def _problems(report: Report) -> Iterator[dict[str, Json]]:
    for one in report.problems:
        level = "error" if one["problem"] == INTERNAL else "warning"
        text = f"{one['path']}: {one['detail']}"
        yield {"level": level, "message": {"text": text}, "descriptor": {"id": one["problem"]}}


def _undecided(report: Report, index: dict[str, int]) -> Iterator[dict[str, Json]]:
    """A notification a rule and reason; cases that share them share it."""
    cases: dict[tuple[str, str], set[str]] = {}
    for case in report.cases:
        for finding in case.unknown:
            reason = first_missing(finding).reason
            needed = f" (takes {reason.permission})" if reason.permission else ""
            cases.setdefault((finding.rule, f"{reason.detail}{needed}"), set()).add(case.name)
    for (rule, why), names in sorted(cases.items()):
        where = min(names) if len(names) == 1 else count(len(names), "case")
        told: dict[str, Json] = {
            "level": "note",
            "message": {"text": f"{rule} could not be decided for {where}: {why}"},
        }
        associated: dict[str, Json] = {"id": rule}
        if rule in index:
            associated["index"] = index[rule]
        yield {**told, "associatedRule": associated}
