"""`pfdoctor check`: what files alone can prove wrong."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pfdoctor.cli.options import (
    PATIENCE,
    PROBES,
    WHERE,
    Cloud,
    Color,
    ConfidenceMin,
    Credential,
    Deployment,
    Endpoint,
    ExitZero,
    ExtendSelect,
    FailOn,
    FailOnUnknown,
    FilesFrom,
    FixLevel,
    Format,
    FromAzConfig,
    Ignore,
    LiveToo,
    NoProgress,
    Output,
    Paths,
    Probe,
    ProbeScore,
    Quiet,
    Replayed,
    ResourceGroup,
    Rules,
    Select,
    SeverityMin,
    Statistics,
    Subscription,
    Timeout,
    Verbose,
    Wait,
    Workspace,
    Yes,
    option,
    refuse,
)
from pfdoctor.cli.target import Given
from pfdoctor.core.model import Confidence, Level, PfdoctorError, Report, Severity

if TYPE_CHECKING:
    from pfdoctor.cli.run import Run
    from pfdoctor.cli.snapshot import Snapshot

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

NOTHING = "no flow, deployment, endpoint, environment or model definition was found"


@app.command()
def check(
    context: typer.Context,
    paths: Paths = None,
    files_from: FilesFrom = None,
    live: LiveToo = False,
    endpoint: Endpoint = None,
    deployment: Deployment = None,
    workspace: Workspace = None,
    resource_group: ResourceGroup = None,
    subscription: Subscription = None,
    from_az_config: FromAzConfig = False,
    cloud: Cloud = None,
    credential: Credential = "default",
    probe: Probe = False,
    probe_score: ProbeScore = None,
    timeout: Timeout = 30.0,
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
    wait: Wait = PATIENCE,
    diff: Annotated[bool, option("--diff", help="Show what --fix would change, and change nothing.")] = False,
) -> int:
    """Find what will keep a flow from deploying or answering, from files alone.

    With --live the workspace is looked at, too: both views side by side, and where they differ.
    With --fix it goes the short way through `plan` and `apply`: safe fixes, and those that somebody agrees to.

    Exit codes: 0 nothing at or above --fail-on, 1 findings (with --diff: changes), 2 usage, 3 internal error,
    4 not logged in, 5 nothing to examine, 6 undecided rules with --fail-on-unknown, 7 a fix failed or did not hold.
    """
    from pfdoctor.cli.deliver import Delivery, gate, pair
    from pfdoctor.cli.live import Live
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
    given = Given(subscription, resource_group, workspace, endpoint, deployment, from_az_config)
    if not live:
        refuse(context, "it goes with --live: pfdoctor check PATH --live", *WHERE, *PROBES)
    snapshot = _snapshot(facts, paths, files_from, live=live)
    # what a snapshot holds besides files is looked at too
    more = live or (snapshot is not None and any(case.has_view("live") or case.has_logs for case in snapshot.cases))
    catalogue = load(rules, offline=not more)
    selection = Selection(
        split(select), split(ignore), split(extend_select), Severity(severity_min), Confidence(confidence_min)
    )
    asked = Live(given, cloud, credential, probe, probe_score, timeout, not (no_progress or quiet), planned=True)
    run = Run(catalogue, choose(catalogue, selection), asked.typed(paths or (), ()))
    if fix or diff:
        if facts is not None:
            raise PfdoctorError("--facts replays a snapshot: there are no files to fix")
        from pfdoctor.cli.fix import Short, show

        paths, files_from = given_paths(paths, files_from), None
        wanted = Short(paths, catalogue, run.rules, Level(fix_level), asked if live else None)
        if diff:
            return show(wanted, color)
        failed = wanted.fix(yes=yes, wait=wait)
        if failed:
            return failed
    if snapshot is not None and facts is not None:
        from pfdoctor.cli.snapshot import replay

        report = run.report(replay(snapshot, run.examine, facts), snapshot.problems)
    elif live:
        from pfdoctor.cli.live_check import examine as examine_live

        report = examine_live(run, given_paths(paths, files_from), asked)
    else:
        report = _examine(run, paths, files_from, progress=not (no_progress or quiet))
    return delivery.deliver(report, run.rules, nothing=NOTHING)


def _snapshot(
    facts: str | None, paths: Sequence[Path] | None, files_from: str | None, *, live: bool
) -> Snapshot | None:
    """The snapshot to replay, if any. Raises PfdoctorError where something else is to be read, too."""
    if facts is None:
        return None
    if paths or files_from is not None or live:
        raise PfdoctorError("--facts replays a snapshot, so it takes no PATH and no --live")
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
