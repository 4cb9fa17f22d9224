"""The report of an audit for a person at a terminal: a table, the worst first, then what could not be looked at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from pfdoctor.audit.record import GONE, UNKNOWN
from pfdoctor.audit.report import AuditReport
from pfdoctor.core.model import Json, Severity
from pfdoctor.report.style import EMPTY, Line, Span, cells, count, fit, line, severity_style, visible, wrap

_NAMES_SHOWN = 4


def render(report: AuditReport, width: int, *, quiet: bool = False, statistics: bool = False) -> Iterator[Line]:
    """The lines of the report; `quiet` leaves only the findings, `statistics` counts them by rule."""
    head = report.head
    for problem in head["problems"]:
        text = f" {problem['path']}: {problem['detail']}"
        yield from wrap([Span(f"not listed[{problem['problem']}]", "warning"), Span(visible(text))], width, rest="    ")
    if head["problems"]:
        yield EMPTY
    if statistics:
        yield from _statistics(head["summary"]["by_rule"])
    else:
        yield from _findings(report.entries(), width)
    if quiet:
        return
    yield from _unknown(report.entries(), width)
    yield from _footer(head, width)


def _statistics(rules: dict[str, Json]) -> Iterator[Line]:
    for rule, number in sorted(rules.items(), key=lambda one: (-one[1], one[0])):
        yield line(f"{number:7,}  {rule}")
    if rules:
        yield EMPTY


def _findings(entries: Iterable[dict[str, Json]], width: int) -> Iterator[Line]:
    """A row a finding, by severity; its message below it."""
    rows: dict[Severity, list[tuple[dict[str, Json], dict[str, Json]]]] = {one: [] for one in reversed(Severity)}
    for entry in entries:
        for finding in entry["findings"]:
            rows[Severity(finding["severity"])].append((entry, finding))
    for severity, found in rows.items():
        for entry, finding in found:
            status = "" if finding["status"] == "confirmed" else f" ({finding['status']})"
            head = f"{visible(finding['case'])}  {finding['rule']}{status}  "
            place = visible(f"{entry['resource_group']}/{entry['workspace']}")
            yield line(
                Span(f"{severity!s:9}", severity_style(severity)),
                Span(visible(finding["case"]), "strong"),
                f"  {finding['rule']}{status}  ",
                Span(fit(place, max(1, width - 9 - cells(head))), "dim"),
            )
            yield from wrap([Span(visible(finding["message"]))], width, "         ", "         ")
        if found:
            yield EMPTY


def _unknown(entries: Iterable[dict[str, Json]], width: int) -> Iterator[Line]:
    """Endpoints that are not known to be healthy, by the reason."""
    reasons: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in entries:
        if entry["state"] in (UNKNOWN, GONE):
            why = entry["reason"] or entry["unknown"][0]
            permission = why["permission"]
            needs = f"; that needs {permission}" if permission else ""
            reasons[entry["state"], f"{why['detail']}{needs}"].append(f"{entry['workspace']}/{entry['name']}")
    for (state, why), names in sorted(reasons.items(), key=lambda one: (one[0][0] == GONE, -len(one[1]), one[0])):
        shown = ", ".join(names[:_NAMES_SHOWN])
        more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
        spans = [Span(f"{state:9}", "warning" if state == UNKNOWN else "dim"), Span(visible(f"{shown}{more}: {why}"))]
        yield from wrap(spans, width, rest="         ")
    if reasons:
        yield EMPTY


def _footer(head: dict[str, Json], width: int) -> Iterator[Line]:
    summary = head["summary"]
    states = summary["states"]
    parts = [
        f"{states['findings']:,} with findings",
        f"{states['unknown']:,} unknown",
        f"{states['healthy']:,} healthy",
    ]
    parts += [f"{states['gone']:,} gone"] if states["gone"] else []
    severities = ", ".join(count(number, name) for name, number in summary["by_severity"].items() if number)
    text = f"{count(summary['endpoints'], 'endpoint')}: {', '.join(parts)}"
    text += f" · {severities.replace('infos', 'info')}" if severities else ""
    text += f" · exit {summary['exit_code']} ({summary['exit_reason']})"
    yield from wrap([Span(text)], width, rest="  ")
    if not head["run"]["complete"]:
        yield from wrap([Span("incomplete: part of the scope was not looked at", "warning")], width)
