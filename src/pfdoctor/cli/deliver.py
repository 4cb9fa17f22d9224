"""Delivering a report: each format where it goes, what the reader of stdout would miss on stderr, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pfdoctor.core.model import PfdoctorError, Report, Severity

if TYPE_CHECKING:
    from pfdoctor.core.rule import Rule
    from pfdoctor.report.summary import Gate


class Delivery(NamedTuple):
    """Where a report goes and how it is laid out. `destinations` are pairs of a format and a file, `-` for stdout."""

    destinations: tuple[tuple[str, str], ...]
    gate: Gate
    color: str = "auto"
    quiet: bool = False
    verbose: bool = False
    statistics: bool = False

    def deliver(self, report: Report, rules: Sequence[Rule], *, nothing: str) -> int:
        """Write the report everywhere; the exit code. `rules` are those that ran; `nothing` is said where none did."""
        from pfdoctor.cli.output import write

        for kind, target in self.destinations:
            if kind == "text":
                self._write_text(report, target)
            else:
                write(_rendered(kind, report, self.gate, rules), target)
        return self._finish(report, nothing)

    def _write_text(self, report: Report, target: str) -> None:
        # imported here: laying out text is nothing that a program reading JSON should wait for
        from pfdoctor.cli.output import STDOUT, print_lines, width, write
        from pfdoctor.report.style import plain
        from pfdoctor.report.text import Layout, render

        layout = Layout(width(), verbose=self.verbose, quiet=self.quiet, statistics=self.statistics)
        lines = render(report, self.gate, layout)
        if target == STDOUT:
            print_lines(lines, self.color)
        else:
            write(plain(lines), target)

    def _finish(self, report: Report, nothing: str) -> int:
        from pfdoctor.cli.output import say
        from pfdoctor.report.style import visible
        from pfdoctor.report.summary import summarise

        silent = ("text", "-") in self.destinations
        for problem in () if silent else report.problems:
            say(visible(f"{problem['path']}: {problem['detail']}"))
        if not report.cases:
            say(f"error: nothing to examine{'' if report.problems else f': {nothing}'}")
        return summarise(report, self.gate).exit_code


def _rendered(kind: str, report: Report, gate: Gate, rules: Sequence[Rule]) -> str:
    """The report in one of the formats for programs, whose module is imported when it is asked for."""
    match kind:
        case "github" | "azure":
            from pfdoctor.report.annotations import azure, github

            return github(report, gate) if kind == "github" else azure(report, gate)
        case "sarif" | "junit":
            text: str = import_module(f"pfdoctor.report.{kind}").render(report, gate, rules)
        case _:
            text = import_module(f"pfdoctor.report.{kind}").render(report, gate)
    return text


def gate(fail_on: str, *, fail_on_unknown: bool, exit_zero: bool) -> Gate:
    """The gate of the options; `never` fails for no finding."""
    from pfdoctor.report.summary import Gate

    return Gate(None if fail_on == "never" else Severity(fail_on), fail_on_unknown, exit_zero)


def pair(formats: Sequence[str] | None, outputs: Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    """Each format with its output. Raises PfdoctorError unless they pair off and at most one goes to stdout."""
    formats, outputs = formats or ["text"], outputs or []
    if not outputs and len(formats) == 1:
        outputs = ["-"]
    if len(formats) != len(outputs):
        raise PfdoctorError(
            f"{len(formats)} --format and {len(outputs)} --output: give each format its own output, - for stdout"
        )
    files = [output if output == "-" else str(Path(output).resolve()) for output in outputs]
    twice = next((output for output, file in zip(outputs, files, strict=True) if files.count(file) > 1), None)
    if twice is not None:
        where = "standard output" if twice == "-" else twice
        raise PfdoctorError(f"two formats go to {where}: give each format its own --output")
    return tuple(zip(formats, outputs, strict=True))
