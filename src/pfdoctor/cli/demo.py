"""`pfdoctor demo`: a broken endpoint in a simulated Azure on this machine, and what `diagnose` says of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pfdoctor.cli.options import Color, NoProgress, Verbose, option
from pfdoctor.core.model import PfdoctorError, Severity

if TYPE_CHECKING:
    from pfdoctor.cli.target import Where
    from pfdoctor.simulator import Simulator

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

DEFAULT = "secret-role-missing"
REQUEST = "request.json"
_PREFIXES = ("AZURE_", "ARM_", "IDENTITY_", "MSI_")


def complete_scenario(incomplete: str) -> list[tuple[str, str]]:
    """Names of scenarios for the shell's completion."""
    return [(name, title) for name, title in _titles() if name.startswith(incomplete)]


@app.command()
def demo(
    scenario: Annotated[
        str,
        typer.Argument(metavar="SCENARIO", help="Which one; see --list.", autocompletion=complete_scenario),
    ] = DEFAULT,
    show: Annotated[bool, option("--list", help="List the scenarios instead.")] = False,
    color: Color = "auto",
    verbose: Verbose = 0,
    no_progress: NoProgress = False,
) -> int:
    """See what pfdoctor does, without any Azure: diagnose a broken endpoint in a simulated one.

    It starts a simulated Azure on loopback, looks at it through the real SDKs, and stops it again. Nothing leaves this
    machine. Exit codes: 0 shown, 2 no such scenario, 3 internal error.
    """
    if show:
        _list()
        return 0
    from pfdoctor.cli.deliver import Delivery, gate
    from pfdoctor.cli.gather import Inputs
    from pfdoctor.cli.live import Live
    from pfdoctor.cli.live_check import examine as check_live
    from pfdoctor.cli.own_rules import load
    from pfdoctor.cli.run import Run
    from pfdoctor.cli.select import Selection, choose
    from pfdoctor.cli.target import Given
    from pfdoctor.simulator import Scenario, Simulator

    file = _file(scenario)
    loaded = Scenario.load(file)
    expected = loaded.data.get("expect") or {}
    files = [_folder() / expected["files"]] if "files" in expected else None
    planned = bool(expected.get("planned"))
    with Simulator(loaded) as simulator, _environment(simulator):
        where = _endpoint(simulator)
        _introduce(file, _command(where, files, planned=planned), color)
        catalogue = load(None)
        run = Run(catalogue, choose(catalogue, Selection()))
        live = Live(Given(*where), None, "managed-identity", False, None, 30.0, progress=not no_progress)
        if files is not None and planned:
            report = check_live(run, files, live)
        else:
            asking = live._replace(probe=True, probe_score=_folder() / REQUEST)
            gathered = Inputs(files, None, None, asking).gather(catalogue)
            report = run.report(map(run.examine, gathered.cases), gathered.problems)
    delivery = Delivery(
        (("text", "-"),),
        gate(str(Severity.ERROR), fail_on_unknown=False, exit_zero=False),
        color,
        verbose=verbose > 0,
    )
    code = delivery.deliver(report, run.rules, nothing="the simulated workspace holds no deployment")
    # the report ends with the code of the command that is shown; the demo itself has done what it was asked for
    return 0 if code == 1 else code


def _folder() -> Path:
    """Where the scenarios are: beside the checkout's examples, or in the installed package."""
    spec = find_spec("pfdoctor")
    package = Path(spec.origin).parent if spec is not None and spec.origin is not None else Path()
    checkout = package.parent.parent / "examples" / "scenarios"
    return checkout if checkout.is_dir() else package / "scenarios"


def _titles() -> Iterator[tuple[str, str]]:
    """Each scenario with the comment at the top of its file."""
    for file in sorted(_folder().glob("*.yaml")):
        comment = takewhile(lambda text: text.startswith("# "), file.read_text("utf-8").splitlines())
        yield file.stem, " ".join(text.removeprefix("# ") for text in comment)


def _list() -> None:
    from pfdoctor.cli.output import print_lines, width
    from pfdoctor.report.style import EMPTY, Line, Span, line, wrap

    lines: list[Line] = []
    group = None
    for name, title in _titles():
        # the name's first word tells what it is about
        if name.partition("-")[0] != group:
            group = name.partition("-")[0]
            lines += [*([EMPTY] if lines else []), line(Span(group, "strong"))]
        lines += [line(f"  {name}"), *wrap([Span(title, "dim")], width(), "      ", "      ")]
    print_lines(lines, "never")


def _file(name: str) -> Path:
    file = _folder() / f"{name}.yaml"
    if "/" in name or "\\" in name or not file.is_file():
        from pfdoctor.core.condition import did_you_mean

        hint = did_you_mean(name, [known for known, _ in _titles()])
        raise PfdoctorError(f"there is no scenario {name!r}{hint}; pfdoctor demo --list names them")
    return file


@contextmanager
def _environment(simulator: Simulator) -> Iterator[None]:
    """The simulator's variables in place of the real Azure's, for as long as it runs."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(_PREFIXES):
            del os.environ[name]
    os.environ.update(simulator.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _endpoint(simulator: Simulator) -> Where:
    """The first endpoint of the simulated workspace."""
    from pfdoctor.cli.target import Given, resolve

    resources = simulator.dump()["resources"]
    endpoint = next(name for name in resources if name.lower().rpartition("/")[0].endswith("/onlineendpoints"))
    return resolve(Given(endpoint=endpoint))


def _command(where: Where, files: list[Path] | None, *, planned: bool) -> str:
    """What a person would type for the same."""
    target = f"-e {where.endpoint} -w {where.workspace} -g {where.resource_group} -s {where.subscription}"
    paths = f"{files[0].name} " if files else ""
    if planned:
        return f"pfdoctor check {paths}--live {target}"
    return f"pfdoctor diagnose {paths}{target} --probe-score {REQUEST}"


def _introduce(file: Path, command: str, color: str) -> None:
    from pfdoctor.cli.output import print_lines, width
    from pfdoctor.report.style import EMPTY, Span, line, wrap

    title = dict(_titles())[file.stem]
    story = [Span("A simulated Azure on this machine: ", "dim"), Span(title)]
    print_lines([*wrap(story, width()), line(Span(f"$ {command}", "fix")), EMPTY], color)
