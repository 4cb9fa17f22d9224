"""Options that commands share, and the environment variable that goes with each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from pfdoctor.core.model import Confidence, PfdoctorError, Severity

COLOURS = ("auto", "always", "never")
FORMATS = ("text", "json", "sarif", "junit", "github", "azure", "markdown", "openmetrics")
SEVERITIES = tuple(map(str, reversed(Severity)))
CONFIDENCES = tuple(map(str, reversed(Confidence)))
CREDENTIALS = (
    "default",
    "cli",
    "managed-identity",
    "environment",
    "workload",
    "powershell",
    "azd",
    "device-code",
    "browser",
)


def option(*flags: str, help: str, **more: Any) -> Any:  # noqa: A002 - typer's own name for it
    """An option that can also be given as PFDOCTOR_<FLAG>; `choices` limits its values."""
    long = next(flag for flag in flags if flag.startswith("--"))
    name = "PFDOCTOR_" + long.removeprefix("--").replace("-", "_").upper()
    choices: Sequence[str] | None = more.pop("choices", None)
    if choices is not None:
        more.setdefault("metavar", "|".join(choices))
        more["callback"] = _choice(long, choices)
        more["autocompletion"] = lambda: list(choices)
    return typer.Option(*flags, help=help, envvar=name, show_envvar=False, **more)


def typed(context: typer.Context, *names: str) -> str | None:
    """The first of the options that was typed, as a flag; what only stands in the environment is none."""
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            return "--" + name.replace("_", "-")
    return None


def refuse(context: typer.Context, why: str, *names: str) -> None:
    """Raises PfdoctorError where one of the options was typed, which does not go with the others."""
    flag = typed(context, *names)
    if flag is not None:
        raise PfdoctorError(f"{flag}: {why}")


def _choice(flag: str, choices: Sequence[str]) -> Any:
    def check(value: Any) -> Any:
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is not None and one not in choices:
                from pfdoctor.core.condition import did_you_mean

                hint = did_you_mean(str(one), choices)
                raise PfdoctorError(f"{flag} {one}: it is one of {', '.join(choices)}{hint}")
        return value

    return check


def complete_rule(incomplete: str) -> list[tuple[str, str]]:
    """Ids of rules for the shell's completion."""
    from pfdoctor import catalog

    rules = catalog.load().rules.values()
    return [(rule.id, rule.title) for rule in rules if rule.id.startswith(incomplete)]


def complete_selector(incomplete: str) -> list[str]:
    """Ids and category globs for the shell's completion."""
    from pfdoctor import catalog

    rules = catalog.load().rules.values()
    names = sorted({f"{rule.category}/*" for rule in rules}) + sorted(rule.id for rule in rules)
    return [name for name in names if name.startswith(incomplete)]


Color: TypeAlias = Annotated[
    str, option("--color", help="Colour the text: auto looks at the terminal and NO_COLOR.", choices=COLOURS)
]
Rules: TypeAlias = Annotated[
    list[Path] | None, option("--rules", help="A directory of your own rules, besides the shipped ones. Repeatable.")
]

Paths: TypeAlias = Annotated[
    list[Path] | None,
    typer.Argument(metavar="PATH…", help="Files, folders or whole repositories; by default the current folder."),
]
FilesFrom: TypeAlias = Annotated[
    str | None, option("--files-from", metavar="FILE", help="Read more paths from a file, one a line; - is stdin.")
]
Logs: TypeAlias = Annotated[
    list[str] | None,
    option(
        "--log",
        "-l",
        metavar="FILE",
        help="A log or error text, a folder, .zip or .gz of them; - is stdin. Repeatable.",
    ),
]
Replayed: TypeAlias = Annotated[
    str | None, option("--facts", metavar="FILE", help="Replay a snapshot of `pfdoctor facts` instead of collecting.")
]

# ------------------------------------------------------------------------------------------------ which rules run

Select: TypeAlias = Annotated[
    list[str] | None,
    option(
        "--select",
        metavar="RULES",
        help="Run these rules only: ids or category globs (deployment/*), between commas or repeated.",
        autocompletion=complete_selector,
    ),
]
Ignore: TypeAlias = Annotated[
    list[str] | None,
    option("--ignore", metavar="RULES", help="Leave these rules out.", autocompletion=complete_selector),
]
ExtendSelect: TypeAlias = Annotated[
    list[str] | None,
    option("--extend-select", metavar="RULES", help="Run these besides --select.", autocompletion=complete_selector),
]
SeverityMin: TypeAlias = Annotated[
    str, option("--severity-min", help="Leave out rules that are less severe.", choices=SEVERITIES)
]
ConfidenceMin: TypeAlias = Annotated[
    str, option("--confidence-min", help="Leave out rules that are less certain.", choices=CONFIDENCES)
]

