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
    return Table(
        str(facts.case["name"]),
        _who(live),
        access["principal_id"],
        _chosen(access["operations"], wanted),
        caller.get("principal_id"),
        caller.get("type"),
        _chosen(access["deployer"], wanted),
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
    return {**operation, "verdict": "UNKNOWN" if missing else verdict, "missing": missing}


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
    yield line(f"{visible(one.who)} {_text(one.principal_id)}")
    for operation in one.operations:
        yield EMPTY
        yield from _operation(operation, width)
    if one.deployer:
        yield EMPTY
        yield line(Span("Whoever deploys", "strong"), f": {_text(one.deployer_id)}, who ran pfdoctor")
        for operation in one.deployer:
            yield EMPTY
            yield from _operation(operation, width)
    yield from _commands(one)
    yield EMPTY
    yield line(_summary(one))


def _operation(one: dict[str, Json], width: int) -> Iterator[Line]:
    verdict = one["verdict"]
    style = _STYLES.get(verdict, "error" if verdict in FAILING else "dim" if verdict == "NOT_APPLICABLE" else "info")
    head = [Span(verdict.replace("_", " ").lower(), style), Span("  "), Span(one["key"], "strong")]
    if isinstance(one["scope"], str):
        head.append(Span(f"  {visible(place(one['scope']))}", "place"))
    if one["needed"] is not True:
        head.append(Span("  (not needed)" if one["needed"] is False else "  (perhaps needed)", "dim"))
    yield tuple(head)
    yield from _field("what", f"{one['action'] or 'not known'} ({one['plane']} plane)", width)
    if verdict != "NOT_APPLICABLE":
        used = f" Used {_PHASES[one['phase']]}."
        yield from _field("needs", f"{one['why']}{used}", width)
    yield from _field("why", f"{one['detail']} [{one['reason']}]", width)
    if one["proposal"] is not None and verdict != "NOT_APPLICABLE":
        at = place(one["proposal"]["scope"])
        yield from _field("grants", f"{one['proposal']['role']} at {at}", width, "fix")


def _field(name: str, value: str, width: int, style: Style = "") -> list[Line]:
    return wrap([Span(f"{name:<7}", "dim"), Span(visible(value), style)], width, "  ", " " * 10)


def _commands(one: Table) -> Iterator[Line]:
    """What to run, or to hand to whoever may: the smallest role assignments for all that is missing."""
    people = {"user": "User"}
    needed = (
        (one.operations, one.principal_id, "ServicePrincipal"),
        (one.deployer, one.deployer_id, people.get(str(one.deployer_type), "ServicePrincipal")),
    )
    for operations, principal, kind in needed:
        roles = missing_roles(list(operations))
        if not roles or not isinstance(principal, str):
            continue
        whom = "the endpoint's identity" if operations is one.operations else "whoever deploys"
        yield EMPTY
        yield line(Span(f"All that {whom} lacks, by {count(len(roles), 'role assignment')}:", "strong"))
        for role in roles:
            yield line(
                Span(
                    f"  az role assignment create --assignee-object-id {visible(principal)} "
                    f"--assignee-principal-type {kind} --role {role.role_id} --scope {visible(role.scope)}",
                    "fix",
                ),
                Span(f"  # {role.role}", "dim"),
            )


def _summary(one: Table) -> str:
    verdicts = [operation["verdict"] for operation in one.operations]
    working = sum(verdict in WORKING for verdict in verdicts)
    failing = sum(verdict in FAILING for verdict in verdicts)
    undecided = sum(verdict in ("UNKNOWN", "CONDITIONAL") for verdict in verdicts)
    return f"{count(len(verdicts), 'operation')}: {working} allowed, {failing} not allowed, {undecided} undecided"


def _text(value: Json) -> str:
    return visible(value) if isinstance(value, str) else "(not known)" if value else "(none)"
