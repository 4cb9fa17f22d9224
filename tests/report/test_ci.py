"""What CI services read: JUnit XML, annotations of GitHub Actions, logging commands of Azure DevOps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from pfdoctor import catalog
from pfdoctor.core.model import CaseResult, Finding, Origin, Report, Severity, Status
from pfdoctor.report import junit
from pfdoctor.report.annotations import MOST_OF_A_KIND, azure, github
from pfdoctor.report.summary import Gate

NASTY = "50 % done: a,b;c]d\r\n::error::x\n##vso[task.complete]<b>&\"'\x00\x1b[31m\ufffe\udcff"


def suites(report: Report, gate: Gate = Gate()) -> dict[str, ET.Element]:  # noqa: B008 - immutable
    root = ET.fromstring(junit.render(report, gate, catalog.load().rules.values()))
    return {one.attrib["name"]: one for one in root}


def results_of(suite: ET.Element) -> dict[str, str]:
    """What each test came to, by its rule."""
    kinds = {"failure", "error", "skipped"}
    return {
        re.findall(r"\(([\w-]+)\)$|$", one.attrib["name"])[0]: next(
            (child.tag for child in one if child.tag in kinds), "passed"
        )
        for one in suite
    }


def test_a_suite_a_case_and_a_test_for_every_rule_that_was_evaluated(report: Report) -> None:
    found = suites(report)
    assert set(found) == {"deploy/deployment.yml", "flows/chat", "not examined"}
    assert results_of(found["deploy/deployment.yml"]) == {
        "inference-config-missing": "failure",
        "timeout-default": "failure",
        "model-missing": "skipped",
        "requirements-missing": "skipped",
        "node-cycle": "passed",
        "port-mismatch": "passed",
    }
    assert results_of(found["flows/chat"])["port-mismatch"] == "skipped", "what is suspected is no failure"
    for suite in found.values():
        counted = Counter(results_of(suite).values()) if suite.attrib["name"] != "not examined" else Counter(skipped=1)
        assert int(suite.attrib["tests"]) == len(suite)
        numbers = {key: int(suite.attrib[key]) for key in ("failures", "errors", "skipped")}
        assert numbers == {"failures": counted["failure"], "errors": counted["error"], "skipped": counted["skipped"]}


def test_a_failure_tells_its_proof_and_its_remedy(report: Report) -> None:
    (failure,) = suites(report)["deploy/deployment.yml"].findall(".//testcase[properties]/failure[@type='error']")
    assert "has no inference_config" in failure.attrib["message"]
    assert failure.text is not None
    assert "deploy/deployment.yml:6:3" in failure.text
    assert "fix (safe): Add inference_config" in failure.text
    assert all(one.endswith(("null", '"', "true", "false")) for one in failure.text.splitlines() if "  seen: " in one)


def test_with_fail_on_unknown_what_is_undecided_is_an_error(report: Report) -> None:
    found = suites(report, Gate(fail_on_unknown=True))
    assert results_of(found["deploy/deployment.yml"])["model-missing"] == "error"


def hostile(make_finding: Callable[..., Finding], **changes: object) -> Report:
    one = make_finding(message=NASTY, origin=Origin(NASTY, 1, 2), **changes)
    case = CaseResult(NASTY, "flow", (one,), (), {Status.LATENT: (one.rule,)})
    return Report((case,), 1, ({"path": NASTY, "problem": "x", "detail": NASTY},))


def test_xml_holds_whatever_is_said(make_finding: Callable[..., Finding]) -> None:
    assert len(suites(hostile(make_finding))) == 2


COMMAND = re.compile(r"::(error|warning|notice) ((?:\w+=[^:,\r\n]*,?)+)::([^\r\n]*)\n")


def read_github(text: str) -> list[tuple[str, dict[str, str], str]]:
    """What GitHub's runner makes of the lines: kind, properties, message."""

    def plain(text: str) -> str:
        for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            text = text.replace(code, character)
        return text

    matches = list(COMMAND.finditer(text))
    assert "".join(match[0] for match in matches) == text
    return [
        (match[1], {key: plain(value) for key, value in re.findall(r"(\w+)=([^,]*)", match[2])}, plain(match[3]))
        for match in matches
    ]


def test_annotations_have_place_title_and_message(report: Report) -> None:
    read = read_github(github(report, Gate()))
    assert [kind for kind, _, _ in read] == ["error", "warning", "notice"]
    assert read[0][1] == {
        "file": "deploy/deployment.yml",
        "line": "6",
        "endLine": "6",
        "col": "3",
        "title": "pfdoctor (inference-config-missing)",
    }
    assert read[2][2].startswith("suspected: the port 5000")


def test_annotations_hold_whatever_is_said(make_finding: Callable[..., Finding]) -> None:
    ((_, properties, message),) = read_github(github(hostile(make_finding), Gate()))
    assert properties["file"] == NASTY
    assert message.startswith(NASTY)


@pytest.mark.parametrize("severity", list(Severity))
def test_the_worst_ten_of_a_kind_are_shown_and_the_rest_counted(
    severity: Severity, make_finding: Callable[..., Finding]
) -> None:
    many = tuple(make_finding(severity=severity, fingerprint=f"{number:032x}") for number in range(15))
    case = CaseResult("c", "flow", many, (), {Status.LATENT: ("inference-config-missing",)})
    read = read_github(github(Report((case,), 1), Gate()))
    counts = Counter(kind for kind, _, _ in read)
    assert max(counts.values()) <= MOST_OF_A_KIND
    shown = sum(counts.values()) - 1
    assert read[-1][2].startswith(f"{15 - shown} more findings not shown here")


ISSUE = re.compile(r"##vso\[task\.logissue type=(error|warning);((?:\w+=[^;\]\r\n]*;)*)\]([^\r\n]*)")


def test_azure_devops_gets_issues(report: Report) -> None:
    first, second, third = azure(report, Gate()).splitlines()
    match = ISSUE.fullmatch(first)
    assert match is not None
    assert match[2] == "sourcepath=deploy/deployment.yml;linenumber=6;columnnumber=3;code=inference-config-missing;"
    assert "##vso[task.logissue type=warning;code=timeout-default;]deploy/deployment.yml: request_timeout_ms" in second
    assert third.startswith("warning [port-mismatch] ")


def test_what_does_not_fail_the_gate_succeeds_with_issues(report: Report) -> None:
    assert "task.complete" not in azure(report, Gate())
    last = azure(report, Gate(fail_on=None)).splitlines()[-1]
    assert last == "##vso[task.complete result=SucceededWithIssues;]2 findings"


@pytest.mark.parametrize("severity", list(Severity))
def test_azure_devops_obeys_nothing_that_is_quoted(severity: Severity, make_finding: Callable[..., Finding]) -> None:
    lines = azure(hostile(make_finding, severity=severity), Gate()).splitlines()
    # the agent obeys what begins a line; a warning leaves the gate open, which is said by a command of ours
    kinds = [re.match(r"##vso\[([\w.]+)", line) for line in lines]
    expected = {
        Severity.ERROR: ["task.logissue"],
        Severity.WARNING: ["task.logissue", "task.complete"],
        Severity.INFO: [None],
    }
    assert [kind and kind[1] for kind in kinds] == expected[severity]
