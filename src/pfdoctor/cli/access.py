"""`pfdoctor access`: what the identity of an endpoint needs on Azure, and whether it may."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from pfdoctor.cli.options import (
    WHERE,
    Cloud,
    Color,
    Credential,
    Deployment,
    Endpoint,
    FromAzConfig,
    Logs,
    NoProgress,
    Paths,
    Replayed,
    ResourceGroup,
    Subscription,
    Timeout,
    Workspace,
    option,
    refuse,
)
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import NoInputError, PfdoctorError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

FORMATS = ("text", "json")
NOTHING = "name a live endpoint by --endpoint NAME, or its snapshot by --facts FILE"


@app.command()
def access(
    context: typer.Context,
    paths: Paths = None,
    endpoint: Endpoint = None,
    deployment: Deployment = None,
    workspace: Workspace = None,
    resource_group: ResourceGroup = None,
    subscription: Subscription = None,
    from_az_config: FromAzConfig = False,
    cloud: Cloud = None,
    credential: Credential = "default",
    timeout: Timeout = 30.0,
    log: Logs = None,
    facts: Replayed = None,
    operation: Annotated[
        str | None,
        option("--operation", metavar="NAME", help="Only this operation: its name or action, * for any characters."),
    ] = None,
    format: Annotated[  # noqa: A002 - the flag's name
        str, option("--format", "-f", help="Text for a person, JSON for a program.", choices=FORMATS)
    ] = "text",
    output: Annotated[str, option("--output", "-o", metavar="FILE", help="Where it goes; - is stdout.")] = "-",
    fail_on_unknown: Annotated[
        bool, option("--fail-on-unknown", help="Exit 6 if an operation could not be decided.")
    ] = False,
    color: Color = "auto",
    no_progress: NoProgress = False,
) -> int:
    """Prove for each operation that an endpoint needs whether its identity may do it, and say what would grant it.

    With the flow's files (PATH) it is known which connections and indexes are needed; without them, a log tells some.

    Exit codes: 0 all that the endpoint needs is allowed, 1 something is not, 2 usage, 3 internal error, 4 not logged
    in, 5 no live case, 6 undecided operations with --fail-on-unknown. What runs in the background (metrics, telemetry)
    does not count.
    """
    from pfdoctor.cli.gather import Inputs
    from pfdoctor.cli.live import Live
    from pfdoctor.cli.output import say
    from pfdoctor.cli.own_rules import load
    from pfdoctor.cli.snapshot import read, replay
    from pfdoctor.cli.target import Given
    from pfdoctor.core.derive import derive
    from pfdoctor.report.style import visible
    from pfdoctor.report.summary import NOT_ALLOWED, NOT_READ

    given = Given(subscription, resource_group, workspace, endpoint, deployment, from_az_config)
    if facts is not None:
        refuse(context, "--facts replays a snapshot, in which nothing more is asked", *WHERE)
        if paths or log:
            raise PfdoctorError("--facts replays a snapshot, so it takes no PATH and no --log")
        cases = list(replay(read(facts), derive, facts))
    elif given.any:
        live = Live(given, cloud, credential, probe=False, probe_score=None, timeout=timeout, progress=not no_progress)
        gathered = Inputs(paths, None, log, live).gather(load(None))
        for problem in gathered.problems:
            say(visible(f"{problem['path']}: {problem['detail']}"))
            if problem["problem"] in (NOT_ALLOWED, NOT_READ):
                return 4 if problem["problem"] == NOT_ALLOWED else 5
        cases = list(map(derive, gathered.cases))
    else:
        raise PfdoctorError(NOTHING)
    return show(cases, operation, format, output, color=color, fail_on_unknown=fail_on_unknown)


def show(
    cases: Iterable[Facts], operation: str | None, form: str, output: str, *, color: str, fail_on_unknown: bool
) -> int:
    """Print the permission tables of the cases, whose facts hold all that follows from them; the exit code.

    Raises NoInputError when the permissions of none were collected, or none has the operation.
    """
    from pfdoctor.cli.output import STDOUT, print_lines, width, write
    from pfdoctor.report.access import render_json, render_text, table
    from pfdoctor.report.style import plain

    tables = [found for one in cases if (found := table(one, operation)) is not None]
    if not tables:
        raise NoInputError("no case holds the permissions of a live endpoint (live.authorization)")
    if operation is not None and not any(one.operations or one.deployer for one in tables):
        raise NoInputError(f"no operation is called {operation}: `pfdoctor access` without --operation lists them all")
    if form == "json":
        write(render_json(tables), output)
    elif output == STDOUT:
        print_lines(render_text(tables, width()), color)
    else:
        write(plain(render_text(tables, width())), output)
    if any(one.fails for one in tables):
        return 1
    return 6 if fail_on_unknown and any(one.is_open for one in tables) else 0
