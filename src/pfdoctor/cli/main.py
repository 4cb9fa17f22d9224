"""The command `pfdoctor`: finds the module of the command that is asked for, and turns every end into an exit code.

A command's module is imported when the command is called: `check` does not pay for what `explain` needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

import pfdoctor
from pfdoctor.cli import COMMANDS
from pfdoctor.cli.output import say
from pfdoctor.core.model import PfdoctorError

INTERRUPTED = 130
INTERNAL_ERROR = 3


class _Commands(TyperGroup):
    """The commands, imported on demand. (The context is typer's own before 0.28 and click's after: hence Any.)"""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the interface
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the interface
        if cmd_name not in COMMANDS:
            return None
        command = typer.main.get_command(import_module(f"pfdoctor.cli.{cmd_name}").app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_Commands,
    name="pfdoctor",
    help="Finds, explains and helps to mend what keeps a prompt flow from deploying and answering on Azure ML.",
    epilog="Every long flag can also be given as an environment variable: --fail-on as PFDOCTOR_FAIL_ON.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich would cost as much as everything else that the help needs
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pfdoctor {pfdoctor.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (`sys.argv` by default) and return its exit code; see docs/exit-codes.md."""
    _open_streams()
    typed = tuple(sys.argv[1:] if arguments is None else arguments)
    try:
        code = typer.main.get_command(app)(args=arguments, prog_name="pfdoctor", standalone_mode=False, obj=typed)
    except PfdoctorError as error:
        say(f"error: {error}")
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort: a bug of ours must not end in a traceback
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            # click's ClickException, which typer has as a copy of its own since 0.28: known by what it can do
            error.show()
            return int(error.exit_code)
        return _crash(error)
    return code if isinstance(code, int) else 0


def _open_streams() -> None:
    """A standard stream that the caller closed is None: let it lead nowhere instead."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))


def run() -> NoReturn:
    """The console script: `main`, and out at once.

    Taking the interpreter apart costs more than a quarter of a cold check, and nothing is left to be done then: every
    output was flushed by whoever wrote it. (mypy leaves in the same way.)
    """
    code = main()
    for stream in (sys.stdout, sys.stderr):
        # somebody who closed the pipe wants no more
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _crash(error: Exception) -> int:
    from pfdoctor.cli.crash import record

    say(f"internal error ({type(error).__name__}): this is a bug in pfdoctor; {record(error)}")
    return INTERNAL_ERROR
