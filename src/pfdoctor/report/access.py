"""The permission table: who needs what where, whether it is allowed and by what, or what would grant it.

As text for a person and as versioned JSON for a program. Both are made of the derived fact `access` of live cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

import pfdoctor
from pfdoctor.core.access.decide import FAILING, WORKING
from pfdoctor.core.access.wording import place
from pfdoctor.core.derive.access import missing_roles
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json
from pfdoctor.report.json import dump
from pfdoctor.report.style import EMPTY, Line, Span, Style, count, line, visible, wrap

SCHEMA_NAME = "pfdoctor/access/v1"
_STYLES: dict[str, Style] = {"ALLOWED": "good", "ALLOWED_PENDING": "warning", "CONDITIONAL": "warning"}
_PHASES = {
    "create": "when the deployment is created",
    "start": "when a container starts",
    "request": "when a request is served",
    "background": "in the background",
}


class Table(NamedTuple):
    """The operations of one live case, as the schema's `operation` with the verdict UNKNOWN in words."""

    case: str
    who: str
    principal_id: Json
    operations: tuple[dict[str, Json], ...]
    deployer_id: Json
    deployer_type: Json
    deployer: tuple[dict[str, Json], ...]

    def counted(self) -> Iterator[dict[str, Json]]:
        """The operations that the endpoint does not work without."""
        return (one for one in self.operations if one["needed"] is True and one["phase"] != "background")

    @property
    def fails(self) -> bool:
        return any(one["verdict"] in FAILING for one in self.counted())

    @property
    def is_open(self) -> bool:
        """Whether something that is needed, or may be, is not decided."""
        return any(one["verdict"] not in (*WORKING, *FAILING, "NOT_APPLICABLE") for one in self.operations)


def table(facts: Facts, wanted: str | None = None) -> Table | None:
    """The permission table of a case; None when its permissions were not collected.

    `wanted` is the key or the action of an operation; `*` stands for any characters.
    """
    live = facts.document.get("live")
    access = live.get("access") if isinstance(live, dict) else None
    if not isinstance(live, dict) or not isinstance(access, dict) or "operations" not in access:
        return None
    caller = live.get("caller") or {}
    deployer = access["deployer"]
    return Table(
        str(facts.case["name"]),
        _who(live),
        access["principal_id"],
        _chosen(access["operations"], wanted),
        caller.get("principal_id"),
        caller.get("type"),
        _chosen(deployer if isinstance(deployer, list) else [], wanted),
    )


def _who(live: dict[str, Json]) -> str:
    identity = live.get("identity") or {}
    kind = identity.get("type")
    name = str(identity.get("resource_id") or "").rpartition("/")[2]
    words = kind.replace("_", "-") if isinstance(kind, str) else "identity not known"
    return f"{words} {name}".strip()


def _chosen(operations: list[dict[str, Json]], wanted: str | None) -> tuple[dict[str, Json], ...]:
    pattern = (wanted or "*").lower()
    return tuple(
        _spoken(one)
        for one in operations
        if fnmatchcase(one["key"].lower(), pattern) or fnmatchcase((one["action"] or "").lower(), pattern)
    )


def _spoken(operation: dict[str, Json]) -> dict[str, Json]:
    """The operation with an open verdict as UNKNOWN, and beside it what was missing."""
    verdict = operation["verdict"]
    missing = verdict.get("$unknown") if isinstance(verdict, dict) else None
    if missing is None:
        reason = operation["reason"]
        if not isinstance(reason, dict):
            return {**operation, "missing": None}
        # not allowed, proven; but what would tell why was not all read
        unread = reason["$unknown"]
        detail = f"{operation['detail']} Why is not proven: {unread['detail']}."
        return {**operation, "reason": "REASON_UNREAD", "near": None, "detail": detail, "missing": unread}
    told = {name: operation[name] for name in ("grant", "near", "blocked_by")}
    known = {name: None if one is not None and "$unknown" in one else one for name, one in told.items()}
    code = str(missing["code"]).upper().replace("-", "_")
    return {**operation, **known, "verdict": "UNKNOWN", "reason": code, "missing": missing}


def render_json(tables: Iterable[Table]) -> str:
    """The tables as JSON text that ends with a newline."""
    cases = [
        {
            "name": one.case,
            "identity": {"principal_id": one.principal_id, "type": one.who},
            "operations": list(one.operations),
            "missing_roles": [proposal._asdict() for proposal in missing_roles(list(one.operations))],
            "deployer": {"principal_id": one.deployer_id, "operations": list(one.deployer)},
        }
        for one in tables
    ]
    return dump({"schema": SCHEMA_NAME, "version": pfdoctor.__version__, "cases": cases})


