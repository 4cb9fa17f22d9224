"""An audit as SARIF 2.1.0: what was found at each endpoint, and a notification for what could not be looked at.

A result is at the endpoint's resource id, so that the same finding at two endpoints is two alerts. The category is
another than that of `check`: GitHub would otherwise take the one's alerts for mended when the other is uploaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest

from pfdoctor.core.model import Confidence, Json, Origin, Severity, Status
from pfdoctor.core.rule import Rule
from pfdoctor.report.fleet import findings
from pfdoctor.report.sarif import LEVELS, MOST_RESULTS, PRECISION, descriptor, dump, log, physical
from pfdoctor.report.style import count
from pfdoctor.report.summary import INTERNAL

_Found = tuple[dict[str, Json], dict[str, Json]]


def render(audit: dict[str, Json], rules: Iterable[Rule]) -> str:
    """The audit's JSON report as SARIF text. `rules` are those that ran, or may have."""
    return dump(document(audit, rules))


def document(audit: dict[str, Json], rules: Iterable[Rule]) -> dict[str, Json]:
    """The same as plain JSON values; the endpoints are gone through three times."""
    summary = audit["summary"]
    found = nsmallest(MOST_RESULTS, ((one, finding) for _, one, finding in findings(audit)), key=_worst_first)
    listed = {rule.id: descriptor(rule) for rule in rules if "live" in (*rule.views, *rule.requires)}
    for _, finding in found:
        # a rule of somebody's own, of which a merged report has the findings alone
        listed.setdefault(finding["rule"], _described(finding))
    ordered = sorted(listed)
    index = {name: number for number, name in enumerate(ordered)}
    notifications = [*_left_out(summary), *_problems(audit), *_unread(audit), *_undecided(audit, index)]
    invocation = {
        "executionSuccessful": summary["exit_code"] not in (2, 3, 4, 130),
        "exitCode": summary["exit_code"],
        "exitCodeDescription": summary["exit_reason"],
        "startTimeUtc": audit["run"]["started_at"],
        "endTimeUtc": audit["run"]["finished_at"],
        "toolExecutionNotifications": notifications,
    }
    results = [_result(endpoint, finding, index) for endpoint, finding in found]
    properties = {"endpoints": summary["states"], "complete": audit["run"]["complete"]}
    return log("pfdoctor-audit/", [listed[name] for name in ordered], results, invocation, properties)


def _worst_first(found: _Found) -> tuple[int, int, str, str]:
    endpoint, finding = found
    status = list(Status).index(Status(finding["status"]))
    return (-Severity(finding["severity"]).rank, status, endpoint["id"].lower(), finding["fingerprint"])


def _described(finding: dict[str, Json]) -> dict[str, Json]:
    return {
        "id": finding["rule"],
        "shortDescription": {"text": finding["title"]},
        "help": {"text": "\n".join(filter(None, (finding["title"], finding["help"])))},
        "defaultConfiguration": {"level": LEVELS[Severity(finding["severity"])]},
        "properties": {
            "tags": ["prompt-flow", finding["category"]],
            "precision": PRECISION[Confidence(finding["confidence"])],
        },
        **({"helpUri": finding["help"]} if finding["help"] else {}),
    }


def _result(endpoint: dict[str, Json], finding: dict[str, Json], index: Mapping[str, int]) -> dict[str, Json]:
    proven = Status(finding["status"]).counts
    identity = hashlib.sha256(endpoint["id"].lower().encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return {
        "ruleId": finding["rule"],
        "ruleIndex": index[finding["rule"]],
        "kind": "fail" if proven else "review",
        "level": LEVELS[Severity(finding["severity"])] if proven else "none",
        "message": {"text": f"{finding['case']}: {finding['message']}"},
        "locations": [_location(endpoint, finding)],
        # the identity of a finding holds within its endpoint
        "partialFingerprints": {"pfdoctor/v1": finding["fingerprint"], "pfdoctor/endpoint/v1": identity},
        "properties": {
            **{key: finding[key] for key in ("status", "severity", "confidence", "case")},
            **{key: endpoint[key] for key in ("workspace", "resource_group", "subscription")},
        },
    }


def _location(endpoint: dict[str, Json], finding: dict[str, Json]) -> dict[str, Json]:
    """The endpoint, and the resource whose answer told, where that is another."""
    names = [endpoint["id"]]
    if finding["source"] is not None and finding["source"]["id"].lower() != endpoint["id"].lower():
        names.append(finding["source"]["id"])
    logical = [{"fullyQualifiedName": name, "kind": "resource"} for name in names]
    place = Origin(f"azure{endpoint['id']}", 1)
    return {**physical(place), "logicalLocations": logical}


def _left_out(summary: dict[str, Json]) -> Iterator[dict[str, Json]]:
    if summary["findings"] > MOST_RESULTS:
        text = f"some of {count(summary['findings'], 'finding')} are left out: a run holds at most {MOST_RESULTS:,}"
        yield {"level": "warning", "message": {"text": text}}


def _problems(audit: dict[str, Json]) -> Iterator[dict[str, Json]]:
    for one in audit["problems"]:
        text = f"{one['path']}: {one['detail']}; endpoints there may be missing"
        yield {"level": "warning", "message": {"text": text}, "descriptor": {"id": one["problem"]}}


def _unread(audit: dict[str, Json]) -> Iterator[dict[str, Json]]:
    for endpoint in audit["endpoints"]:
        reason = endpoint["reason"]
        if reason is None:
            continue
        level = {"gone": "note"}.get(endpoint["state"], "error" if reason["code"] == INTERNAL else "warning")
        needs = f" (takes {reason['permission']})" if reason["permission"] else ""
        where = {"logicalLocations": [{"fullyQualifiedName": endpoint["id"], "kind": "resource"}]}
        text = f"{endpoint['workspace']}/{endpoint['name']} is {endpoint['state']}: {reason['detail']}{needs}"
        yield {"level": level, "message": {"text": text}, "descriptor": {"id": reason["code"]}, "locations": [where]}


def _undecided(audit: dict[str, Json], index: Mapping[str, int]) -> Iterator[dict[str, Json]]:
    """A notification a rule and reason; endpoints that share them share it."""
    cases: dict[tuple[str, str], set[str]] = {}
    for endpoint in audit["endpoints"]:
        for one in endpoint["unknown"]:
            needs = f" (takes {one['permission']})" if one["permission"] else ""
            case = f"{endpoint['workspace']}/{one['case']}"
            cases.setdefault((one["rule"], f"{one['detail']}{needs}"), set()).add(case)
    for (rule, why), names in sorted(cases.items()):
        where = min(names) if len(names) == 1 else count(len(names), "case")
        associated: dict[str, Json] = {"id": rule, **({"index": index[rule]} if rule in index else {})}
        text = f"{rule} could not be decided for {where}: {why}"
        yield {"level": "note", "message": {"text": text}, "associatedRule": associated}
