"""`pfdoctor undo`: take back what a journal says was done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pfdoctor.cli.options import Cloud, Credential, Timeout, option

if TYPE_CHECKING:
    from pfdoctor.apply.azure import AzureHand

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

LEFT = 7


@app.command()
def undo(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="The journal that apply wrote.")],
    step: Annotated[int | None, option("--step", metavar="N", help="Take back this step only.", min=1)] = None,
    cloud: Cloud = None,
    credential: Credential = "default",
    timeout: Timeout = 30.0,
) -> int:
    """Take back what pfdoctor did, newest first; what somebody changed since is left alone, and said.

    Exit codes: 0 all is back (but for what the plan declared irreversible, which is said); 2 usage; 4 not logged in; 7
    something was left, be it that somebody changed it since or that Azure does not accept its former state, or the
    journal cannot be used here.
    """
    from pfdoctor.apply.undo import undo as take_back
    from pfdoctor.cli.output import say
    from pfdoctor.report.style import visible

    undone = take_back(journal, step, _hand(journal, cloud, credential, timeout))
    staying = {number for number, _ in undone.stays}
    for number in undone.steps:
        if number not in staying:
            say(f"step {number} was undone")
    for number, reason in undone.left:
        say(visible(f"step {number} was left: {reason}"))
    for number, words in undone.stays:
        say(visible(f"step {number}: {words}"))
    if not undone.steps and not undone.left:
        say("nothing to undo")
    elif undone.stays:
        steps = ", ".join(str(number) for number, _ in sorted(undone.stays))
        say(f"all else is as it was before; not so what the plan called irreversible: step {steps}")
    return LEFT if undone.left else 0


def _hand(journal: Path, cloud: str | None, credential: str, timeout: float) -> AzureHand | None:
    """What undoes steps of Azure; nothing where the journal has none."""
    from pfdoctor.apply.journal import is_begun, read

    if not is_begun(journal) or not any(entry.resource for entry in read(journal).entries):
        return None
    from pfdoctor.apply.azure import AzureHand
    from pfdoctor.cli.fixing import login
    from pfdoctor.cli.live import Live
    from pfdoctor.cli.target import Given

    return AzureHand(login(Live(Given(), cloud, credential, False, None, timeout, progress=True)))
