"""The report of an audit: docs/schema/audit.schema.json. Entries are taken one by one, so that any number fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import pfdoctor
from pfdoctor.audit.record import GONE, STATES, UNKNOWN
from pfdoctor.core.model import Json, Severity, Status
from pfdoctor.report.json import encode
from pfdoctor.report.summary import INTERNAL, Gate

SCHEMA_NAME = "pfdoctor/audit/v1"

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
            listed = isinstance(value, list) and value
            body = "[\n" + ",\n".join(map(encode, value)) + "\n]" if listed else encode(value)
            yield f"{',' if number else '{'}\n{encode(key)}: {body}"
        yield ',\n"endpoints": ['
        empty = True
        for entry in self.entries():
            yield ("\n" if empty else ",\n") + encode(entry)
            empty = False
        yield "]\n}\n" if empty else "\n]\n}\n"


class Run(NamedTuple):
    """What the audit was: the schema's scope, shard, run and problems."""

    scope: dict[str, Json]
    shard: dict[str, Json] | None
    run: dict[str, Json]
    problems: list[dict[str, Json]]


def make_report(run: Run, entries: Entries, gate: Gate) -> AuditReport:
    """The report of the entries, which are read once for it."""
    head: dict[str, Json] = {
        "schema": SCHEMA_NAME,
        "version": pfdoctor.__version__,
        "scope": run.scope,
        "shard": run.shard,
        "run": run.run,
        "summary": _summary(entries(), run, gate),
        "problems": sorted(run.problems, key=lambda one: (one["path"], one["problem"])),
    }
    return AuditReport(head, entries)


def _summary(entries: Iterable[dict[str, Json]], run: Run, gate: Gate) -> dict[str, Json]:
    states: Counter[str] = Counter()
    severities: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    proven: set[str] = set()
    broken = 0
    for entry in entries:
        states[entry["state"]] += 1
        broken += entry["reason"] is not None and entry["reason"]["code"] == INTERNAL
        severities.update(one["severity"] for one in entry["findings"])
        statuses.update(one["status"] for one in entry["findings"])
        rules.update({one["rule"] for one in entry["findings"]})
        proven.update(filter(None, [entry["worst"]]))
    worst = max(map(Severity, proven), key=lambda one: one.rank, default=None)
    gaps = bool(states[UNKNOWN] or run.problems or not run.run["complete"])
    # an endpoint with findings may have gaps, too, but then it is no longer thought healthy
    code, reason = _exit(worst, gate, total=states.total() - states[GONE], broken=broken, gaps=gaps)
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


def _exit(worst: Severity | None, gate: Gate, *, total: int, broken: int, gaps: bool) -> tuple[int, str]:
    """The exit code by the precedence of docs/exit-codes.md, and why."""
    if broken:
        return 3, f"internal error at {broken:,} endpoint{'' if broken == 1 else 's'}"
    if not total:
        return 5, "there is no endpoint in the scope"
    failing = gate.fail_on is not None and worst is not None and worst.rank >= gate.fail_on.rank
    incomplete = gate.fail_on_unknown and gaps
    if gate.exit_zero and (failing or incomplete):
        return 0, "--exit-zero"
    if failing:
        return 1, f"findings at or above {gate.fail_on}"
    if incomplete:
        return 6, "not everything could be looked at"
    return 0, "no findings" if worst is None else f"no proven finding at or above {gate.fail_on or 'never'}"
