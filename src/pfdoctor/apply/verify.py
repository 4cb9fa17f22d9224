"""Whether a fix did what it promised: what is found before and after it, compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from pfdoctor.core.derive import derive
from pfdoctor.core.facts import Facts
from pfdoctor.core.firing import firing, identity
from pfdoctor.core.model import CaseResult, Json, Severity
from pfdoctor.core.plan import Outcome
from pfdoctor.core.plan.foresee import DRIFT, proven, was_true
from pfdoctor.core.rule import Catalogue


class Observation(NamedTuple):
    """What is there now: the facts of every case, and what every rule came to."""

    cases: tuple[tuple[Facts, CaseResult], ...]

    @property
    def proven(self) -> dict[str, Outcome]:
        """What is found and proven, by its identity."""
        return {key: one for _, result in self.cases for key, one in proven(result).items()}

    @property
    def joins(self) -> list[tuple[str, Json]]:
        """Which files belong together, by case."""
        return [(result.name, result.joins) for _, result in self.cases]

    @property
    def undecided(self) -> frozenset[str]:
        """The rules that could not be decided somewhere."""
        return frozenset(one.rule for _, result in self.cases for one in result.unknown)

    def why_undecided(self, rule: str, case: str, before: Observation) -> str | None:
        """Why nobody can tell whether the rule still fires in the case; None where that is known.

        What was open `before`, beside the finding that was proven there, may stay open.
        """
        open_before = {one.fingerprint for _, result in before.cases for one in result.unknown}
        for _, result in self.cases:
            for one in result.unknown:
                if (one.rule, one.case) == (rule, case) and one.fingerprint not in open_before:
                    missing = f" ({one.missing[0].path}: {one.missing[0].reason.detail})" if one.missing else ""
                    return f"whether {rule} still fires could not be told afterwards{missing}"
        return None


Observe: TypeAlias = Callable[[], Observation]
"""Collects the facts again and runs every rule."""


def new_causes(
    catalogue: Catalogue,
    before: Observation,
    after: Observation,
    *,
    restarted: bool = False,
    granted: frozenset[str] = frozenset(),
) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...]]:
    """What became true that was false, and what is seen now that nobody could tell before.

    Where files belong together that did not before (a reference was mended), nobody could tell anything of them. A
    container that was `restarted` comes further than the one before and tells its next problem. That a role was
    `granted` (the ids of assignments, in lower case) only just now is no harm either, nor that files and Azure differ
    until the other of them is mended.
    """
    known, undecided, rejoined = before.proven, before.undecided, before.joins != after.joins
    introduced: list[Outcome] = []
    revealed: list[Outcome] = []
    for fingerprint, outcome in after.proven.items():
        if fingerprint in known or any(was_true(catalogue, facts, outcome) for facts, _ in before.cases):
            continue
        told = rejoined or outcome.rule in undecided or catalogue.rules[outcome.rule].category == DRIFT
        # what is only worth knowing is no harm: traffic that goes away from a deployment that failed is missing there
        told = told or catalogue.rules[outcome.rule].severity is Severity.INFO
        told = told or (restarted and "logs" in catalogue.rules[outcome.rule].requires)
        if told or _is_of_grant(catalogue, after, outcome, granted):
            revealed.append(outcome)
        else:
            introduced.append(outcome)
    return tuple(introduced), tuple(revealed)


def _is_of_grant(catalogue: Catalogue, after: Observation, outcome: Outcome, granted: frozenset[str]) -> bool:
    """Whether the finding is about an operation that one of these assignments grants."""
    rule = catalogue.rules[outcome.rule]
    for facts, _ in after.cases if granted else ():
        for scope in firing(rule, derive(facts)):
            item = scope.item.value if scope.item is not None else None
            grant = item.get("grant") if isinstance(item, dict) else None
            mine = isinstance(grant, dict) and str(grant.get("id")).lower() in granted
            if mine and identity(rule, scope) == outcome.fingerprint:
                return True
    return False
