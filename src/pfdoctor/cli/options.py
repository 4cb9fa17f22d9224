"""Options that commands share, and the environment variable that goes with each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from pfdoctor.core.model import PfdoctorError

COLOURS = ("auto", "always", "never")


def option(*flags: str, help: str, **more: Any) -> Any:  # noqa: A002 - typer's own name for it
    """An option that can also be given as PFDOCTOR_<FLAG>; `choices` limits its values."""
    long = next(flag for flag in flags if flag.startswith("--"))
    name = "PFDOCTOR_" + long.removeprefix("--").replace("-", "_").upper()
    choices: Sequence[str] | None = more.pop("choices", None)
    if choices is not None:
        more["metavar"] = "|".join(choices)
        more["callback"] = _choice(long, choices)
        more["autocompletion"] = lambda: list(choices)
    return typer.Option(*flags, help=help, envvar=name, show_envvar=False, **more)


def _choice(flag: str, choices: Sequence[str]) -> Any:
    def check(value: Any) -> Any:
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is not None and one not in choices:
                from pfdoctor.core.condition import did_you_mean

                hint = did_you_mean(str(one), choices)
                raise PfdoctorError(f"{flag} {one}: it is one of {', '.join(choices)}{hint}")
        return value

    return check


Color: TypeAlias = Annotated[
    str, option("--color", help="Colour the text: auto looks at the terminal and NO_COLOR.", choices=COLOURS)
]
Rules: TypeAlias = Annotated[
    list[Path] | None, option("--rules", help="A directory of your own rules, besides the shipped ones. Repeatable.")
]


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
