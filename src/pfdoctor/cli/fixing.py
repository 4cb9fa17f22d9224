"""Applying a plan from the command line: who is asked, what is observed, and what is said about it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from pfdoctor.apply.run import Applied, Runner
from pfdoctor.apply.verify import Observation, Observe
from pfdoctor.cli.output import say
from pfdoctor.cli.planning import judge, survey
from pfdoctor.core.model import Level
from pfdoctor.core.plan import Fix, Plan, Step
from pfdoctor.core.plan.step import place_of
from pfdoctor.core.rule import Catalogue
from pfdoctor.report.plan import describe
from pfdoctor.report.style import count, visible

FAILED = 7


def observer(paths: Sequence[Path], catalogue: Catalogue) -> Observe:
    """Looks again: collects the paths and runs every rule."""
    decide = judge(catalogue)
    return lambda: Observation(tuple((facts, decide(facts)) for facts in survey(paths).cases))


def approved(plan: Plan, yes: Level | None) -> Plan:
    """What may run: all that is safe, what `yes` answers for, and what the person at the terminal agrees to."""
    allowed: set[int] = set()
    skipped: list[Fix] = []
    for fix in plan.fixes:
        granted = fix.level is Level.SAFE or (yes is not None and fix.level.rank <= yes.rank)
        if not granted and yes is None and sys.stdin.isatty():
            granted = typer.confirm(f"{describe(fix)}\n  apply it?", default=False, err=True)
        if granted:
            allowed |= set(fix.steps)
        else:
            skipped.append(fix)
    for fix in skipped:
        say(f"left out: {describe(fix)}")
    if skipped and not sys.stdin.isatty():
        say("what is not safe needs somebody to ask, or --yes --fix-level review")
    return plan.only(allowed)


def execute(plan: Plan, root: Path, catalogue: Catalogue, journal: Path) -> Applied:
    """Run the plan and tell what happens."""

    def tell(step: Step) -> None:
        say(visible(f"step {step.id}: {place_of(step.edit)}: {step.title}"))

    observe = observer([Path(path) for path in plan.paths], catalogue)
    return Runner(plan, root, catalogue, observe, tell).run(journal)


def report(applied: Applied, journal: Path) -> int:
    """Say what came of it; the exit code."""
    for fix in applied.fixed:
        say(visible(f"fixed: {fix.rule}: {fix.message}"))
    for one in applied.revealed:
        say(visible(f"seen only now: {one.rule}: {one.message}"))
    if applied.failure is not None:
        say(visible(f"stopped: {applied.failure}"))
        for step in applied.undone:
            say(f"step {step} was undone")
        for step, reason in applied.left:
            say(visible(f"step {step} could not be undone: {reason}"))
    elif not applied.fixed:
        say("nothing to do: every step's result is there already" if applied.already else "nothing was applied")
    if applied.fixed or applied.left:
        done = f"{count(len(applied.fixed), 'fix') if len(applied.fixed) == 1 else f'{len(applied.fixed)} fixes'}"
        say(visible(f"{done} applied and verified; take them back with: pfdoctor undo {journal}"))
    return FAILED if applied.failure is not None else 0
