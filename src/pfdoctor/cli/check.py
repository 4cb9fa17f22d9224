"""`pfdoctor check`: what files alone can prove wrong."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pfdoctor.cli.options import (
    Color,
    ConfidenceMin,
    ExitZero,
    ExtendSelect,
    FailOn,
    FailOnUnknown,
    FilesFrom,
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
)
from pfdoctor.core.model import Confidence, PfdoctorError, Report, Severity

if TYPE_CHECKING:
    from pfdoctor.cli.run import Run
    from pfdoctor.cli.snapshot import Snapshot

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
) -> int:
    """Find what will keep a flow from deploying or answering, from files alone.

    Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 usage, 3 internal error, 5 nothing to examine,
    6 undecided rules with --fail-on-unknown.
    """
    from pfdoctor.cli.deliver import Delivery, gate, pair
    from pfdoctor.cli.own_rules import load
    from pfdoctor.cli.run import Run
    from pfdoctor.cli.select import Selection, choose, split

    delivery = Delivery(
        pair(format, output),
        gate(fail_on, fail_on_unknown=fail_on_unknown, exit_zero=exit_zero),
        color,
        quiet,
        verbose > 0,
        stat,
    )
    snapshot = _snapshot(facts, paths, files_from)
    # what a snapshot holds besides files is looked at too
    offline = snapshot is None or not any(case.has_view("live") or case.has_logs for case in snapshot.cases)
    catalogue = load(rules, offline=offline)
    selection = Selection(
        split(select), split(ignore), split(extend_select), Severity(severity_min), Confidence(confidence_min)
    )
    run = Run(catalogue, choose(catalogue, selection))
    if snapshot is not None and facts is not None:
        from pfdoctor.cli.snapshot import replay

        report = run.report(replay(snapshot, run.examine, facts), snapshot.problems)
    else:
        report = _examine(run, paths, files_from, progress=not (no_progress or quiet))
    return delivery.deliver(report, nothing=NOTHING)


def _snapshot(facts: str | None, paths: Sequence[Path] | None, files_from: str | None) -> Snapshot | None:
    """The snapshot to replay, if any. Raises PfdoctorError where paths are given, too."""
    if facts is None:
        return None
    if paths or files_from is not None:
        raise PfdoctorError("--facts replays a snapshot, so it takes no PATH")
    from pfdoctor.cli.snapshot import read

    return read(facts)


def _examine(run: Run, paths: Sequence[Path] | None, files_from: str | None, *, progress: bool) -> Report:
    """Diagnose every case of the files."""
    from pfdoctor.cli.parallel import examine
    from pfdoctor.cli.progress import Bar
    from pfdoctor.cli.run import given_paths
    from pfdoctor.collect.folder import scan

    scans, problems = scan(given_paths(paths, files_from))
    total = sum(len(one.plans) for one in scans)
    with closing(Bar(wanted=progress)) as bar:
        return run.report(bar.over(examine(scans, run.examine), total), problems)
