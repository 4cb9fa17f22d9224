"""`pfdoctor apply`: run a plan, step by step, and prove that it did what it promised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pfdoctor.cli.options import PATIENCE, Cloud, Color, Credential, FixLevel, Rules, Timeout, Wait, Yes, option

if TYPE_CHECKING:
    from pfdoctor.core.plan import Plan

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def apply(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan that `pfdoctor plan -o PLAN` saved.")],
    yes: Yes = False,
    fix_level: FixLevel = "safe",
    dry_run: Annotated[
        bool, option("--dry-run", help="Show the diff of the files and each step in Azure, but change nothing.")
    ] = False,
    journal: Annotated[
        Path | None, option("--journal", metavar="FILE", help="Where to record what is done; PLAN.journal by default.")
    ] = None,
    output: Annotated[
        str | None,
        option("--output", "-o", metavar="FILE", help="Write what came of it as JSON; - is stdout."),
    ] = None,
    cloud: Cloud = None,
    credential: Credential = "default",
    timeout: Timeout = 30.0,
    wait: Wait = PATIENCE,
    rules: Rules = None,
    color: Color = "auto",
) -> int:
    """Apply a plan: each step is checked, recorded for the undo, done, and verified by looking again.

    What is not safe is asked for; without a terminal it is left out, unless --yes with --fix-level allows it.

    Exit codes: 0 applied and verified, or nothing left to do but what somebody declined; 2 usage; 4 not logged in;
    7 the files or resources are not as the plan expects them, a fix failed or did not hold and was undone, a role is
    not in force yet, or nobody could look at what came of a fix (the journal is kept, and says how to go on);
    8 something was left out that nobody was asked about.
    """
    import shlex
    import sys

    from pfdoctor.apply.journal import free_journal
    from pfdoctor.cli.applied import report, to_json
    from pfdoctor.cli.fixing import Doing, approved, execute, name_of, with_left_out
    from pfdoctor.cli.live import Live
    from pfdoctor.cli.output import STDOUT, print_lines, write
    from pfdoctor.cli.own_rules import load
    from pfdoctor.cli.planning import changes_of, root_of
    from pfdoctor.core.model import Level, PfdoctorError
    from pfdoctor.report.json import dump
    from pfdoctor.report.plan import render_diff

    made = _read(plan)
    root = root_of(made, str(plan))
    if dry_run:
        print_lines(render_diff(changes_of(made, root)), color)
        return 0
    approval, name = approved(made, Level(fix_level) if yes else None), name_of(made)
    recorded = journal or free_journal(plan.with_name(f"{plan.name}.journal"), name)
    live = Live.of(made.live, cloud, credential, timeout) if made.live is not None else None
    again = shlex.join(["pfdoctor", *(sys.argv[1:] if sys.argv[1:2] == ["apply"] else ("apply", str(plan)))])
    doing = Doing(root, recorded, name, again, live, wait)
    if output not in (None, STDOUT) and not Path(output).parent.is_dir():
        # told before anything is changed
        raise PfdoctorError(f"cannot write {output}: there is no folder {Path(output).parent}; nothing was changed")
    catalogue = load(rules)
    applied = with_left_out(execute(approval.plan, catalogue, doing), made, approval, catalogue, doing)
    code = report(applied, made, doing)
    if output is not None:
        write(dump(to_json(applied, made, doing)), output)
    return code


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
