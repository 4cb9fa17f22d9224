"""`pfdoctor check`: what files alone can prove wrong."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from pfdoctor.cli.options import (
    Color,
    ConfidenceMin,
    ExitZero,
    ExtendSelect,
    FailOn,
    FailOnUnknown,
    FilesFrom,
    FixLevel,
    Format,
    Ignore,
    NoProgress,
    Output,
    Paths,
    Quiet,
    Replayed,
    Rules,
    Select,
    SeverityMin,
    Statistics,
    Verbose,
    Yes,
    option,
)
from pfdoctor.core.model import Confidence, Level, PfdoctorError, Report, Severity

if TYPE_CHECKING:
    from pfdoctor.cli.run import Run

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

NOTHING = "no flow, deployment, endpoint, environment or model definition was found"


@app.command()
def check(
    paths: Paths = None,
    files_from: FilesFrom = None,
    facts: Replayed = None,
    select: Select = None,
    ignore: Ignore = None,
    extend_select: ExtendSelect = None,
    severity_min: SeverityMin = "info",
    confidence_min: ConfidenceMin = "possible",
    rules: Rules = None,
    format: Format = None,  # noqa: A002 - the flag's name
    output: Output = None,
    fail_on: FailOn = "error",
    fail_on_unknown: FailOnUnknown = False,
    exit_zero: ExitZero = False,
    color: Color = "auto",
    quiet: Quiet = False,
    verbose: Verbose = 0,
    no_progress: NoProgress = False,
    stat: Statistics = False,
    fix: Annotated[bool, option("--fix", help="Fix what can be fixed first, and report what is left.")] = False,
    fix_level: FixLevel = "safe",
    yes: Yes = False,
    diff: Annotated[bool, option("--diff", help="Show what --fix would change, and change nothing.")] = False,
) -> int:
    """Find what will keep a flow from deploying or answering, from files alone.

    With --fix it goes the short way through `plan` and `apply`: safe fixes, and those that somebody agrees to.

    Exit codes: 0 nothing at or above --fail-on, 1 findings (with --diff: changes), 2 usage, 3 internal error,
    5 nothing to examine, 6 undecided rules with --fail-on-unknown, 7 a fix failed or did not hold.
    """
    from pfdoctor.cli.deliver import Delivery, gate, pair
    from pfdoctor.cli.own_rules import load
    from pfdoctor.cli.run import Run, given_paths
    from pfdoctor.cli.select import Selection, choose, split

    delivery = Delivery(
        pair(format, output),
        gate(fail_on, fail_on_unknown=fail_on_unknown, exit_zero=exit_zero),
        color,
        quiet,
        verbose > 0,
        stat,
    )
    catalogue = load(rules)
    selection = Selection(
        split(select), split(ignore), split(extend_select), Severity(severity_min), Confidence(confidence_min)
    )
    run = Run(catalogue, choose(catalogue, selection))
    if fix or diff:
        if facts is not None:
            raise PfdoctorError("--facts replays a snapshot: there are no files to fix")
        from pfdoctor.cli.fix import Short, show

        paths, files_from = given_paths(paths, files_from), None
        wanted = Short(paths, catalogue, run.rules, Level(fix_level))
        if diff:
            return show(wanted, color)
        failed = wanted.fix(yes=yes)
        if failed:
            return failed
    report = Source(paths, files_from, facts, progress=not (no_progress or quiet)).examine(run)
    return delivery.deliver(report, nothing=NOTHING)


class Source(NamedTuple):
    """Where the facts come from: paths, a list of paths, or a snapshot."""

    paths: Sequence[Path] | None
    files_from: str | None
    facts: str | None
    progress: bool

    def examine(self, run: Run) -> Report:
        """Diagnose every case. Raises PfdoctorError where a snapshot and paths are given at once."""
        if self.facts is not None:
            if self.paths or self.files_from is not None:
                raise PfdoctorError("--facts replays a snapshot, so it takes no PATH")
            from pfdoctor.cli.snapshot import read, replay

            snapshot = read(self.facts)
            return run.report(replay(snapshot, run.examine, self.facts), snapshot.problems)

        from pfdoctor.cli.parallel import examine
        from pfdoctor.cli.progress import Bar
        from pfdoctor.cli.run import given_paths
        from pfdoctor.collect.folder import scan

        scans, problems = scan(given_paths(self.paths, self.files_from))
        total = sum(len(one.plans) for one in scans)
        with closing(Bar(wanted=self.progress)) as bar:
            return run.report(bar.over(examine(scans, run.examine), total), problems)
