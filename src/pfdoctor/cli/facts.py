"""`pfdoctor facts`: save what was collected, redacted, to be checked on another machine."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from pfdoctor.cli.options import FilesFrom, NoProgress, Paths, option

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def facts(
    paths: Paths = None,
    files_from: FilesFrom = None,
    output: Annotated[
        str, option("--output", "-o", metavar="FILE", help="Where the snapshot goes; - is stdout.")
    ] = "-",
    no_progress: NoProgress = False,
) -> int:
    """Collect the facts of every case and save them, without secrets, as a snapshot.

    `pfdoctor check --facts FILE` prints from it the report that `pfdoctor check PATH` would have printed.
    """
    from pfdoctor.cli.output import say, write
    from pfdoctor.cli.progress import Bar
    from pfdoctor.cli.run import RETIREMENT, given_paths, has_flow
    from pfdoctor.cli.snapshot import to_text
    from pfdoctor.collect.folder import collect
    from pfdoctor.report.style import visible
    from pfdoctor.report.summary import MISSING

    given = given_paths(paths, files_from)
    with closing(Bar(wanted=not no_progress)) as bar:
        collected = collect(given, progress=bar)
        cases = tuple(collected.cases)
    problems = tuple(collected.problems)
    write(to_text(cases, problems, [RETIREMENT] if any(map(has_flow, cases)) else []), output)
    for problem in problems:
        say(visible(f"{problem['path']}: {problem['detail']}"))
    if not cases:
        say("error: nothing to examine: no flow, deployment, endpoint, environment or model definition was found")
    missed = not cases or any(problem["problem"] == MISSING for problem in problems)
    return 5 if missed else 0
