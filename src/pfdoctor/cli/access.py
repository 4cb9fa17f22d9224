"""`pfdoctor access`: what the identity of an endpoint needs on Azure, and whether it may."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from pfdoctor.cli.options import Color, option
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import NoInputError, PfdoctorError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

FORMATS = ("text", "json")


@app.command()
def access(
    facts: Annotated[
        str | None, option("--facts", metavar="FILE", help="The snapshot of a live endpoint; - is stdin.")
    ] = None,
    operation: Annotated[
        str | None,
        option("--operation", metavar="NAME", help="Only this operation: its name or action, * for any characters."),
    ] = None,
    format: Annotated[  # noqa: A002 - the flag's name
        str, option("--format", "-f", help="Text for a person, JSON for a program.", choices=FORMATS)
    ] = "text",
    output: Annotated[str, option("--output", "-o", metavar="FILE", help="Where it goes; - is stdout.")] = "-",
    color: Color = "auto",
    fail_on_unknown: Annotated[
        bool, option("--fail-on-unknown", help="Exit 6 if an operation could not be decided.")
    ] = False,
) -> int:
    """Prove for each operation that an endpoint needs whether its identity may do it, and say what would grant it.

    Exit codes: 0 all that the endpoint needs is allowed, 1 something is not, 2 usage, 3 internal error, 5 no live case,
    6 undecided operations with --fail-on-unknown. What runs in the background (metrics, telemetry) does not count.
    """
    if facts is None:
        raise PfdoctorError("access: --facts FILE names the snapshot of a live endpoint")
    from pfdoctor.cli.snapshot import read, replay
    from pfdoctor.core.derive import derive

    cases = list(replay(read(facts), derive, facts))
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
