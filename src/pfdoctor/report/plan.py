"""A plan for a person: each fix with its steps, the diff, what cannot be planned, and what will be true afterwards."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from pfdoctor.core.model import Level
from pfdoctor.core.plan import Fix, Forecast, Outcome, Plan, Step
from pfdoctor.core.plan.step import place_of
from pfdoctor.core.plan.words import permissions_in_words
from pfdoctor.report.style import EMPTY, Line, Span, Style, count, line, visible, wrap

_LEVEL: dict[Level, Style] = {Level.SAFE: "good", Level.REVIEW: "warning", Level.MANUAL: "error"}


def render(plan: Plan, diff: Iterable[str], width: int, *, verbose: bool = False) -> list[Line]:
    """The plan, laid out for so many columns; `verbose` lists what is not planned one by one."""
    lines: list[Line] = []
    steps = {step.id: step for step in plan.steps}
    for fix in plan.fixes:
        lines += [*_fix(fix, [steps[number] for number in fix.steps], width), EMPTY]
    lines += [*render_diff(diff), EMPTY] if plan.files() else []
    lines += _not_planned(plan, width, verbose=verbose)
    if plan.forecast is not None and plan.steps:
        lines += [*_forecast(plan.forecast, width), EMPTY]
    lines.append(line(footer(plan)))
    return lines


def footer(plan: Plan) -> str:
    """What the plan comes to, in one line."""
    if not plan.steps:
        return "no changes: nothing that was found can be fixed by a plan" if plan.not_planned else "no changes"
    levels = [f"{number} {level}" for level in Level if (number := sum(1 for one in plan.steps if one.level is level))]
    azure = len({place_of(step.edit) for step in plan.azure})
    places = [count(number, what) for number, what in ((len(plan.files()), "file"), (azure, "resource")) if number]
    return f"{count(len(plan.steps), 'step')} in {' and '.join(places)}: {', '.join(levels)}"


def render_diff(diff: Iterable[str]) -> Iterator[Line]:
    """The lines of a unified diff, coloured as everybody colours them."""
    for text in diff:
        for one in text.split("\n"):
            style: Style = ""
            if one.startswith(("+++", "---")):
                style = "strong"
            elif one.startswith("@@"):
                style = "place"
            elif one.startswith("+"):
                style = "good"
            elif one.startswith("-"):
                style = "error"
            yield line(Span(visible(one), style))


def describe(fix: Fix) -> str:
    """A fix in one line, for a question or a message."""
    return visible(f"[{fix.level}] {fix.rule}: {fix.title}")


def _fix(fix: Fix, steps: Sequence[Step], width: int) -> Iterator[Line]:
    head = (Span("fix", "strong"), Span(f"[{fix.rule}] ", "strong"), Span(visible(fix.title)))
    yield from wrap((*head, Span(f" [{fix.level}]", _LEVEL[fix.level])), width, rest="    ")
    yield from wrap((Span(visible(fix.message), "dim"),), width, first="    ", rest="    ")
    for step in steps:
        where = (Span(f"{step.id} ", "strong"), Span(visible(place_of(step.edit)), "place"))
        yield from wrap((*where, Span(f": {visible(step.title)}")), width, first="  ", rest="      ")
        yield from wrap((Span(f"{step.effect}. Undo: {visible(step.inverse)}", "dim"),), width, "      ", "      ")
        if step.permitted is False:
            lacking = visible(permissions_in_words(step.lacking))
            text = f"you may not do this: it needs {lacking}; --hand-off FILE writes what to ask for"
            yield from wrap((Span(text, "warning"),), width, "      ", "      ")


def _not_planned(plan: Plan, width: int, *, verbose: bool) -> Iterator[Line]:
    if not plan.not_planned:
        return
    refused = [one for one in plan.not_planned if verbose or not one.reason.startswith("it is mended by hand")]
    for one in refused:
        yield from wrap(
            (Span("not planned", "warning"), Span(f" {one.rule}", "strong"), Span(f": {visible(one.reason)}")),
            width,
            rest="    ",
        )
    rest = len(plan.not_planned) - len(refused)
    if rest:
        verb = "is" if rest == 1 else "are"
        command = shlex.join(["pfdoctor", "check", *plan.paths]) if plan.live is None else "pfdoctor diagnose"
        yield line(Span(f"{count(rest, 'finding')} {verb} mended by hand: {visible(command)} says how", "dim"))
    yield EMPTY


def _forecast(forecast: Forecast, width: int) -> Iterator[Line]:
    yield line(
        Span("what-if", "strong"),
        f": {len(forecast.solved)} solved, {len(forecast.remaining)} still there, "
        f"{len(forecast.introduced)} newly introduced, {len(forecast.undecided)} known only afterwards",
    )
    yield from _outcomes("seen only then", "warning", forecast.revealed, width)
    yield from _outcomes("new", "error", forecast.introduced, width)
    yield from _outcomes("open", "warning", forecast.undecided, width)


def _outcomes(word: str, style: Style, outcomes: Sequence[Outcome], width: int) -> Iterator[Line]:
    for one in outcomes:
        spans = (Span(f"{word} ", style), Span(one.rule, "strong"), Span(f": {visible(one.message)}"))
        yield from wrap(spans, width, first="    ", rest="      ")
