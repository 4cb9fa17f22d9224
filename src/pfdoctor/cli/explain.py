"""`pfdoctor explain`: everything about one rule, an error code, or a message that somebody pasted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pfdoctor.cli.options import Color, Rules, complete_rule
from pfdoctor.core.model import NoInputError, PfdoctorError

if TYPE_CHECKING:
    from pfdoctor.core.rule import Catalogue
    from pfdoctor.report.style import Line

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def explain(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="RULE|CODE|-",
            help="A rule's id, with or without its category; an error code such as ResourceNotReady or 424; an error "
            "message in quotes; or - to read one from standard input.",
            autocompletion=complete_rule,
        ),
    ],
    rules: Rules = None,
    color: Color = "auto",
) -> int:
    """Explain a rule, an error code or an error message.

    Of a rule: its cause, symptoms, evidence, fix and examples, when to ignore it, and how sure we are. Of an error:
    what it says, which rules it may come from, and what to run next. Nothing leaves this machine.

    Exit codes: 0 explained, 2 no such rule, code or message, 3 internal error, 5 nothing known in the text.
    """
    from pfdoctor.cli.output import print_lines, width
    from pfdoctor.cli.own_rules import load_full

    catalogue = load_full(rules)
    if subject == "-":
        print_lines(_pasted(catalogue, width()), color)
        return 0
    for lines in _rule(subject, catalogue, width()):
        print_lines(lines, color)
    return 0


def _pasted(catalogue: Catalogue, columns: int) -> list[Line]:
    """What standard input says."""
    from pfdoctor.collect import logs
    from pfdoctor.report.explain_error import explain_message

    read = logs.read(["-"], catalogue.symptoms)
    for problem in read.problems:
        raise NoInputError(problem["detail"])
    lines = explain_message(read.logs[0], catalogue, columns)
    if lines is None:
        raise NoInputError(
            "nothing in this text is an error that pfdoctor knows; paste more of it: the lines before and after"
        )
    return lines


def _rule(subject: str, catalogue: Catalogue, columns: int) -> list[list[Line]]:
    """A rule where there is one of that name; else what is known of the code or the message."""
    from pfdoctor.cli.select import find
    from pfdoctor.collect import logs
    from pfdoctor.report.explain import explain as lay_out
    from pfdoctor.report.explain_error import explain_code, explain_message

    try:
        return [lay_out(one, catalogue, columns) for one in find(catalogue, subject)]
    except PfdoctorError as error:
        lines = explain_code(subject, catalogue, columns)
        if lines is None:
            lines = explain_message(logs.read_text(subject, catalogue.symptoms, source="-"), catalogue, columns)
        if lines is None:
            raise PfdoctorError(f"{error}; nor is that an error code or a message that pfdoctor knows") from error
        return [lines]
