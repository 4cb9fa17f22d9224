"""`pfdoctor explain`: everything about one rule."""

from __future__ import annotations

from typing import Annotated

import typer

from pfdoctor.cli.options import Color, Rules, complete_rule

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def explain(
    rule: Annotated[
        str,
        typer.Argument(
            metavar="RULE", help="The rule's id, with or without its category.", autocompletion=complete_rule
        ),
    ],
    rules: Rules = None,
    color: Color = "auto",
) -> int:
    """Explain a rule: its cause, symptoms, evidence, fix and examples, when to ignore it, and how sure we are."""
    from pfdoctor.cli.output import print_lines, width
    from pfdoctor.cli.own_rules import load_full
    from pfdoctor.cli.select import find
    from pfdoctor.report.explain import explain as lay_out

    catalogue = load_full(rules)
    for one in find(catalogue, rule):
        print_lines(lay_out(one, catalogue, width()), color)
    return 0
