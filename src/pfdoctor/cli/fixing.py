"""Applying a plan from the command line: who is asked, what is observed, and what is said about it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pfdoctor.apply.effective import PATIENT, Waiting
from pfdoctor.apply.run import Applied, Runner
from pfdoctor.apply.verify import Observation, Observe
from pfdoctor.cli.output import say
from pfdoctor.cli.planning import judge, survey, survey_live
from pfdoctor.core.model import Level
from pfdoctor.core.plan import Fix, Plan, Step, to_json
from pfdoctor.core.plan.step import place_of
from pfdoctor.core.rule import Catalogue
from pfdoctor.report.json import dump
from pfdoctor.report.plan import describe
from pfdoctor.report.style import count, visible

if TYPE_CHECKING:
    from pfdoctor.apply.azure import AzureHand, Login
    from pfdoctor.cli.live import Live

FAILED = 7


def observer(paths: Sequence[Path], catalogue: Catalogue, live: Live | None = None) -> Observe:
    """Looks again: collects the paths and the endpoint, and runs every rule."""
    decide = judge(catalogue)

    def observe() -> Observation:
        ground = survey(paths) if live is None else survey_live(paths, live, catalogue)
        return Observation(tuple((facts, decide(facts)) for facts in ground.cases))

    return observe


def hand(plan: Plan, live: Live | None, wait: float = PATIENT.longest) -> AzureHand | None:
    """What performs the plan's steps in Azure, if it has any. `wait`: seconds, for a role to be in force."""
    if live is None or not plan.azure:
        return None
    from pfdoctor.apply.azure import AzureHand

    digest = hashlib.sha256(dump(to_json(plan)).encode()).hexdigest()[:12]
    return AzureHand(login(live), f"plan {digest}", Waiting(wait, tell=say))


def login(live: Live) -> Login:
    """How the steps of a plan reach Azure."""
    from pfdoctor.apply.azure import Login

    way = live.way()
    return Login(way.cloud, way.make, os.environ, way.limits, say)


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


def execute(
    plan: Plan, root: Path, catalogue: Catalogue, journal: Path, live: Live | None = None, wait: float = PATIENT.longest
) -> Applied:
    """Run the plan and tell what happens."""

    def tell(step: Step) -> None:
        say(visible(f"step {step.id}: {place_of(step.edit)}: {step.title}"))

    observe = observer([Path(path) for path in plan.paths], catalogue, live)
    return Runner(plan, root, catalogue, observe, tell, hand(plan, live, wait)).run(journal)


def report(applied: Applied, journal: Path) -> int:
    """Say what came of it; the exit code."""
    for fix in applied.fixed:
        say(visible(f"fixed: {fix.rule}: {fix.message}"))
    for one in applied.revealed:
        say(visible(f"seen only now: {one.rule}: {one.message}"))
    for fix in applied.unverified:
        say(visible(f"unverified: {fix.rule}: the role is in force; add --probe-score to see a request answered"))
    for fix in applied.pending:
        again = "it was not undone: run the same apply again in some minutes"
        say(visible(f"applied, not yet effective: {fix.rule}: {fix.title}; {again}"))
    for step, words in applied.stays:
        say(visible(f"step {step}: {words}"))
    if applied.failure is not None:
        say(visible(f"stopped: {applied.failure}"))
        for step in applied.undone:
            say(f"step {step} was undone")
        for step, reason in applied.left:
            say(visible(f"step {step} could not be undone: {reason}"))
    elif not applied.fixed and not applied.pending:
        say("nothing to do: every step's result is there already" if applied.already else "nothing was applied")
    if applied.fixed or applied.left:
        done = f"{count(len(applied.fixed), 'fix') if len(applied.fixed) == 1 else f'{len(applied.fixed)} fixes'}"
        say(visible(f"{done} applied and verified; take them back with: pfdoctor undo {journal}"))
    return FAILED if applied.failure is not None or applied.pending else 0
