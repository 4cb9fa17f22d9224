"""What is kept of an endpoint: its findings, what could not be decided, and whether it may be called healthy.

An endpoint is healthy only where every rule that applies was decided, but for what Azure never shows and what was not
asked for. Anything else that is missing makes it unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pfdoctor.audit.fleet import Endpoint
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import CaseResult, Finding, Json, Missing, Severity, Status, Unknown
from pfdoctor.report.json import finding_body

HEALTHY, FINDINGS, UNKNOWN, GONE = "healthy", "findings", "unknown", "gone"
STATES = (FINDINGS, UNKNOWN, HEALTHY, GONE)

LOG_UNREAD = "log-unread"
"""The reason's code of an endpoint that was read, but for the log of a deployment."""

_BY_NATURE = frozenset(
    """
    flow-unread in-registry log-cut no-logs no-version not-asked not-collected not-in-azure not-in-files not-looked
    not-observed not-read-live not-shown not-told remote
    """.split()
)
"""Reasons that hold for every endpoint alike: what lies in images and models, what takes a probe, files or a log."""
_RANK = {status: rank for rank, status in enumerate(Status)}
_WORST = {str(severity): severity.rank for severity in Severity}


def is_by_nature(unknown: Finding) -> bool:
    """Whether an undecided rule lacks nothing that Azure would have shown.

    Whether an operation is needed stands before whether it is allowed: where the former cannot be known, the latter
    decides nothing.
    """
    idle = {_operation(one) for one in unknown.missing if one.path.endswith(".needed") and _is_known_gap(one.reason)}
    return all(_is_known_gap(one.reason) or _operation(one) in idle for one in unknown.missing)


def _operation(missing: Missing) -> str:
    return missing.path.rpartition(".")[0]


def _is_known_gap(reason: Unknown) -> bool:
    return reason.code in _BY_NATURE


def wants_more(facts: Facts, result: CaseResult) -> bool:
    """Whether a brief reading is not enough: something was found, or left open, or is not as it should be."""
    live: Json = facts.document["live"]
    states = [
        part.get("provisioning_state") for part in (live["endpoint"], live["deployment"]) if isinstance(part, dict)
    ]
    return (
        bool(result.findings)
        or any(str(state).lower() != "succeeded" for state in states)
        or not all(map(is_by_nature, result.unknown))
    )


def record(
    endpoint: Endpoint, cases: Sequence[tuple[Facts, CaseResult]], log_unread: Unknown | None = None
) -> dict[str, Json]:
    """The endpoint's entry in the report (docs/schema/audit.schema.json) of what its deployments came to.

    `log_unread` is why a log could not be read: no rule is open for want of a log, and yet none looked into it.
    """
    results = [result for _, result in cases]
    findings = sorted({one.fingerprint: one for result in results for one in result.findings}.values(), key=_order)
    unknown = list(_unknown(results))
    proven = [one.severity for one in findings if one.status.counts]
    live: Json = cases[0][0].document["live"]
    seen: Json = live["endpoint"]
    reason = _reason(seen) or _reason(seen.get("deployments"))
    if reason is None and log_unread is not None:
        reason = _body(log_unread._replace(code=LOG_UNREAD, detail=f"the log of a deployment {log_unread.detail}"))
    state = FINDINGS if findings else UNKNOWN if unknown or reason is not None else HEALTHY
    return {
        **_head(endpoint, state),
        "location": _known(seen.get("location")) or endpoint.location,
        "worst": str(max(proven, key=lambda one: one.rank)) if proven else None,
        "reason": reason,
        "deployments": [
            _deployment(facts) for facts, _ in cases if isinstance(facts.document["live"]["deployment"], dict)
        ],
        "rules": _rules(results),
        "findings": [finding_body(one) for one in findings],
        "unknown": unknown,
    }


def unread(endpoint: Endpoint, reason: Unknown, *, gone: bool = False) -> dict[str, Json]:
    """The entry of an endpoint that could not be looked at, or that proved to be there no longer."""
    return {
        **_head(endpoint, GONE if gone else UNKNOWN),
        "location": endpoint.location,
        "worst": None,
        "reason": _body(reason),
        "deployments": [],
        "rules": _rules([]),
        "findings": [],
        "unknown": [],
    }


def order(entry: dict[str, Json]) -> tuple[int, int, str]:
    """Entries sort by this: the worst first, then what is unknown, and by id."""
    return (-_WORST.get(str(entry["worst"]), -1), STATES.index(entry["state"]), entry["id"].lower())


def _head(endpoint: Endpoint, state: str) -> dict[str, Json]:
    return {
        "id": endpoint.id,
        "name": endpoint.name,
        "workspace": endpoint.workspace,
        "resource_group": endpoint.resource_group,
        "subscription": endpoint.subscription,
        "location": None,
        "tags": dict(endpoint.tags),
        "state": state,
    }


def _order(finding: Finding) -> tuple[int, int, str, str]:
    return (-finding.severity.rank, _RANK[finding.status], finding.rule, finding.fingerprint)


def _unknown(results: Iterable[CaseResult]) -> Iterable[dict[str, Json]]:
    for result in results:
        for one in result.unknown:
            if is_by_nature(one):
                continue
            missing = next((gap for gap in one.missing if not _is_known_gap(gap.reason)), one.missing[0])
            yield {
                "rule": one.rule,
                "case": one.case,
                "fact": missing.path,
                "code": missing.reason.code,
                "detail": missing.reason.detail,
                "permission": missing.reason.permission,
                "command": missing.reason.collect_command,
            }


def _reason(fact: Json) -> Json:
    """Why a fact is not known, or not wholly; null where it is."""
    if not isinstance(fact, dict):
        return None
    why = fact.get("$unknown") or fact.get("$incomplete")
    return {"code": why["code"], "detail": why["detail"], "permission": why.get("permission")} if why else None


def _body(reason: Unknown) -> dict[str, Json]:
    return {"code": reason.code, "detail": reason.detail, "permission": reason.permission}


def _known(fact: Json) -> Json:
    return None if isinstance(fact, dict) else fact


def _deployment(facts: Facts) -> dict[str, Json]:
    document: Json = facts.document
    deployment = document["live"]["deployment"]
    shares = _known_map(document["live"]["endpoint"]).get("traffic")
    name = _known(deployment.get("name")) or document["case"]["name"].partition("/")[2]
    return {
        "name": name,
        "provisioning_state": _known(deployment.get("provisioning_state")),
        "instance_type": _known(deployment.get("instance_type")),
        "traffic": _known_map(shares).get(name, 0) if _reason(shares) is None else None,
    }


def _known_map(fact: Json) -> dict[str, Json]:
    return fact if isinstance(fact, dict) and "$unknown" not in fact else {}


def _rules(results: Sequence[CaseResult]) -> dict[str, Json]:
    names = ("pass", "fail", "unknown", "not-applicable")
    counts: Counter[str] = Counter()
    if len(results) == 1:
        for status, rules in results[0].outcomes.items():
            counts[_outcome(status)] += len(rules)
        return {name: counts[name] for name in names}
    worst: dict[str, Status] = {}
    for result in results:
        for status, rules in result.outcomes.items():
            for rule in rules:
                worst[rule] = min(worst.get(rule, status), status, key=_RANK.__getitem__)
    counts.update(map(_outcome, worst.values()))
    return {name: counts[name] for name in names}


def _outcome(status: Status) -> str:
    return "fail" if status.is_finding else str(status)
