"""An audit, and what changed between two, as Markdown: new and worst first, a section an endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from pfdoctor.core.model import Json
from pfdoctor.report.fleet_diff import Change, Difference, groups
from pfdoctor.report.fleet_diff import headline as difference_headline
from pfdoctor.report.markdown import (
    SEVERITIES,
    finding_block,
    headline,
    reason_blocks,
    reason_text,
    worst_first,
)
from pfdoctor.report.markdown_text import MOST_BYTES, Block, code, code_cell, joined, prose, table
from pfdoctor.report.style import count

_ROWS_SHOWN = 100
_SECTIONS_ALIKE = 3
"""Sections that only repeat one reason; more of them become one."""


def render(audit: dict[str, Json], difference: Difference | None = None, most: int = MOST_BYTES) -> str:
    """The audit's JSON report as Markdown of at most so many bytes; with the changes since an older one, new first.

    The endpoints are gone through once, and only those that are not healthy are kept.
    """
    endpoints = [one for one in audit["endpoints"] if one["state"] != "healthy"]
    return joined(_blocks({**audit, "endpoints": endpoints}, difference), most)


def render_difference(difference: Difference, most: int = MOST_BYTES) -> str:
    """What changed between two audits, as Markdown of at most so many bytes."""
    return joined(_of_difference(difference), most)


def _blocks(audit: dict[str, Json], difference: Difference | None) -> Iterator[Block]:
    summary, run = audit["summary"], audit["run"]
    states = summary["states"]
    found = (finding for endpoint in audit["endpoints"] for finding in endpoint["findings"])
    yield Block(f"# pfdoctor audit: {headline(found)}\n")
    told = (
        f"{count(summary['endpoints'], 'endpoint')}: {states['findings']:,} with findings, {states['unknown']:,} "
        f"unknown, {states['healthy']:,} healthy, {states['gone']:,} gone. "
        f"Exit code {summary['exit_code']}: {prose(summary['exit_reason'])}."
    )
    yield Block(told + "\n")
    if not run["complete"]:
        yield Block("> **This audit is not complete**: part of its scope was not looked at.\n")
    if difference is not None:
        yield Block(f"Since the last audit: {difference_headline(difference)}.\n")
        for notice in difference.notices:
            yield Block(f"> {prose(notice)}\n")
    if audit["problems"]:
        rows = ((code_cell(one["path"]), prose(one["detail"])) for one in audit["problems"])
        yield Block(
            "**Could not be listed: endpoints in them may be missing here**\n\n" + table(("scope", "why"), rows)
        )
    new = {(one.endpoint["id"].lower(), one.finding["fingerprint"]) for one in difference.new} if difference else set()
    ordered = sorted(audit["endpoints"], key=lambda one: _new_and_worst_first(one, new))
    yield from _overview([one for one in ordered if one["state"] in ("findings", "unknown")], new)
    alike = _unread_alike(ordered)
    for endpoint in ordered:
        if endpoint["findings"] or _unread_reason(endpoint) not in alike:
            yield from _endpoint(endpoint, new)
    for reason, names in alike.items():
        shown = ", ".join(prose(name) for name in names[:_ROWS_SHOWN])
        more = f" and {len(names) - _ROWS_SHOWN:,} more" if len(names) > _ROWS_SHOWN else ""
        yield Block(f"## {count(len(names), 'endpoint')}: {prose(reason)}\n\n{shown}{more}\n")
    if difference is not None:
        for name, title, changes in groups(difference):
            if name in ("fixed", "not_seen") and changes:
                yield Block(f"## {title}\n\n" + _changes(changes))
    yield from reason_blocks(_reasons(audit["endpoints"]))


def _unread_reason(endpoint: dict[str, Json]) -> str:
    return f"{endpoint['state']}: {reason_text(endpoint['reason'])}" if endpoint["reason"] is not None else ""


def _unread_alike(endpoints: list[dict[str, Json]]) -> dict[str, list[str]]:
    """Endpoints of which nothing else is known than why they were not seen, where many share the reason."""
    reasons: dict[str, list[str]] = {}
    for one in endpoints:
        if one["reason"] is not None and not one["findings"]:
            name = f"{one['resource_group']}/{one['workspace']}/{one['name']}"
            reasons.setdefault(_unread_reason(one), []).append(name)
    return {reason: names for reason, names in reasons.items() if len(names) > _SECTIONS_ALIKE}


def _new_and_worst_first(endpoint: dict[str, Json], new: set[tuple[str, str]]) -> tuple[bool, int, int, str]:
    identifier = endpoint["id"].lower()
    found = [SEVERITIES.index(one["severity"]) for one in endpoint["findings"]]
    fresh = [
        SEVERITIES.index(one["severity"]) for one in endpoint["findings"] if (identifier, one["fingerprint"]) in new
    ]
    none = len(SEVERITIES)
    worst = SEVERITIES.index(endpoint["worst"]) if endpoint["worst"] is not None else min(found, default=none)
    return not fresh, min(fresh, default=none), worst, identifier


def _overview(endpoints: list[dict[str, Json]], new: set[tuple[str, str]]) -> Iterator[Block]:
    """A row an endpoint that is not healthy."""
    if not endpoints:
        return
    head = ["endpoint", "workspace", "state", *SEVERITIES, "undecided rules", *(["new"] if new else [])]
    rows = []
    for one in endpoints[:_ROWS_SHOWN]:
        severities = [finding["severity"] for finding in one["findings"]]
        fresh = sum((one["id"].lower(), finding["fingerprint"]) in new for finding in one["findings"])
        row = [prose(one["name"]), prose(f"{one['resource_group']}/{one['workspace']}"), one["state"]]
        row += [f"{severities.count(severity):,}" for severity in SEVERITIES]
        rows.append([*row, f"{len({gap['rule'] for gap in one['unknown']}):,}", *([f"{fresh:,}"] if new else [])])
    more = f"\n… and {len(endpoints) - _ROWS_SHOWN:,} more endpoints\n" if len(endpoints) > _ROWS_SHOWN else ""
    yield Block(table(head, rows) + more)


def _endpoint(endpoint: dict[str, Json], new: set[tuple[str, str]]) -> Iterator[Block]:
    """The section of an endpoint that has findings, or could not be read."""
    if not endpoint["findings"] and endpoint["reason"] is None:
        return
    where = f"{endpoint['resource_group']}/{endpoint['workspace']}"
    told = [code(endpoint["id"])]
    if endpoint["reason"] is not None:
        told.append(prose(f"{endpoint['state']}: {reason_text(endpoint['reason'])}"))
    yield Block(f"## {prose(endpoint['name'])} in {prose(where)}\n\n" + " — ".join(told) + "\n")
    identifier = endpoint["id"].lower()
    marked = [((identifier, one["fingerprint"]) in new, one) for one in endpoint["findings"]]
    for is_new, finding in sorted(marked, key=lambda one: (not one[0], worst_first(one[1]))):
        yield finding_block(finding, new=is_new)


def _reasons(endpoints: list[dict[str, Json]]) -> dict[str, set[str]]:
    reasons: dict[str, set[str]] = {}
    for endpoint in endpoints:
        for one in endpoint["unknown"]:
            reasons.setdefault(reason_text(one), set()).add(one["rule"])
    return reasons


def _of_difference(difference: Difference) -> Iterator[Block]:
    yield Block(f"# pfdoctor audit: {difference_headline(difference)}\n")
    for notice in difference.notices:
        yield Block(f"> {prose(notice)}\n")
    for name, title, changes in groups(difference):
        if not changes:
            continue
        if name != "new":
            yield Block(f"## {title}\n\n" + _changes(changes))
            continue
        yield Block(f"## {title}\n")
        for one in changes:
            where = f"{one.endpoint['resource_group']}/{one.endpoint['workspace']}/{one.finding['case']}"
            why = f" — {prose(one.why)}" if one.why is not None else ""
            block = finding_block(one.finding)
            yield Block(f"{block.text}\nin {prose(where)}{why}\n", block.findings)


def _changes(changes: tuple[Change, ...]) -> str:
    """A row a finding."""
    rows = []
    for one in changes[:_ROWS_SHOWN]:
        where = f"{one.endpoint['resource_group']}/{one.endpoint['workspace']}/{one.finding['case']}"
        rows.append((one.finding["severity"], code_cell(one.finding["rule"]), prose(where), prose(one.why or "")))
    more = f"\n… and {len(changes) - _ROWS_SHOWN:,} more\n" if len(changes) > _ROWS_SHOWN else ""
    return table(("severity", "rule", "where", ""), rows) + more
