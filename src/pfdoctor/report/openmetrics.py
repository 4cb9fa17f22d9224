"""Figures for Prometheus: OpenMetrics text that node_exporter's textfile collector and a Pushgateway take, too.

No sample has a time and no label changes from run to run, or every run would begin new series. Only proven findings
are counted. See https://prometheus.io/docs/specs/om/open_metrics_spec/.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from pfdoctor.core.model import Json, Report, Status
from pfdoctor.core.pattern import Pattern
from pfdoctor.report.json import document
from pfdoctor.report.summary import Gate

_SEVERITIES = ("error", "warning", "info")
_VERDICTS = ("pass", "fail", "unknown", "not-applicable")
_STATES = ("findings", "unknown", "healthy", "gone")
_WORKSPACE = Pattern(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<resource_group>[^/]+)"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/(?P<workspace>[^/]+)",
    re.IGNORECASE,
)

Labels = Mapping[str, str]


class Family(NamedTuple):
    """A metric: its name without suffix, its type, what it means, and samples; `unit` ends the name."""

    name: str
    kind: str
    help: str
    samples: Iterable[tuple[Labels, float]]
    unit: str | None = None


def render(report: Report, gate: Gate) -> str:
    """The figures of `check` or `diagnose`."""
    return render_document(document(report, gate))


def render_document(report: dict[str, Json]) -> str:
    """The same of the JSON report."""
    counts: Counter[tuple[str, ...]] = Counter(
        (one["severity"], one["rule"], *_place(one["source"])) for one in report["findings"] if _is_proven(one)
    )
    return _text([_findings(counts), _checks(report["summary"]["outcomes"])])


def render_audit(audit: dict[str, Json]) -> str:
    """The figures of an audit, of its JSON report; the endpoints are gone through once."""
    summary, run = audit["summary"], audit["run"]
    counts: Counter[tuple[str, ...]] = Counter()
    outcomes = dict.fromkeys(_VERDICTS, 0)
    for endpoint in audit["endpoints"]:
        place = (endpoint["subscription"], endpoint["resource_group"], endpoint["workspace"])
        # deployments of one endpoint may share a finding
        seen = {one["fingerprint"]: (one["severity"], one["rule"]) for one in endpoint["findings"] if _is_proven(one)}
        counts.update((*severity_and_rule, *place) for severity_and_rule in seen.values())
        for verdict in _VERDICTS:
            outcomes[verdict] += endpoint["rules"][verdict]
    states = summary["states"]
    families = [
        _findings(counts),
        _checks(outcomes),
        Family("pfdoctor_endpoints", "gauge", "Endpoints by what the audit came to.", _each("state", _STATES, states)),
    ]
    present = summary["endpoints"] - states["gone"]
    if present:
        share = states["healthy"] / present
        families.append(
            Family("pfdoctor_score", "gauge", "Share of endpoints that are proven healthy, 0 to 1.", [({}, share)])
        )
    if run["complete"]:
        families.append(
            Family(
                "pfdoctor_audit_last_success_timestamp_seconds",
                "gauge",
                "When the last complete audit ended, in Unix time.",
                [({}, _seconds(run["finished_at"]))],
                "seconds",
            )
        )
    families += [
        Family(
            "pfdoctor_audit_duration_seconds", "gauge", "How long it took.", [({}, run["duration_seconds"])], "seconds"
        ),
        Family(
            "pfdoctor_audit_arm_requests", "counter", "Requests to Azure Resource Manager.", [({}, run["requests"])]
        ),
        Family("pfdoctor_audit_arm_throttled", "counter", "Answers with 429 among them.", [({}, run["throttled"])]),
    ]
    return _text(families)


def _findings(counts: Mapping[tuple[str, ...], int]) -> Family:
    names = ("severity", "rule", "subscription", "resource_group", "workspace")
    samples = [(dict(zip(names, key, strict=True)), number) for key, number in sorted(counts.items())]
    return Family("pfdoctor_findings", "gauge", "Proven findings by rule and workspace.", samples)


def _checks(outcomes: Mapping[str, int]) -> Family:
    return Family("pfdoctor_checks", "gauge", "Rules by what they came to.", _each("verdict", _VERDICTS, outcomes))


def _each(label: str, values: Iterable[str], counts: Mapping[str, int]) -> list[tuple[Labels, float]]:
    """A sample for every value: a figure that is zero is told, too, or nobody could tell it from a missing one."""
    return [({label: value}, counts[value]) for value in values]


def _is_proven(finding: dict[str, Json]) -> bool:
    return Status(finding["status"]).counts


def _place(source: dict[str, Json] | None) -> tuple[str, str, str]:
    """Subscription, resource group and workspace that a live finding was read in; empty for what a file says."""
    match = _WORKSPACE.match(source["id"]) if source is not None else None
    return (match["subscription"], match["resource_group"], match["workspace"]) if match else ("", "", "")


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def _text(families: Iterable[Family]) -> str:
    lines: list[str] = []
    for family in families:
        lines.append(f"# TYPE {family.name} {family.kind}")
        if family.unit is not None:
            lines.append(f"# UNIT {family.name} {family.unit}")
        lines.append(f"# HELP {family.name} {_escaped(family.help)}")
        suffix = "_total" if family.kind == "counter" else ""
        for labels, value in family.samples:
            told = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
            lines.append(f"{family.name}{suffix}{f'{{{told}}}' if told else ''} {_number(value)}")
    return "\n".join([*lines, "# EOF", ""])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return repr(float(value)) if value != int(value) else str(int(value))
