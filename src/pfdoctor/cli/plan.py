"""`pfdoctor plan`: what would mend the findings, as a diff to read and a file to apply."""

from __future__ import annotations

from typing import Annotated

import typer

from pfdoctor.cli.options import (
    Cloud,
    Color,
    Credential,
    Deployment,
    Endpoint,
    FilesFrom,
    FixLevel,
    FromAzConfig,
    Paths,
    Probe,
    ProbeScore,
    ResourceGroup,
    Rules,
    Subscription,
    Timeout,
    Verbose,
    Workspace,
    complete_selector,
    option,
)

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def plan(
    paths: Paths = None,
    files_from: FilesFrom = None,
    rule: Annotated[
        list[str] | None,
        option(
            "--rule",
            metavar="RULES",
            help="Mend the findings of these rules only: ids or category globs. Repeatable.",
            autocompletion=complete_selector,
        ),
    ] = None,
    fix_level: FixLevel = "review",
    output: Annotated[
        str | None, option("--output", "-o", metavar="FILE", help="Save the plan as JSON, for apply; - is stdout.")
    ] = None,
    detailed_exitcode: Annotated[
        bool, option("--detailed-exitcode", help="Exit 8 if the plan changes anything, 0 if it does not.")
    ] = False,
    what_if: Annotated[
        bool, typer.Option("--what-if/--no-what-if", help="Run every rule on the facts as they will be.")
    ] = True,
    hand_off: Annotated[
        str | None,
        option("--hand-off", metavar="FILE", help="Write down, as Markdown, what to ask an administrator for."),
    ] = None,
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
    rules: Rules = None,
    color: Color = "auto",
    verbose: Verbose = 0,
) -> int:
    """Plan the fixes of what is found, in files and (with --endpoint) in Azure, and show them. Nothing is changed.

    `pfdoctor apply plan.json` then runs exactly the plan that `-o plan.json` saved.

    Exit codes: 0 planned, 2 usage, 4 not logged in, 5 nothing to examine, 8 changes are pending (with
    --detailed-exitcode).
    """
    import shlex
    from pathlib import Path

    from pfdoctor.cli.live import Live
    from pfdoctor.cli.output import STDOUT, print_lines, say, width, write
    from pfdoctor.cli.own_rules import load
    from pfdoctor.cli.planning import PENDING, diff_of, make_plan, survey, survey_live
    from pfdoctor.cli.run import given_paths
    from pfdoctor.cli.select import find, split
    from pfdoctor.cli.target import Given
    from pfdoctor.core.model import Level
    from pfdoctor.core.plan import to_json
    from pfdoctor.report.handoff import sheet
    from pfdoctor.report.json import dump
    from pfdoctor.report.plan import render
    from pfdoctor.report.style import visible

    catalogue = load(rules)
    wanted = {one.id for pattern in split(rule) for one in find(catalogue, pattern)}
    live = Live(
        Given(subscription, resource_group, workspace, endpoint, deployment, from_az_config),
        cloud,
        credential,
        probe,
        probe_score,
        timeout,
        progress=True,
    )
    named = [Path(path) for path in given_paths(paths, files_from)] if paths or files_from or not live.given.any else []
    live = live._replace(planned=bool(named))
    ground = survey_live(named, live, catalogue) if live.given.any else survey(named)
    for problem in ground.problems:
        say(visible(f"{problem['path']}: {problem['detail']}"))
    made = make_plan(
        ground, catalogue, lambda finding: not wanted or finding.rule in wanted, Level(fix_level), what_if=what_if
    )
    if output is not None:
        write(dump(to_json(made)), output)
    if hand_off is not None:
        write(sheet(made), hand_off)
    if STDOUT not in (output, hand_off):
        print_lines(render(made, diff_of(made, ground.root), width(), verbose=verbose > 0), color)
        if made.steps and output is not None:
            say(visible(f"saved; apply it with: pfdoctor apply {shlex.quote(output)}"))
    return PENDING if detailed_exitcode and made.steps else 0
