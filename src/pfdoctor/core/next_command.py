"""What to run next, made complete: with the endpoint of the case at hand and with whatever was typed.

Facts say which command would observe what is missing, and whoever wrote them knew neither the case nor the command
line: `pfdoctor diagnose --endpoint ENDPOINT --probe`. What a person copies has to work as it stands.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pfdoctor.core.model import CaseResult, Finding, Json, Missing

_PARTS = {
    "onlineendpoints": "-e",
    "workspaces": "-w",
    "resourcegroups": "-g",
    "subscriptions": "-s",
}
_UNNAMED = "-e ENDPOINT -w WORKSPACE -g GROUP -s SUBSCRIPTION"
_FOLDERS = ("PATH", "FOLDER_OF_THE_")
_COMPLETED = ("diagnose", "check")
_REQUEST = "REQUEST.json"


class Typed(NamedTuple):
    """What was given on the command line: paths, logs, the request to send, and flags to repeat as they are."""

    paths: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    probe: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def target_flags(resource: Json) -> str | None:
    """`-e chat -w ws -g rg -s sub` of the resource id of an endpoint or deployment; None for whatever is none."""
    parts = str(resource or "").strip("/").split("/")
    named = {key.lower(): name for key, name in zip(parts[::2], parts[1::2], strict=False)}
    if not all(named.get(kind) for kind in _PARTS):
        return None
    return " ".join(f"{flag} {shlex.quote(named[kind])}" for kind, flag in _PARTS.items())


def complete(command: str, resource: Json, typed: Typed) -> str:
    """The command with the endpoint (`resource`, its id) and what was typed; any other than ours as it is."""
    words = command.split()
    if words[:1] != ["pfdoctor"] or len(words) < 2 or words[1] not in _COMPLETED:
        return command
    target = target_flags(resource)
    asked = words[2:]
    live = (
        target is not None or "--live" in asked or "--endpoint" in asked or any(one[:7] == "--probe" for one in asked)
    )
    with_log = bool(typed.logs) or "--log" in asked
    if not live and not with_log:
        return command  # about files alone: which others are meant is for the person to say
    probes = _probe(asked) or [shlex.quote(word) for word in typed.probe]
    verb = "diagnose" if with_log else words[1]
    parts = ["pfdoctor", verb, *map(shlex.quote, typed.paths)]
    if any(one.startswith(_FOLDERS) for one in asked):
        parts.append("FOLDER_OF_THE_FLOW")
    if live:
        parts += ["--live"] * (verb == "check") + [target or _UNNAMED]
    parts += [word for log in typed.logs for word in ("--log", shlex.quote(log))]
    if "--log" in asked and not (typed.logs or target):
        parts += ["--log", "LOG"]
    return " ".join([*parts, *probes, *map(shlex.quote, typed.flags)])


def _probe(asked: Sequence[str]) -> list[str]:
    if "--probe-score" in asked:
        return ["--probe-score", _REQUEST]
    return ["--probe"] if "--probe" in asked else []


def completed(case: CaseResult, resource: Json, typed: Typed) -> CaseResult:
    """The case with every command that it proposes made complete."""

    def whole(command: str | None) -> str | None:
        return complete(command, resource, typed) if command else command

    def missing(ones: Iterable[Missing]) -> tuple[Missing, ...]:
        return tuple(
            one._replace(reason=one.reason._replace(collect_command=whole(one.reason.collect_command))) for one in ones
        )

    def findings(ones: Iterable[Finding]) -> tuple[Finding, ...]:
        return tuple(one._replace(missing=missing(one.missing)) for one in ones)

    return case._replace(
        findings=findings(case.findings),
        unknown=findings(case.unknown),
        differentials=tuple(
            group._replace(causes=tuple(cause._replace(next_step=whole(cause.next_step)) for cause in group.causes))
            for group in case.differentials
        ),
    )
