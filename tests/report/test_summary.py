"""The numbers of a run and its exit code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pfdoctor.core.model import CaseResult, Finding, Report, Severity, Status
from pfdoctor.report.summary import Gate, summarise, unchecked

ABSENT = {"path": "nowhere", "problem": "missing", "detail": "no such file or folder"}
UNREADABLE = {"path": "x", "problem": "unreadable", "detail": "Permission denied"}
NOT_OURS = {"path": "README.md", "problem": "not-ours", "detail": "is no file of a flow"}


def test_the_rules_add_up(report: Report) -> None:
    summary = summarise(report, Gate())
    assert summary.passed + summary.failed + summary.unknown + summary.not_applicable == summary.rules == 7
    assert (summary.failed, summary.unknown) == (3, 2)
    assert len(summary.sightings) == 3
    assert summary.worst is Severity.ERROR


def test_unknown_verdicts_are_grouped_by_what_was_missing(report: Report) -> None:
    groups = unchecked(report)
    assert [(group.reason.code, group.rules, group.cases) for group in groups] == [
        ("not-in-files", ("model-missing",), 2),
        ("unreadable", ("requirements-missing",), 1),
    ]


@pytest.mark.parametrize(
    ("severity", "status", "gate", "code"),
    [
        (Severity.ERROR, Status.LATENT, Gate(), 1),
        (Severity.ERROR, Status.CONFIRMED, Gate(), 1),
        (Severity.ERROR, Status.SUSPECTED, Gate(), 0),
        (Severity.ERROR, Status.CONTRADICTED, Gate(), 0),
        (Severity.WARNING, Status.CONFIRMED, Gate(), 0),
        (Severity.WARNING, Status.CONFIRMED, Gate(Severity.WARNING), 1),
        (Severity.ERROR, Status.CONFIRMED, Gate(Severity.WARNING), 1),
        (Severity.INFO, Status.CONFIRMED, Gate(Severity.INFO), 1),
        (Severity.ERROR, Status.CONFIRMED, Gate(None), 0),
        (Severity.ERROR, Status.CONFIRMED, Gate(exit_zero=True), 0),
    ],
)
def test_what_counts(
    make_finding: Callable[..., Finding], severity: Severity, status: Status, gate: Gate, code: int
) -> None:
    finding = make_finding(severity=severity, status=status)
    report = Report((CaseResult("c", "flow", (finding,), (), {status: (finding.rule,)}),), 1)
    assert summarise(report, gate).exit_code == code


@pytest.mark.parametrize(
    ("problems", "gate", "code"),
    [
        ((), Gate(), 1),
        ((ABSENT,), Gate(), 5),
        ((ABSENT,), Gate(exit_zero=True), 5),
        ((UNREADABLE,), Gate(fail_on_unknown=True), 1),
        ((), Gate(None, fail_on_unknown=True), 6),
        ((), Gate(None, fail_on_unknown=True, exit_zero=True), 0),
    ],
)
def test_precedence(report: Report, problems: tuple[dict[str, str], ...], gate: Gate, code: int) -> None:
    assert summarise(report._replace(problems=problems), gate).exit_code == code


@pytest.mark.parametrize(
    ("problem", "code"), [(UNREADABLE, 6), (NOT_OURS, 0)], ids=["what could not be read", "what is not ours"]
)
def test_gaps(problem: dict[str, str], code: int) -> None:
    case = CaseResult("c", "flow", (), (), {Status.PASS: ("a",)})
    assert summarise(Report((case,), 1, (problem,)), Gate(fail_on_unknown=True)).exit_code == code


def test_nothing_examined_is_no_success() -> None:
    assert summarise(Report((), 7), Gate(exit_zero=True)).exit_code == 5
