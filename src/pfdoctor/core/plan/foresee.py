"""The forecast of a plan: every rule on the predicted facts, compared with what is found now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pfdoctor.core.derive import derive
from pfdoctor.core.facts import Facts
from pfdoctor.core.firing import firing, identity
from pfdoctor.core.model import CaseResult, Finding, Json, Status
from pfdoctor.core.plan.step import Forecast, Outcome
from pfdoctor.core.rule import Catalogue
from pfdoctor.core.simulation import PREDICTED

DRIFT = "drift"
"""The category of rules that compare files with Azure."""


def foresee(
    catalogue: Catalogue,
    before: Sequence[tuple[Facts, CaseResult]],
    predicted: Sequence[Facts],
    judge: Callable[[Facts], CaseResult],
) -> Forecast:
    """What the plan solves, leaves and brings about, over all cases. `predicted` are the facts after it."""
    found: dict[str, dict[str, Outcome]] = {name: {} for name in Forecast._fields}
    rejoined = any(rejoins(facts, expected) for (facts, _), expected in zip(before, predicted, strict=True))
    for (facts, result), expected in zip(before, predicted, strict=True):
        now = proven(result)
        if expected is facts:
            found["undecided" if rejoined else "remaining"].update(now)
            continue
        then = judge(expected)
        later = proven(then)
        open_rules = {one.rule for one in then.unknown} | set(then.outcomes[Status.UNKNOWN])
        # a container that is started anew writes another log
        restarted = _is_restarted(expected)
        for fingerprint, outcome in now.items():
            by_log = restarted and "logs" in catalogue.rules[outcome.rule].requires
            if fingerprint in later:
                left = "undecided" if by_log else "remaining"
            else:
                left = "undecided" if outcome.rule in open_rules else "solved"
            found[left][fingerprint] = outcome
        introduced, revealed = compare(catalogue, (facts, result), later)
        found["introduced"] |= {one.fingerprint: one for one in introduced}
        found["revealed"] |= {one.fingerprint: one for one in revealed}
    # what one case still has is not solved because another has it no longer
    kept = {**found["remaining"], **found["undecided"]}
    found["solved"] = {key: one for key, one in found["solved"].items() if key not in kept}
    found["undecided"] = {key: one for key, one in found["undecided"].items() if key not in found["remaining"]}
    return Forecast(**{name: tuple(outcomes.values()) for name, outcomes in found.items()})


def compare(
    catalogue: Catalogue, before: tuple[Facts, CaseResult], later: dict[str, Outcome]
) -> tuple[list[Outcome], list[Outcome]]:
    """What is proven later in a case and was not before: made true, or of a rule that nobody could decide before."""
    facts, result = before
    now = proven(result)
    undecided = {one.rule for one in result.unknown}
    introduced: list[Outcome] = []
    revealed: list[Outcome] = []
    for fingerprint, outcome in later.items():
        if fingerprint not in now and not was_true(catalogue, facts, outcome):
            (revealed if outcome.rule in undecided else introduced).append(outcome)
    return introduced, revealed


def rejoins(facts: Facts, expected: Facts) -> bool:
    """Whether the names by which a deployment is joined to its parts change: files may then belong to another case."""
    return _names(facts) != _names(expected)


def _is_restarted(facts: Facts) -> bool:
    """Whether the prediction includes a roll-out: then nobody knows the state it will end in."""
    deployment = (facts.document.get("live") or {}).get("deployment")
    state = deployment.get("provisioning_state") if isinstance(deployment, dict) else None
    return isinstance(state, dict) and state == PREDICTED.to_json()


def _names(facts: Facts) -> list[Json]:
    deployment = (facts.document.get("declared") or {}).get("deployment")
    known = deployment if isinstance(deployment, dict) else {}
    return [known.get(name) for name in ("endpoint_name", "model", "environment")]


def proven(result: CaseResult) -> dict[str, Outcome]:
    """What is found and proven in a case, by its identity."""
    return {one.fingerprint: outcome_of(one) for one in result.findings if one.status.counts}


def outcome_of(finding: Finding) -> Outcome:
    """What a forecast keeps of a finding."""
    return Outcome(finding.rule, finding.case, finding.subject, finding.fingerprint, finding.message)


def was_true(catalogue: Catalogue, facts: Facts, outcome: Outcome) -> bool:
    """Whether the rule fired there before: a sharper answer in the same place hides a general one from the report."""
    rule = catalogue.rules[outcome.rule]
    return any(identity(rule, scope) == outcome.fingerprint for scope in firing(rule, derive(facts)))