def render_text(tables: Iterable[Table], width: int) -> list[Line]:
    """The tables as lines."""
    lines: list[Line] = []
    for one in tables:
        if lines:
            lines.append(EMPTY)
        lines += _table(one, width)
    return lines


def _table(one: Table, width: int) -> Iterator[Line]:
    yield line(Span(visible(one.case), "strong"))
    yield line(f"  {visible(one.who)}, object id {_text(one.principal_id)}")
    yield from _operations(one.operations, width)
    if one.deployer:
        yield EMPTY
        yield line(Span("Whoever deploys", "strong"), " (here: who ran pfdoctor)")
        yield line(f"  object id {_text(one.deployer_id)}")
        yield from _operations(one.deployer, width)
    yield from _commands(one.operations, one.principal_id, "ServicePrincipal", "The endpoint's identity")
    kind = "User" if one.deployer_type == "user" else "ServicePrincipal"
    yield from _commands(one.deployer, one.deployer_id, kind, "Whoever deploys")
    yield EMPTY
    yield line(_summary(one))


def _operations(operations: tuple[dict[str, Json], ...], width: int) -> Iterator[Line]:
    """Each operation with its verdict; in detail where somebody has to do something about it."""
    verdicts = max((len(_word(one)) for one in operations), default=0)
    keys = max((len(one["key"]) for one in operations), default=0)
    for one in operations:
        style = "dim" if _is_spare(one) else _style(one["verdict"])
        where = place(one["scope"]) if isinstance(one["scope"], str) else "(where is not known)"
        yield EMPTY
        yield line(
            Span(f"  {_word(one):<{verdicts}}", style),
            Span(f"  {one['key']:<{keys}}", "strong"),
            Span(f"  {visible(where)}", "place"),
            Span(
                "" if one["needed"] is True else "  not needed" if not one["needed"] else "  may not be needed", "dim"
            ),
        )
        yield from _field("", f"{one['detail']} [{one['reason']}]", width)
        if one["verdict"] in (*WORKING, "NOT_APPLICABLE"):
            continue
        yield from _field("action", f"{one['action'] or 'not known'}, {one['plane']} plane", width)
        yield from _field("for", f"{one['why']} First used {_PHASES[one['phase']]}.", width)
        if one["proposal"] is not None:
            role = f"{one['proposal']['role']} at {place(one['proposal']['scope'])} would grant it"
            yield from _field("role", role, width, "fix")


def _is_spare(one: dict[str, Json]) -> bool:
    """Whether it is not granted, and nobody knows that it has to be."""
    return one["verdict"] == "NOT_ALLOWED" and one["needed"] is not True


def _word(one: dict[str, Json]) -> str:
    if _is_spare(one):
        return "not granted"
    return str(one["verdict"]).replace("_", " ").lower()


def _style(verdict: str) -> Style:
    return _STYLES.get(verdict, "error" if verdict in FAILING else "dim" if verdict == "NOT_APPLICABLE" else "info")


def _field(name: str, value: str, width: int, style: Style = "dim") -> list[Line]:
    label = f"{name}: " if name else ""
    return wrap([Span(label, "strong"), Span(visible(value), style)], width, "    ", "    ")


def _commands(operations: tuple[dict[str, Json], ...], principal: Json, kind: str, whom: str) -> Iterator[Line]:
    """What to run, or to hand to whoever may: the smallest role assignments for all that is missing."""
    roles = missing_roles(list(operations))
    if not roles or not isinstance(principal, str):
        return
    yield EMPTY
    yield line(Span(f"{whom} lacks {count(len(roles), 'role assignment')}:", "strong"))
    for role in roles:
        command = (
            f"az role assignment create --assignee-object-id {principal} --assignee-principal-type {kind} "
            f'--role {role.role_id} --scope "{role.scope}"'
        )
        yield line(Span(f"  # {visible(role.role)} at {visible(place(role.scope))}", "dim"))
        yield line(Span(f"  {visible(command)}", "fix"))


def _summary(one: Table) -> str:
    spare = sum(map(_is_spare, one.operations))
    verdicts = [operation["verdict"] for operation in one.operations if not _is_spare(operation)]
    numbers = (
        (sum(verdict in WORKING for verdict in verdicts), "allowed"),
        (sum(verdict in FAILING for verdict in verdicts), "not allowed"),
        (sum(verdict in ("UNKNOWN", "CONDITIONAL") for verdict in verdicts), "not decided"),
        (spare, "not granted (may not be needed)"),
        (sum(verdict == "NOT_APPLICABLE" for verdict in verdicts), "not applicable"),
    )
    said = ", ".join(f"{number} {word}" for number, word in numbers if number)
    return f"{count(len(one.operations), 'operation')} of the endpoint{': ' if said else ''}{said}"


def _text(value: Json) -> str:
    return visible(value) if isinstance(value, str) else "not known" if value else "none"
