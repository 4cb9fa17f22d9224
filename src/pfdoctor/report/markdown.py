"""The report as Markdown: a summary for a pull request, a job's summary or a mail. The worst comes first.

It is made of the JSON report, so that both say the same. What it quotes is escaped (see markdown_text).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from pfdoctor.core.model import Json, Report, Status
from pfdoctor.report.json import document, encode
from pfdoctor.report.markdown_text import MOST_BYTES, Block, code, code_cell, joined, link, prose, table
from pfdoctor.report.style import count, is_command
from pfdoctor.report.summary import Gate

SEVERITIES = ("error", "warning", "info")
_STATUSES = ("confirmed", "latent", "contradicted", "suspected")
_EVIDENCE_SHOWN = 5
_REASONS_SHOWN = 15
_LONGEST = 300


def render(report: Report, gate: Gate, most: int = MOST_BYTES) -> str:
    """The report of `check` or `diagnose`, of at most so many bytes."""
    return render_document(document(report, gate), most)


def render_document(report: dict[str, Json], most: int = MOST_BYTES) -> str:
    """The same of the JSON document."""
    return joined(_blocks(report), most)


def _blocks(report: dict[str, Json]) -> Iterator[Block]:
    summary = report["summary"]
    yield Block(f"# pfdoctor: {headline(report['findings'])}\n")
    outcomes = summary["outcomes"]
    told = (
        f"{count(summary['cases'], 'case')}, {count(summary['rules'], 'rule')}: {outcomes['pass']:,} passed, "
        f"{outcomes['fail']:,} found something, {outcomes['unknown']:,} could not be decided. "
        f"Exit code {summary['exit_code']}: {prose(summary['exit_reason'])}."
    )
    yield Block(told + "\n")
    for notice in report["notices"]:
        yield Block(f"> {prose(notice)}\n")
    if report["problems"]:
        rows = ((code_cell(one["path"]), prose(one["detail"])) for one in report["problems"])
        yield Block("**Not examined**\n\n" + table(("what", "why"), rows))
    for case in report["cases"]:
        yield from _symptoms(case)
    by_case: dict[str, list[dict[str, Json]]] = {}
    for finding in sorted(report["findings"], key=worst_first):
        by_case.setdefault(finding["case"], []).append(finding)
    for name, findings in by_case.items():
        yield Block(f"## {prose(name)}\n")
        yield from map(finding_block, findings)
    yield from _not_checked(report["not_checked"])


def _symptoms(case: dict[str, Json]) -> Iterator[Block]:
    """What the logs of the case show, and what accounts for it."""
    if case["differentials"]:
        rows = [(prose(one["title"]), _accounts(one)) for one in case["differentials"]]
        yield Block(f"**Seen in the log of {prose(case['name'])}**\n\n" + table(("symptom", "cause"), rows))


def _accounts(differential: dict[str, Json]) -> str:
    found = [one for one in differential["causes"] if one["status"] in _STATUSES]
    if found:
        return ", ".join(f"{code_cell(one['rule'])} {one['status']}" for one in found)
    if differential["follows"]:
        return f"follows from {', '.join(map(code_cell, differential['follows']))}"
    return "none of the rules accounts for it"


def headline(findings: Iterable[dict[str, Json]]) -> str:
    """`2 errors, 1 warning, 3 not proven`, or that nothing was found."""
    kinds = Counter(one["severity"] if Status(one["status"]).counts else "" for one in findings)
    nouns = {"error": "error", "warning": "warning", "info": "note"}
    told = [count(kinds[one], nouns[one]) for one in SEVERITIES if kinds[one]]
    told += [f"{kinds['']:,} not proven"] if kinds[""] else []
    return ", ".join(told) or "nothing found"


def worst_first(finding: dict[str, Json]) -> tuple[int, int, str, str]:
    """Sorts findings: by severity, then by how well they are proven."""
    rank = SEVERITIES.index(finding["severity"]), _STATUSES.index(finding["status"])
    return (*rank, finding["rule"], finding["fingerprint"])


def finding_block(finding: dict[str, Json], *, new: bool = False) -> Block:
    """One finding as the reports hold it: what it is, where, by which facts, and what mends it."""
    mark = "**new** · " if new else ""
    name = link(code(finding["rule"]), finding["help"])
    lines = [
        f"### {mark}{finding['severity']}: {prose(finding['title'])}\n",
        f"{name} · {finding['status']} · {finding['confidence']}\n",
        f"{prose(finding['message'])}\n",
    ]
    details = [*_where(finding), *_seen(finding["evidence"]), *_unseen(finding["missing"])]
    details += [line for remedy in finding["remedies"] for line in _remedy(remedy)]
    if details:
        lines.append("\n".join(details) + "\n")
    return Block("\n".join(lines), 1)


def _where(finding: dict[str, Json]) -> Iterator[str]:
    if finding["path"] is not None:
        line = f":{finding['line']}" if finding["line"] is not None else ""
        yield f"- at {code(finding['path'] + line)}"
    elif finding["source"] is not None:
        yield f"- at {code(finding['source']['id'])}"


def _seen(evidence: list[dict[str, Json]]) -> Iterator[str]:
    for one in evidence[:_EVIDENCE_SHOWN]:
        yield f"- seen: {code(one['path'])} is {code(_short(encode(one['value'])))}"
    if len(evidence) > _EVIDENCE_SHOWN:
        yield f"- … and {count(len(evidence) - _EVIDENCE_SHOWN, 'more fact')}"


def _unseen(missing: list[dict[str, Json]]) -> Iterator[str]:
    for one in missing[:_EVIDENCE_SHOWN]:
        yield f"- not seen: {code(one['fact'])}: {prose(_short(one['detail']))}"


def _remedy(remedy: dict[str, Json]) -> Iterator[str]:
    steps = (remedy["steps"] or "").splitlines()
    # a sentence a line, and here all of them in one paragraph; a command is to be copied
    words = " ".join(" ".join(one for one in steps if not is_command(one)).split())
    yield f"- fix ({remedy['level']}): {prose(remedy['title'])}{f': {prose(words)}' if words else ''}"
    for command in (*remedy["edits"], *filter(is_command, steps)):
        yield f"  - {code(command)}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _not_checked(not_checked: list[dict[str, Json]]) -> Iterator[Block]:
    """What could not be decided, by its first reason, the one that keeps most rules open first."""
    reasons: dict[str, set[str]] = {}
    for one in not_checked:
        first = one["missing"][0] if one["missing"] else {"detail": "not collected", "permission": None}
        reasons.setdefault(reason_text(first), set()).add(one["rule"])
    yield from reason_blocks(reasons)


def reason_text(reason: dict[str, Json]) -> str:
    """Why something is not known, and the permission that would tell."""
    needed = f" (takes {reason['permission']})" if reason["permission"] else ""
    return f"{reason['detail']}{needed}"


def reason_blocks(reasons: dict[str, set[str]]) -> Iterator[Block]:
    """A table of what could not be decided: reasons with the rules that they keep open."""
    if not reasons:
        return
    ordered = sorted(reasons.items(), key=lambda one: (-len(one[1]), one[0]))
    rows = [(prose(_short(why)), _rules(sorted(rules))) for why, rules in ordered[:_REASONS_SHOWN]]
    more = f"\n… and {len(ordered) - _REASONS_SHOWN} more reasons\n" if len(ordered) > _REASONS_SHOWN else ""
    yield Block("## Could not be decided\n\n" + table(("why", "rules"), rows) + more)


def _rules(rules: Iterable[str]) -> str:
    rules = list(rules)
    more = f" and {len(rules) - 4} more" if len(rules) > 4 else ""
    return ", ".join(map(code_cell, rules[:4])) + more
