"""`pfdoctor undo`: take back what a journal says was done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pfdoctor.cli.options import option

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

LEFT = 7


@app.command()
def undo(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="The journal that apply wrote.")],
    step: Annotated[int | None, option("--step", metavar="N", help="Take back this step only.", min=1)] = None,
) -> int:
    """Take back what pfdoctor did, newest first; what somebody changed since is left alone, and said.

    Exit codes: 0 all is back, 2 usage, 7 something was left.
    """
    from pfdoctor.apply.undo import undo as take_back
    from pfdoctor.cli.output import say
    from pfdoctor.report.style import visible

    undone = take_back(journal, step)
    for number in undone.steps:
        say(f"step {number} was undone")
    for number, reason in undone.left:
        say(visible(f"step {number} was left: {reason}"))
    if not undone.steps and not undone.left:
        say("nothing to undo")
    return LEFT if undone.left else 0
