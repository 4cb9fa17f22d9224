"""`pfdoctor rules`: list the rules, show one as data, and run their examples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pfdoctor.cli.options import Color, Rules, complete_rule, complete_selector, option
from pfdoctor.core.model import Json

if TYPE_CHECKING:
    from pfdoctor.core.example import ExampleResult
    from pfdoctor.core.rule import Rule
    from pfdoctor.report.style import Line

app = typer.Typer(
    help="List, show and test rules.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

RULES_SCHEMA_NAME = "pfdoctor/rules/v1"


@app.command("list")
def list_rules(
    select: Annotated[
        list[str] | None,
        option(
            "--select", metavar="RULES", help="Only these: ids or category globs.", autocompletion=complete_selector
        ),
    ] = None,
    rules: Rules = None,
    format: Annotated[  # noqa: A002 - the flag's name
        str, option("--format", "-f", help="Text, or JSON for programs.", choices=("text", "json"))
    ] = "text",
    color: Color = "auto",
) -> int:
    """List the rules by category: id, severity, confidence and title."""
    from pfdoctor.cli.output import print_lines, write
    from pfdoctor.cli.own_rules import load
    from pfdoctor.cli.select import Selection, choose, split
    from pfdoctor.report.json import dump

    chosen = choose(load(rules), Selection(split(select)))
    if format == "json":
        write(dump({"schema": RULES_SCHEMA_NAME, "rules": [_row(rule) for rule in chosen]}))
    else:
        print_lines(_table(chosen), color)
    return 0


def _row(rule: Rule) -> dict[str, Json]:
    return {
        "rule": rule.id,
        "title": rule.title,
        "category": rule.category,
        "severity": str(rule.severity),
        "confidence": str(rule.confidence),
        "help": rule.help_uri,
    }


def _table(rules: tuple[Rule, ...]) -> Iterator[Line]:
    from pfdoctor.report.style import EMPTY, Span, line

    widest = max((len(rule.id) for rule in rules), default=0)
    category = None
    for rule in sorted(rules, key=lambda one: (one.category, one.id)):
        if rule.category != category:
            if category is not None:
                yield EMPTY
            category = rule.category
            yield line(Span(category, "strong"))
        styles = {
            "error": Span("error  ", "error"),
            "warning": Span("warning", "warning"),
            "info": Span("info   ", "info"),
        }
        yield line(f"  {rule.id:{widest}}  ", styles[str(rule.severity)], f"  {rule.confidence!s:8}  {rule.title}")


@app.command()
def show(
    rule: Annotated[
        str,
        typer.Argument(
            metavar="RULE", help="The rule's id, with or without its category.", autocompletion=complete_rule
        ),
    ],
    rules: Rules = None,
    format: Annotated[  # noqa: A002 - the flag's name
        str, option("--format", "-f", help="The rule's file as it is, or JSON.", choices=("text", "json"))
    ] = "text",
) -> int:
    """Print a rule as it is written, to be read as data or copied as a start."""
    from pfdoctor import catalog
    from pfdoctor.cli.output import write
    from pfdoctor.cli.own_rules import load_full
    from pfdoctor.cli.select import find
    from pfdoctor.report.json import dump
    from pfdoctor.yaml_document import Dialect, read

    catalogue = load_full(rules)
    for one in find(catalogue, rule):
        # the last directory wins, as it does when rules are loaded
        folders = [*reversed(rules or []), catalog.rules_directory()]
        path = next(path for folder in folders for path in catalog.rule_files(folder) if path.stem == one.id)
        text = path.read_text("utf-8")
        write(text if format == "text" else dump({"rule": one.id, **read(text, Dialect.FLOW)[0].value}))
    return 0


@app.command("test")
def run_examples(
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A directory of your own rules; by default the shipped ones.")
    ] = None,
    select: Annotated[
        list[str] | None,
        option(
            "--select", metavar="RULES", help="Only these: ids or category globs.", autocompletion=complete_selector
        ),
    ] = None,
    verbose: Annotated[int, option("--verbose", "-v", count=True, help="Print every example.")] = 0,
    color: Color = "auto",
) -> int:
    """Run the examples of rules: each states facts and what the rule must come to. Exit 1 if one fails."""
    from pfdoctor import catalog
    from pfdoctor.cli.examples import run
    from pfdoctor.cli.output import print_lines, width
    from pfdoctor.cli.own_rules import load_full
    from pfdoctor.cli.select import Selection, choose, split

    catalogue = load_full([directory] if directory is not None else None)
    own = catalogue.rules
    if directory is not None:
        names = {path.stem for path in catalog.rule_files(directory)}
        own = {name: rule for name, rule in catalogue.rules.items() if name in names}
    chosen = choose(catalogue.with_rules(own), Selection(split(select)))
    results = [result for rule in chosen for result in run(rule, catalogue)]
    print_lines(_outcome(chosen, results, width(), verbose=verbose > 0), color)
    return 1 if any(result.fault for result in results) or _untested(chosen) else 0


def _untested(rules: tuple[Rule, ...]) -> list[str]:
    return [rule.id for rule in rules if not rule.wording.tests]


def _outcome(rules: tuple[Rule, ...], results: list[ExampleResult], width: int, *, verbose: bool) -> Iterator[Line]:
    from pfdoctor.report.style import Span, count, line, visible, wrap

    for result in results:
        if result.fault is not None:
            text = f" {result.rule}: {result.name}: {result.fault}"
            yield from wrap([Span("FAIL", "error"), Span(visible(text))], width, rest="     ")
        elif verbose:
            yield from wrap([Span("ok", "good"), Span(f" {result.rule}: {visible(result.name)}")], width, rest="     ")
    untested = _untested(rules)
    for name in untested:
        yield line(Span("FAIL", "error"), f" {name}: no example (`tests:`)")
    failed = sum(1 for result in results if result.fault is not None) + len(untested)
    verdict = f"{failed:,} failed" if failed else "all hold"
    yield line(
        f"{count(len(rules), 'rule')}, {count(len(results), 'example')}: ",
        Span(verdict, "error" if failed else "good"),
    )
