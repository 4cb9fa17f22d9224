"""The heart: facts and rules in, findings out. Cause (true, unknown, false) times symptom gives the status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pfdoctor.core import message as messages
from pfdoctor.core.action import describe, filled
from pfdoctor.core.captures import agrees
from pfdoctor.core.condition import Scope, evaluate
from pfdoctor.core.derive import derive
from pfdoctor.core.facts import VIEWS, Facts, Found, join, members
from pfdoctor.core.firing import fingerprint, identity, subject_of
from pfdoctor.core.model import (
    CaseResult,
    Evidence,
    Finding,
    Missing,
    Place,
    Remedy,
    Source,
    Status,
    SymptomState,
    Unknown,
    Verdict,
)
from pfdoctor.core.rule import Catalogue, Rule, Tested, Wording, quotes_errors

_STATUS = {
    (True, SymptomState.SEEN): Status.CONFIRMED,
    (True, SymptomState.NOT_LOOKED): Status.LATENT,
    (True, SymptomState.ABSENT): Status.CONTRADICTED,
    (None, SymptomState.SEEN): Status.SUSPECTED,
    (None, SymptomState.NOT_LOOKED): Status.UNKNOWN,
    (None, SymptomState.ABSENT): Status.UNKNOWN,
}


def diagnose(facts: Facts, catalogue: Catalogue, rules: Iterable[Rule] | None = None) -> CaseResult:
    """Every rule on the facts of one case, with what follows from them, in both views that the facts hold."""
    return judge(derive(facts), catalogue, rules)


def judge(facts: Facts, catalogue: Catalogue, rules: Iterable[Rule] | None = None) -> CaseResult:
    """Every rule on exactly these facts: nothing is derived. Examples of rules state derived facts themselves."""
    findings: list[Finding] = []
    unknown: list[Finding] = []
    ruled_out: dict[str, tuple[Evidence, ...]] = {}
    outcomes: dict[Status, list[str]] = {status: [] for status in Status}
    passed, idle = outcomes[Status.PASS], outcomes[Status.NOT_APPLICABLE]
    scopes = {view: Scope(facts, view, seen={}, values={}, listed={}) for view in VIEWS}
    present = {view for view in VIEWS if facts.has_view(view)} | ({"logs"} if facts.has_logs else set())
    seen = {hit["symptom"] for log in facts.document.get("logs") or () for hit in log.get("hits", ())}
    for tested in catalogue.bench(rules).ready(frozenset(present)):
        rule = tested.rule
        is_seen = not seen.isdisjoint(rule.symptoms)
        if tested.told and not is_seen and not (quotes_errors(rule) and facts.document.get("unexplained")):
            continue
        quiet = _untold(tested, scopes) if not is_seen else None
        if quiet is not None:
            (passed if quiet is Status.PASS else idle).append(rule.id)
            continue
        results = [result for view in tested.views for result in _run(tested, scopes[view], explained=is_seen)]
        worst = min((result.status for result in results), key=_RANK.__getitem__, default=Status.PASS)
        outcomes[worst].append(rule.id)
        for result in results:
            if result.status.is_finding:
                findings.append(_finding(rule, result))
            elif result.status is Status.UNKNOWN:
                unknown.append(_bare(rule, result))
            elif is_seen and worst is Status.PASS and result.status is worst:
                ruled_out.setdefault(rule.id, _distinct(result.verdict.evidence))
    findings = _without_general(_merge(findings), catalogue)
    case = CaseResult(
        name=facts.case["name"],
        kind=facts.case["kind"],
        findings=tuple(sorted(findings, key=_by_place)),
        unknown=tuple({(one.rule, one.subject): one for one in reversed(unknown)}.values())[::-1],
        outcomes={status: tuple(ids) for status, ids in outcomes.items()},
        joins=tuple(facts.document.get("joins", ())),
        excerpts=facts.document.get("excerpts", {}),
    )
    if not facts.has_logs:
        return case
    # imported here: a check of files alone, which has to start fast, has no log to explain
    from pfdoctor.core.differential import explain

    return explain(case, ruled_out, facts, catalogue)


_RANK = {status: rank for rank, status in enumerate(Status)}
_UNTOLD = Verdict(False)
"""That of which nobody asks why."""


class _Outcome(NamedTuple):
    """What a rule came to in one view, for one item where it has `each`; most come to a pass, and to nothing more."""

    status: Status
    scope: Scope
    verdict: Verdict


def _by_place(finding: Finding) -> tuple[int, tuple[str, int, int], str, str]:
    return (-finding.severity.rank, finding.place, finding.rule, finding.message)


def _untold(tested: Tested, scopes: Mapping[str, Scope]) -> Status | None:
    """What the rule comes to where that is a pass, or not applicable: most do, and of neither anybody asks why."""
    each, applies, when = tested.rule.each, tested.applies, tested.when
    passed = idle = False
    for view in tested.views:
        scope = scopes[view]
        if applies is not None and applies(scope, None) is False:
            idle = True
        elif each is None:
            if when(scope, None) is not False:
                return None
            passed = True
        else:
            if isinstance(scope.value(each), Unknown):
                return None
            elements, incomplete = scope.members(each)
            if incomplete is not None or any(when(scope, element) is not False for _, element in elements):
                return None
            passed = passed or bool(elements)
    return Status.NOT_APPLICABLE if idle and not passed else Status.PASS


def _run(tested: Tested, scope: Scope, *, explained: bool) -> list[_Outcome]:
    """What the rule comes to in one view. Why it passed is left out, all items together, unless that is to be told."""
    rule = tested.rule
    if tested.applies is not None and tested.applies(scope, None) is False:
        return [_Outcome(Status.NOT_APPLICABLE, scope, _UNTOLD)]
    if rule.each is None:
        if not explained and tested.when(scope, None) is False:
            return [_Outcome(Status.PASS, scope, _UNTOLD)]
        return [_judge(rule, scope, _applies(rule, scope))]
    found = scope.look_up(rule.each)
    if isinstance(found.value, Unknown):
        nothing = Verdict(None, (), (Missing(found.path, found.value),))
        return [_Outcome(_status(rule, nothing, scope), scope, nothing)]
    elements, incomplete = members(found.value)
    wanted = elements if explained else [one for one in elements if tested.when(scope, one[1]) is not False]
    outcomes: list[_Outcome] = []
    if wanted:
        applies = _applies(rule, scope)
        outcomes = [_judge(rule, scope.bind(join(found.path, key), element), applies) for key, element in wanted]
    elif elements:
        outcomes = [_Outcome(Status.PASS, scope, _UNTOLD)]
    if incomplete is not None:
        rest = Verdict(None, (), (Missing(found.path, incomplete),))
        outcomes.append(_Outcome(_status(rule, rest, scope), scope, rest))
    return outcomes


def _applies(rule: Rule, scope: Scope) -> Verdict:
    return evaluate(rule.applies, scope) if rule.applies is not None else Verdict(True)


def _judge(rule: Rule, scope: Scope, applies: Verdict) -> _Outcome:
    when = evaluate(rule.when, scope)
    if when.truth is False:
        return _Outcome(Status.PASS, scope, when)
    if applies.truth is None or when.truth is None:
        cause = Verdict(None, applies.evidence + when.evidence, applies.missing + when.missing)
    else:
        # what made the rule fire comes first: it decides where the finding is shown
        cause = Verdict(True, when.evidence + applies.evidence)
    return _Outcome(_status(rule, cause, scope), scope, cause)


def _status(rule: Rule, cause: Verdict, scope: Scope) -> Status:
    if not rule.symptoms:
        return Status.CONFIRMED if cause.truth else Status.UNKNOWN
    return _STATUS[cause.truth, symptom_state(rule, scope.facts, scope.item)]


def symptom_state(rule: Rule, facts: Facts, item: Found | None = None) -> SymptomState:
    """Of several symptoms one seen is seen, and all absent is absent. A hit that names another item is none."""
    logs = facts.document.get("logs") or []
    wanted = set(rule.symptoms)
    hits = (hit for log in logs for hit in log.get("hits", ()) if hit["symptom"] in wanted)
    if any(item is None or agrees(hit.get("captures") or {}, item.value) for hit in hits):
        return SymptomState.SEEN
    looked = [log.get("looked_for", ()) for log in logs if log.get("complete")]
    is_absent = all(any(name in names for names in looked) for name in wanted)
    return SymptomState.ABSENT if is_absent else SymptomState.NOT_LOOKED


def _finding(rule: Rule, outcome: _Outcome) -> Finding:
    bare, scope = _bare(rule, outcome), outcome.scope
    if rule.each is not None and scope.item is None:
        # the list itself could not be looked at: there is no item to speak of, only the rule
        return bare._replace(fingerprint=fingerprint(rule.id, bare.subject, ""))
    wording = rule.wording
    # a suspicion rests on facts that nobody saw: it is told in general words where its own would have gaps
    complete = messages.is_complete(wording.message, wording.texts, scope)
    return bare._replace(
        message=messages.render(wording.message, wording.texts, scope) if complete else rule.title,
        fingerprint=identity(rule, scope),
        origin=_origin(rule, scope, outcome.verdict),
        evidence=_distinct(outcome.verdict.evidence),
        remedies=_remedies(wording, scope, outcome.status) if complete else (),
        related=tuple(
            origin for path in wording.related if (origin := scope.facts.origin(scope.look_up(path).path)) is not None
        ),
    )


def _bare(rule: Rule, outcome: _Outcome) -> Finding:
    """What can be said of any outcome: the rule's title for a message, no place and no identity."""
    subject = subject_of(rule, outcome.scope)
    return Finding(
        rule=rule.id,
        title=rule.title,
        category=rule.category,
        status=outcome.status,
        severity=rule.severity,
        confidence=rule.confidence,
        message=rule.title,
        case=outcome.scope.facts.case["name"],
        subject=subject,
        fingerprint="",
        missing=tuple(dict.fromkeys(outcome.verdict.missing)),
        help_uri=rule.help_uri,
    )


