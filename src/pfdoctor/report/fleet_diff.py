"""What changed between two audits, by the identity of findings. Only what was seen to be gone is fixed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pfdoctor
from pfdoctor.core.model import Json, Severity, Status
from pfdoctor.report.fleet import findings
from pfdoctor.report.json import dump
from pfdoctor.report.style import EMPTY, Line, Span, count, line, severity_style, visible, wrap

SCHEMA_NAME = "pfdoctor/audit-diff/v1"


class Change(NamedTuple):
    """One finding of an endpoint, and a word on why it is where it is."""

    endpoint: dict[str, Json]
    finding: dict[str, Json]
    why: str | None = None

    @property
    def is_proven(self) -> bool:
        """Whether `--fail-on` counts it."""
        return Status(self.finding["status"]).counts


class Difference(NamedTuple):
    """`not_seen` are findings of the old audit that the new one neither has nor saw to be gone: nothing says fixed."""

    new: tuple[Change, ...]
    persisting: tuple[Change, ...]
    fixed: tuple[Change, ...]
    not_seen: tuple[Change, ...]
    notices: tuple[str, ...]

    @property
    def worst_new(self) -> Severity | None:
        """The worst severity among the new findings that are proven."""
        proven = [Severity(one.finding["severity"]) for one in self.new if one.is_proven]
        return max(proven, key=lambda severity: severity.rank, default=None)


def compare(old: dict[str, Json], new: dict[str, Json]) -> Difference:
    """What changed from one audit's JSON report to the other's."""
    before = {key: (endpoint, finding) for key, endpoint, finding in findings(old)}
    after = {key: (endpoint, finding) for key, endpoint, finding in findings(new)}
    endpoints_before = {one["id"].lower(): one for one in old["endpoints"]}
    endpoints_after = {one["id"].lower(): one for one in new["endpoints"]}
    appeared: list[Change] = []
    persisting: list[Change] = []
    fixed: list[Change] = []
    not_seen: list[Change] = []
    for key, (endpoint, finding) in after.items():
        if key in before:
            persisting.append(Change(endpoint, finding, _moved(before[key][1], finding)))
        else:
            appeared.append(Change(endpoint, finding, _since(endpoints_before.get(key[0]), finding, old["rules"])))
    for key, (endpoint, finding) in before.items():
        if key not in after:
            why = _why_not_fixed(endpoints_after.get(key[0]), finding, new["rules"])
            (fixed if why is None else not_seen).append(Change(endpoint, finding, why))
    notices = tuple(_notices(old, new))
    return Difference(_ordered(appeared), _ordered(persisting), _ordered(fixed), _ordered(not_seen), notices)


def _moved(before: dict[str, Json], after: dict[str, Json]) -> str | None:
    moved = [f"{key} was {before[key]}" for key in ("severity", "status") if before[key] != after[key]]
    return ", ".join(moved) or None


def _since(before: dict[str, Json] | None, finding: dict[str, Json], rules: list[str]) -> str | None:
    """Why a finding may be new without anything having broken; None where something did."""
    if before is None:
        return "the endpoint is new to the audit"
    if finding["rule"] not in rules:
        return "the old audit did not run the rule"
    if before["reason"] is not None:
        return f"the endpoint could not be read before: {before['reason']['detail']}"
    open_before = _open(before, finding)
    return f"the rule could not be decided before: {open_before}" if open_before is not None else None


def _why_not_fixed(after: dict[str, Json] | None, finding: dict[str, Json], rules: list[str]) -> str | None:
    """Why it is not known that the finding was mended; None where it was."""
    if after is None:
        return "the endpoint is not in the new audit"
    if after["state"] == "gone":
        return "the endpoint does not exist any more"
    if after["reason"] is not None:
        return f"the endpoint could not be read: {after['reason']['detail']}"
    if finding["rule"] not in rules:
        return "the new audit did not run the rule"
    why = _open(after, finding)
    if why is not None:
        return f"the rule could not be decided: {why}"
    _, _, deployment = finding["case"].partition("/")
    if deployment and deployment.lower() not in {one["name"].lower() for one in after["deployments"]}:
        return f"the deployment {deployment} does not exist any more"
    return None


def _open(endpoint: dict[str, Json], finding: dict[str, Json]) -> str | None:
    """Why the finding's rule could not be decided for its case."""
    same = (one for one in endpoint["unknown"] if (one["rule"], one["case"]) == (finding["rule"], finding["case"]))
    first = next(same, None)
    return str(first["detail"]) if first is not None else None


