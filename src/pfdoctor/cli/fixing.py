"""Applying a plan from the command line: who is asked, what is observed, and what is said about it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from pfdoctor.apply.effective import PATIENT, Waiting
from pfdoctor.apply.journal import is_begun, read, undoing
from pfdoctor.apply.run import Applied, Runner
from pfdoctor.apply.verify import Observation, Observe
from pfdoctor.cli.output import say
from pfdoctor.cli.planning import judge, survey, survey_live
from pfdoctor.core.model import Level, PfdoctorError
from pfdoctor.core.plan import Fix, Plan, Step, to_json
from pfdoctor.core.plan.step import place_of
from pfdoctor.core.rule import Catalogue
from pfdoctor.report.json import dump
from pfdoctor.report.plan import describe
from pfdoctor.report.style import visible

if TYPE_CHECKING:
    from pfdoctor.apply.azure import AzureHand, Login
    from pfdoctor.cli.live import Live


def observer(paths: Sequence[Path], catalogue: Catalogue, live: Live | None = None) -> Observe:
    """Looks again: collects the paths and the endpoint, and runs every rule."""
    decide = judge(catalogue)

    def observe() -> Observation:
        ground = survey(paths) if live is None else survey_live(paths, live, catalogue)
        return Observation(tuple((facts, decide(facts)) for facts in ground.cases))

    return observe


def name_of(plan: Plan) -> str:
    """What journals and the descriptions of role assignments call the plan: the same for the same plan."""
    return hashlib.sha256(dump(to_json(plan)).encode()).hexdigest()[:12]


def hand(plan: Plan, live: Live | None, name: str, wait: float) -> AzureHand | None:
    """What performs the plan's steps in Azure, if it has any. `wait`: seconds, for a role to be in force."""
    if live is None or not plan.azure:
        return None
    from pfdoctor.apply.azure import AzureHand

    return AzureHand(login(live), f"plan {name}", Waiting(wait, tell=say))


def login(live: Live) -> Login:
    """How the steps of a plan reach Azure."""
    from pfdoctor.apply.azure import Login

    way = live.way()
    return Login(way.cloud, way.make, os.environ, way.limits, say)


class Approval(NamedTuple):
    """What of a plan may run, and what is left out: what somebody declined, and what nobody was asked about."""

    plan: Plan
    declined: tuple[Fix, ...]
    unasked: tuple[Fix, ...]


def approved(plan: Plan, yes: Level | None) -> Approval:
    """What may run: all that is safe, what `yes` answers for, and what the person at the terminal agrees to."""
    allowed: set[int] = set()
    declined: list[Fix] = []
    unasked: list[Fix] = []
    for fix in plan.fixes:
        if fix.level is Level.SAFE or (yes is not None and fix.level.rank <= yes.rank):
            allowed |= set(fix.steps)
        elif yes is not None or not sys.stdin.isatty():
            unasked.append(fix)
        elif typer.confirm(f"{describe(fix)}\n  apply it?", default=False, err=True):
            allowed |= set(fix.steps)
        else:
            declined.append(fix)
    for fix in (*declined, *unasked):
        say(f"left out: {describe(fix)}")
    if unasked:
        say("what is not safe needs somebody to ask, or --yes --fix-level review")
    return Approval(plan.only(allowed), tuple(declined), tuple(unasked))


class Doing(NamedTuple):
    """Where and how a plan is applied. `name` is what the journal calls it, `again` the command that applies it again.

    `wait`: seconds, for a role to be in force.
    """

    root: Path
    journal: Path
    name: str
    again: str
    live: Live | None = None
    wait: float = PATIENT.longest


def execute(plan: Plan, catalogue: Catalogue, doing: Doing) -> Applied:
    """Run the plan and tell what happens."""

    def tell(step: Step) -> None:
        say(visible(f"step {step.id}: {place_of(step.edit)}: {step.title}"))

    observe = observer([Path(path) for path in plan.paths], catalogue, doing.live)
    performer = hand(plan, doing.live, doing.name, doing.wait)
    try:
        return Runner(plan, doing.root, catalogue, observe, tell, performer).run(doing.journal, doing.name)
    except (KeyboardInterrupt, Exception):
        # whatever ended the run: what it began is in the journal
        begun = read(doing.journal).entries if is_begun(doing.journal) else ()
        for entry in begun:
            say(f"step {entry.step} {'was done' if entry.done else 'was begun'}, and is not undone")
        if begun:
            say(visible(f"next: {doing.again} goes on; take it back with: {undoing(doing.journal)}"))
        raise


def with_left_out(applied: Applied, plan: Plan, approval: Approval, catalogue: Catalogue, doing: Doing) -> Applied:
    """What came of the approved part, and of the rest of the plan: some of it may be there already."""

    def is_open(fix: Fix) -> bool:
        part = plan.only(set(fix.steps))
        performer = hand(part, doing.live, doing.name, doing.wait)
        runner = Runner(part, doing.root, catalogue, lambda: Observation(()), lambda _: None, performer)
        try:
            return runner.check(doing.journal, doing.name)
        except PfdoctorError:
            # that nobody could look is no sign that it is done
            return True

    unasked = tuple(fix for fix in approval.unasked if is_open(fix))
    done = tuple(fix for fix in approval.unasked if fix not in unasked)
    return applied._replace(already=(*applied.already, *done), declined=approval.declined, unasked=unasked)