def _origin(rule: Rule, scope: Scope, verdict: Verdict) -> Place | None:
    if rule.at is not None:
        origin = scope.facts.origin(scope.look_up(rule.at).path)
        if origin is not None:
            return origin
    if scope.item is not None:
        origin = scope.facts.origin(scope.item.path)
        if origin is not None:
            return origin
    return next((one.origin for one in verdict.evidence if one.origin is not None), None)


def _remedies(wording: Wording, scope: Scope, status: Status) -> tuple[Remedy, ...]:
    offered = []
    for spec in wording.remedies:
        if status is Status.SUSPECTED and not messages.is_complete(spec.steps or "", spec.texts, scope):
            continue  # a command with a gap in it helps nobody
        if spec.only_if is not None and evaluate(spec.only_if, scope).truth is not True:
            continue
        edits = tuple(describe(action, scope, spec.texts) for action in spec.actions)
        told = messages.render(spec.steps, spec.texts, scope).strip() if spec.steps else ""
        # a command that stands among the edits is not given twice
        steps = "\n".join(step for step in told.split("\n") if step not in edits) or None
        title = messages.render(spec.title, spec.texts, scope)
        actions = tuple(filled(one, spec.texts, scope) for one in spec.raw_actions)
        offered.append(Remedy(title, spec.level, edits, steps, actions))
    return tuple(offered)