def _ordered(changes: list[Change]) -> tuple[Change, ...]:
    """The worst first; what is proven before what is not."""

    def order(one: Change) -> tuple[int, int, str, str, str]:
        rank = -Severity(one.finding["severity"]).rank
        status = list(Status).index(Status(one.finding["status"]))
        return rank, status, one.endpoint["id"].lower(), one.finding["rule"], one.finding["fingerprint"]

    return tuple(sorted(changes, key=order))


def _notices(old: dict[str, Json], new: dict[str, Json]) -> Iterator[str]:
    """What makes the two hard to compare."""
    if old["version"] != new["version"]:
        yield f"pfdoctor {old['version']} and {new['version']} may have other rules: some of this is theirs"
    elif old["rules"] != new["rules"]:
        yield "the two audits ran different rules: give both the same --select, --ignore and --rules"
    for name, report in (("old", old), ("new", new)):
        if not report["run"]["complete"]:
            yield f"the {name} audit is not complete: endpoints are missing from it"
    if old["scope"] != new["scope"] or old["shard"] != new["shard"]:
        yield "the two audits looked at different scopes"
    if old["run"]["finished_at"] > new["run"]["finished_at"]:
        yield "the old audit is the newer one: are the two files the wrong way round?"


def as_json(difference: Difference, exit_code: int) -> str:
    """For a program; see docs/schema/audit-diff.schema.json."""
    groups = ("new", "persisting", "fixed", "not_seen")
    parts = {name: [_row(one) for one in getattr(difference, name)] for name in groups}
    summary: dict[str, Json] = {name: len(rows) for name, rows in parts.items()}
    worst = difference.worst_new
    summary |= {"worst_new": None if worst is None else str(worst), "exit_code": exit_code}
    head = {"schema": SCHEMA_NAME, "version": pfdoctor.__version__, "summary": summary}
    return dump({**head, "notices": list(difference.notices), **parts})


def _row(change: Change) -> dict[str, Json]:
    endpoint = {key: change.endpoint[key] for key in ("id", "name", "workspace", "resource_group", "subscription")}
    return {"endpoint": endpoint, "why": change.why, "finding": change.finding}


_TITLES = {
    "new": "New",
    "not_seen": "Not seen again, and not seen to be mended",
    "fixed": "Fixed",
    "persisting": "Persisting",
}


def groups(difference: Difference) -> Iterator[tuple[str, str, tuple[Change, ...]]]:
    """Name, title and changes of each group, in the order to read them."""
    for name, title in _TITLES.items():
        yield name, title, getattr(difference, name)


def headline(difference: Difference) -> str:
    """`2 new, 5 persisting, 1 fixed, 1 not seen again`."""
    told = f"{len(difference.new):,} new, {len(difference.persisting):,} persisting, {len(difference.fixed):,} fixed"
    return told + (f", {len(difference.not_seen):,} not seen again" if difference.not_seen else "")


def as_lines(difference: Difference, width: int, *, verbose: bool) -> list[Line]:
    """For a person; what persists is only counted unless `verbose`."""
    lines: list[Line] = []
    for name, title, changes in groups(difference):
        if not changes or (name == "persisting" and not verbose):
            continue
        lines += [line(Span(title, "strong"), f" ({count(len(changes), 'finding')})"), EMPTY]
        for one in changes:
            lines += _change(one, width)
        lines.append(EMPTY)
    for notice in difference.notices:
        lines += wrap([Span("note", "info"), Span(f"  {visible(notice)}")], width, rest="      ")
    hint = " (-v lists what persists)" if difference.persisting and not verbose else ""
    return [*lines, line(Span(headline(difference), "strong"), Span(hint, "dim"))]


def _change(change: Change, width: int) -> list[Line]:
    finding, endpoint = change.finding, change.endpoint
    severity = Severity(finding["severity"])
    lines = wrap(
        [Span(f"{severity}[{finding['rule']}]", severity_style(severity)), Span(f" {visible(finding['message'])}")],
        width,
        "  ",
        "    ",
    )
    where = f"{endpoint['workspace']}/{finding['case']} in {endpoint['resource_group']} · {finding['status']}"
    lines += wrap([Span(visible(where), "place")], width, "    ", "    ")
    if change.why is not None:
        lines += wrap([Span(visible(change.why), "dim")], width, "    ", "    ")
    return lines
