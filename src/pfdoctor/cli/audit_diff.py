"""`pfdoctor audit diff`: what changed between two audits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pfdoctor.cli.options import Color, ExitZero, FailOn, option
from pfdoctor.core.model import Json, PfdoctorError, Severity

if TYPE_CHECKING:
    from pfdoctor.report.fleet_diff import Difference

FORMATS = ("text", "json", "markdown")


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD.json", help="What pfdoctor audit --format json wrote before.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.json", help="What it wrote now.")],
    fail_on: FailOn = "error",
    fail_on_unknown: Annotated[
        bool, option("--fail-on-unknown", help="Exit 6 if a finding was not seen again, nor seen to be mended.")
    ] = False,
    exit_zero: ExitZero = False,
    format: Annotated[  # noqa: A002 - the flag's name
        str, option("--format", "-f", help="Text for a person, JSON for a program, Markdown.", choices=FORMATS)
    ] = "text",
    output: Annotated[str, option("--output", "-o", metavar="FILE", help="Where it goes; - is stdout.")] = "-",
    color: Color = "auto",
    verbose: Annotated[int, option("--verbose", "-v", count=True, help="Also list the findings that persist.")] = 0,
) -> int:
    """Tell which findings are new, persist or are fixed, by their identity.

    Fixed is only what was looked at again and not found. A finding whose endpoint vanished, or could not be read or
    decided, was not seen again.

    Exit codes: 0 nothing new at or above --fail-on, 1 something new, 2 a file that is no report of an audit,
    6 findings that were not seen again, with --fail-on-unknown.
    """
    from pfdoctor.report.fleet_diff import compare

    difference = compare(read_audit(old), read_audit(new))
    code = _exit_code(difference, fail_on, fail_on_unknown=fail_on_unknown)
    code = 0 if exit_zero else code
    _write(difference, code, format, output, color, verbose=verbose > 0)
    return code


def read_audit(file: Path) -> dict[str, Json]:
    """The JSON report of an audit in a file. Raises PfdoctorError for whatever is none."""
    from pfdoctor.report.fleet import parse

    try:
        return parse(file.read_text("utf-8-sig"), str(file))
    except OSError as error:
        raise PfdoctorError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PfdoctorError(f"{file} is no UTF-8 text: byte {error.start}") from error


def _exit_code(difference: Difference, fail_on: str, *, fail_on_unknown: bool) -> int:
    worst = difference.worst_new
    if fail_on != "never" and worst is not None and worst.rank >= Severity(fail_on).rank:
        return 1
    return 6 if fail_on_unknown and difference.not_seen else 0


def _write(difference: Difference, code: int, form: str, output: str, color: str, *, verbose: bool) -> None:
    from pfdoctor.cli.output import STDOUT, print_lines, width, write

    if form == "json":
        from pfdoctor.report.fleet_diff import as_json

        write(as_json(difference, code), output)
    elif form == "markdown":
        from pfdoctor.report.fleet_markdown import render_difference

        write(render_difference(difference), output)
    else:
        from pfdoctor.report.fleet_diff import as_lines
        from pfdoctor.report.style import plain

        lines = as_lines(difference, width(), verbose=verbose)
        if output == STDOUT:
            print_lines(lines, color)
        else:
            write(plain(lines), output)
