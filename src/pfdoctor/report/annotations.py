"""Findings as commands that a CI service reads from the output: annotations of GitHub Actions, issues of Azure DevOps.

Both take few of them, so the worst come first, and how many were left out is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pfdoctor.core.model import Finding, Origin, Report, Severity, Status
from pfdoctor.report.style import count, visible
from pfdoctor.report.summary import Gate, Sighting, Summary, summarise

MOST_OF_A_KIND = 10
"""That GitHub shows of a kind and step (github.com/orgs/community/discussions/26680)."""

_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_AZURE = {Severity.ERROR: "error", Severity.WARNING: "warning"}


def github(report: Report, gate: Gate) -> str:
    """Workflow commands of GitHub Actions: a line an annotation."""
    return "".join(f"{line}\n" for line in _github(summarise(report, gate)))


def azure(report: Report, gate: Gate) -> str:
    """Logging commands of Azure DevOps. Its issues are errors and warnings; what is merely worth knowing is a line."""
    return "".join(f"{line}\n" for line in _azure(summarise(report, gate)))


def _ordered(summary: Summary) -> list[Sighting]:
    statuses = list(Status)

    def order(one: Sighting) -> tuple[int, int, str, str]:
        finding = one.finding
        return (-finding.severity.rank, statuses.index(finding.status), finding.rule, finding.fingerprint)

    return sorted(summary.sightings, key=order)


def _github(summary: Summary) -> Iterator[str]:
    shown: Counter[str] = Counter()
    left_out = 0
    for sighting in _ordered(summary):
        finding = sighting.finding
        # what is not proven must not look like a failure
        kind = _GITHUB[finding.severity] if finding.status.counts else "notice"
        # one of the notices is kept for what was left out
        if shown[kind] >= MOST_OF_A_KIND - (kind == "notice"):
            left_out += 1
            continue
        shown[kind] += 1
        properties = ",".join(f"{name}={_property(text)}" for name, text in _github_place(finding))
        yield f"::{kind} {properties}::{_data(_text(finding))}"
    if left_out:
        yield f"::notice title=pfdoctor::{_data(_left_out(left_out))}"


def _github_place(finding: Finding) -> Iterator[tuple[str, str]]:
    origin = finding.origin
    if isinstance(origin, Origin):
        yield "file", origin.file
        if origin.line is not None:
            yield "line", str(origin.line)
            yield "endLine", str(origin.line)
            if origin.column is not None:
                yield "col", str(origin.column)
    yield "title", f"pfdoctor ({finding.rule})"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _azure(summary: Summary) -> Iterator[str]:
    shown = 0
    for sighting in _ordered(summary):
        finding = sighting.finding
        kind = _AZURE.get(finding.severity) if finding.status.counts else None
        text = _text(finding)
        if kind is None:
            yield f"{finding.severity} [{finding.rule}] {visible(text)}".replace("##", "# #")
            continue
        shown += 1
        properties = "".join(f"{name}={_azure_property(value)};" for name, value in _azure_place(finding))
        yield f"##vso[task.logissue type={kind};{properties}]{_azure_data(text)}"
    if shown and summary.exit_code == 0:
        yield f"##vso[task.complete result=SucceededWithIssues;]{count(shown, 'finding')}"


def _azure_place(finding: Finding) -> Iterator[tuple[str, str]]:
    origin = finding.origin
    if isinstance(origin, Origin):
        yield "sourcepath", origin.file
        if origin.line is not None:
            yield "linenumber", str(origin.line)
            if origin.column is not None:
                yield "columnnumber", str(origin.column)
    yield "code", finding.rule


def _azure_data(text: str) -> str:
    return text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")


def _azure_property(text: str) -> str:
    return _azure_data(text).replace("]", "%5D").replace(";", "%3B")


def _text(finding: Finding) -> str:
    """The message, with the status where it is less than a proof, and the first way to mend it."""
    status = "" if finding.status.counts else f"{finding.status}: "
    fix = f"\nFix: {finding.remedies[0].title}" if finding.remedies else ""
    where = "" if isinstance(finding.origin, Origin) else f"{finding.case}: "
    return f"{where}{status}{finding.message}{fix}"


def _left_out(number: int) -> str:
    return f"{count(number, 'more finding')} not shown here: GitHub shows {MOST_OF_A_KIND} of a kind; see the report"
