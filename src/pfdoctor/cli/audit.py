"""`pfdoctor audit`: every endpoint of a scope, within the limits of Azure; `audit merge` joins the parts of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pfdoctor.cli.audit_diff import diff
from pfdoctor.cli.options import (
    Cloud,
    Color,
    ConfidenceMin,
    Credential,
    ExitZero,
    ExtendSelect,
    FailOn,
    FailOnUnknown,
    Ignore,
    NoProgress,
    Output,
    Quiet,
    Rules,
    Select,
    SeverityMin,
    Statistics,
    Timeout,
    option,
)
from pfdoctor.core.model import Confidence, Json, Severity

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, invoke_without_command=True
)

FORMATS = ("text", "json", "jsonl", "markdown", "sarif", "junit", "openmetrics")

_Format = Annotated[
    list[str] | None,
    option(
        "--format",
        "-f",
        help="Repeatable, each with its --output; jsonl has a line an endpoint as it comes.",
        choices=FORMATS,
    ),
]

Since = Annotated[
    Path | None,
    option("--since", metavar="OLD.json", help="An older report: what is new comes first in --format markdown."),
]


@app.callback()
def audit(
    context: typer.Context,
    subscription: Annotated[
        list[str] | None,
        option("--subscription", "-s", metavar="GLOB", help="Subscriptions by id or name. Repeatable."),
    ] = None,
    resource_group: Annotated[
        list[str] | None, option("--resource-group", "-g", metavar="GLOB", help="Resource groups. Repeatable.")
    ] = None,
    workspace: Annotated[
        list[str] | None, option("--workspace", "-w", metavar="GLOB", help="Workspaces. Repeatable.")
    ] = None,
    management_group: Annotated[
        list[str] | None, option("--management-group", metavar="NAME", help="All below a management group. Repeatable.")
    ] = None,
    include: Annotated[
        list[str] | None,
        option(
            "--include", metavar="FILTER", help="Only endpoints with tag:KEY=GLOB, name:GLOB, region:GLOB… Repeatable."
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None, option("--exclude", metavar="FILTER", help="No endpoints with that. Repeatable.")
    ] = None,
    shard: Annotated[
        str | None, option("--shard", metavar="I/N", help="Only part I of N; `audit merge` joins their reports.")
    ] = None,
    since: Since = None,
    resume: Annotated[
        Path | None,
        option("--resume", metavar="FILE", help="Keep the state in FILE until the end, and go on from what is there."),
    ] = None,
    metrics: Annotated[
        bool, option("--metrics", help="Ask Azure Monitor about every deployment, too: three more requests for each.")
    ] = False,
    max_concurrency: Annotated[
        int, option("--max-concurrency", metavar="N", help="Requests at once.", min=1, max=512)
    ] = 64,
    cloud: Cloud = None,
    credential: Credential = "default",
    timeout: Timeout = 30.0,
    select: Select = None,
    ignore: Ignore = None,
    extend_select: ExtendSelect = None,
    severity_min: SeverityMin = "info",
    confidence_min: ConfidenceMin = "possible",
    rules: Rules = None,
    format: _Format = None,  # noqa: A002 - the flag's name
    output: Output = None,
    fail_on: FailOn = "error",
    fail_on_unknown: FailOnUnknown = False,
    exit_zero: ExitZero = False,
    color: Color = "auto",
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    stat: Statistics = False,
) -> int:
    """Look at every endpoint of a workspace, resource groups, subscriptions, a management group, or all you see.

    Nothing is changed. What could not be read is unknown, with the reason, never healthy. An audit that is cut reports
    what it has, and goes on with --resume.

    Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 usage, 3 internal error, 4 not logged in, or no longer,
    5 no endpoint in the scope, 6 part of the scope could not be seen, or with --fail-on-unknown something could not be
    decided, 130 interrupted.
    """
    if context.invoked_subcommand is not None:
        return 0
    from pfdoctor.cli.interrupt import Signals

    # from here on: what is loaded takes a third of a second, and a signal in it is to be told as any other
    with Signals() as signals:
        from pfdoctor.audit.fleet import Shard
        from pfdoctor.audit.scope import Filter, Scope
        from pfdoctor.cli.audit_deliver import deliver, foresee
        from pfdoctor.cli.audit_run import AuditRun, Wanted
        from pfdoctor.cli.deliver import gate, pair
        from pfdoctor.cli.own_rules import load
        from pfdoctor.cli.select import Selection, choose, split

        scope = Scope(
            tuple(subscription or ()),
            tuple(resource_group or ()),
            tuple(workspace or ()),
            tuple(management_group or ()),
            tuple(map(Filter.parse, include or ())),
            tuple(map(Filter.parse, exclude or ())),
        )
        destinations = pair(format, output)
        older = foresee(destinations, since)
        catalogue = load(rules)
        selection = Selection(
            split(select), split(ignore), split(extend_select), Severity(severity_min), Confidence(confidence_min)
        )
        wanted = Wanted(
            scope,
            Shard.parse(shard) if shard else None,
            resume,
            metrics,
            max_concurrency,
            cloud,
            credential,
            timeout,
            tuple(context.obj or ()),
            tuple(rules or ()),
        )
        run = AuditRun(catalogue, choose(catalogue, selection), wanted)
        limits = gate(fail_on, fail_on_unknown=fail_on_unknown, exit_zero=exit_zero)
        with run.open(signals, progress=not (no_progress or quiet)) as audited:
            streamed = [target for kind, target in destinations if kind == "jsonl"]
            report = audited.report(limits, streamed)
            return deliver(
                report, destinations, run.rules, limits, color=color, quiet=quiet, statistics=stat, since=older
            )


app.command("diff")(diff)


@app.command("merge")
def merge_parts(
    parts: Annotated[list[Path], typer.Argument(metavar="PART…", help="The JSON reports of all shards.")],
    format: _Format = None,  # noqa: A002 - the flag's name
    output: Output = None,
    fail_on: FailOn = "error",
    fail_on_unknown: FailOnUnknown = False,
    exit_zero: ExitZero = False,
    color: Color = "auto",
    quiet: Quiet = False,
    stat: Statistics = False,
    since: Since = None,
) -> int:
    """Join the JSON reports of all shards to one report, the same as that of a single run."""
    from pfdoctor.audit.merge import merge
    from pfdoctor.cli.audit_deliver import deliver, foresee, stream
    from pfdoctor.cli.deliver import gate, pair
    from pfdoctor.cli.own_rules import load

    destinations = pair(format or (["json"] if output else None), output)
    older = foresee(destinations, since)
    limits = gate(fail_on, fail_on_unknown=fail_on_unknown, exit_zero=exit_zero)
    report = merge(parts, limits)
    _tell_other_nights(report.head["run"])
    for kind, target in destinations:
        if kind == "jsonl":
            stream(report.entries(), target)
    known = load(None).rules.values() if any(kind == "sarif" for kind, _ in destinations) else ()
    return deliver(report, destinations, known, limits, color=color, quiet=quiet, statistics=stat, since=older)


_A_NIGHT = 20 * 3600
"""Seconds that the shards of one run hardly take, all together."""


def _tell_other_nights(run: dict[str, Json]) -> None:
    """Tells of parts that were made so far apart that one may have been left from an earlier run."""
    from pfdoctor.cli.output import say
    from pfdoctor.core.access.reading import moment

    begun, ended = moment(str(run["started_at"])), moment(str(run["finished_at"]))
    if begun is not None and ended is not None and (ended - begun).total_seconds() > _A_NIGHT:
        say(f"note: the parts were made from {run['started_at']} to {run['finished_at']}: is one of an earlier run?")
