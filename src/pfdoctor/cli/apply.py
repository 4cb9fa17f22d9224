"""`pfdoctor apply`: run a plan, step by step, and prove that it did what it promised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pfdoctor.cli.options import Cloud, Color, Credential, FixLevel, Rules, Timeout, Wait, Yes, option

if TYPE_CHECKING:
    from pfdoctor.core.plan import Plan

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def apply(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan that `pfdoctor plan -o PLAN` saved.")],
    yes: Yes = False,
    fix_level: FixLevel = "safe",
    dry_run: Annotated[
        bool, option("--dry-run", help="Check everything and show the diff, but change nothing.")
    ] = False,
    journal: Annotated[
        Path | None, option("--journal", metavar="FILE", help="Where to record what is done; PLAN.journal by default.")
    ] = None,
    cloud: Cloud = None,
    credential: Credential = "default",
    timeout: Timeout = 30.0,
    wait: Wait = 1200.0,
    rules: Rules = None,
    color: Color = "auto",
) -> int:
    """Apply a plan: each step is checked, recorded for the undo, done, and verified by looking again.

    What is not safe is asked for; without a terminal it is left out, unless --yes with --fix-level allows it.

    Exit codes: 0 applied and verified, or nothing left to do; 2 usage; 4 not logged in; 7 the files or resources are
    not as the plan expects them, a fix failed or did not hold and was undone, or a role is not in force yet.
    """
    from pfdoctor.cli.fixing import approved, execute, report
    from pfdoctor.cli.live import Live
    from pfdoctor.cli.output import print_lines
    from pfdoctor.cli.own_rules import load
    from pfdoctor.cli.planning import diff_of, root_of
    from pfdoctor.core.model import Level
    from pfdoctor.report.plan import render_diff

    made = _read(plan)
    root = root_of(made, str(plan))
    recorded = journal or plan.with_name(f"{plan.name}.journal")
    if dry_run:
        print_lines(render_diff(diff_of(made, root)), color)
        return 0
    granted = approved(made, Level(fix_level) if yes else None)
    live = Live.of(made.live, cloud, credential, timeout) if made.live is not None else None
    return report(execute(granted, root, load(rules), recorded, live, wait), recorded)


def _read(path: Path) -> Plan:
    import json

    from pfdoctor.core.plan import PlanError, from_json

    try:
        document = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise PlanError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise PlanError(f"{path} is no JSON: {error}") from error
    return from_json(document, str(path))
