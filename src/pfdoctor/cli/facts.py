"""`pfdoctor facts`: save what was collected, redacted, to be checked on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pfdoctor.cli.options import (
    Cloud,
    Credential,
    Deployment,
    Endpoint,
    FilesFrom,
    FromAzConfig,
    LiveToo,
    Logs,
    NoProgress,
    Paths,
    Probe,
    ProbeScore,
    ResourceGroup,
    Subscription,
    Timeout,
    Workspace,
    option,
    typed,
)
from pfdoctor.core.model import PfdoctorError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def facts(
    context: typer.Context,
    paths: Paths = None,
    files_from: FilesFrom = None,
    log: Logs = None,
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
    output: Annotated[
        str, option("--output", "-o", metavar="FILE", help="Where the snapshot goes; - is stdout.")
    ] = "-",
    no_progress: NoProgress = False,
) -> int:
    """Collect the facts of every case and save them, without secrets, as a snapshot.

    With --endpoint what is deployed, with --live what `check --live` looks at, whether it is deployed yet or not.
    `check --facts FILE` and `diagnose --facts FILE` print from it the report that they would have printed here.

    Exit codes: 0 saved, 2 usage, 3 internal error, 4 not logged in, 5 nothing to examine.
    """
    from pfdoctor.cli import live_check
    from pfdoctor.cli.gather import Inputs
    from pfdoctor.cli.live import Live
    from pfdoctor.cli.output import say, write
    from pfdoctor.cli.own_rules import load
    from pfdoctor.cli.run import RETIREMENT, given_paths, has_flow
    from pfdoctor.cli.snapshot import to_text
    from pfdoctor.cli.target import Given
    from pfdoctor.report.style import visible
    from pfdoctor.report.summary import MISSING

    # a workspace in the environment says where to look, and not that anybody should
    meant = typed(context, "workspace", "from_az_config") is not None
    given = Given(subscription, resource_group, workspace, endpoint, deployment, from_az_config, meant)
    where = Live(given, cloud, credential, probe, probe_score, timeout, progress=not no_progress)
    asked = paths or files_from is not None or log or given.any
    if live:
        if log:
            raise PfdoctorError("--live reads the logs of what is deployed itself: give --log without it")
        gathered = live_check.gather(load(None), given_paths(paths, files_from), where)
    else:
        gathered = Inputs(paths if asked else [Path()], files_from, log, where).gather(load(None))
    cases, problems = gathered.cases, gathered.problems
    write(to_text(cases, problems, [RETIREMENT] if any(map(has_flow, cases)) else []), output)
    for problem in problems:
        say(visible(f"{problem['path']}: {problem['detail']}"))
    if not cases:
        say("error: nothing to examine: no flow, deployment, endpoint, environment or model definition was found")
    missed = not cases or any(problem["problem"] == MISSING for problem in problems)
    return 5 if missed else 0
