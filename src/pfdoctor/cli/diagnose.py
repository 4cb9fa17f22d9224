"""`pfdoctor diagnose`: from a log, a pasted error or a live endpoint to the proven cause."""

from __future__ import annotations

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
    FixLevel,
    Format,
    FromAzConfig,
    Ignore,
    Logs,
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
    typed,
)
from pfdoctor.core.model import Confidence, Json, Level, PfdoctorError, Report, Severity

if TYPE_CHECKING:
    from pfdoctor.cli.gather import Inputs
    from pfdoctor.cli.run import Run

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

NOTHING = "give --log FILE (- for standard input), --endpoint NAME, or both"


@app.command()
def diagnose(
    context: typer.Context,
    paths: Paths = None,
    log: Logs = None,
    facts: Replayed = None,
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
) -> int:
    """Find why a deployment failed, does not answer or answers slowly: from its log, live, or both, with its files.

    Everything given is one case. A log alone needs no login. Nothing is written anywhere, but with --fix, which goes
    the short way through `plan` and `apply`: no change of Azure is safe, so somebody is asked, or --yes with
    --fix-level review answers.

    Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 usage, 3 internal error, 4 not logged in,
    5 nothing to examine, 6 undecided rules with --fail-on-unknown, 7 a fix failed or is not in force yet.
    """
    from pfdoctor.cli.deliver import Delivery, gate, pair
    from pfdoctor.cli.gather import Inputs
    from pfdoctor.cli.live import Live
    from pfdoctor.cli.output import say
    from pfdoctor.cli.own_rules import load
    from pfdoctor.cli.run import Run
    from pfdoctor.cli.select import Selection, choose, split
    from pfdoctor.cli.target import Given
    from pfdoctor.report.style import visible

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
    # a workspace in the environment says where to look, and not that anybody should
    meant = not log or typed(context, "workspace", "from_az_config") is not None
    live = Live(
        Given(subscription, resource_group, workspace, endpoint, deployment, from_az_config, meant),
        cloud,
        credential,
        probe,
        probe_score,
        timeout,
        progress=not (no_progress or quiet),
    )
    run = Run(catalogue, choose(catalogue, selection), live.typed(paths or (), log or ()))
    if facts is not None:
        refuse(context, "--facts replays a snapshot, in which nothing more is asked", *WHERE, *PROBES)
        if paths:
            raise PfdoctorError("--facts replays a snapshot, so it takes no PATH")
        if facts == "-" and "-" in (log or ()):
            raise PfdoctorError("standard input is either the snapshot or the log: give one of them as a file")
        return delivery.deliver(_replayed(run, facts, Inputs(None, None, log, live)), run.rules, nothing=NOTHING)
    if not (log or live.given.any):
        raise PfdoctorError(f"nothing to go on: {NOTHING}")
    if not live.given.any:
        refuse(context, "which endpoint is to be called? Name it by --endpoint (-e)", *PROBES)
    failed = 0
    if fix:
        if not live.given.any:
            raise PfdoctorError("--fix needs --endpoint here; for files alone: pfdoctor check --fix")
        from pfdoctor.cli.fix import Short

        level = Level(fix_level)
        failed = Short(tuple(paths or ()), catalogue, run.rules, level, live).fix(yes=yes, wait=wait)
    report = _examined(run, Inputs(paths, None, log, live))
    answer = delivery.deliver(report, run.rules, nothing=NOTHING)
    if live.given.any and not (fix or quiet) and _may_be_planned(report):
        say(visible(f"to plan what mends it: {live.plan_command(run.typed.paths)}"))
    return failed or answer


def _may_be_planned(report: Report) -> bool:
    return any(one.actions and one.level is not Level.MANUAL for found in report.findings for one in found.remedies)


def _replayed(run: Run, name: str, inputs: Inputs) -> Report:
    """The report of a snapshot; with a log, of the case in it that the log is of."""
    from pfdoctor.cli.gather import combine
    from pfdoctor.cli.snapshot import read, replay

    snapshot = read(name)
    problems = list(snapshot.problems)
    logs = inputs.read_logs(run.catalogue, problems, ours=True)
    cases = tuple(combine(snapshot.cases, [], logs))
    report = run.report(replay(snapshot._replace(cases=cases), run.examine, name), problems)
    return _or_inconclusive(report, logs)


def _examined(run: Run, inputs: Inputs) -> Report:
    gathered = inputs.gather(run.catalogue)
    report = run.report(map(run.examine, gathered.cases), gathered.problems)
    return _or_inconclusive(report, gathered.logs)


def _or_inconclusive(report: Report, logs: list[dict[str, Json]]) -> Report:
    """The report, which says so where a log led nowhere, and what to collect then."""
    if not logs or report.findings:
        return report
    from pfdoctor.report.style import count

    lines = sum(int(log.get("lines") or 0) for log in logs)
    unexplained = any(not group.explained for case in report.cases for group in case.differentials)
    seen = (
        "what was recognised in it has no cause among the rules" if unexplained else "nothing in it is a known symptom"
    )
    notice = (
        f"Inconclusive: {count(lines, 'line')} {'was' if lines == 1 else 'were'} read, and {seen}. "
        "Collect both containers' logs, and the error that az or the studio shows, and run diagnose with --endpoint:\n"
        "az ml online-deployment get-logs -e ENDPOINT -n DEPLOYMENT -l 5000\n"
        "az ml online-deployment get-logs -e ENDPOINT -n DEPLOYMENT -l 5000 --container storage-initializer"
    )
    return report._replace(notices=(notice, *report.notices))
