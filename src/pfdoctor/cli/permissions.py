"""`pfdoctor permissions`: the least-privilege role that a command needs, and what the caller lacks of it."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import typer

from pfdoctor.cli.needed import COMMANDS, needed
from pfdoctor.cli.options import (
    Cloud,
    Color,
    Credential,
    Endpoint,
    FromAzConfig,
    Ignore,
    ResourceGroup,
    Rules,
    Select,
    Subscription,
    Timeout,
    Verbose,
    Workspace,
    option,
)
from pfdoctor.core.model import PfdoctorError

if TYPE_CHECKING:
    from pfdoctor.cli.target import Where
    from pfdoctor.cloud.clouds import Cloud as AzureCloud
    from pfdoctor.core.model import Json
    from pfdoctor.report.role import Lacking, Operation, Role

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

FORMATS = ("table", "json", "bicep", "terraform")
SCHEMA_NAME = "pfdoctor/permissions/v1"


@app.command()
def permissions(
    command: Annotated[
        str, option("--command", metavar="NAME", help="The command that the role is for.", choices=COMMANDS)
    ] = "diagnose",
    probe: Annotated[
        bool, option("--probe", help="Also what asking the endpoint itself takes: its key or a token.")
    ] = False,
    select: Select = None,
    ignore: Ignore = None,
    rules: Rules = None,
    check: Annotated[
        bool, option("--check", help="Ask Azure which of it you hold, and name the rules that will be unknown.")
    ] = False,
    endpoint: Endpoint = None,
    workspace: Workspace = None,
    resource_group: ResourceGroup = None,
    subscription: Subscription = None,
    from_az_config: FromAzConfig = False,
    cloud: Cloud = None,
    credential: Credential = "default",
    timeout: Timeout = 30.0,
    format: Annotated[  # noqa: A002 - the flag's name
        str,
        option("--format", "-f", help="A table; or the role for az, as Bicep or for Terraform.", choices=FORMATS),
    ] = "table",
    output: Annotated[str, option("--output", "-o", metavar="FILE", help="Where it goes; - is stdout.")] = "-",
    color: Color = "auto",
    verbose: Verbose = 0,
) -> int:
    """Print the least-privilege role that a command needs, made of what its rules read; or check that you hold it.

    Files alone need no permission at all: `check` stands for `check --live`. Deny assignments are not looked at.

    Exit codes: 0 printed, or all of it held; 1 --check found something missing; 2 usage; 4 not logged in;
    6 --check could not ask.
    """
    from pfdoctor.cli.own_rules import load
    from pfdoctor.cli.select import Selection, choose, split
    from pfdoctor.cli.target import Given, resolve
    from pfdoctor.report.role import SCOPE, Role

    chosen = choose(load(rules), Selection(split(select), split(ignore)))
    role = Role(
        f"pfdoctor {command}",
        _description(command, probe=probe),
        needed(command, chosen, probe=probe),
        scope=f"/subscriptions/{subscription}" if subscription else SCOPE,
    )
    if not check:
        _print(role, format, output, color)
        return 0
    if format not in ("table", "json"):
        raise PfdoctorError(f"--check prints a table or JSON, no {format}")
    where = resolve(Given(subscription, resource_group, workspace, endpoint, None, from_az_config))
    from pfdoctor.cloud.clouds import resolve_cloud

    lacking = asyncio.run(_lacking(role.operations, where, resolve_cloud(cloud, os.environ), credential, timeout))
    _print_lacking(role, lacking, format, output, color, verbose=verbose > 0)
    if any(one.held is False for one in lacking):
        return 1
    return 6 if any(one.why is not None for one in lacking) else 0


def _description(command: str, *, probe: bool) -> str:
    what = "Reads what" if command != "apply" else "Reads and writes what"
    asked = " --probe" if probe else ""
    return f"{what} pfdoctor {command}{' --live' if command == 'check' else ''}{asked} needs, and nothing else."


def _print(role: Role, form: str, output: str, color: str) -> None:
    from pfdoctor.cli.output import STDOUT, print_lines, width, write
    from pfdoctor.report.role import as_bicep, as_json, as_table, as_terraform
    from pfdoctor.report.style import plain

    if form != "table":
        write({"json": as_json, "bicep": as_bicep, "terraform": as_terraform}[form](role), output)
    elif output == STDOUT:
        print_lines(as_table(role, width()), color)
    else:
        write(plain(as_table(role, width())), output)


def _print_lacking(role: Role, lacking: list[Lacking], form: str, output: str, color: str, *, verbose: bool) -> None:
    from pfdoctor.cli.output import STDOUT, print_lines, width, write
    from pfdoctor.report.role import lacking_json, lacking_table
    from pfdoctor.report.style import plain

    if form == "json":
        write(lacking_json(role, lacking, SCHEMA_NAME), output)
    elif output == STDOUT:
        print_lines(lacking_table(role, lacking, width(), verbose=verbose), color)
    else:
        write(plain(lacking_table(role, lacking, width(), verbose=verbose)), output)


async def _lacking(
    operations: tuple[Operation, ...], where: Where, cloud: AzureCloud, kind: str, timeout: float
) -> list[Lacking]:
    """What the caller does not hold, or is not seen to hold, by the service's own account."""
    from pfdoctor.cloud.credentials import make_credential
    from pfdoctor.cloud.pipeline import Limits, arm_pipeline
    from pfdoctor.cloud.reader import Reader
    from pfdoctor.collect.azure.held import read_held
    from pfdoctor.collect.settle import settle

    limits = Limits(read=timeout)
    async with make_credential(kind, cloud, os.environ, os.environ.get("REQUESTS_CA_BUNDLE")) as credential:
        await credential.caller(cloud.arm_scope)
        async with arm_pipeline(cloud, credential, os.environ, limits) as pipeline:
            reader = Reader(pipeline, cloud, limits.request)
            scopes = sorted({_scope(one.name, where)[0] for one in operations})
            read = await asyncio.gather(*(read_held(reader, scope) for scope in scopes))
            held, _ = settle(dict(zip(scopes, read, strict=True)))
            await reader.close()
    return [found for one in operations if (found := _judged(one, where, held)) is not None]


def _scope(operation: str, where: Where) -> tuple[str, bool]:
    """The scope to ask about, and whether only a grant there or above counts."""
    from pfdoctor.collect.azure.arm_id import ML, subscription_id, workspace_id

    at = workspace_id(where.subscription, where.resource_group, where.workspace)
    whole = subscription_id(where.subscription)
    if operation.startswith(f"{ML}/workspaces/onlineEndpoints/") and where.endpoint is not None:
        return f"{at}/onlineEndpoints/{where.endpoint}", True
    if operation.startswith(f"{ML}/workspaces/"):
        return at, True
    if operation.endswith("/resourceGroups/read"):
        return f"{whole}/resourceGroups/{where.resource_group}", True
    if operation.startswith((f"{ML}/locations/", "Microsoft.Resources/subscriptions/")):
        return whole, True
    # it is needed on resources whose names are not known yet; whoever holds it at the group holds it there
    return f"{whole}/resourceGroups/{where.resource_group}", False


def _judged(operation: Operation, where: Where, held: dict[str, Json]) -> Lacking | None:
    from pfdoctor.core.access.roles import FULL, NONE, reach
    from pfdoctor.report.role import Lacking

    scope, exact = _scope(operation.name, where)
    found = reach(held[scope], operation.name, data=False, code="NOT_ASKED")
    if found.least == FULL:
        return None
    if found.blame:
        return Lacking(operation, scope, None, found.blame[0].reason.detail)
    return Lacking(operation, scope, False if exact and found.most == NONE else None)
