"""Which operations of Azure a command needs: those behind the facts that its rules read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pfdoctor.collect.azure import permissions
from pfdoctor.collect.azure.permissions import permissions_of
from pfdoctor.core.model import Json
from pfdoctor.core.rule import Rule
from pfdoctor.report.role import Operation
from pfdoctor.report.rule_text import facts_read

COMMANDS = ("check", "diagnose", "access", "audit", "selfcheck", "apply")

_PROBE = frozenset((permissions.KEYS, permissions.TOKEN, permissions.SCORE))
_OWN: dict[str, tuple[str, ...]] = {
    # a cause leaves its trace in the logs: with them it is confirmed, without them it is still decided
    "check": (*permissions.FINDING, permissions.LOGS),
    "diagnose": (*permissions.FINDING, permissions.LOGS),
    "access": permissions.FINDING,
    # Azure Resource Graph shows the subscriptions that one may read
    "audit": (*permissions.FINDING, permissions.LOGS, permissions.SUBSCRIPTION),
    "selfcheck": (permissions.SUBSCRIPTION, permissions.WORKSPACE),
    "apply": (*permissions.FINDING, permissions.LOGS),
}


def needed(command: str, rules: Iterable[Rule], *, probe: bool) -> tuple[Operation, ...]:
    """The operations that the command needs to decide the rules, each with the rules that need it.

    `probe`: the endpoint itself is asked, too, which takes its key or a token.
    """
    rules = tuple(rules)
    wanted: dict[str, set[str]] = {name: set() for name in _OWN[command]}
    if command == "access":
        wanted |= {name: set() for name in permissions_of("access")}
    elif command != "selfcheck":
        for rule in rules:
            for name in operations_of(rule):
                wanted.setdefault(name, set()).add(rule.id)
    writes: dict[str, set[str]] = {}
    for rule in rules if command == "apply" else ():
        for name in writes_of(rule):
            writes.setdefault(name, set()).add(rule.id)
    base = frozenset(permissions.FINDING) if command != "selfcheck" else frozenset()
    reads = (
        Operation(name, tuple(sorted(ids)), base=name in base)
        for name, ids in wanted.items()
        if probe or name not in _PROBE
    )
    return (*reads, *(Operation(name, tuple(sorted(ids)), writes=True) for name, ids in writes.items()))


def operations_of(rule: Rule) -> tuple[str, ...]:
    """The operations behind all that the rule reads, where it can be decided by what Azure tells."""
    if "live" not in rule.views and "live" not in rule.requires:
        return ()
    return tuple(dict.fromkeys(name for fact in _facts(rule) for name in permissions_of(fact)))


def writes_of(rule: Rule) -> tuple[str, ...]:
    """The operations that the rule's remedies take, where they mend something in Azure."""
    if "live" not in rule.views:
        return ()
    actions = (action for remedy in rule.wording.remedies for action in remedy.raw_actions)
    found = (name for action in actions for kind, body in action.items() for name in _writes(kind, body))
    return tuple(dict.fromkeys(found))


def _writes(kind: str, body: dict[str, Json]) -> tuple[str, ...]:
    if kind in permissions.WRITES:
        return permissions.WRITES[kind]
    section = str(body.get("fact", "")).removeprefix("live.").partition(".")[0]
    return permissions.WRITES_OF_FACT.get(section, ())


def _facts(rule: Rule) -> Iterator[str]:
    for one in facts_read(rule):
        if not one.path.startswith(("declared.", "it", "clock", "case")):
            yield one.path
    if "logs" in rule.requires:
        yield "logs"
