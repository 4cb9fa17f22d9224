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


def foresee(
    catalogue: Catalogue,
    before: Sequence[tuple[Facts, CaseResult]],
    predicted: Sequence[Facts],
    judge: Callable[[Facts], CaseResult],
) -> Forecast:
    """What the plan solves, leaves, introduces and leaves open, over all cases. `predicted` are the facts after it."""
    solved: dict[str, Outcome] = {}
    remaining: dict[str, Outcome] = {}
    introduced: dict[str, Outcome] = {}
    undecided: dict[str, Outcome] = {}
    rejoined = any(_names(facts) != _names(expected) for (facts, _), expected in zip(before, predicted, strict=True))
    for (facts, result), expected in zip(before, predicted, strict=True):
        now = _proven(result)
        if expected is facts:
            (undecided if rejoined else remaining).update(now)
            continue
        then = judge(expected)
        later = _proven(then)
        open_rules = {one.rule for one in then.unknown} | set(then.outcomes[Status.UNKNOWN])
        # a container that is started anew writes another log
        restarted = _is_restarted(expected)
        for fingerprint, outcome in now.items():
            if fingerprint in later:
                by_log = restarted and "logs" in catalogue.rules[outcome.rule].requires
                (undecided if by_log else remaining)[fingerprint] = outcome
            elif outcome.rule in open_rules:
                undecided[fingerprint] = outcome
            else:
                solved[fingerprint] = outcome
        introduced |= {
            fingerprint: outcome
            for fingerprint, outcome in later.items()
            if fingerprint not in now and not was_true(catalogue, facts, outcome)
        }
    # what one case still has is not solved because another has it no longer
    kept = {**remaining, **undecided}
    return Forecast(
        tuple(one for key, one in solved.items() if key not in kept),
        tuple(remaining.values()),
        tuple(introduced.values()),
        tuple(one for key, one in undecided.items() if key not in remaining),
    )


def _is_restarted(facts: Facts) -> bool:
    """Whether the prediction includes a roll-out: then nobody knows the state it will end in."""
    deployment = (facts.document.get("live") or {}).get("deployment")
    state = deployment.get("provisioning_state") if isinstance(deployment, dict) else None
    return isinstance(state, dict) and state == PREDICTED.to_json()


def _names(facts: Facts) -> list[Json]:
    """The names by which a deployment is joined to its parts: where they change, files may belong to another case."""
    deployment = (facts.document.get("declared") or {}).get("deployment")
    known = deployment if isinstance(deployment, dict) else {}
    return [known.get(name) for name in ("endpoint_name", "model", "environment")]


def _proven(result: CaseResult) -> dict[str, Outcome]:
    return {one.fingerprint: outcome_of(one) for one in result.findings if one.status.counts}


def outcome_of(finding: Finding) -> Outcome:
    """What a forecast keeps of a finding."""
    return Outcome(finding.rule, finding.case, finding.subject, finding.fingerprint, finding.message)


def was_true(catalogue: Catalogue, facts: Facts, outcome: Outcome) -> bool:
    """Whether the rule fired there before: a sharper answer in the same place hides a general one from the report."""
    rule = catalogue.rules[outcome.rule]
    return any(identity(rule, scope) == outcome.fingerprint for scope in firing(rule, derive(facts)))
