"""The custom role that a command needs: as az takes it, as Bicep, for Terraform, and as a table for a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pfdoctor.core.access.propose import Need, smallest_set
from pfdoctor.core.model import Json
from pfdoctor.report.json import dump
from pfdoctor.report.style import EMPTY, Line, Span, count, line, wrap

SCOPE = "/subscriptions/SUBSCRIPTION_ID"
"""Stands for the subscription where none was named."""


class Operation(NamedTuple):
    """An operation of Azure, and the rules that cannot be decided without it; `base`: nothing works without it.

    Of one that `writes` they are the rules whose remedies take it.
    """

    name: str
    rules: tuple[str, ...]
    base: bool = False
    writes: bool = False


class Role(NamedTuple):
    """A least-privilege role. `operations` are of the control plane, `data` of the data plane."""

    name: str
    description: str
    operations: tuple[Operation, ...]
    data: tuple[Operation, ...] = ()
    scope: str = SCOPE

    @property
    def actions(self) -> list[str]:
        return sorted((one.name for one in self.operations), key=str.lower)

    @property
    def data_actions(self) -> list[str]:
        return sorted((one.name for one in self.data), key=str.lower)

    @property
    def built_in(self) -> tuple[str, ...]:
        """The built-in roles that together hold all of it, and more."""
        needs = [Need(one, False, self.scope) for one in self.actions]
        needs += [Need(one, True, self.scope) for one in self.data_actions]
        return tuple(one.role for one in smallest_set(needs))


def as_json(role: Role) -> str:
    """What `az role definition create --role-definition FILE` takes."""
    return dump(
        {
            "Name": role.name,
            "IsCustom": True,
            "Description": role.description,
            "Actions": role.actions,
            "NotActions": [],
            "DataActions": role.data_actions,
            "NotDataActions": [],
            "AssignableScopes": [role.scope],
        }
    )


def as_bicep(role: Role) -> str:
    """A Bicep file for `az deployment sub create`: it creates the role in the subscription that it is deployed to."""
    name, description = _bicep(role.name), _bicep(role.description)
    return "\n".join(
        (
            "targetScope = 'subscription'",
            "",
            "resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {",
            f"  name: guid(subscription().id, {name})",
            "  properties: {",
            f"    roleName: {name}",
            f"    description: {description}",
            "    type: 'CustomRole'",
            "    permissions: [",
            "      {",
            *_list("        actions: [", "        ]", map(_bicep, role.actions)),
            "        notActions: []",
            *_list("        dataActions: [", "        ]", map(_bicep, role.data_actions)),
            "        notDataActions: []",
            "      }",
            "    ]",
            "    assignableScopes: [",
            "      subscription().id",
            "    ]",
            "  }",
            "}",
            "",
            "output roleDefinitionId string = role.id",
            "",
        )
    )


def as_terraform(role: Role) -> str:
    """A resource of Terraform's azurerm provider."""
    return "\n".join(
        (
            f'resource "azurerm_role_definition" "{role.name.replace(" ", "_")}" {{',
            f"  name        = {_terraform(role.name)}",
            f"  scope       = {_terraform(role.scope)}",
            f"  description = {_terraform(role.description)}",
            "",
            "  permissions {",
            *_list("    actions = [", "    ]", (f"{_terraform(one)}," for one in role.actions)),
            "    not_actions = []",
            *_list("    data_actions = [", "    ]", (f"{_terraform(one)}," for one in role.data_actions)),
            "    not_data_actions = []",
            "  }",
            "",
            "  assignable_scopes = [",
            f"    {_terraform(role.scope)},",
            "  ]",
            "}",
            "",
        )
    )


