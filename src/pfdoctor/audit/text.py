"""The report of an audit for a person at a terminal: the worst rules first, then what was not seen, then a table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pfdoctor.audit.record import FINDINGS, GONE, UNKNOWN
from pfdoctor.audit.report import AuditReport
from pfdoctor.core.model import Json, Severity, Status
from pfdoctor.report.style import EMPTY, Line, Span, count, line, severity_style, unbroken, visible, wrap

_NAMES_SHOWN = 4
_TOLD_IN_FULL = 5
"""Endpoints at which a rule's message is told; of further ones the place is."""


class _Row(NamedTuple):
    """A finding, and where it is."""

    finding: dict[str, Json]
    workspace: str
    subscription: str


def render(report: AuditReport, width: int, *, quiet: bool = False, statistics: bool = False) -> Iterator[Line]:
    """The lines of the report; `quiet` leaves only the findings, `statistics` counts them by rule."""
    head = report.head
    for problem in head["problems"]:
        text = f" {problem['path']}: {problem['detail']}"
        yield from wrap([Span(f"not listed[{problem['problem']}]", "warning"), Span(visible(text))], width, rest="    ")
    if head["problems"]:
        yield EMPTY
    groups = _groups(report.entries())
    if not statistics:
        yield from _findings(groups, width)
    if statistics or (len(groups) > 1 and not quiet):
        yield from _table(groups)
    if quiet:
        return
    yield from _unseen(report.entries(), width)
    yield from _footer(head, width)


def _groups(entries: Iterable[dict[str, Json]]) -> dict[tuple[Severity, str], list[_Row]]:
    """The findings by severity and rule: the worst first, then the most proven, then what is at most endpoints."""
    found: defaultdict[tuple[Severity, str], list[_Row]] = defaultdict(list)
    subscriptions: set[str] = set()
    for entry in entries:
        subscriptions.add(entry["subscription"].lower())
        place = f"{entry['resource_group']}/{entry['workspace']}"
        for finding in entry["findings"]:
            found[Severity(finding["severity"]), finding["rule"]].append(_Row(finding, place, entry["subscription"]))
    if len(subscriptions) < 2:
        # it only tells something where there are several
        found = defaultdict(list, {key: [one._replace(subscription="") for one in rows] for key, rows in found.items()})
    return dict(sorted(found.items(), key=_order))


def _order(group: tuple[tuple[Severity, str], list[_Row]]) -> tuple[int, bool, int, str]:
    (severity, rule), rows = group
    proven = any(Status(one.finding["status"]).counts for one in rows)
    return -severity.rank, not proven, -len(rows), rule


def _findings(groups: dict[tuple[Severity, str], list[_Row]], width: int) -> Iterator[Line]:
    """A paragraph a rule, with the endpoints at which it fails below it."""
    for (severity, rule), rows in groups.items():
        title, number = visible(f" {rows[0].finding['title']} "), unbroken(f"· {count(len(rows), 'finding')}")
        head = [Span(f"{severity}[{rule}]", severity_style(severity)), Span(title, "strong"), Span(number)]
        yield from wrap(head, width, rest="    ")
        for one in rows[:_TOLD_IN_FULL]:
            yield from _row(one, width)
            yield from wrap([Span(visible(one.finding["message"]))], width, "      ", "      ")
        for one in rows[_TOLD_IN_FULL:]:
            yield from _row(one, width)
        yield EMPTY


def _row(row: _Row, width: int) -> list[Line]:
    status = "" if row.finding["status"] == "confirmed" else f"  ({row.finding['status']})"
    place = " · ".join(filter(None, (row.workspace, row.subscription)))
    name = Span(visible(row.finding["case"]), "strong")
    return wrap([name, Span(status), Span(visible(f" in {place}"), "place")], width, "  ", "    ")


def _table(groups: dict[tuple[Severity, str], list[_Row]]) -> Iterator[Line]:
    """How many findings of each rule, by severity."""
    if not groups:
        return
    yield line(Span("severity  findings  rule", "dim"))
    for (severity, rule), rows in groups.items():
        statuses = Counter(one.finding["status"] for one in rows)
        unproven = {name: number for name, number in statuses.items() if not Status(name).counts}
        told = "".join(f", {number:,} {name}" for name, number in sorted(unproven.items()))
        yield line(
            Span(f"{severity!s:9}", severity_style(severity)),
            f" {len(rows):8,}  {rule}",
            Span(f" ({told[2:]})" if told else "", "dim"),
        )
    yield EMPTY


def _unseen(entries: Iterable[dict[str, Json]], width: int) -> Iterator[Line]:
    """Endpoints that are not known to be healthy, by the reason."""
    reasons: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in entries:
        if entry["state"] in (UNKNOWN, GONE) or entry["reason"] is not None:
            why = entry["reason"] or entry["unknown"][0]
            permission = why["permission"]
            needs = f"; that needs {permission}" if permission else ""
            reasons["seen in part" if entry["state"] == FINDINGS else entry["state"], f"{why['detail']}{needs}"].append(
                f"{entry['workspace']}/{entry['name']}"
            )
    for (state, why), names in sorted(reasons.items(), key=lambda one: (one[0][0] == GONE, -len(one[1]), one[0])):
        shown = ", ".join(names[:_NAMES_SHOWN])
        more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
        head = [Span(state, "dim" if state == GONE else "warning"), Span(f" {count(len(names), 'endpoint')}: ")]
        yield from wrap([*head, Span(visible(why))], width, rest="  ")
        yield from wrap([Span(visible(f"{shown}{more}"), "place")], width, "  ", "  ")
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
