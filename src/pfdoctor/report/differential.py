"""What the logs of a case show, and what each of it can come from: the part of the text report below its findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pfdoctor.core.model import CaseResult, Cause, Differential, Status
from pfdoctor.report.style import EMPTY, Line, Span, Style, copyable, count, fit, line, visible, wrap
from pfdoctor.report.values import fact, value

_CAUSES_SHOWN = 6
_STEPS_SHOWN = 2
_EVIDENCE_SHOWN = 2
_VERDICTS: dict[Status, tuple[str, Style]] = {
    Status.CONFIRMED: ("confirmed", "error"),
    Status.LATENT: ("confirmed", "error"),
    Status.SUSPECTED: ("suspected", "warning"),
    Status.CONTRADICTED: ("contradicted", "dim"),
    Status.PASS: ("ruled out", "good"),
}
_LABEL = 14


def differential_lines(case: CaseResult, width: int, *, verbose: bool) -> list[Line]:
    """The symptoms that were seen, each with its causes; those that follow from others, and those nothing explains."""
    if not case.differentials:
        return []
    lines = [line(Span("seen in the logs", "strong"))]
    for group in case.differentials:
        lines += _group(group, width, verbose=verbose)
    return [*lines, EMPTY, *_next_steps(case, width)]


def _next_steps(case: CaseResult, width: int) -> list[Line]:
    """The commands that would decide about suspects, the one that decides most first."""
    suspects = {
        cause.rule: cause.next_step
        for group in case.differentials
        for cause in group.causes
        if cause.next_step and not group.follows
    }
    steps = Counter(suspects.values()).most_common(_STEPS_SHOWN)
    if not steps:
        return []
    lines = [line(Span("next", "strong"))]
    for step, number in steps:
        lines += wrap(
            [
                Span(copyable(visible(str(step))), "fix"),
                Span(f" · would decide about {count(number, 'suspect')}", "dim"),
            ],
            width,
            "  ",
            "      ",
        )
    return [*lines, EMPTY]


def _group(group: Differential, width: int, *, verbose: bool) -> Iterator[Line]:
    name = [] if group.symptom is None else [Span(f" ({group.symptom})", "dim")]
    yield from wrap([Span(visible(group.title)), *name], width, "  ", "      ")
    trace = group.traces[0]
    place = f"{trace.source}:{trace.line}" if trace.line else trace.source
    more = f" and {count(len(group.traces) - 1, 'more line')}" if len(group.traces) > 1 else ""
    yield line("      ", Span(visible(place), "place"), Span(f"{more}  ", "dim"), Span(visible(fit(trace.text, 160))))
    if group.follows:
        yield from _labelled("follows", [Span("from " + ", ".join(group.follows))], width, "dim")
        return
    shown = group.causes if verbose else group.causes[:_CAUSES_SHOWN]
    for cause in shown:
        yield from _cause(cause, width)
    if len(group.causes) > len(shown):
        yield line(" " * 6, Span(f"… {count(len(group.causes) - len(shown), 'further cause')} (--verbose)", "dim"))
    if not group.explained:
        yield from _labelled("unexplained", [Span("no rule accounts for it with what is known")], width, "warning")


def _cause(cause: Cause, width: int) -> Iterator[Line]:
    label, style = _VERDICTS[cause.status]
    spans = [Span(cause.rule), Span(f"  {visible(cause.title)}", "dim")]
    if cause.status is Status.PASS:
        reasons = ", ".join(
            f"{fact(one.path)} = {visible(value(one.value))}" for one in cause.evidence[:_EVIDENCE_SHOWN]
        )
        spans = [Span(cause.rule), Span(f"  {reasons}" if reasons else "", "dim")]
    yield from _labelled(label, spans, width, style)


def _labelled(label: str, spans: list[Span], width: int, style: Style) -> list[Line]:
    rest = " " * (_LABEL + 4)
    lines = wrap(spans, width, rest, rest)
    lines[0] = (Span("      "), Span(f"{label:{_LABEL - 2}}", style), *lines[0][1:])
    return lines
