"""What a run came to, in numbers: distinct findings, outcomes of rules, what was not checked, and the exit code."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from pfdoctor.core.model import Finding, Missing, Report, Severity, Status, Unknown

# A rule that came to several statuses in several cases is counted under the worst of them.
_WORST = tuple(Status)

MISSING, NOT_OURS = "missing", "not-ours"
"""Problems of a path that the user named: it does not exist; it is a file of something else, which is no gap."""

NOT_READ, NOT_ALLOWED = "not-read", "not-allowed"
"""Problems of a live endpoint of which nothing could be read: nobody answered, or the login may not see it."""

INTERNAL = "internal-error"
"""The problem of a case that a bug of ours kept from being examined."""


class Gate(NamedTuple):
    """What makes a run fail: findings of `fail_on` or worse (None: never), and unknown verdicts if asked."""

    fail_on: Severity | None = Severity.ERROR
    fail_on_unknown: bool = False
    exit_zero: bool = False


class Sighting(NamedTuple):
    """A finding, in its worst status, and the names of all cases that have it."""

    finding: Finding
    cases: tuple[str, ...]


class Unchecked(NamedTuple):
    """Rules that one and the same missing fact left undecided, and the number of cases it was missing in."""

    reason: Unknown
    rules: tuple[str, ...]
    cases: int


class Summary(NamedTuple):
    """The numbers of a run. `passed`, `failed`, `unknown` and `not_applicable` count rules and add up to `rules`.

    `left_out` are the rules that ask for what no case of the run has: a live endpoint, files, a log.
    """

    cases: int
    rules: int
    passed: int
    failed: int
    unknown: int
    not_applicable: int
    left_out: int
    sightings: tuple[Sighting, ...]
    problems: int
    exit_code: int
    exit_reason: str

    def by_severity(self) -> dict[Severity, int]:
        """Findings of each severity, the worst first."""
        counts = Counter(one.finding.severity for one in self.sightings)
        return {severity: counts[severity] for severity in reversed(Severity)}

    def by_status(self) -> dict[Status, int]:
        counts = Counter(one.finding.status for one in self.sightings)
        return {status: counts[status] for status in _WORST if status.is_finding}

    @property
    def worst(self) -> Severity | None:
        """The worst severity among the findings that are proven."""
        proven = [one.finding.severity for one in self.sightings if one.finding.status.counts]
        return max(proven, key=lambda severity: severity.rank, default=None)


def distinct(report: Report) -> tuple[Sighting, ...]:
    """Each finding once. Two cases share one if, say, both deploy the same flow; its worst status is kept."""
    by_identity: dict[str, list[Finding]] = {}
    for finding in report.findings:
        by_identity.setdefault(finding.fingerprint, []).append(finding)
    return tuple(
        Sighting(min(ones, key=_worst_first), tuple(sorted({one.case for one in ones})))
        for ones in by_identity.values()
    )


def _worst_first(finding: Finding) -> tuple[int, str]:
    # the name: which case shows it must not depend on the order of the cases
    return (_WORST.index(finding.status), finding.case)


def summarise(report: Report, gate: Gate) -> Summary:
    """The numbers of the run and what they mean for the exit code."""
    sightings = distinct(report)
    worst = _outcomes(report)
    outcomes = Counter(worst.values())
    code, reason = _exit(report, sightings, gate)
    return Summary(
        cases=len(report.cases),
        rules=len(worst) if report.cases else report.rules,
        passed=outcomes[Status.PASS],
        failed=sum(outcomes[status] for status in Status if status.is_finding),
        unknown=outcomes[Status.UNKNOWN],
        not_applicable=outcomes[Status.NOT_APPLICABLE],
        left_out=report.rules - len(worst) if report.cases else 0,
        sightings=sightings,
        problems=len(report.problems),
        exit_code=code,
        exit_reason=reason,
    )


def _outcomes(report: Report) -> dict[str, Status]:
    """For each rule the worst that it came to in any case."""
    worst: dict[str, Status] = {}
    for status in reversed(_WORST):
        for case in report.cases:
            for rule in case.outcomes.get(status, ()):
                worst[rule] = status
    return worst


def unchecked(report: Report) -> tuple[Unchecked, ...]:
    """The unknown verdicts by the fact that was missing first, the most verdicts first."""
    rules: dict[tuple[str, str, str | None], tuple[Unknown, set[str], set[str]]] = {}
    for case in report.cases:
        for finding in case.unknown:
            reason = first_missing(finding).reason
            key = (reason.code, reason.detail, reason.collect_command)
            _, names, cases = rules.setdefault(key, (reason, set(), set()))
            names.add(finding.rule)
            cases.add(case.name)
    groups = [Unchecked(reason, tuple(sorted(names)), len(cases)) for reason, names, cases in rules.values()]
    return tuple(sorted(groups, key=lambda group: (-len(group.rules) * group.cases, group.reason.detail, group.rules)))


def first_missing(finding: Finding) -> Missing:
    """The fact that an unknown verdict lacked first."""
    return finding.missing[0] if finding.missing else Missing("", Unknown("not-collected", "not collected"))


def _exit(report: Report, sightings: tuple[Sighting, ...], gate: Gate) -> tuple[int, str]:
    """The exit code by the precedence of docs/exit-codes.md, and why."""
    broken = sum(1 for one in report.problems if one["problem"] == INTERNAL)
    if broken:
        return 3, f"internal error in {broken:,} {'case' if broken == 1 else 'cases'}"
    missing = sum(1 for one in report.problems if one["problem"] == MISSING)
    if not report.cases:
        return 5, "nothing was examined"
    if missing:
        return 5, f"{missing:,} of the given paths {'does' if missing == 1 else 'do'} not exist"
    kinds = {one["problem"] for one in report.problems}
    if NOT_ALLOWED in kinds:
        return 4, "the login may not read the endpoint"
    if NOT_READ in kinds:
        return 5, "the endpoint could not be read"
    failing = gate.fail_on is not None and any(
        one.finding.status.counts and one.finding.severity.rank >= gate.fail_on.rank for one in sightings
    )
    gaps = any(case.unknown for case in report.cases) or any(one["problem"] != NOT_OURS for one in report.problems)
    incomplete = gate.fail_on_unknown and gaps
    if gate.exit_zero and (failing or incomplete):
        return 0, "--exit-zero"
    if failing:
        return 1, f"findings at or above {gate.fail_on}"
    if incomplete:
        return 6, "not everything could be checked"
    return 0, "no findings" if not sightings else _passing(gate)


def _passing(gate: Gate) -> str:
    return "--fail-on never" if gate.fail_on is None else f"no proven finding at or above {gate.fail_on}"
