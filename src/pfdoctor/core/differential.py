"""The differential: for each symptom that was seen, which causes are proven, suspected, or ruled out, and by what.

The first finding is the answer a person acts on, so their order is part of the diagnosis. Confirmed causes come
before suspected ones; a cause whose symptom is told by few rules comes before one that would explain anything; what
only follows from something else that was seen (no worker booted, so a probe failed) comes after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pfdoctor.core.facts import Facts
from pfdoctor.core.model import (
    CaseResult,
    Cause,
    Differential,
    Evidence,
    Finding,
    Json,
    Missing,
    Severity,
    Source,
    Status,
    Trace,
)
from pfdoctor.core.rule import Catalogue

_TRACES_KEPT = 5
"""Traces of one symptom that are kept: a retry storm tells the same thing a thousand times."""


def explain(
    case: CaseResult, ruled_out: Mapping[str, tuple[Evidence, ...]], facts: Facts, catalogue: Catalogue
) -> CaseResult:
    """The result with its findings in the order of their likelihood, and grouped by symptom.

    `ruled_out` are the rules whose symptom was seen and whose cause is false, with the facts that say so.
    """
    seen = _Seen(facts, catalogue)
    findings = tuple(sorted(case.findings, key=seen.key))
    excerpts = {**case.excerpts, **_lines(facts)}
    return case._replace(findings=findings, differentials=seen.groups(findings, ruled_out), excerpts=excerpts)


def _lines(facts: Facts) -> dict[str, dict[str, str]]:
    """The lines of logs that show a symptom, redacted, as excerpts of files."""
    lines: dict[str, dict[str, str]] = {}
    for traces in _traces(facts).values():
        for trace in traces:
            if trace.line is not None:
                lines.setdefault(trace.source, {})[str(trace.line)] = trace.text
    for error in facts.document.get("unexplained") or ():
        if error.get("line") is not None:
            lines.setdefault(str(error.get("log") or ""), {})[str(error["line"])] = str(error.get("excerpt") or "")
    return lines


class _Seen:
    """What was seen in the logs of one case, and the rules that it could come from."""

    def __init__(self, facts: Facts, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._traces = _traces(facts)
        self._unexplained: list[dict[str, Json]] = facts.document.get("unexplained") or []
        # most logs show nothing
        wanted = [rule.symptoms for rule in catalogue.rules.values()] if self._traces else []
        self._told_by = Counter(name for symptoms in wanted for name in symptoms)
        self._roots = [name for name in self._traces if not self._is_consequence(name)]

    def groups(
        self, findings: Sequence[Finding], ruled_out: Mapping[str, tuple[Evidence, ...]]
    ) -> tuple[Differential, ...]:
        """For each symptom that was seen its causes; symptoms that others explain stand last."""
        groups = _told_elsewhere([self._group(name, findings, ruled_out) for name in self._traces])
        groups += [_unexplained(index, error, findings) for index, error in enumerate(self._unexplained)]
        return tuple(sorted(groups, key=lambda group: bool(group.follows)))

    def _group(
        self, name: str, findings: Sequence[Finding], ruled_out: Mapping[str, tuple[Evidence, ...]]
    ) -> Differential:
        rules = {rule.id for rule in self._catalogue.rules.values() if name in rule.symptoms}
        causes: dict[str, Cause] = {}
        for finding in findings:
            if finding.rule in rules and finding.rule not in causes:
                causes[finding.rule] = _cause(finding)
        for rule_id, evidence in ruled_out.items():
            if rule_id in rules and rule_id not in causes:
                causes[rule_id] = Cause(rule_id, self._catalogue.rules[rule_id].title, Status.PASS, None, evidence)
        symptom = self._catalogue.symptoms.get(name)
        follows = tuple(self._roots) if self._is_consequence(name) else ()
        title = symptom.title if symptom is not None else name
        return Differential(name, title, tuple(self._traces[name][:_TRACES_KEPT]), tuple(causes.values()), follows)

    def _is_consequence(self, name: str) -> bool:
        symptom = self._catalogue.symptoms.get(name)
        return symptom is not None and symptom.consequence

    def key(self, finding: Finding) -> tuple[Json, ...]:
        """What findings are sorted by."""
        rule = self._catalogue.rules[finding.rule]
        seen = [name for name in rule.symptoms if name in self._traces]
        consequence = bool(seen) and bool(self._roots or self._unexplained) and all(map(self._is_consequence, seen))
        return (
            consequence,
            # what only quotes an error comes after every rule that knows one
            _is_quotation(finding),
            _rank(finding, is_seen=bool(seen)),
            # of what nothing in the log speaks for, the gravest first
            0 if seen else -finding.severity.rank,
            # what a text alone tells is no cause that was proven
            rule.subject.text == "logs",
            min((self._told_by[name] for name in seen), default=0),
            -len(finding.evidence),
            -finding.severity.rank,
            -finding.confidence.rank,
            min((self._first_line(name) for name in seen), default=0),
            finding.place,
            finding.rule,
            finding.message,
        )

    def _first_line(self, name: str) -> int:
        return min((trace.line or 0 for trace in self._traces[name]), default=0)


def _told_elsewhere(groups: Sequence[Differential]) -> list[Differential]:
    """The groups; one that nothing explains follows from those that explain every line of it."""
    found: dict[tuple[str, int | None], list[str]] = {}
    for group in groups:
        if group.symptom is not None and group.explained and not group.follows:
            for trace in group.traces:
                found.setdefault((trace.source, trace.line), []).append(group.symptom)

    def follows(group: Differential) -> tuple[str, ...]:
        places = [(trace.source, trace.line) for trace in group.traces]
        if group.explained or not all(place in found for place in places):
            return group.follows
        return tuple(dict.fromkeys(name for place in places for name in found[place]))

    return [group._replace(follows=follows(group)) for group in groups]


def _unexplained(index: int, error: Mapping[str, Json], findings: Sequence[Finding]) -> Differential:
    """An error without a symptom: what is known of its code, and the rules that quote it."""
    path = f"unexplained[{index}]."
    causes = tuple(
        _cause(finding) for finding in findings if any(one.path.startswith(path) for one in finding.evidence)
    )
    name = str(error.get("code") or error["kind"])
    known = error.get("meaning") or error.get("message")
    trace = Trace(str(error.get("log") or ""), error.get("line"), str(error.get("excerpt") or ""))
    return Differential(None, f"{name}: {known}" if known else name, (trace,), causes)


def _is_quotation(finding: Finding) -> bool:
    return any(one.path.startswith("unexplained[") for one in finding.evidence)


def _rank(finding: Finding, *, is_seen: bool) -> int:
    """How near a finding is to being the answer: proven and seen, proven of what is deployed, suspected, the rest.

    A cause that is proven by what Azure says needs no trace: it is latent only because nobody has met it yet. What is
    worth knowing, and nothing in the log speaks for, is no answer to it.
    """
    if finding.status is Status.CONTRADICTED:
        return 5
    if finding.status is Status.SUSPECTED:
        return 2
    if is_seen and finding.status is Status.CONFIRMED:
        return 0
    if finding.severity is Severity.INFO:
        return 4
    is_deployed = finding.status is Status.CONFIRMED or isinstance(finding.origin, Source)
    return 1 if is_deployed else 3


def _traces(facts: Facts) -> Mapping[str, list[Trace]]:
    found: dict[str, list[Trace]] = {}
    for log in facts.document.get("logs") or ():
        for hit in log.get("hits", ()):
            trace = Trace(str(log.get("source") or ""), hit.get("line"), str(hit.get("excerpt") or ""))
            found.setdefault(hit["symptom"], []).append(trace)
    return found


def _cause(finding: Finding) -> Cause:
    return Cause(
        finding.rule,
        finding.title,
        finding.status,
        finding.fingerprint,
        finding.evidence,
        next_step(finding.missing) if finding.status is Status.SUSPECTED else None,
    )


def next_step(missing: Iterable[Missing]) -> str | None:
    """The cheapest observation that would settle it: a file before a question to Azure, and that before a request."""
    steps = sorted({_step(one) for one in missing})
    return steps[0][1] if steps else None


def _step(missing: Missing) -> tuple[int, str]:
    """Cost and command of observing one fact."""
    command = missing.reason.collect_command
    section = missing.path.split(".", 2)
    if missing.path.startswith("live."):
        if section[1] in ("data_plane", "latency"):
            return (2, command or "pfdoctor diagnose --endpoint ENDPOINT --probe")
        return (1, command or "pfdoctor diagnose --endpoint ENDPOINT")
    return (0, command or "pfdoctor diagnose FOLDER_OF_THE_FLOW --log LOG")
