"""The report as JUnit XML: a suite a case, a test for every rule that was evaluated, so that there is a denominator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from xml.sax.saxutils import quoteattr

from pfdoctor.core.model import CaseResult, Finding, Origin, Report, Status
from pfdoctor.core.pattern import Pattern
from pfdoctor.core.rule import Rule
from pfdoctor.report.json import encode
from pfdoctor.report.style import visible
from pfdoctor.report.summary import INTERNAL, Gate, first_missing

# what XML 1.0 cannot hold, besides what `visible` has written as an escape
_NOT_XML = Pattern("[\ufffe\uffff]")


def render(report: Report, gate: Gate, rules: Iterable[Rule]) -> str:
    """The report as XML text. With --fail-on-unknown what could not be decided is an error, else it is skipped."""
    known = {rule.id: rule for rule in rules}
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites name="pfdoctor">']
    for case in sorted(report.cases, key=lambda one: (one.name, one.kind)):
        lines += _suite(case, known, fail_on_unknown=gate.fail_on_unknown)
    if report.problems:
        lines += _problems(report)
    return "\n".join([*lines, "</testsuites>", ""])


def _suite(case: CaseResult, rules: Mapping[str, Rule], *, fail_on_unknown: bool) -> Iterator[str]:
    found: dict[str, list[Finding]] = {}
    for finding in (*case.findings, *case.unknown):
        found.setdefault(finding.rule, []).append(finding)
    tests: list[tuple[str, list[str]]] = []
    for status, ids in case.outcomes.items():
        if status is not Status.NOT_APPLICABLE:
            tests += [(rule, _outcome(found.get(rule, []), fail_on_unknown=fail_on_unknown)) for rule in ids]
    tests.sort()
    yield f"  <testsuite name={attribute(case.name)} {counted([body for _, body in tests])}>"
    for name, body in tests:
        rule = rules.get(name)
        category, title = (rule.category, rule.title) if rule is not None else ("", name)
        head = f"    <testcase classname={attribute(f'pfdoctor.{category}')} name={attribute(f'{title} ({name})')}"
        if body:
            yield head + ">"
            yield from body
            yield "    </testcase>"
        else:
            yield head + "/>"
    yield "  </testsuite>"


_COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def counted(bodies: Sequence[Sequence[str]]) -> str:
    """The attributes that say how many tests a suite has, and what they came to, of the lines below each."""
    counts = {kind: sum(any(f"<{kind} " in one for one in body) for body in bodies) for kind in _COUNTED}
    return " ".join((f'tests="{len(bodies)}"', *(f'{_COUNTED[kind]}="{number}"' for kind, number in counts.items())))


def _outcome(findings: list[Finding], *, fail_on_unknown: bool) -> list[str]:
    """The elements below a test: nothing for one that passed."""
    if not findings:
        return []
    proven = [one for one in findings if one.status.counts]
    if proven:
        worst = max(proven, key=lambda one: one.severity.rank)
        return [*_properties(worst), element("failure", worst.message, _told(proven), str(worst.severity))]
    first = findings[0]
    if first.status is not Status.UNKNOWN:
        return [*_properties(first), element("skipped", f"{first.status}: {first.message}")]
    why = f"unknown: {first_missing(first).reason.detail}"
    return [element("error", why, kind="unknown") if fail_on_unknown else element("skipped", why)]


def _properties(finding: Finding) -> Iterator[str]:
    yield "      <properties>"
    for name, value in (("id", finding.fingerprint), ("rule", finding.rule), ("help", finding.help_uri)):
        yield f"        <property name={attribute(name)} value={attribute(value)}/>"
    yield "      </properties>"


def _told(findings: Iterable[Finding]) -> str:
    """Messages, places, evidence and remedies, a line each."""
    lines: list[str] = []
    for finding in findings:
        place = f"{finding.origin}: " if isinstance(finding.origin, Origin) else ""
        lines.append(f"{place}{finding.message}")
        lines += [f"  seen: {one.path} is {encode(one.value)}" for one in finding.evidence[:6]]
        for remedy in finding.remedies:
            lines.append(f"  fix ({remedy.level}): {remedy.title}")
            lines += [f"    {edit}" for edit in remedy.edits]
    return "\n".join(map(clean, lines))


def _problems(report: Report) -> Iterator[str]:
    """What could not be examined: a bug of ours is an error, the rest is skipped."""
    broken = sum(one["problem"] == INTERNAL for one in report.problems)
    rest = len(report.problems) - broken
    counts = f'tests="{len(report.problems)}" failures="0" errors="{broken}" skipped="{rest}"'
    yield f'  <testsuite name="not examined" {counts}>'
    for one in report.problems:
        yield f'    <testcase classname="pfdoctor" name={attribute(one["path"])}>'
        yield element("error" if one["problem"] == INTERNAL else "skipped", one["detail"])
        yield "    </testcase>"
    yield "  </testsuite>"


def element(name: str, message: str, body: str = "", kind: str | None = None) -> str:
    """What a test came to, as a line below it."""
    typed = f" type={attribute(kind)}" if kind is not None else ""
    head = f"      <{name} message={attribute(message)}{typed}"
    escaped = body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"{head}>{escaped}</{name}>" if body else f"{head}/>"


def attribute(text: str) -> str:
    """A text as an attribute's value, with its quotes."""
    return quoteattr(clean(text))


def clean(text: str) -> str:
    """A text without what XML cannot hold."""
    return _NOT_XML.sub("\ufffd", visible(text))
