"""`check --fix` and `diagnose --fix`: the short way through plan and apply."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pfdoctor.cli.planning import Ground, changes_of, make_plan, survey, survey_live
from pfdoctor.core.model import Level
from pfdoctor.core.plan import Plan
from pfdoctor.core.rule import Catalogue, Rule

if TYPE_CHECKING:
    from pfdoctor.cli.live import Live


class Short(NamedTuple):
    """Which findings to mend: those of the selected rules, in files and of a live endpoint, up to a level."""

    paths: Sequence[Path]
    catalogue: Catalogue
    rules: Sequence[Rule]
    level: Level
    live: Live | None = None

    def plan(self) -> tuple[Ground, Plan]:
        """What is there, and what would mend it."""
        ground = survey(self.paths) if self.live is None else survey_live(self.paths, self.live, self.catalogue)
        names = {rule.id for rule in self.rules}
        plan = make_plan(ground, self.catalogue, lambda one: one.rule in names, self.level, what_if=False)
        return ground, plan

    def fix(self, *, yes: bool, wait: float) -> int:
        """Apply the plan; what it did is told on stderr. The exit code where it failed, else 0.

        `wait`: seconds, for a role to be in force.
        """
        # imported here: nothing but a fix may write
        from pfdoctor.cli.applied import report
        from pfdoctor.cli.fixing import Doing, approved, execute, name_of

        ground, plan = self.plan()
        plan = approved(plan, self.level if yes else None).plan
        if not plan.steps:
            return 0
        again = shlex.join(["pfdoctor", *sys.argv[1:]])
        doing = Doing(ground.root, _journal(), name_of(plan), again, self.live, wait)
        return report(execute(plan, self.catalogue, doing), plan, doing)


def show(wanted: Short, color: str) -> int:
    """Print what would be changed; 1 if there is anything."""
    from pfdoctor.cli.output import print_lines
    from pfdoctor.report.plan import render_diff

    ground, plan = wanted.plan()
    lines = changes_of(plan, ground.root)
    print_lines(render_diff(lines), color)
    return 1 if lines else 0


def _journal() -> Path:
    """A new journal among the user's own state: a plan that is not saved has no file to lie beside."""
    from pfdoctor.cli.crash import state_directory

    folder = state_directory() / "journals"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / f"fix-{datetime.now(timezone.utc):%Y%m%dT%H%M%S%f}-{os.getpid()}.journal"
