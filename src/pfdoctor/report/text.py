"""The report for a person: findings by case, each with its place, evidence and remedy, then what it all comes to.

The layout is made of spans (see style) and is the same with and without colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pfdoctor.core.model import CaseResult, Evidence, Finding, Json, Origin, Remedy, Report, Source, Status
from pfdoctor.report.differential import differential_lines
from pfdoctor.report.style import (
    EMPTY,
    Line,
    Span,
    Style,
    cells,
    copyable,
    count,
    fit,
    line,
    severity_style,
    unbroken,
    visible,
    wrap,
)
from pfdoctor.report.summary import Gate, Sighting, Summary, Unchecked, first_missing, summarise, unchecked
from pfdoctor.report.values import fact, value

_EVIDENCE_SHOWN = 6
_UNSEEN_SHOWN = 3
_REASONS_SHOWN = 6
_NAMES_SHOWN = 5
_LABEL = 10
"""Columns of the label (`seen`, `fix`, `docs`) in front of a detail of a finding."""


class Layout(NamedTuple):
    """How a text report is laid out: `width` in terminal columns; `statistics` counts findings and shows none."""

    width: int = 80
    verbose: bool = False
    quiet: bool = False
    statistics: bool = False


def render(report: Report, gate: Gate, layout: Layout) -> list[Line]:
    """The lines of the whole report; `quiet` leaves only the findings."""
    summary = summarise(report, gate)
    lines: list[Line] = []
    for problem in sorted(report.problems, key=lambda one: (one["path"], one["problem"])):
        lines += _problem(problem, layout)
    if report.problems:
        lines.append(EMPTY)
    if layout.statistics:
        lines += _statistics(summary)
    else:
        sightings = {id(one.finding): one for one in summary.sightings}
        for case in sorted(report.cases, key=lambda one: (one.name, one.kind)):
            # a finding that several cases share is shown in the first that has it in its worst status
            shown = [sightings[id(finding)] for finding in case.findings if id(finding) in sightings]
            lines += _case(case, shown, layout)
    if layout.quiet:
        return lines
    for case in sorted(report.cases, key=lambda one: (one.name, one.kind)) if layout.verbose else ():
        lines += _details(case, layout)
    lines += _not_checked(unchecked(report), summary, layout)
    for notice in report.notices:
        for index, part in enumerate(notice.splitlines()):
            lines += _labelled("" if index else "note", [Span(copyable(visible(part)))], layout.width, "info")
    if report.notices:
        lines.append(EMPTY)
    return lines + _footer(summary, layout)


def _problem(problem: dict[str, Json], layout: Layout) -> list[Line]:
    text = f" {problem['path']}: {problem['detail']}"
    return wrap(
        [Span(f"not examined[{problem['problem']}]", "warning"), Span(visible(text))], layout.width, rest="    "
    )


def _statistics(summary: Summary) -> list[Line]:
    """One line a rule, the worst and most frequent first."""
    counts: dict[tuple[int, str], list[Finding]] = {}
    for one in summary.sightings:
        counts.setdefault((-one.finding.severity.rank, one.finding.rule), []).append(one.finding)
    rows = sorted(counts.items(), key=lambda row: (row[0][0], -len(row[1]), row[0][1]))
    lines = [
        line(
            f"{len(found):6,}  ",
            Span(f"{found[0].severity!s:8}", severity_style(found[0].severity)),
            f"{rule}  {found[0].title}",
        )
        for (_, rule), found in rows
    ]
    return [*lines, EMPTY] if lines else []


def _case(case: CaseResult, shown: list[Sighting], layout: Layout) -> list[Line]:
    if not shown and (layout.quiet or not (case.differentials or case.observed)):
        return []
    lines = [line(Span(visible(case.name), "strong"), Span(f" ({case.kind})", "dim")), EMPTY]
    if case.observed and not layout.quiet:
        lines = [lines[0], *_observed(case, layout.width), EMPTY]
    blocks = shown if layout.verbose or not case.differentials else _worth_a_block(case, shown)
    for one in blocks:
        lines += [*finding_lines(one, case.excerpts, layout), EMPTY]
    rest = len(shown) - len(blocks)
    if rest:
        where = "" if layout.quiet else " among the causes below"
        lines += [line(Span(f"… {count(rest, 'more finding')}{where}, in full with --verbose", "dim")), EMPTY]
    return lines if layout.quiet else lines + differential_lines(case, layout.width, verbose=layout.verbose)


def _observed(case: CaseResult, width: int) -> Iterator[Line]:
    """What was seen in Azure, each on one line: a person wants to know what answered, whatever is wrong."""
    rest = " " * (_LABEL + 2)
    for label, text in case.observed:
        lines = wrap([Span(visible(text))], width, rest, rest)
        yield (Span("  "), Span(f"{label:{_LABEL}}", "dim"), *lines[0][1:])
        yield from lines[1:]


def _worth_a_block(case: CaseResult, shown: list[Sighting]) -> list[Sighting]:
    """The findings that are more than a suspicion or a consequence; without any, the likeliest one.

    The list of causes below has them all.
    """
    roots = {cause.rule for group in case.differentials if not group.follows for cause in group.causes}
    told = {cause.rule for group in case.differentials if group.follows for cause in group.causes} - roots
    proven = [one for one in shown if one.finding.status is not Status.SUSPECTED]
    return [one for one in proven if one.finding.rule not in told] or proven[:1] or shown[:1]


def finding_lines(sighting: Sighting, excerpts: Mapping[str, dict[str, str]], layout: Layout) -> list[Line]:
    """One finding: header, place with its source line, evidence, remedies and where to read more."""
    finding = sighting.finding
    lines = _header(finding, layout.width)
    lines += _place(finding, excerpts, layout.width)
    evidence = list(finding.evidence)
    hidden = 0 if layout.verbose else max(0, len(evidence) - _EVIDENCE_SHOWN)
    for index, one in enumerate(evidence[: len(evidence) - hidden]):
        lines += _labelled("seen" if index == 0 else "", _evidence(one), layout.width)
    if hidden:
        lines += _labelled("", [Span(f"… {hidden} more (--verbose)", "dim")], layout.width)
    unseen = finding.missing if layout.verbose else finding.missing[:_UNSEEN_SHOWN]
    for missing in unseen:
        text = f"{fact(missing.path)}: {missing.reason.detail}"
        lines += _labelled("unseen", [Span(visible(text))], layout.width)
        if missing.reason.collect_command:
            lines += _labelled("", [Span(copyable(visible(missing.reason.collect_command)), "fix")], layout.width)
    if len(finding.missing) > len(unseen):
        lines += _labelled("", [Span(f"… {len(finding.missing) - len(unseen)} more (--verbose)", "dim")], layout.width)
    related = [Span(visible(str(origin)), "place") for origin in finding.related]
    if related:
        lines += _labelled("also", _separated(related), layout.width)
    others = [name for name in sighting.cases if name != finding.case]
    if others:
        names = ", ".join(others[:_NAMES_SHOWN]) + (
            f" and {len(others) - _NAMES_SHOWN:,} more" if others[_NAMES_SHOWN:] else ""
        )
        lines += _labelled("same in", [Span(visible(names))], layout.width)
    for remedy in finding.remedies:
        lines += _remedy(remedy, layout.width)
    if finding.help_uri:
        lines += _labelled("docs", [Span(finding.help_uri, "dim")], layout.width)
    return lines


def _header(finding: Finding, width: int) -> list[Line]:
    """`error[rule] message   latent · certain`, the status at the right edge or, where it does not fit, below."""
    head = Span(f"{finding.severity}[{finding.rule}]", severity_style(finding.severity))
    lines = wrap([head, Span(" " + visible(finding.message), "strong")], width, rest="    ")
    status = Span(f"{finding.status} · {finding.confidence}", "dim")
    free = width - sum(cells(span.text) for span in lines[-1]) - cells(status.text)
    if free >= 3:
        lines[-1] = (*lines[-1], Span(" " * free), status)
    else:
        lines.append(line(" " * max(0, width - cells(status.text)), status))
    return lines


def _place(finding: Finding, excerpts: Mapping[str, dict[str, str]], width: int) -> list[Line]:
    origin = finding.origin
    if origin is None:
        return [line(Span("  --> ", "dim"), Span(visible(finding.subject), "place"))]
    lines = [line(Span("  --> ", "dim"), Span(visible(str(origin)), "place"))]
    if isinstance(origin, Source):
        return lines
    source = excerpts.get(origin.file, {}).get(str(origin.line))
    if source is not None and source.strip():
        lines += _excerpt(source, origin, severity_style(finding.severity), width)
    return lines


def _excerpt(source: str, origin: Origin, style: Style, width: int) -> list[Line]:
    """The source line with what the finding is about underlined."""
    number = f"{origin.line:>4} | "
    room = max(20, width - len(number))
    start = (origin.column or 1) - 1
    end = (origin.end_column or start + 2) - 1
    before, marked, after = (
        visible(part.replace("\t", "    ")) for part in (source[:start], source[start:end], source[end:])
    )
    # a long line is shown from shortly before what is marked
    if cells(before) > room // 2:
        before = "…" + before[len(before) - room // 2 + 1 :]
    shown = fit(before + marked + after, room)
    lines = [line(Span(number, "dim"), shown)]
    underlined = min(cells(marked), room - cells(before))
    if origin.column is not None and underlined > 0:
        gutter = " " * (len(number) - 2) + "| "
        lines.append(line(Span(gutter, "dim"), " " * cells(before), Span("^" * underlined, style)))
    return lines


def _evidence(evidence: Evidence) -> list[Span]:
    spans = [Span(f"{fact(evidence.path)} = {visible(value(evidence.value))}")]
    place = evidence.origin
    if isinstance(place, Origin):
        place = Origin(place.file, place.line)
    if place is not None:
        spans.append(Span(f"  ({visible(str(place))})", "dim"))
    return spans


def _remedy(remedy: Remedy, width: int) -> list[Line]:
    lines = _labelled("fix", [Span(f"[{remedy.level}] ", "fix"), Span(visible(remedy.title))], width)
    indent = " " * (_LABEL + 2)
    for edit in remedy.edits:
        lines += wrap([Span(copyable(visible(edit)), "fix")], width, indent, indent + "  ")
    for step in (remedy.steps or "").splitlines():
        lines += wrap([Span(copyable(visible(step)))], width, indent, indent)
    return lines


def _labelled(label: str, spans: Iterable[Span], width: int, style: Style = "dim") -> list[Line]:
    """`  label   text`, the text wrapped in its own column."""
    rest = " " * _LABEL
    lines = wrap(spans, width, rest, rest)
    if label:
        lines[0] = (Span("  "), Span(f"{label:{_LABEL - 2}}", style), *lines[0][1:])
    return lines


def _separated(spans: list[Span]) -> Iterator[Span]:
    for index, span in enumerate(spans):
        if index:
            yield Span(", ")
        yield span


def _details(case: CaseResult, layout: Layout) -> list[Line]:
    """What --verbose adds for a case: what was joined and why, and every rule that came to no verdict."""
    lines = [line(Span(visible(case.name), "strong"), Span(f" ({case.kind})", "dim"))]
    for index, one in enumerate(case.joins):
        lines += _labelled("joined" if index == 0 else "", [Span(visible(join_text(one)))], layout.width)
    for index, finding in enumerate(sorted(case.unknown, key=lambda one: (one.rule, one.fingerprint))):
        missing = first_missing(finding)
        where = f" ({fact(missing.path)})" if missing.path else ""
        text = f"{finding.rule}: {missing.reason.detail}{where}"
        lines += _labelled("unknown" if index == 0 else "", [Span(visible(text))], layout.width)
    names = case.outcomes.get(Status.NOT_APPLICABLE, ())
    if names:
        lines += _labelled("n/a", [Span(", ".join(sorted(names)))], layout.width)
    return [*lines, EMPTY] if len(lines) > 1 else []


def join_text(join: dict[str, Json]) -> str:
    """Which definitions were taken to belong together, and why."""
    text = f"{join.get('what', 'file')} {join.get('to', '?')}"
    return f"{text}: {join['how']}" if join.get("how") else text


def _not_checked(groups: tuple[Unchecked, ...], summary: Summary, layout: Layout) -> list[Line]:
    if not groups:
        return []
    shown = groups if layout.verbose else groups[:_REASONS_SHOWN]
    lines = [line(Span("not checked", "strong"))]
    for group in shown:
        where = "" if group.cases == summary.cases else f" (in {group.cases:,} of {count(summary.cases, 'case')})"
        label = f"{count(len(group.rules), 'rule')}"
        detail = visible(group.reason.detail)
        if group.reason.collect_command:
            detail = detail.removesuffix(".")
        text = [Span(f"{label}: {detail}{where}")]
        if group.reason.collect_command:
            text += [Span(": "), Span(copyable(visible(group.reason.collect_command)), "fix")]
        lines += wrap(text, layout.width, "  ", "      ")
    if len(groups) > len(shown):
        lines.append(line(Span(f"  … {count(len(groups) - len(shown), 'further reason')} (--verbose)", "dim")))
    return [*lines, EMPTY]


def _footer(summary: Summary, layout: Layout) -> list[Line]:
    """`104 rules: 61 pass, 2 findings (1 error, 1 warning), 17 unknown, 24 not applicable · exit 1 (…)`."""
    good: Style = "good" if summary.exit_code == 0 else "error"
    parts = [
        f"{count(summary.rules, 'rule')}: {summary.passed:,} pass",
        _found(summary),
        f"{summary.unknown:,} unknown",
        f"{summary.not_applicable:,} not applicable",
    ]
    if summary.cases != 1:
        parts.insert(0, count(summary.cases, "case"))
    if summary.problems:
        parts.append(f"{count(summary.problems, 'input')} not examined")
    spans = [Span(", ".join(map(_part, parts)) + " "), Span(unbroken("· "))]
    spans += [Span(unbroken(f"exit {summary.exit_code}"), good), Span(unbroken(f" ({summary.exit_reason})"))]
    return wrap(spans, layout.width)


def _part(text: str) -> str:
    """A part of the footer, broken only where it is a list itself."""
    return "; ".join(map(unbroken, text.split("; ")))


def _found(summary: Summary) -> str:
    """The findings; where a rule has several, the rules that fail are counted too, so that the rules add up."""
    total = len(summary.sightings)
    if total == 0:
        return f"{summary.failed:,} findings"
    severities = [count(number, str(severity)) for severity, number in summary.by_severity().items() if number]
    # `info` has no plural
    kinds = ", ".join(text.removesuffix("s") if text.endswith("infos") else text for text in severities)
    unproven = [
        f"{number:,} {status}" for status, number in summary.by_status().items() if number and not status.counts
    ]
    detail = kinds + (f"; {', '.join(unproven)}" if unproven else "")
    covered = summary.failed - len({one.finding.rule for one in summary.sightings})
    if covered > 0 and total != summary.failed:
        detail += f"; {count(covered, 'rule')} covered by a sharper one"
    found = f"{count(total, 'finding')} ({detail})"
    return found if total == summary.failed else f"{summary.failed:,} fail with {found}"