def as_table(role: Role, width: int) -> list[Line]:
    """The operations, what each is for, and the built-in roles that would do, too."""
    lines = [line(Span(role.name, "strong")), *wrap([Span(role.description, "dim")], width, "  ", "  "), EMPTY]
    for title, operations in (("control plane (Actions)", role.operations), ("data plane (DataActions)", role.data)):
        lines.append(line(title if operations else f"{title}: none"))
        longest = max((len(one.name) for one in operations), default=0)
        for one in sorted(operations, key=lambda one: one.name.lower()):
            lines.append(line(f"  {one.name:<{longest}}  ", Span(_purpose(one), "dim")))
        lines.append(EMPTY)
    if role.built_in:
        more = "which grants more" if len(role.built_in) == 1 else "which together grant more"
        lines += wrap([Span(f"built-in instead: {' + '.join(role.built_in)}, {more}")], width, "", "  ")
    create = "the same with --format json > role.json; az role definition create --role-definition @role.json"
    return [*lines, *wrap([Span("create it: "), Span(create, "fix")], width, "", "  ")]


def _purpose(operation: Operation) -> str:
    if operation.base:
        return "everything"
    if not operation.rules:
        return "the command itself"
    rules = count(len(operation.rules), "rule")
    return f"the remedies of {rules}" if operation.writes else rules


def _list(opening: str, closing: str, items: Iterable[str]) -> list[str]:
    items = list(items)
    indent = " " * (len(closing) + 1)
    return [opening, *(f"{indent}{one}" for one in items), closing] if items else [opening + closing.strip()]


def _bicep(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    return f"'{escaped}'"


def _terraform(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "$${").replace("%{", "%%{")
    return f'"{escaped}"'


class Lacking(NamedTuple):
    """An operation that the caller does not hold (`held` False), or is not seen to hold (None).

    `at` is the scope that was asked about; what is not held there may be granted further down.
    """

    operation: Operation
    at: str
    held: bool | None
    why: str | None = None


def lacking_json(role: Role, lacking: Iterable[Lacking], schema: str) -> str:
    """What is lacking, and what that leaves unknown, for a program."""
    rows: list[Json] = [
        {
            "permission": one.operation.name,
            "scope": one.at,
            "held": one.held,
            "detail": one.why,
            "base": one.operation.base,
            "rules": list(one.operation.rules),
        }
        for one in lacking
    ]
    return dump({"schema": schema, "role": role.name, "operations": len(role.operations), "lacking": rows})


def lacking_table(role: Role, lacking: list[Lacking], width: int, *, verbose: bool) -> list[Line]:
    """What is lacking, and what that leaves unknown, for a person."""
    total = len(role.operations) + len(role.data)
    if not lacking:
        return [line(Span(f"You hold all {total} operations of {role.name!r}.", "good"))]
    lines: list[Line] = []
    for one in sorted(lacking, key=lambda one: (one.held is None, not one.operation.base, one.operation.name.lower())):
        mark = Span("missing", "error") if one.held is False else Span("not seen", "warning")
        lines.append(line(mark, f"  {one.operation.name}"))
        lines += wrap([Span(f"at {one.at}{f': {one.why}' if one.why else ''}", "dim")], width, "         ", "         ")
        lost = "nothing can be read without it" if one.operation.base else _lost(one.operation, verbose=verbose)
        lines += wrap([Span(lost)], width, "         ", "         ")
    gone = sum(one.held is False for one in lacking)
    missing = [one.operation for one in lacking if one.held is False and not one.operation.writes]
    left_open = {rule for one in missing for rule in one.rules}
    open_by_that = f": {count(len(left_open), 'rule')} can be left open by that" if gone else ""
    unseen = f"; of {len(lacking) - gone} it is not known" if len(lacking) > gone else ""
    said = f"{gone} of {total} operations are missing{open_by_that}{unseen}"
    return [*lines, EMPTY, *wrap([Span(said, "strong")], width)]


def _lost(operation: Operation, *, verbose: bool) -> str:
    rules = operation.rules
    if not rules:
        return "the command itself needs it"
    shown = rules if verbose else rules[:4]
    more = f" and {len(rules) - len(shown)} more" if len(rules) > len(shown) else ""
    return f"{'not mended' if operation.writes else 'left open'} without it: {', '.join(shown)}{more}"