# ------------------------------------------------------------------------------------- what is printed, and the gate

Format: TypeAlias = Annotated[
    list[str] | None, option("--format", "-f", help="Repeatable, each with its --output.", choices=FORMATS)
]
Output: TypeAlias = Annotated[
    list[str] | None,
    option("--output", "-o", metavar="FILE", help="Where the format given before goes; - is stdout."),
]
FailOn: TypeAlias = Annotated[
    str,
    option("--fail-on", help="Exit 1 for proven findings as severe as this, or worse.", choices=(*SEVERITIES, "never")),
]
FailOnUnknown: TypeAlias = Annotated[bool, option("--fail-on-unknown", help="Exit 6 if a rule could not be decided.")]
ExitZero: TypeAlias = Annotated[
    bool, option("--exit-zero", help="Exit 0 whatever is found; usage and input errors still count.")
]
Quiet: TypeAlias = Annotated[bool, option("--quiet", "-q", help="Print findings only.")]
Verbose: TypeAlias = Annotated[
    int, option("--verbose", "-v", count=True, help="Also list what was joined, every unknown rule and its reason.")
]
NoProgress: TypeAlias = Annotated[bool, option("--no-progress", help="Draw no progress bar.")]
Statistics: TypeAlias = Annotated[bool, option("--stat", help="Count findings by rule instead of showing them.")]

# ---------------------------------------------------------------------------------------------------------- fixing

FixLevel: TypeAlias = Annotated[
    str, option("--fix-level", help="How far to go: safe fixes, or those to review, too.", choices=("safe", "review"))
]
Yes: TypeAlias = Annotated[bool, option("--yes", "-y", help="Do not ask about fixes up to --fix-level.")]

PATIENCE = 1200.0
"""Seconds: twice as long as a role takes to be in force."""
Wait: TypeAlias = Annotated[
    float,
    option("--wait", metavar="SECONDS", help="How long to wait for a role to be in force; 0 looks once.", min=0.0),
]

# ------------------------------------------------------------------------------------------------ the live endpoint

WHERE = ("endpoint", "deployment", "workspace", "resource_group", "subscription", "from_az_config")
"""The options that name what is looked at in Azure."""
PROBES = ("probe", "probe_score")
"""The options that call the endpoint itself."""

LiveToo: TypeAlias = Annotated[
    bool, option("--live", help="Also look at the workspace: what exists, what differs, whether what is planned fits.")
]
Endpoint: TypeAlias = Annotated[
    str | None, option("--endpoint", "-e", metavar="NAME", help="The managed online endpoint, or its resource id.")
]
Deployment: TypeAlias = Annotated[
    str | None, option("--deployment", "-d", metavar="NAME", help="One deployment of it; by default all of them.")
]
Workspace: TypeAlias = Annotated[str | None, option("--workspace", "-w", metavar="NAME", help="Its workspace.")]
ResourceGroup: TypeAlias = Annotated[
    str | None, option("--resource-group", "-g", metavar="NAME", help="The workspace's resource group.")
]
Subscription: TypeAlias = Annotated[
    str | None, option("--subscription", "-s", metavar="ID", help="The subscription's id.")
]
FromAzConfig: TypeAlias = Annotated[
    bool,
    option(
        "--from-az-config",
        help="Take subscription, resource group and workspace from `az configure --defaults` and the current account.",
    ),
]
Cloud: TypeAlias = Annotated[
    str | None,
    option("--cloud", metavar="NAME", help="AzureCloud, AzureChinaCloud, AzureUSGovernment or a metadata URL's cloud."),
]
Credential: TypeAlias = Annotated[
    str,
    option(
        "--credential",
        metavar="KIND",
        help="How to log in: default (tries them in azure-identity's order), cli, managed-identity, environment, "
        "workload, powershell, azd, device-code or browser.",
        choices=CREDENTIALS,
    ),
]
Probe: TypeAlias = Annotated[
    bool,
    option("--probe", help="Also ask the endpoint itself (/swagger.json, /health, /version), with its key or a token."),
]
ProbeScore: TypeAlias = Annotated[
    Path | None,
    option("--probe-score", metavar="FILE", help="Also send this request to /score, and measure: runs the flow."),
]
Timeout: TypeAlias = Annotated[
    float, option("--timeout", metavar="SECONDS", help="How long to wait for one answer of Azure.", min=1.0)
]
