"""`pfdoctor check`: what files alone can prove wrong."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from pfdoctor.cli.options import Color, Rules, complete_selector, option
from pfdoctor.core.model import Confidence, PfdoctorError, Report, Severity

if TYPE_CHECKING:
    from pfdoctor.cli.run import Run
    from pfdoctor.report.summary import Gate

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

FORMATS = ("text", "json")
SEVERITIES = tuple(map(str, reversed(Severity)))
CONFIDENCES = tuple(map(str, reversed(Confidence)))


@app.command()
def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH…", help="Files, folders or whole repositories; by default the current folder."),
    ] = None,
    files_from: Annotated[
        str | None, option("--files-from", metavar="FILE", help="Read more paths from a file, one a line; - is stdin.")
    ] = None,
    facts: Annotated[
        str | None,
        option("--facts", metavar="FILE", help="Replay a snapshot of `pfdoctor facts` instead of reading PATH."),
    ] = None,
    select: Annotated[
        list[str] | None,
        option(
            "--select",
            metavar="RULES",
            help="Run these rules only: ids or category globs (deployment/*), between commas or repeated.",
            autocompletion=complete_selector,
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        option("--ignore", metavar="RULES", help="Leave these rules out.", autocompletion=complete_selector),
    ] = None,
    extend_select: Annotated[
        list[str] | None,
        option(
            "--extend-select", metavar="RULES", help="Run these besides --select.", autocompletion=complete_selector
        ),
    ] = None,
    severity_min: Annotated[
        str, option("--severity-min", help="Leave out rules that are less severe.", choices=SEVERITIES)
    ] = "info",
    confidence_min: Annotated[
        str, option("--confidence-min", help="Leave out rules that are less certain.", choices=CONFIDENCES)
    ] = "possible",
    rules: Rules = None,
    format: Annotated[  # noqa: A002 - the flag's name
        list[str] | None, option("--format", "-f", help="Repeatable, each with its --output.", choices=FORMATS)
    ] = None,
    output: Annotated[
        list[str] | None,
        option("--output", "-o", metavar="FILE", help="Where the format given before goes; - is stdout."),
    ] = None,
    fail_on: Annotated[
        str,
        option(
            "--fail-on", help="Exit 1 for proven findings as severe as this, or worse.", choices=(*SEVERITIES, "never")
        ),
    ] = "error",
    fail_on_unknown: Annotated[
        bool, option("--fail-on-unknown", help="Exit 6 if a rule could not be decided.")
    ] = False,
    exit_zero: Annotated[
        bool, option("--exit-zero", help="Exit 0 whatever is found; usage and input errors still count.")
    ] = False,
    color: Color = "auto",
    quiet: Annotated[bool, option("--quiet", "-q", help="Print findings only.")] = False,
    verbose: Annotated[
        int,
        option("--verbose", "-v", count=True, help="Also list what was joined, every unknown rule and its reason."),
    ] = 0,
    no_progress: Annotated[bool, option("--no-progress", help="Draw no progress bar.")] = False,
    stat: Annotated[bool, option("--stat", help="Count findings by rule instead of showing them.")] = False,
) -> int:
    """Find what will keep a flow from deploying or answering, from files alone.

    Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 usage, 3 internal error, 5 nothing to examine,
    6 undecided rules with --fail-on-unknown.
    """
    from pfdoctor.cli.own_rules import load
    from pfdoctor.cli.run import Run
    from pfdoctor.cli.select import Selection, choose, split
    from pfdoctor.report.summary import Gate

    destinations = pair(format or [], output or [])
    catalogue = load(rules)
    selection = Selection(
        split(select), split(ignore), split(extend_select), Severity(severity_min), Confidence(confidence_min)
    )
    run = Run(catalogue, choose(catalogue, selection))
    gate = Gate(None if fail_on == "never" else Severity(fail_on), fail_on_unknown, exit_zero)
    source = Source(paths, files_from, facts, progress=not (no_progress or quiet))
    report = source.examine(run)
    for kind, target in destinations:
        if kind == "json":
            _write_json(report, gate, target)
        else:
            _write_text(report, gate, target, color, verbose=verbose > 0, quiet=quiet, statistics=stat)
    return finish(report, gate, silent=("text", "-") in destinations)


def pair(formats: Sequence[str], outputs: Sequence[str]) -> list[tuple[str, str]]:
    """Each format with its output. Raises PfdoctorError unless they pair off and at most one goes to stdout."""
    formats = formats or ["text"]
    if not outputs and len(formats) == 1:
        outputs = ["-"]
    if len(formats) != len(outputs):
        raise PfdoctorError(
            f"{len(formats)} --format and {len(outputs)} --output: give each format its own output, - for stdout"
        )
    twice = next((output for output in outputs if outputs.count(output) > 1), None)
    if twice is not None:
        where = "standard output" if twice == "-" else twice
        raise PfdoctorError(f"two formats go to {where}: give each format its own --output")
    return list(zip(formats, outputs, strict=True))


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


def _write_json(report: Report, gate: Gate, target: str) -> None:
    from pfdoctor.cli.output import write
    from pfdoctor.report.json import render

    write(render(report, gate), target)


def _write_text(report: Report, gate: Gate, target: str, color: str, **layout: bool) -> None:
    # imported here: laying out text is nothing that a program reading JSON should wait for
    from pfdoctor.cli.output import STDOUT, print_lines, width, write
    from pfdoctor.report.style import plain
    from pfdoctor.report.text import Layout, render

    lines = render(report, gate, Layout(width(), **layout))
    if target == STDOUT:
        print_lines(lines, color)
    else:
        write(plain(lines), target)


def finish(report: Report, gate: Gate, *, silent: bool) -> int:
    """Tell on stderr what the reader of stdout would miss, unless `silent`; the exit code."""
    from pfdoctor.cli.output import say
    from pfdoctor.report.style import visible
    from pfdoctor.report.summary import summarise

    for problem in () if silent else report.problems:
        say(visible(f"{problem['path']}: {problem['detail']}"))
    if not report.cases:
        found_none = ": no flow, deployment, endpoint, environment or model definition was found"
        say(f"error: nothing to examine{'' if report.problems else found_none}")
    return summarise(report, gate).exit_code
