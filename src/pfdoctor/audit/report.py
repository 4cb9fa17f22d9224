"""The report of an audit: docs/schema/audit.schema.json. Entries are taken one by one, so that any number fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import pfdoctor
from pfdoctor.audit.record import GONE, LOG_UNREAD, STATES, UNKNOWN
from pfdoctor.core.model import Json, Severity, Status, Unknown
from pfdoctor.report.json import encode
from pfdoctor.report.style import count
from pfdoctor.report.summary import INTERNAL, Gate

SCHEMA_NAME = "pfdoctor/audit/v1"
INTERRUPTED = 130

Entries = Callable[[], Iterator[dict[str, Json]]]
"""The entries of the endpoints in the order of the report; may be called again."""


class AuditReport(NamedTuple):
    """`head` is all of the document but its endpoints."""

    head: dict[str, Json]
    entries: Entries

    @property
    def exit_code(self) -> int:
        code: int = self.head["summary"]["exit_code"]
        return code

    def chunks(self) -> Iterator[str]:
        """The document as JSON text in pieces: each key of the top level, problem and endpoint on a line of its own."""
        for number, (key, value) in enumerate(self.head.items()):
            listed = key == "problems" and value
            body = "[\n" + ",\n".join(map(encode, value)) + "\n]" if listed else encode(value)
            yield f"{',' if number else '{'}\n{encode(key)}: {body}"
        yield ',\n"endpoints": ['
        empty = True
        for entry in self.entries():
            yield ("\n" if empty else ",\n") + encode(entry)
            empty = False
        yield "]\n}\n" if empty else "\n]\n}\n"


class Cut(NamedTuple):
    """Why an audit ended before its end: what is told of each endpoint that was not reached, and the exit code."""

    reason: Unknown
    exit_code: int
    exit_reason: str


class Run(NamedTuple):
    """What the audit was: the schema's scope, shard, rules, run and problems, and what cut it."""

    scope: dict[str, Json]
    shard: dict[str, Json] | None
    rules: list[str]
    run: dict[str, Json]
    problems: list[dict[str, Json]]
    cut: Cut | None = None


def make_report(run: Run, entries: Entries, gate: Gate) -> AuditReport:
    """The report of the entries, which are read once for it."""
    head: dict[str, Json] = {
        "schema": SCHEMA_NAME,
        "version": pfdoctor.__version__,
        "scope": run.scope,
        "shard": run.shard,
        "rules": run.rules,
        "run": run.run,
        "summary": _summary(entries(), run, gate),
        "problems": sorted(run.problems, key=lambda one: (one["path"], one["problem"])),
    }
    return AuditReport(head, entries)


class _Seen(NamedTuple):
    """How much of its scope an audit saw. `present` are endpoints, `blind` those of them that could not be read."""

    present: int
    blind: int
    not_allowed: int
    """Of the blind, those that the login may not read."""
    broken: int
    undecided: int
    """Endpoints at which something is open."""


def _summary(entries: Iterable[dict[str, Json]], run: Run, gate: Gate) -> dict[str, Json]:
    states: Counter[str] = Counter()
    severities: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    proven: set[str] = set()
    for entry in entries:
        states[entry["state"]] += 1
        if entry["reason"] is not None and entry["state"] != GONE:
            reasons[entry["reason"]["code"]] += 1
        severities.update(one["severity"] for one in entry["findings"])
        statuses.update(one["status"] for one in entry["findings"])
        rules.update({one["rule"] for one in entry["findings"]})
        proven.update(filter(None, [entry["worst"]]))
    worst = max(map(Severity, proven), key=lambda one: one.rank, default=None)
    # an endpoint with findings may have gaps, too, but then it is no longer thought healthy
    seen = _Seen(
        present=states.total() - states[GONE],
        blind=reasons.total() - reasons[LOG_UNREAD],
        not_allowed=sum(reasons[one] for one in _NOT_ALLOWED),
        broken=reasons[INTERNAL],
        undecided=states[UNKNOWN],
    )
    code, reason = _exit(worst, gate, seen, run)
    return {
        "endpoints": states.total(),
        "states": {name: states[name] for name in STATES},
        "findings": statuses.total(),
        "by_severity": {str(one): severities[str(one)] for one in reversed(Severity)},
        "by_status": {str(one): statuses[str(one)] for one in Status if one.is_finding},
        "by_rule": dict(sorted(rules.items())),
        "worst": None if worst is None else str(worst),
        "problems": len(run.problems),
        "exit_code": code,
        "exit_reason": reason,
    }


_NOT_ALLOWED = ("forbidden", "unauthenticated", "not-seen")
_NOT_THERE = "not-found"


def _exit(worst: Severity | None, gate: Gate, seen: _Seen, run: Run) -> tuple[int, str]:
    """The exit code by the precedence of docs/exit-codes.md, and why."""
    if run.cut is not None and run.cut.exit_code == INTERRUPTED:
        return INTERRUPTED, run.cut.exit_reason
    if seen.broken:
        return 3, f"internal error at {count(seen.broken, 'endpoint')}"
    if run.cut is not None:
        return run.cut.exit_code, run.cut.exit_reason
    if not seen.present:
        return _of_nothing(run, gate)
    if seen.not_allowed == seen.present:
        return 4, "the login may read none of the endpoints"
    failing = gate.fail_on is not None and worst is not None and worst.rank >= gate.fail_on.rank
    missing = _missing(seen, run)
    incomplete = missing is not None or (gate.fail_on_unknown and seen.undecided)
    if gate.exit_zero and (failing or incomplete):
        return 0, "--exit-zero"
    if failing:
        return 1, f"findings at or above {gate.fail_on}"
    if incomplete:
        return 6, missing or "not everything could be decided"
    if gate.fail_on is None and worst is not None:
        return 0, "--fail-on never"
    return 0, "no findings" if worst is None else f"no proven finding at or above {gate.fail_on}"


def _of_nothing(run: Run, gate: Gate) -> tuple[int, str]:
    """The exit code of a report without an endpoint."""
    kinds = {one["problem"] for one in run.problems}
    if not kinds.isdisjoint(_NOT_ALLOWED):
        return 4, "the login sees nothing of the scope"
    if kinds - {_NOT_THERE}:
        return (0, "--exit-zero") if gate.exit_zero else (6, "the scope could not be listed")
    if run.shard is not None and run.run["in_scope"]:
        return 0, "no endpoint of the scope belongs to this shard"
    return 5, "there is no endpoint in the scope"


def _missing(seen: _Seen, run: Run) -> str | None:
    """What of the scope is not in the report at all: an audit that did not see all of it is not green."""
    parts = [count(len(run.problems), "part") + " of the scope"] if run.problems else []
    parts += [count(seen.blind, "endpoint")] if seen.blind else []
    if not parts and not run.run["complete"]:
        return "endpoints of the scope are missing"
    return f"not seen: {', '.join(parts)}" if parts else None
