"""`pfdoctor selfcheck`: whether this machine and login can look at Azure at all."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from pfdoctor.cli.options import (
    Cloud,
    Color,
    Credential,
    FromAzConfig,
    ResourceGroup,
    Subscription,
    Timeout,
    Workspace,
    option,
)
from pfdoctor.core.model import Json, PfdoctorError

if TYPE_CHECKING:
    from pfdoctor.cli.target import Given
    from pfdoctor.cloud.clouds import Cloud as AzureCloud
    from pfdoctor.cloud.reader import Reader
    from pfdoctor.report.style import Line

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

SCHEMA_NAME = "pfdoctor/selfcheck/v1"
_PACKAGES = ("azure-core", "azure-identity", "aiohttp", "azure-mgmt-authorization", "azure-ai-ml")
_SKEW = 60.0
"""Seconds by which a clock may be off: tokens are refused at a few minutes, and logs are compared with the clock."""


class Check(NamedTuple):
    """One thing that was looked at. `good` is None where nobody could look."""

    name: str
    good: bool | None
    detail: str
    exit_code: int = 1


@app.command()
def selfcheck(
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: Workspace = None,
    from_az_config: FromAzConfig = False,
    cloud: Cloud = None,
    credential: Credential = "default",
    timeout: Timeout = 30.0,
    format: Annotated[  # noqa: A002 - the flag's name
        str, option("--format", "-f", help="Text, or JSON for programs.", choices=("text", "json"))
    ] = "text",
    color: Color = "auto",
) -> int:
    """Check the way to Azure: cloud, proxy, TLS, clock, login, tenant, subscriptions, and a workspace if one is named.

    Exit codes: 0 all is well, 1 something is wrong, 2 usage, 3 internal error, 4 not logged in.
    """
    from pfdoctor.cli.output import print_lines, write
    from pfdoctor.cli.target import Given
    from pfdoctor.report.json import dump
    from pfdoctor.report.style import EMPTY

    given = Given(subscription, resource_group, workspace, None, None, from_az_config)
    checks = list(_checks(given, cloud, credential, timeout))
    if format == "json":
        write(dump({"schema": SCHEMA_NAME, "checks": [_plain(one) for one in checks]}))
    else:
        print_lines([*_lines(checks), EMPTY, *_verdict(checks, given)], color)
    return max((one.exit_code for one in checks if one.good is False), default=0)


def _plain(check: Check) -> dict[str, Json]:
    """The check for a program; one that went well has no exit code."""
    return {key: value for key, value in check._asdict().items() if key != "exit_code" or check.good is False}


def _verdict(checks: list[Check], given: Given) -> Iterator[Line]:
    """What it comes to, and what to do next."""
    from pfdoctor.cli.output import width
    from pfdoctor.report.style import Span, line, visible, wrap

    wrong = [one for one in checks if one.good is False]
    unknown = [one.name for one in checks if one.good is None]
    if wrong:
        text = f"{', '.join(one.name for one in wrong)}: pfdoctor cannot look at Azure until that is mended"
        first, *more = wrap([Span(visible(text))], width() - 8, rest=" " * 8)
        yield from [(Span("wrong   ", "error"), *first), *more]
        return
    command = "pfdoctor diagnose -e ENDPOINT"
    for flag, value, name in (
        ("-w", given.workspace, "WORKSPACE"),
        ("-g", given.resource_group, "GROUP"),
        ("-s", given.subscription, "SUBSCRIPTION"),
    ):
        command += "" if given.from_az_config else f" {flag} {value or name}"
    command += " --from-az-config" * given.from_az_config
    said = (
        f"nothing is wrong, but not known: {', '.join(unknown)}" if unknown else "pfdoctor can look at Azure from here"
    )
    yield line(Span("good    ", "good"), said)
    yield line(Span("next    ", "dim"), Span(visible(command), "fix"))


def _checks(given: Given, cloud_name: str | None, credential: str, timeout: float) -> Iterator[Check]:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    yield Check("software", True, f"Python {platform.python_version()}, {packages}")
    from pfdoctor.cloud.clouds import resolve_cloud
    from pfdoctor.cloud.errors import ProxyError

    try:
        cloud = resolve_cloud(cloud_name, os.environ)
    except PfdoctorError as error:
        yield Check("proxy" if isinstance(error, ProxyError) else "cloud", False, str(error), error.exit_code)
        return
    yield Check("cloud", True, f"{cloud.name} at {cloud.resource_manager}")
    reachable = True
    for check in _network(cloud):
        reachable = reachable and check.good is not False
        yield check
    if not reachable:
        yield Check("login", None, "not tried: Azure cannot be reached")
        return
    yield from asyncio.run(_azure(cloud, given, credential, timeout))


def _network(cloud: AzureCloud) -> Iterator[Check]:
    from pfdoctor.cloud.reach import reach

    try:
        found = reach(cloud, os.environ)
    except PfdoctorError as error:
        yield Check("TLS", False, str(error), error.exit_code)
        return
    yield Check("proxy", True, found.proxy or "none")
    trusted = found.bundle or "the machine's authorities"
    if found.fault is not None:
        yield Check("TLS" if found.untrusted else "network", False, found.fault)
        return
    yield Check("TLS", True, f"{cloud.host} answers ({found.status}), trusting {trusted}")
    if found.skew is None:
        yield Check("clock", None, "the answer has no date to compare with")
    else:
        ahead = f"{abs(found.skew):.0f} s {'ahead of' if found.skew > 0 else 'behind'} Azure's"
        yield Check("clock", abs(found.skew) <= _SKEW, ahead)


async def _azure(cloud: AzureCloud, given: Given, kind: str, timeout: float) -> list[Check]:
    from pfdoctor.cloud.credentials import make_credential
    from pfdoctor.cloud.pipeline import Limits, arm_pipeline
    from pfdoctor.cloud.reader import Reader

    try:
        credential = make_credential(kind, cloud, os.environ, os.environ.get("REQUESTS_CA_BUNDLE"))
    except PfdoctorError as error:
        return [Check("login", False, str(error), error.exit_code)]
    limits = Limits(read=timeout)
    async with credential:
        try:
            caller = await credential.caller(cloud.arm_scope)
        except PfdoctorError as error:
            return [Check("login", False, str(error), error.exit_code)]
        who = caller.name or caller.client_id or "unnamed"
        checks = [
            Check(
                "login", True, f"{caller.type or 'unknown kind'} {who}, object id {caller.principal_id or 'unknown'}"
            ),
            Check("tenant", True if caller.tenant_id else None, caller.tenant_id or "the token names none"),
        ]
        async with arm_pipeline(cloud, credential, os.environ, limits) as pipeline:
            reader = Reader(pipeline, cloud, limits.request)
            checks.append(await _subscriptions(reader, given.subscription))
            if given.workspace or given.from_az_config:
                checks.append(await _workspace(reader, given))
            await reader.close()
    return checks


async def _subscriptions(reader: Reader, wanted: str | None) -> Check:
    reading = await reader.list("/subscriptions", "2022-12-01", "Microsoft.Resources/subscriptions/read")
    if reading.unknown is not None:
        return Check("subscriptions", None, reading.unknown.detail)
    ids = [str(one.get("subscriptionId")).lower() for one in reading.value]
    if wanted is not None and wanted.lower() not in ids:
        return Check("subscriptions", False, f"the login does not see {wanted}, but {len(ids)} others", 4)
    if not ids:
        return Check("subscriptions", False, "the login sees none: it has no role in this tenant", 4)
    return Check("subscriptions", True, f"{len(ids)} visible" + (f", {wanted} among them" if wanted else ""))


async def _workspace(reader: Reader, given: Given) -> Check:
    from pfdoctor.cli.target import resolve

    try:
        where = resolve(given)
    except PfdoctorError as error:
        return Check("workspace", False, str(error), error.exit_code)
    path = (
        f"/subscriptions/{where.subscription}/resourceGroups/{where.resource_group}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{where.workspace}"
    )
    permission = "Microsoft.MachineLearningServices/workspaces/read"
    reading = await reader.get(path, "2024-10-01", permission)
    if reading.unknown is None:
        return Check("workspace", True, f"{where.workspace} can be read")
    if reading.unknown.code == "forbidden":
        return Check("workspace", False, f"{where.workspace} may not be read: {permission} is missing", 4)
    good = False if reading.is_missing else None
    return Check("workspace", good, f"{where.workspace}: {reading.unknown.detail}", 5)


def _lines(checks: list[Check]) -> Iterator[Line]:
    from pfdoctor.report.style import Span, line, visible

    styles = {
        True: Span("ok      ", "good"),
        False: Span("wrong   ", "error"),
        None: Span("unknown ", "warning"),
    }
    for one in checks:
        yield line(styles[one.good], f"{one.name:14}", visible(one.detail))
