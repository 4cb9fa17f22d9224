"""What came of applying a plan: for the person at the terminal, and as a document."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pfdoctor.apply.journal import is_begun, read, undoing
from pfdoctor.cli.output import say
from pfdoctor.cli.planning import PENDING
from pfdoctor.core.model import Json
from pfdoctor.core.plan import Fix, Plan, Step
from pfdoctor.core.plan.resource import GrantRole
from pfdoctor.core.plan.step import place_of
from pfdoctor.report.style import visible

if TYPE_CHECKING:
    from pathlib import Path

    from pfdoctor.apply.run import Applied
    from pfdoctor.cli.fixing import Doing

SCHEMA_NAME = "pfdoctor/applied/v1"
FAILED = 7


def exit_code(applied: Applied) -> int:
    """0 where all that was to be done is done and verified, but for what somebody declined."""
    if applied.failure is not None or applied.pending or applied.undecided:
        return FAILED
    return PENDING if applied.unasked else 0


def report(applied: Applied, plan: Plan, doing: Doing) -> int:
    """Say what was done, what was not, and the one next command; the exit code."""
    for text in _lines(applied, plan, doing):
        say(visible(text))
    return exit_code(applied)


def _lines(applied: Applied, plan: Plan, doing: Doing) -> Iterator[str]:
    yield from _held(applied, plan)
    yield from _stopped(applied)
    if not applied.fixed and exit_code(applied) != FAILED:
        all_there = applied.already and not (applied.declined or applied.unasked)
        yield "nothing to do: every step's result is there already" if all_there else "nothing was applied"
    if applied.fixed:
        fixes, them = ("1 fix", "it") if len(applied.fixed) == 1 else (f"{len(applied.fixed)} fixes", "them")
        yield f"{fixes} applied and verified; take {them} back with: {undoing(doing.journal)}"
    command = next_command(applied, plan, doing)
    if command is not None:
        yield f"next: {command}"


def _held(applied: Applied, plan: Plan) -> Iterator[str]:
    """What was done, each as far as it is known to be in effect."""
    steps = {step.id: step for step in plan.steps}
    for fix in applied.fixed:
        yield f"fixed: {fix.rule}: {fix.message}"
        if fix in applied.unverified:
            yield f"unverified: {fix.rule}: the role is in force; add --probe-score to see a request answered"
        elif _grants(fix, steps):
            yield f"effective: {fix.rule}: the role is in force, and what was refused for want of it is answered"
    for one in applied.revealed:
        yield f"seen only now: {one.rule}: {one.message}"
    for fix in applied.pending:
        yield f"applied, not yet effective: {fix.rule}: {fix.title}; it was not undone"
    for fix, reason in applied.undecided:
        yield f"applied, not verified: {fix.rule}: {fix.title}: {reason}; it was not undone"


def _stopped(applied: Applied) -> Iterator[str]:
    """What was not done, and what became of what was."""
    if applied.failure is not None:
        yield f"stopped: {applied.failure}"
    for step in applied.undone:
        yield f"step {step} was undone"
    for step, reason in applied.left:
        yield f"step {step} could not be undone: {reason}"
    for step, words in applied.stays:
        yield f"step {step}: {words}"
    for fix in applied.not_begun:
        yield f"not begun: {fix.rule}: {fix.title}"


def next_command(applied: Applied, plan: Plan, doing: Doing) -> str | None:
    """What to run now, where something is left to be done."""
    if applied.left:
        return undoing(doing.journal)
    if applied.pending or applied.undecided or applied.passing:
        return doing.again
    if applied.failure is None:
        return _unasked(doing.again) if applied.unasked else None
    endpoint = f" -e {plan.live.endpoint}" if plan.live is not None else ""
    return shlex.join(["pfdoctor", "plan", *plan.paths]) + endpoint + " -o PLAN"


def _unasked(command: str) -> str:
    """The command that was run, so that it also does what is not safe without being asked about."""
    words = re.sub(r" (--yes|-y|--fix-level[ =](safe|review))(?= |$)", "", command)
    return f"{words} --yes --fix-level review"


def _grants(fix: Fix, steps: dict[int, Step]) -> bool:
    return any(isinstance(steps[number].edit, GrantRole) for number in fix.steps)


def to_json(applied: Applied, plan: Plan, doing: Doing) -> dict[str, Json]:
    """The document (docs/schema/applied.schema.json)."""
    states = _states(applied)
    return {
        "schema": SCHEMA_NAME,
        "plan": doing.name,
        "journal": doing.journal.as_posix() if is_begun(doing.journal) else None,
        "exit_code": exit_code(applied),
        "failure": applied.failure,
        "next": next_command(applied, plan, doing),
        "fixes": [_fix(fix, *states.get(fix.fingerprint, ("not-begun", None))) for fix in plan.fixes],
        "steps": list(_steps(applied, plan, doing.journal)),
        "revealed": [one._asdict() for one in applied.revealed],
    }


def _states(applied: Applied) -> dict[str, tuple[str, str | None]]:
    """How far each fix has come, by its fingerprint, and why no further. The failed one is in none of the lists."""
    unverified = "the role is in force, and no request was sent that would show it"
    states: dict[str, tuple[str, str | None]] = {fix.fingerprint: ("effective", None) for fix in applied.fixed}
    states |= {fix.fingerprint: ("unverified", unverified) for fix in applied.unverified}
    states |= {fix.fingerprint: ("already", None) for fix in applied.already}
    states |= {fix.fingerprint: ("not-yet-effective", "the role is not in force yet") for fix in applied.pending}
    states |= {fix.fingerprint: ("applied", reason) for fix, reason in applied.undecided}
    states |= {fix.fingerprint: ("left-out", "somebody declined it") for fix in applied.declined}
    states |= {fix.fingerprint: ("left-out", "it is not safe, and nobody was asked") for fix in applied.unasked}
    if applied.failed is not None:
        states[applied.failed.fingerprint] = ("failed", applied.failure)
    return states


def _fix(fix: Fix, state: str, reason: str | None) -> dict[str, Json]:
    body = fix._asdict()
    return {**body, "level": str(fix.level), "steps": list(fix.steps), "state": state, "reason": reason}


def _steps(applied: Applied, plan: Plan, journal: Path) -> Iterator[dict[str, Json]]:
    entries = {one.step: one for one in read(journal).entries} if is_begun(journal) else {}
    reached = {number for fix in (*applied.fixed, *applied.already) for number in fix.steps}
    for step in plan.steps:
        if step.id in applied.undone:
            state, reason = "undone", dict(applied.stays).get(step.id)
        elif step.id in entries:
            state, reason = "done" if entries[step.id].done else "begun", dict(applied.left).get(step.id)
        else:
            state, reason = "already" if step.id in reached else "not-begun", None
        yield {"id": step.id, "place": place_of(step.edit), "title": step.title, "state": state, "reason": reason}
