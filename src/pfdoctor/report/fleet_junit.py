"""An audit as JUnit XML: a suite an endpoint, a test for each rule that failed or is open, and one for all others.

A test for every rule, as `check` has it, would be a hundred thousand for four hundred endpoints, nearly all of them
passed. The one for all others is always there: an endpoint that is healthy is one test that passed.
"""

from __future__ import annotations

from collections.abc import Iterator

from pfdoctor.core.model import Json, Severity, Status
from pfdoctor.report.json import encode
from pfdoctor.report.junit import attribute, clean, counted, element
from pfdoctor.report.summary import INTERNAL, Gate

_Test = tuple[str, str, list[str]]
"""Its classname, its name and the lines below it."""


def render(audit: dict[str, Json], gate: Gate) -> str:
    """The audit's JSON report as XML. With --fail-on-unknown what could not be decided is an error, else skipped."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites name="pfdoctor audit">']
    if audit["problems"]:
        lines += _suite("not listed", {}, [_problem(one) for one in audit["problems"]])
    for endpoint in audit["endpoints"]:
        name = f"{endpoint['resource_group']}/{endpoint['workspace']}/{endpoint['name']}"
        properties = {"id": endpoint["id"], "state": endpoint["state"]}
        lines += _suite(name, properties, list(_tests(endpoint, fail_on_unknown=gate.fail_on_unknown)))
    return "\n".join([*lines, "</testsuites>", ""])


def _suite(name: str, properties: dict[str, str], tests: list[_Test]) -> Iterator[str]:
    yield f"  <testsuite name={attribute(name)} {counted([body for _, _, body in tests])}>"
    yield from _properties(properties, "    ")
    for classname, test, body in tests:
        head = f"    <testcase classname={attribute(classname)} name={attribute(test)}"
        if body:
            yield from (head + ">", *body, "    </testcase>")
        else:
            yield head + "/>"
    yield "  </testsuite>"


def _properties(properties: dict[str, str], indent: str) -> Iterator[str]:
    if properties:
        yield f"{indent}<properties>"
        for name, value in properties.items():
            yield f"{indent}  <property name={attribute(name)} value={attribute(value)}/>"
        yield f"{indent}</properties>"


def _problem(problem: dict[str, Json]) -> _Test:
    return "pfdoctor.audit", problem["path"], [element("error", problem["detail"], kind=problem["problem"])]


def _tests(endpoint: dict[str, Json], *, fail_on_unknown: bool) -> Iterator[_Test]:
    if endpoint["reason"] is not None:
        yield "pfdoctor.audit", "the endpoint is read", [_reason(endpoint, fail_on_unknown=fail_on_unknown)]
    found: dict[str, list[dict[str, Json]]] = {}
    for finding in endpoint["findings"]:
        found.setdefault(finding["rule"], []).append(finding)
    for rule, findings in found.items():
        first = findings[0]
        yield f"pfdoctor.{first['category']}", f"{first['title']} ({rule})", list(_failure(findings))
    undecided: dict[str, str] = {}
    for one in endpoint["unknown"]:
        if one["rule"] not in found:
            needs = f"; that needs {one['permission']}" if one["permission"] else ""
            undecided.setdefault(one["rule"], f"unknown: {one['detail']}{needs}")
    for rule, why in undecided.items():
        body = element("error", why, kind="unknown") if fail_on_unknown else element("skipped", why)
        yield "pfdoctor.unknown", rule, [body]
    if endpoint["rules"]["pass"]:
        yield "pfdoctor.audit", "all other rules", []


def _reason(endpoint: dict[str, Json], *, fail_on_unknown: bool) -> str:
    """An endpoint that was not seen is an error, as it is to the exit code; one that is no more is left out."""
    reason = endpoint["reason"]
    needs = f"; that needs {reason['permission']}" if reason["permission"] else ""
    text = f"{endpoint['state']}: {reason['detail']}{needs}"
    lenient = not fail_on_unknown and reason["code"] == "log-unread"
    if endpoint["state"] == "gone" or lenient:
        return element("skipped", text)
    return element("error", text, kind=INTERNAL if reason["code"] == INTERNAL else "unknown")


def _failure(findings: list[dict[str, Json]]) -> Iterator[str]:
    proven = [one for one in findings if Status(one["status"]).counts]
    worst = max(proven or findings, key=lambda one: Severity(one["severity"]).rank)
    yield from _properties({"id": worst["fingerprint"], "rule": worst["rule"], "help": worst["help"]}, "      ")
    if proven:
        yield element("failure", worst["message"], _told(proven), worst["severity"])
    else:
        yield element("skipped", f"{worst['status']}: {worst['message']}")


def _told(findings: list[dict[str, Json]]) -> str:
    """Cases, messages, evidence and remedies, a line each."""
    lines: list[str] = []
    for one in findings:
        lines.append(f"{one['case']}: {one['message']}")
        lines += [f"  seen: {fact['path']} is {encode(fact['value'])}" for fact in one["evidence"][:6]]
        for remedy in one["remedies"]:
            lines.append(f"  fix ({remedy['level']}): {remedy['title']}")
            lines += [f"    {edit}" for edit in remedy["edits"]]
    return "\n".join(map(clean, lines))