def _distinct(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return tuple({one.path: one for one in reversed(evidence)}.values())[::-1]


def _merge(findings: list[Finding]) -> list[Finding]:
    """One finding for each identity; further places of it become related places."""
    merged: dict[str, Finding] = {}
    for finding in findings:
        first = merged.get(finding.fingerprint)
        if first is None:
            merged[finding.fingerprint] = finding
        elif finding.origin is not None and finding.origin != first.origin and finding.origin not in first.related:
            merged[finding.fingerprint] = first._replace(related=(*first.related, finding.origin))
    return list(merged.values())


def _without_general(findings: list[Finding], catalogue: Catalogue) -> list[Finding]:
    """Drop the general answer where a rule that specialises it has a sharper one for the same place.

    What a text alone tells is the general answer to every proven cause that leaves this text. It stands at its line
    and what is sharper at another: there the case is place enough.
    """
    rules = catalogue.rules
    # what a log proves is of the same case as what Azure says of it
    covered = {
        (general, spot)
        for finding in findings
        if finding.status.counts
        for general in rules[finding.rule].specialises
        for spot in ((_spot(finding), None) if _tells_of_a_text(rules[finding.rule]) else (_spot(finding),))
    }
    sharper = {general for general, _ in covered}
    explained = {
        name
        for finding in findings
        if finding.status is Status.CONFIRMED and not _tells_of_a_text(rules[finding.rule])
        for name in rules[finding.rule].symptoms
    }
    return [
        finding
        for finding in findings
        if (finding.rule, _spot(finding)) not in covered
        and not (
            _tells_of_a_text(rules[finding.rule])
            and (finding.rule in sharper or explained.intersection(rules[finding.rule].symptoms))
        )
    ]


def _tells_of_a_text(rule: Rule) -> bool:
    return rule.subject.text == "logs"


def _spot(finding: Finding) -> Place | None:
    """What a sharper answer has to share with the general one: the place in a file; in Azure, the case alone."""
    return None if isinstance(finding.origin, Source) else finding.origin
